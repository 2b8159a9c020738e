"""`check`: checks configuration and tables without starting anything.

Faults keep a gateway from starting, or from doing what the configuration says. Warnings do not: they name
what is valid and useless, or dangerous.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from commands.glosses import FILE as GLOSSES
from commands.glosses import Glosses
from commands.tables import Tables, path_of
from gateway.channels.smpp.certificates import ending, faults_of
from gateway.channels.smpp.unmatched import Known, unmatched
from gateway.cli.config import add_config, load_settings
from gateway.cli.output import print_json
from gateway.cli.progress import SILENT, Shown, progress
from gateway.clock import SystemClock
from gateway.operations.console.certificates import faults_of as console_faults
from gateway.operations.control import path_fault, socket_path
from gateway.settings import Settings
from gateway.storage.engines import obstacle
from routing.tablefile import Fault, Located, TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object: ok, faults, warnings")


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    with progress() as shown:
        faults, warnings = find(args.config, shown)
    if args.json:
        told = {"faults": faults, "warnings": warnings}
        print_json({"ok": not faults, **{name: [asdict(each) for each in told[name]] for name in told}})
    else:
        sys.stdout.writelines(f"{fault}\n" for fault in faults)
        sys.stdout.writelines(f"{replace(each, reason=f'warning: {each.reason}')}\n" for each in warnings)
        if not faults:
            sys.stdout.write(f"{args.config or 'embedded defaults'} and the tables: no faults\n")
    return 1 if faults else 0


def find_faults(config: Path | None) -> list[Fault]:
    """Return every fault of the configuration and of the tables."""
    return find(config)[0]


def find(config: Path | None, shown: Shown = SILENT) -> tuple[list[Fault], list[Fault]]:
    """Return every fault of the configuration and of the tables, and every warning. No warnings where the
    configuration or the tables have faults: first things first."""
    shown.step("configuration")
    found: list[Located[Settings]] = []
    tables: list[Tables] = []

    def see(located: Located[Settings]) -> Iterator[Fault]:
        found.append(located)
        yield from ()

    faults = _faults_of(lambda: load_settings(config, writing_faults, store_faults, tls_faults, see))
    shown.step("tables")
    # Without a valid configuration nobody knows the folder: then the shipped tables are checked.
    folder = found[0].value.tables.folder if found and not faults else None
    faults += _faults_of(lambda: tables.append(_load_tables(folder)))
    if faults:
        return faults, []
    return faults, list(warnings_of(found[0], tables[0]))


def _load_tables(folder: Path | None) -> Tables:
    """Load the tables, and the glosses where they are the shipped ones, or the operator's own. Raises
    TableError."""
    tables = Tables.load(folder)
    if folder is None or path_of(GLOSSES, folder).is_relative_to(folder):
        Glosses.load(tables.commands, path_of(GLOSSES, folder))
    return tables


def warnings_of(settings: Located[Settings], tables: Tables) -> Iterator[Fault]:
    """Yield what is valid, and can never match, or is about to end."""
    routing, smpp = tables.routing, settings.value.smpp
    known = Known(
        lambda code: routing.resolve(code).access_code == code,
        routing.numbers.mobile.begins,
        routing.provinces,
    )
    for key, reason in (*unmatched(smpp, known), *ending(smpp, SystemClock().now_ms())):
        yield settings.fault(key, reason)


def tls_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield the settings of TLS whose files cannot be used."""
    now_ms = SystemClock().now_ms()
    for key, reason in (
        *faults_of(settings.value.smpp, now_ms),
        *console_faults(settings.value.console, now_ms),
    ):
        yield settings.fault(key, reason)


def writing_faults(settings: Located[Settings]) -> Iterator[Fault]:
    """Yield faults of files that this user could not make, write, or read (the key). Makes nothing."""
    storage, log = settings.value.storage, settings.value.logging.file
    if reason := path_fault(socket_path(storage.path)):
        yield settings.fault(("storage", "url"), reason)
    # SQLite and the control socket make files beside the store.
    if storage.in_file and not (_usable(storage.path.parent) and _usable(storage.path)):
        yield _refused(settings, ("storage", "url"), storage.path, "written")
    if _exists(storage.key_file):
        if storage.key_file.is_file() and not _may(storage.key_file, os.R_OK):
            yield _refused(settings, ("storage", "key_file"), storage.key_file, "read")
    elif not _usable(storage.key_file):
        yield _refused(settings, ("storage", "key_file"), storage.key_file, "written")
    if log is not None and not _usable(log):
        yield _refused(settings, ("logging", "file"), log, "written")


def _refused(settings: Located[Settings], key: tuple[str, str], path: Path, what: str) -> Fault:
    remedy = "give this user the right to the file and its folder, or name another"
    return settings.fault(key, f"{path}: cannot be {what} by this user: {remedy}")


def _usable(path: Path) -> bool:
    """Whether a file can be written, or made where it and folders above it are missing."""
    nearest = next(each for each in (path, *path.absolute().parents) if _exists(each))
    return _may(nearest, os.W_OK | (os.X_OK if nearest.is_dir() else 0))


def _exists(path: Path) -> bool:
    """Whether a file or folder is there. In a folder that this user may not search nothing is."""
    try:
        return path.exists()
    except OSError:
        return False


def _may(path: Path, wish: int) -> bool:
    """Whether the user that this process acts as has a right (os.W_OK ...)."""
    return os.access(path, wish, effective_ids=os.access in os.supports_effective_ids)


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
