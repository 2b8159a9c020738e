"""The option --config, and the settings that it names, for the commands that need them."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from commands.sensitive_words import WordList
from gateway.channels.smpp.composing import check_codec
from gateway.events.broker import BadCertificate
from gateway.settings import Settings, load, unread
from gateway.simulator.hints import command
from routing.tablefile import Fault, Located, TableError

Look = Callable[[Located[Settings]], Iterable[Fault]]
"""A check that the schema cannot make."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file (default: the values of the shipped config.yaml)",
    )


def load_settings(path: Path | None, *more: Look) -> Settings:
    """Read the settings from a file and the environment of this process. Raises TableError with every fault.

    more: further checks. A variable with one underscore too few, which is not read, is told of on standard
    error.
    """
    for name, nearest in unread(os.environ):
        sys.stderr.write(f"fetion-gateway: warning: the variable {name} is not read: is it {nearest}?\n")
    return load(
        path, os.environ, lambda located: [fault for look in (*_LOOKS, *more) for fault in look(located)]
    )


def no_store(store: Path) -> str:
    """Say that a store does not exist, and what to do."""
    return (
        f"{store}: there is no store: start a gateway with {command()} serve,"
        " or name the configuration of the one that runs with --config FILE"
    )


def settings_of(args: argparse.Namespace) -> Settings:
    """Read the settings that --config names; on faults, print all and leave with exit code 1."""
    try:
        return load_settings(args.config)
    except TableError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def codec_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield faults of the codecs that accounts and links name; only the SMPP core knows these."""
    smpp = settings.value.smpp
    for where, all_of_it in (("accounts", smpp.accounts), ("links", smpp.links)):
        for position, each in enumerate(all_of_it):
            for data_coding, codec in each.alphabet.items():
                try:
                    check_codec(data_coding, codec, each.latin)
                except ValueError as error:
                    yield settings.fault(("smpp", where, position, "alphabet", data_coding), str(error))


def path_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield faults of paths at which no file is possible. Makes nothing."""
    storage, logging = settings.value.storage, settings.value.logging
    places: tuple[tuple[tuple[str, str], Path | None], ...] = (
        (("storage", "url"), storage.path if storage.in_file else None),
        (("storage", "key_file"), storage.key_file),
        (("logging", "file"), logging.file),
    )
    for key, path in places:
        reason = path and _obstacle(path)
        if reason:
            yield settings.fault(key, f"{path}: {reason}")


def _obstacle(path: Path) -> str:
    """Return why no file is possible at a path, as far as can be seen; "" if nothing speaks against it."""
    try:
        if path.is_dir():
            return "is a folder, must be a file"
        above = next((folder for folder in path.parents if folder.exists()), None)
    except OSError:
        return ""
    return "" if above is None or above.is_dir() else f"must be in a folder, and {above} is none"


def word_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield faults of the file of sensitive words."""
    path = settings.value.service.sensitive_words
    if path is None:
        return
    try:
        WordList.load(path)
    except TableError as error:
        yield from error.faults


def certificate_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield a fault of the certificates for the broker."""
    mqtt = settings.value.mqtt
    if mqtt.broker is not None and mqtt.broker.tls:
        try:
            mqtt.tls()
        except BadCertificate as error:
            yield settings.fault(("mqtt", error.key), str(error))


_LOOKS: tuple[Look, ...] = (codec_faults, path_faults, word_faults, certificate_faults)
"""The checks of every command."""
