"""`stats show`: prints figures of the store. `stats rebuild`: counts days again from the records
(docs/statistics.md)."""

import argparse
import asyncio
import csv
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from commands.tables import InForce, Tables
from gateway.cli.inspect import print_columns
from gateway.cli.output import complain, print_json
from gateway.cli.progress import Shown, progress
from gateway.cli.showing import add_common, guarded, say
from gateway.clock import SystemClock
from gateway.observer import Observer
from gateway.operations.control import NotRunning, follow
from gateway.operations.figures.building import build_figures
from gateway.operations.figures.consumer import UNHURRIED
from gateway.operations.figures.rebuild import NotRebuilt
from gateway.operations.figures.table import BY, incomplete, spans_of, table
from gateway.operations.logs import open_log
from gateway.settings import Settings
from gateway.storage.contract import StoreFault
from gateway.storage.engines import open_reader, open_store

LASTING: Final = 86_400.0
"""Seconds that a rebuild may take."""
TOLD: Final = 10
"""Times of days without complete figures that are told of."""


class Show:
    """`stats show`: prints figures."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare what is told apart, what is left out, and the forms of the output."""
        parser.add_argument("--by", choices=[*BY], default="day", help="what a line is of (default: day)")
        parser.add_argument("--province", type=_province, metavar="CODE", help="customers of this home only")
        _add_days(parser)
        parser.add_argument("--csv", action="store_true", help="print CSV")
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print a line for each period, province, instruction or way."""
        if args.json and args.csv:
            args.parser.error("--json and --csv exclude each other")
        _check_order(args)
        return guarded(_show, args)


class Rebuild:
    """`stats rebuild`: counts days again."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the days."""
        _add_days(parser)
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Through the running gateway, or with the store alone."""
        _check_order(args)
        return guarded(_rebuild, args)


show = Show
rebuild = Rebuild


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", type=_day, metavar="YYYY-MM-DD", help="the first day")
    parser.add_argument("--to", dest="last", type=_day, metavar="YYYY-MM-DD", help="the last day, included")


def _check_order(args: argparse.Namespace) -> None:
    if args.first and args.last and args.first > args.last:
        args.parser.error(f"--from {args.first} is after --to {args.last}")


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2007-03-01") from None


def _province(text: str) -> str:
    if not (len(text) == 3 and text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no code of a province, which has three digits")
    return text


def _show(args: argparse.Namespace, settings: Settings) -> int:
    today = datetime.now(ZoneInfo(settings.service.timezone)).date()
    with closing(open_reader(settings.storage.url)) as reader:
        header, rows = table(reader, args.by, today, args.first, args.last, args.province)
        days = spans_of(incomplete(reader, args.by, today, args.first, args.last))
    if args.json:
        for row in rows:
            print_json(dict(zip(header, row, strict=True)))
    elif args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([header, *rows])
    elif rows:
        print_columns([name.upper() for name in header], [[_cell(each) for each in row] for row in rows])
    else:
        say(_nothing(args, settings))
    if days:  # beside the figures: JSON and CSV are for machines
        sys.stderr.write(f"fetion-gateway: figures of these days may not be complete: {_some(days)}\n")
    return 0


def _some(days: list[str]) -> str:
    more = f", and {len(days) - TOLD} times more" if len(days) > TOLD else ""
    return ", ".join(days[:TOLD]) + more


def _nothing(args: argparse.Namespace, settings: Settings) -> str:
    """Why there may be no line. Raises TableError."""
    code = args.province
    if code is not None and code not in Tables.load(settings.tables.folder).routing.provinces:
        return f"no figures of these days, and no province {code} in the tables: tables show provinces"
    return "no figures of these days" + (
        "" if settings.statistics.enabled else ": statistics.enabled is false"
    )


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _rebuild(args: argparse.Namespace, settings: Settings) -> int:
    with progress() as shown:
        try:
            return asyncio.run(_told(_beside(args, settings), args, shown))
        except NotRunning:
            pass
        try:
            return asyncio.run(_told(_alone(args, settings), args, shown))
        except (NotRebuilt, StoreFault) as error:
            return complain(error)


async def _beside(args: argparse.Namespace, settings: Settings) -> AsyncGenerator[dict[str, Any], None]:
    """By the running gateway."""
    days = {"first": args.first or "", "last": args.last or ""}
    async with aclosing(follow(settings.storage.path, "stats rebuild", LASTING, **days)) as items:
        async for item in items:
            yield item


async def _alone(args: argparse.Namespace, settings: Settings) -> AsyncGenerator[dict[str, Any], None]:
    """Without a gateway: what waits to be folded first."""
    in_force = InForce(Tables.load(settings.tables.folder))
    store = open_store(settings.storage.url)
    log = open_log(settings.logging)
    try:
        parts = build_figures(
            settings,
            store,
            lambda: open_reader(settings.storage.url),
            in_force,
            SystemClock(),
            log,
            Observer(),
            UNHURRIED,
        )
        await parts.begin()
        if parts.consumer is not None:
            await parts.consumer.catch_up()
        async for items in parts.rebuilding.run(args.first or "", args.last or ""):
            for item in items:
                yield item
    finally:
        await store.close()
        log.close()


async def _told(items: AsyncGenerator[dict[str, Any], None], args: argparse.Namespace, shown: Shown) -> int:
    """Show how far it is, and what was rebuilt."""
    ended, done, wanted, kept = False, 0, 0, 0
    async with aclosing(items):
        async for item in items:
            if "days" in item:
                wanted, kept, ended = item["days"], item["kept"], item["days"] == 0
            elif "day" in item:
                list(shown.step(f"{item['day']}  {item['records']} records"))
            if item.get("gone"):  # its records, while it was counted
                wanted, kept = wanted - 1, kept + 1
                ended = done == wanted
            if item.get("done"):
                done += 1
                ended = done == wanted
                if args.json:
                    print_json({"day": item["day"], "records": item["records"]})
                else:
                    shown.say(f"{item['day']}  {item['records']} records\n")
    if not ended:
        return complain("the gateway has ended meanwhile: days that were printed are rebuilt")
    if not args.json:
        say(f"{done} days rebuilt" + (f", {kept} kept: not over, or records are gone" if kept else ""))
    return 0
