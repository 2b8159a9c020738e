"""The option --config, and the settings it leads to: shared by the commands that need them."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.settings import Settings, load
from gateway.smpp.coding import Alphabet
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
    """The settings of a file and of this process's environment; raises TableError with every fault."""
    return load(path, os.environ, codec_faults)


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
                Alphabet.from_config({data_coding: codec}, account.latin)
            except ValueError as error:
                path = ("smpp", "accounts", position, "alphabet", data_coding)
                yield settings.fault(path, str(error))
