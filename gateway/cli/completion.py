"""`completion`: prints a script with which a shell completes commands, options and choices (shtab)."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import shtab

from gateway.cli.main import build_parser

SHELLS: Final = ("bash", "zsh")
FOLDERS: Final = frozenset({"DIR"})
"""Names of values that are folders; other paths are files."""
INSTALL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bash": 'eval "$(fetion-gateway completion bash)" in ~/.bashrc',
        "zsh": 'fetion-gateway completion zsh > "${fpath[1]}/_fetion-gateway"',
    }
)
"""How each shell gets its script."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    told = "; ".join(f"{shell}: {how}" for shell, how in INSTALL.items())
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"bash or zsh ({told})")


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    parser = build_parser(None)
    for action in _actions(parser):
        if action.type is Path or action.metavar == "FILE":  # or - for standard input, which is no Path
            complete: Any = action  # shtab reads an attribute that argparse does not know
            complete.complete = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
    sys.stdout.write(shtab.complete(parser, args.shell) + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the actions of a parser and of all below it."""
    for action in parser._actions:
        yield action
        if action.nargs == argparse.PARSER and isinstance(action.choices, Mapping):
            for below in action.choices.values():
                yield from _actions(below)
