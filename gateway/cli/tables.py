"""`tables show` and `tables reload`: which tables are in force, and putting changed ones in force."""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from commands.tables import EVERY, HANDLING, Tables, path_of
from gateway.cli.config import settings_of
from gateway.cli.output import complain, print_json
from gateway.cli.showing import GLANCE, add_common, say
from gateway.operations.control import CommandRefused, NotRunning, ask, follow
from gateway.settings import Settings
from gateway.simulator.hints import command
from gateway.tables.rows import COMMENT, Row, count_of, rows_of
from routing.tablefile import Fault, TableError, nearest

LONGEST: Final = 600.0
"""Seconds that a reload may take."""
_ORIGINS: Final = (".provenance", ".source", ".ground")
_LIST: Final = ("TABLE", "ROWS", "DIGEST", "RUNNING", "FILE")
_ROWS: Final = ("ROW", "VALUES", "PROVENANCE")


class Show:
    """`tables show [NAME]`: lists the tables, or shows the rows of one."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare NAME and the common options."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="a table, such as appendix7 or tariffs")
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print a line a table, or a line a row."""
        settings = settings_of(args)
        name = None if args.name is None else table_named(args, args.name)
        try:
            tables = Tables.load(settings.tables.folder)
        except TableError as error:
            return say_faults(error.faults)
        running, why = asyncio.run(_running(settings))
        if name is None:
            _print_list(tables, running, as_json=args.json)
        elif (path := path_of(name, tables.folder)).exists():
            _print_rows(name, path.read_bytes(), as_json=args.json)
        else:
            return complain(f"there is no {name}: it is optional, and is put into tables.folder")
        if args.json and name is None:
            print_json({"version": tables.version, "running": running and running["version"]})
        elif not args.json:
            say(_other_folder(settings, running) or _in_force(tables, running, why))
        return 0


class Reload:
    """`tables reload`: lets the running gateway read its tables again."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare --dry-run and the common options."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print what differs. 1: the tables are refused, and the old ones stay in force."""
        settings = settings_of(args)
        try:
            return asyncio.run(_reload(args, settings))
        except NotRunning as error:
            return complain(f"{error}: its next start reads the tables; until then check looks at them")
        except CommandRefused as error:
            return complain(error)


show = Show
reload = Reload


def table_named(args: argparse.Namespace, name: str) -> str:
    """The table of a name with or without folder and ending. Any other name is a usage error."""
    found = next((known for known in EVERY if name in {known, Path(known).stem, Path(known).name}), None)
    if found is None:
        args.parser.error(f"argument NAME: no table {name!r}; {nearest(name, EVERY)}")
    return str(found)


def say_faults(faults: Sequence[Fault]) -> int:
    """Print the faults of tables on standard error. Returns the exit code."""
    for fault in faults:
        complain(fault)
    return 1


async def _running(settings: Settings) -> tuple[dict[str, Any] | None, str]:
    """What the running gateway says of its tables; else why it says nothing."""
    try:
        async with asyncio.timeout(GLANCE):
            return await ask(settings.storage.path, "tables"), ""
    except NotRunning:
        return None, "no gateway runs"
    except (CommandRefused, TimeoutError, OSError) as error:
        return None, f"the gateway does not say which: {error or 'no answer'}"


def _print_list(tables: Tables, running: Mapping[str, Any] | None, *, as_json: bool) -> None:
    table = [_LIST]
    for name in HANDLING:
        if name not in tables.digests:
            continue
        path, digest = path_of(name, tables.folder), tables.digests[name]
        count = count_of(name, tables.content(name))
        there = None if running is None else running["digests"].get(name)
        shipped = tables.folder is None or not path.is_relative_to(tables.folder)
        if as_json:
            found = {"table": name, "rows": count, "digest": digest, "running": there}
            print_json(found | {"file": str(path), "shipped": shipped})
        state = "-" if running is None else "same" if there == digest else "other"
        table.append((name, str(count), digest, state, "shipped" if shipped else str(path)))
    if not as_json:
        _print_columns(table)


def _print_rows(name: str, octets: bytes, *, as_json: bool) -> None:
    table = [_ROWS]
    for row in rows_of(name, octets):
        if as_json:
            print_json({"table": name, "section": row.section, "key": row.key, "cells": dict(row.cells)})
        elif row.section != COMMENT:
            table.append((row.name, "; ".join(_values(row)), "; ".join(_origins(row))))
    if not as_json:
        _print_columns(table)


def _values(row: Row) -> Iterator[str]:
    for column, text in row.cells.items():
        if f".{column}".endswith(_ORIGINS):
            continue
        yield text if column in {"value", "entry"} else f"{column} {text}"


def _origins(row: Row) -> Iterator[str]:
    """Each provenance that the values of a row have, once."""
    heads = [column.removesuffix("provenance") for column in row.cells if f".{column}".endswith(_ORIGINS[0])]
    found = {
        " ".join(
            row.cells[head + each] for each in ("provenance", "source", "ground") if head + each in row.cells
        )
        for head in heads
    }
    yield from sorted(found)


def _in_force(tables: Tables, running: Mapping[str, Any] | None, why: str) -> str:
    if running is None:
        return f"the files are version {tables.version}; {why}"
    if running["version"] == tables.version:
        return f"version {tables.version} is in force in the running gateway"
    return (
        f"the files are version {tables.version}, the running gateway has {running['version']}:"
        f" {command()} tables reload puts the files in force"
    )


def _other_folder(settings: Settings, running: Mapping[str, Any] | None) -> str:
    """Why the running gateway cannot read the tables of this configuration; "" if it can."""
    own = settings.tables.folder
    wanted = None if own is None else str(own.resolve())
    if running is None or running["folder"] == wanted:
        return ""
    return (
        f"tables.folder is {wanted or 'not set'} here, and {running['folder'] or 'was not set'} when the"
        f" running gateway (version {running['version']}) started: restart it, a reload only reads its files"
    )


async def _reload(args: argparse.Namespace, settings: Settings) -> int:
    if other := _other_folder(settings, await ask(settings.storage.path, "tables")):
        return complain(f"{other}; the tables stay as they were")
    dry_run, head, refused, count = "yes" if args.dry_run else "no", {}, False, 0
    asked = follow(settings.storage.path, "tables reload", LONGEST, dry_run=dry_run)
    async for item in asked:
        if "reading" in item:
            continue
        if args.json:
            print_json(item)
        if "refused" in item:
            refused = True
            if not args.json:
                complain(Fault(**item["refused"]))
        elif "version" in item:
            head = item
        else:
            count += item.get("more", 1)
            if not args.json:
                say(_line(item))
    if not head and not refused:
        return complain("the gateway has ended meanwhile (its next start reads the tables), or see its log")
    if refused:
        return complain("refused: the tables stay as they were")
    if not args.json:
        say(_sum(head, count))
    return 0


def _line(change: Mapping[str, Any]) -> str:
    if "more" in change:
        return f"{change['table']}  and {change['more']} more rows"
    kind, cells = change["kind"], change["cells"]
    if kind == "changed":
        told = [f"{column} {pair['was'] or '-'} -> {pair['is'] or '-'}" for column, pair in cells.items()]
    else:
        told = [
            f"{column} {pair['is' if kind == 'added' else 'was']}"
            for column, pair in cells.items()
            if not f".{column}".endswith(_ORIGINS)
        ]
    return f"{change['table']}  {kind:7}  {change['row']}: {', '.join(told)}"


def _sum(head: Mapping[str, Any], count: int) -> str:
    if head["was"] == head["version"]:
        return f"nothing differs: version {head['version']} stays in force"
    now = "is in force" if head["applied"] else "would be in force"
    rows = "1 row differs" if count == 1 else f"{count} rows differ"
    return f"{rows}: version {head['version']} {now} in place of {head['was']}"


def _print_columns(table: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)][:-1]
    for *first, last in table:
        say(
            "  ".join(
                [*(word.ljust(width) for word, width in zip(first, widths, strict=True)), last]
            ).rstrip()
        )
