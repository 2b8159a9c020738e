"""`check`: checks configuration and tables without starting anything."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from commands.service import Commands
from gateway.cli.config import add_config, load_settings
from gateway.settings import Settings
from gateway.storage.engines import obstacle
from routing.table import Routing
from routing.tablefile import Fault, Located, TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object: ok, faults")


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    faults = find_faults(args.config)
    if args.json:
        report = {"ok": not faults, "faults": [asdict(fault) for fault in faults]}
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{fault}\n" for fault in faults)
        if not faults:
            sys.stdout.write(f"{args.config or 'embedded defaults'} and the tables: no faults\n")
    return 1 if faults else 0


def find_faults(config: Path | None) -> list[Fault]:
    """Return every fault of the configuration and of the tables."""
    return [
        *_faults_of(lambda: load_settings(config, store_faults)),
        *_faults_of(lambda: Commands.load(Routing.load())),
    ]


def store_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield what keeps a gateway from using a store on a server: it is asked."""
    if reason := obstacle(settings.value.storage.url):
        yield settings.fault(("storage", "url"), reason.removeprefix("storage.url: "))


def _faults_of(load: Callable[[], object]) -> list[Fault]:
    try:
        load()
    except TableError as error:
        return error.faults
    return []
