"""The option --config, and the settings it leads to: shared by the commands that need them."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from commands.sensitive_words import WordList
from gateway.channels.smpp.composing import check_codec
from gateway.settings import Settings, load, unread
from routing.tablefile import Fault, Located, TableError


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file (default: the values of the shipped config.yaml)",
    )


def load_settings(path: Path | None) -> Settings:
    """The settings of a file and of this process's environment; raises TableError with every fault.

    A variable with one underscore too few, which is not read, is told of on standard error.
    """
    for name, nearest in unread(os.environ):
        sys.stderr.write(f"fetion-gateway: warning: the variable {name} is not read: is it {nearest}?\n")
    return load(path, os.environ, lambda located: [fault for look in _LOOKS for fault in look(located)])


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that --config leads to; prints every fault and leaves with exit code 1 otherwise."""
    try:
        return load_settings(args.config)
    except TableError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def codec_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Faults of the codecs that accounts name, which only the SMPP core knows."""
    for position, account in enumerate(settings.value.smpp.accounts):
        for data_coding, codec in account.alphabet.items():
            try:
                check_codec(data_coding, codec, account.latin)
            except ValueError as error:
                path = ("smpp", "accounts", position, "alphabet", data_coding)
                yield settings.fault(path, str(error))


def path_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Faults of paths at which there can be no file: looked at, nothing is made."""
    storage, logging = settings.value.storage, settings.value.logging
    places: tuple[tuple[tuple[str, str], Path | None], ...] = (
        (("storage", "url"), storage.path),
        (("storage", "key_file"), storage.key_file),
        (("logging", "file"), logging.file),
    )
    for key, path in places:
        reason = path and _obstacle(path)
        if reason:
            yield settings.fault(key, f"{path}: {reason}")


def _obstacle(path: Path) -> str:
    """Why there can be no file at a path, as far as it can be seen."""
    try:
        if path.is_dir():
            return "is a folder, must be a file"
        above = next((folder for folder in path.parents if folder.exists()), None)
    except OSError:
        return ""
    return "" if above is None or above.is_dir() else f"must be in a folder, and {above} is none"


def word_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Faults of the file of sensitive words."""
    path = settings.value.service.sensitive_words
    if path is None:
        return
    try:
        WordList.load(path)
    except TableError as error:
        yield from error.faults


_LOOKS = (codec_faults, path_faults, word_faults)
"""What the schema cannot see."""
