"""How the commands that look into a store show what they find.

With --json, times are RFC 3339 in UTC with milliseconds, or null if the event has not happened; message ids
are those of the log. Otherwise times are in `service.timezone`, which is named once.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.cli.config import add_config, no_store, settings_of
from gateway.cli.output import complain, sentence
from gateway.message import message_id
from gateway.operations.control import CommandRefused, NotRunning, ask
from gateway.operations.log_lines import escaped
from gateway.operations.operators import AT_ONCE
from gateway.settings import Settings
from gateway.simulator.hints import command
from gateway.storage.contract import StoreUnusable
from gateway.storage.reader import DownlinkRecord
from routing.tablefile import TableError

GLANCE: Final = 2.0
"""Seconds that the store's own answer waits for what the running gateway adds to it."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare --config and --json."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def guarded(work: Callable[[argparse.Namespace, Settings], int], args: argparse.Namespace) -> int:
    """Run a command that needs a store; what it may raise becomes a sentence and exit code 1."""
    settings = settings_of(args)
    try:
        if settings.storage.lacking:
            return complain(no_store(settings.storage.path))
        return work(args, settings)
    except NotRunning as error:
        complain(f"{error}: start it with {command()} serve, or name another one with --config FILE")
    except (StoreUnusable, CommandRefused, TableError) as error:
        complain(error)
    except OSError as error:
        complain(sentence(error))
    return 1


def say(text: str) -> None:
    """Print a line on standard output. What a terminal would obey is escaped: peers choose addresses."""
    sys.stdout.write(escaped(text) + "\n")


def count(text: str) -> int:
    """argparse: how many, at least one."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


class Local:
    """Times for people, in one time zone, which `name` names with its offset at a time (ms)."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def at(self, ms: int) -> datetime:
        """Return the local time of milliseconds UTC."""
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone)

    def name(self, ms: int) -> str:
        """Return the name of the zone and its offset at that time."""
        return f"{self._zone.key}, {self.offset(ms)}"

    def offset(self, ms: int) -> str:
        """Return the offset at that time: UTC+08:00."""
        return f"UTC{self.at(ms).isoformat()[-6:]}"

    def day(self, ms: int) -> str:
        """Format the date."""
        return f"{self.at(ms):%Y-%m-%d}"

    def time(self, ms: int) -> str:
        """Format the time of day, with milliseconds."""
        return self.at(ms).time().isoformat(timespec="milliseconds")

    def whole(self, ms: int, beside: int | None = None) -> str:
        """Format date and time; with the offset where it is another one than at the time `beside`."""
        changed = beside is not None and self.offset(ms) != self.offset(beside)
        return f"{self.day(ms)} {self.time(ms)}" + (f" {self.offset(ms)}" if changed else "")


def age(seconds: float) -> str:
    """Format a duration in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{max(0, int(seconds))} s"


Waits = dict[int, tuple[str, int]]
"""Why SMS wait: by number the reason, and until when (ms), 0 if open."""


def waits_of(settings: Settings, waiting: Sequence[DownlinkRecord]) -> Waits:
    """Ask the running gateway why SMS wait.

    Without a gateway, or when it does not answer, the reason says so.
    """
    return asyncio.run(_waits(settings, waiting))


def waits_and_remotes_of(
    settings: Settings, waiting: Sequence[DownlinkRecord]
) -> tuple[Waits, dict[int, str]]:
    """Ask the running gateway, at one time, why SMS wait, and for the peers that are bound now: address and
    port, by the number of the session."""

    async def both() -> tuple[Waits, dict[int, str]]:
        return await asyncio.gather(_waits(settings, waiting), _remotes(settings))

    return asyncio.run(both())


async def _ask_briefly(settings: Settings, command: str, **arguments: str) -> list[dict[str, Any]]:
    """Ask the running gateway, for GLANCE seconds. Raises NotRunning, CommandRefused, OSError."""
    try:
        async with asyncio.timeout(GLANCE):
            return list(await ask(settings.storage.path, command, **arguments))
    except TimeoutError as error:
        raise CommandRefused(f"no answer within {GLANCE:g} s") from error


async def _remotes(settings: Settings) -> dict[int, str]:
    try:
        return {bind["session"]: str(bind["remote"]) for bind in await _ask_briefly(settings, "binds")}
    except (NotRunning, CommandRefused, OSError):
        return {}  # the store knows the sessions by their numbers


async def _waits(settings: Settings, waiting: Sequence[DownlinkRecord]) -> Waits:
    found: Waits = {}
    for begin in range(0, len(waiting), AT_ONCE):
        some = waiting[begin : begin + AT_ONCE]
        asked = json.dumps([(message_id(sms.number), sms.account, sms.msisdn) for sms in some])
        try:
            told = await _ask_briefly(settings, "outbox why", messages=asked)
        except NotRunning:
            return {sms.number: ("no gateway runs: it leaves after the next start", 0) for sms in waiting}
        except (CommandRefused, OSError) as error:
            unknown = {sms.number: (f"the gateway does not say why: {error}", 0) for sms in waiting}
            return unknown | found
        for sms, each in zip(some, told, strict=True):
            found[sms.number] = (str(each["reason"]), int(each["until"] or 0))
    return found
