"""`trace ID`: everything that happened to one SMS and to what it caused. `trace --msisdn M`: the last SMS of
a handset."""

import argparse
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.cli.output import complain, print_json
from gateway.cli.showing import (
    Local,
    add_common,
    age,
    count,
    guarded,
    say,
    waits_and_remotes_of,
    waits_of,
)
from gateway.message import TABLES, Delivery, message_id, number_of, short_id
from gateway.operations.log_lines import escaped
from gateway.operations.tail.selection import parse_since
from gateway.operations.timeline.life import life_of
from gateway.operations.timeline.records import shown, state_of, text_of, utc
from gateway.operations.timeline.steps import Life, Step, reason_limited, timeline, with_pauses
from gateway.settings import Settings
from gateway.simulator.hints import tracing
from gateway.storage.engines import open_reader
from gateway.storage.reader import ENDLESS, DownlinkRecord, JournalRecord, LookedAt, Reader
from routing.table import Routing

SHORTEST: Final = 4
RECENT: Final = 30_000
"""Digits of the shortest id, and SMS in, and SMS out, among which it is looked for: of one run no two of them
end alike. With each digit more it is looked for 16 times as far, up to FARTHEST."""
STEP: Final = 20_000
"""SMS that are looked at in one go for those of a handset."""
FARTHEST: Final = 1_000_000
"""SMS of each direction that are looked at, at most; but for a handset as far as --since says."""
_CANDIDATES: Final = 10
"""SMS that are named where a short id is ambiguous."""

_WHOLE: Final = 16
_ID: Final = re.compile(r"#?(?:\.{3}|…)?([0-9A-Fa-f]{4,16})")

T = TypeVar("T", JournalRecord, DownlinkRecord)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ID, the handset, how far to look, and the common options."""
    parser.add_argument(
        "id",
        nargs="?",
        type=_id,
        metavar="ID",
        help="message id, as in submit_sm_resp and the log, or its last 4 or more digits, as in tail",
    )
    parser.add_argument("--msisdn", metavar="M", help="the last SMS from and to this handset instead")
    parser.add_argument(
        "--since",
        metavar="T",
        help="with --msisdn, from then on: 10m, 2h, 1d (ago), 09:30 (in service.timezone), or RFC 3339",
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="with --msisdn, how many (default: 10)", default=None
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the store knows. Returns 0 when there is such an SMS, 1 otherwise."""
    if (args.id is None) == (args.msisdn is None):
        args.parser.error(
            "name one SMS with ID, or a handset with --msisdn (a # begins a comment: leave it out)"
        )
    if args.msisdn is None and (args.since, args.limit) != (None, None):
        args.parser.error("--since and --limit go with --msisdn")
    return guarded(_trace if args.msisdn is None else _handset, args)


def _id(text: str) -> str:
    """argparse: the hexadecimal digits of a message id, or of its end."""
    found = _ID.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no message id: 16 hexadecimal digits, or the last 4 or more of them"
        )
    digits = found[1].lower()
    if len(digits) == _WHOLE:
        try:
            number_of(digits)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return digits


# One SMS


def _trace(args: argparse.Namespace, settings: Settings) -> int:
    local = Local(settings.service.timezone)
    with closing(open_reader(settings.storage.url)) as reader:
        number = _number(args.id, reader, local, settings)
        if number is None:
            return 1
        life = life_of(number, reader)
    if life.message is None and not life.outgoing:
        complain(
            f"{args.id}: no such SMS in {settings.storage.place}"
            " (never answered positively, or another store)"
        )
        return 1
    life = _asked(life, settings)
    rows = timeline(life, settings.limits)
    home = "" if life.message is None else Routing.load(settings.tables.folder).home(life.message.msisdn)
    if args.json:
        print_json(_for_programs(life, rows, home))
    else:
        _print(life, rows, home, local)
    return 0


def _number(digits: str, reader: Reader, local: Local, settings: Settings) -> int | None:
    """Return the number of the SMS that is meant; None, and the reason on standard error, if unclear."""
    if len(digits) == _WHOLE:
        return number_of(digits)
    rows = min(RECENT << 4 * (len(digits) - SHORTEST), FARTHEST)
    found = reader.ending(int(digits, 16), 4 * len(digits), rows)
    if len(found) == 1:
        return found[0]
    if not found:
        complain(
            f"{digits}: none of the last {rows:,} SMS in and out in {settings.storage.place} ends in these"
            " digits: name all 16"
        )
        return None
    complain(f"{digits}: {len(found)} recent SMS end in these digits: name one of them")
    for number in found[-_CANDIDATES:]:
        if line := _line_of(number, reader, local):
            complain(escaped(f"  {line.rstrip()}"))
    return None


def _line_of(number: int, reader: Reader, local: Local) -> str:
    sms = reader.journal_record(number) or reader.downlink(number)
    return "" if sms is None else "  ".join((local.whole(sms.at), *_columns(sms, "")))


def _asked(life: Life, settings: Settings) -> Life:
    """Add what only the running gateway knows."""
    waiting = [sms for sms in life.outgoing if sms.state is Delivery.WAITING]
    waits, remotes = waits_and_remotes_of(settings, waiting)
    return replace(life, waits=waits, remotes=remotes)


def _for_programs(life: Life, rows: list[Step], home: str) -> dict[str, Any]:
    return {
        "message": life.message and shown(life.message) | {"home_province": home},
        "parts": [shown(part) for part in life.parts],
        "outgoing": [shown(sms) for sms in life.outgoing],
        "timeline": [row.for_programs() for row in rows],
    }


def _print(life: Life, rows: list[Step], home: str, local: Local) -> None:
    if life.message is not None:
        _print_message(life.message, home)
    for part in life.parts:
        say(f"  part        {message_id(part.number)}")
    for sms in life.outgoing:
        _print_outgoing(sms, local)
    say("")
    _print_timeline(rows, local)


def _print_message(m: JournalRecord, home: str) -> None:
    """Print what a mobile originated SMS is. home: the province of its sender."""
    place = m.access_code + (f" + {m.sub_code}" if m.sub_code else "")
    say(f"SMS in        {message_id(m.number)}  {m.outcome}")
    say(f"  from        {m.source}, home province {home}")
    say(f"  to          {m.destination} ({place}), belongs to province {m.province}")
    say(f"  coding      data_coding {m.data_coding}, esm_class 0x{m.esm_class:02X}, parts {m.parts}")
    if version := m.detail.get(TABLES):
        say(f"  tables      {version}")
    say(f"  text        {text_of(m)!r}")


def _print_outgoing(sms: DownlinkRecord, local: Local) -> None:
    """Print what a mobile terminated SMS is."""
    attempts = f"{sms.attempts} attempt{'' if sms.attempts == 1 else 's'}"
    again = ", perhaps delivered before" if sms.repeat else ""
    what = "Receipt" if sms.kind else "SMS out"
    say(f"{what:<14}{message_id(sms.number)}  {state_of(sms.state)}, {attempts}{again}")
    say(f"  from        {sms.source} to {sms.destination} (account {sms.account})")
    say(f"  text        {text_of(sms)!r}" + (f" in {sms.parts} parts" if sms.parts > 1 else ""))
    if 0 < sms.parts_done < sms.parts:
        say(f"  parts       {sms.parts_done} of {sms.parts} acknowledged")
    if sms.state is Delivery.WAITING:
        say(f"  expires     {local.whole(sms.expires_at, sms.at)}")


def _print_timeline(rows: list[Step], local: Local) -> None:
    """Print one line per row: time, time since the row before, SMS, event; a line with the date where it or
    the offset changes."""
    last = max((row.at for row in rows), default=0)
    say(f"Timeline ({local.name(last)})")
    printed = ""
    for row, pause in with_pauses(rows):
        if row.at:
            offset = local.offset(row.at)
            day = local.day(row.at) + (f", {offset}" if offset != local.offset(last) else "")
            if day != printed:
                say(day)
            printed = day
        at = local.time(row.at) if row.at else "now" if row.event != "attempts" else "?"
        since = f"+{_pause(pause)}" if pause else ""
        until = f" {local.whole(row.until, last)}" if row.until else ""
        name = short_id(message_id(row.number))
        say(f"  {at:<12}  {since:>13}  {name}  {row.event:<8}  {row.text}{until}".rstrip())


def _pause(ms: int) -> str:
    if ms < 1000:
        return f"{ms} ms"
    return f"{ms / 1000:.1f} s" if ms < 60_000 else age(ms / 1000)


# The SMS of a handset


@dataclass(slots=True)
class _Look:
    """How far a search went. at: ms of the oldest SMS looked at; 0: none. end: everything was seen."""

    rows: int = 0
    at: int = 0
    end: bool = False


def _handset(args: argparse.Namespace, settings: Settings) -> int:
    routing, local = Routing.load(settings.tables.folder), Local(settings.service.timezone)
    number = routing.numbers.msisdn(args.msisdn)
    msisdn = (routing.main_number(number) or number) if number else ""
    if not msisdn:
        args.parser.error(f"argument --msisdn: {args.msisdn!r} is not a mobile number")
    try:
        since = _since(args.since, settings) if args.since else 0
    except ValueError as error:
        args.parser.error(f"argument --since: {error}")
    limit = args.limit or 10
    with closing(open_reader(settings.storage.url)) as reader:
        came, look_in = _search(reader.of_handset, msisdn, since, limit)
        went, look_out = _search(reader.to_handset, msisdn, since, limit)
    both: list[JournalRecord | DownlinkRecord] = [*came, *went]
    found = sorted(both, key=lambda sms: (sms.at, sms.number))[-limit:]
    waits = waits_of(settings, [sms for sms in went if sms in found and sms.state is Delivery.WAITING])
    if args.json:
        looked = {"in": _looked_for_programs(look_in), "out": _looked_for_programs(look_out)}
        for sms in found:
            print_json(shown(sms))
        print_json({"msisdn": msisdn, "looked_at": looked})
    else:
        _print_list(found, waits, local, settings, args.config)
        say(_how_far("in", look_in, local))
        say(_how_far("out", look_out, local))
    return 0 if found else 1


def _since(text: str, settings: Settings) -> int:
    """Return the time (ms) of --since, which is read as that of `tail`. Raises ValueError."""
    return round(parse_since(text, datetime.now(UTC), ZoneInfo(settings.service.timezone)).timestamp() * 1000)


def _search(
    look: Callable[[str, int, int], LookedAt[T]], msisdn: str, since: int, limit: int
) -> tuple[list[T], _Look]:
    """Go backwards in steps until there are enough SMS, or as far as it is to go."""
    found: list[T] = []
    so_far, before = _Look(), ENDLESS
    while len(found) < limit and (since or so_far.rows < FARTHEST):
        step = look(msisdn, before, STEP)
        found += [sms for sms in step.found if sms.at >= since]
        so_far.rows += step.rows
        so_far.at = min(so_far.at or step.at, step.at or so_far.at)
        before = step.before
        if not before or step.at < since:
            so_far.end = not before
            break
    return found[:limit], so_far


def _print_list(
    found: list[JournalRecord | DownlinkRecord],
    waits: dict[int, tuple[str, int]],
    local: Local,
    settings: Settings,
    config: Path | None,
) -> None:
    if not found:
        say("no SMS from or to this handset")
        return
    last = found[-1].at
    say(f"Times: {local.name(last)}. {tracing(config)} ID shows the whole of one.")
    for sms in found:
        if isinstance(sms, JournalRecord):
            why = reason_limited(sms, settings.limits)
        else:
            why, until = waits.get(sms.number, (sms.error, 0))
            why += f" {local.whole(until, last)}" if until else ""
        say("  ".join((local.whole(sms.at, last), *_columns(sms, why))).rstrip())


def _columns(sms: JournalRecord | DownlinkRecord, why: str) -> tuple[str, ...]:
    """Return id, direction, other end, meaning, result and reason of an SMS."""
    if isinstance(sms, JournalRecord):
        return (
            message_id(sms.number), "in ", f"{sms.source} > {sms.destination}", sms.instruction or "-",
            sms.outcome, why,
        )  # fmt: skip
    parts = "1 part" if sms.parts == 1 else f"{sms.parts} parts"
    attempts = f"{sms.attempts} attempt{'' if sms.attempts == 1 else 's'}"
    state = f"{state_of(sms.state)}, {attempts}, for {short_id(message_id(sms.cause))}"
    return (message_id(sms.number), "out", f"{sms.source} > {sms.destination}", parts, state, why)


def _how_far(direction: str, look: _Look, local: Local) -> str:
    if not look.rows:
        return f"there is no SMS {direction}"
    what = f"all {look.rows:,} SMS" if look.end else f"the last {look.rows:,} SMS"
    return f"looked at {what} {direction}, back to {local.whole(look.at)}"


def _looked_for_programs(look: _Look) -> dict[str, Any]:
    return {"sms": look.rows, "back_to": utc(look.at) if look.at else None, "all": look.end}
