"""`trace`, `binds`, `outbox list|retry|drop`: show what the store and the running gateway know.

With --json, times are RFC 3339 in UTC with milliseconds, or null if the event has not happened; message ids
are those of the log.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from gateway.cli.config import add_config, settings_of
from gateway.message import MASKED, Delivery, message_id, number_of
from gateway.operations.control import CommandRefused, NotRunning, ask
from gateway.settings import Settings
from gateway.storage.contract import StoreUnusable
from gateway.storage.engines import open_reader
from gateway.storage.reader import DownlinkRecord, JournalRecord
from routing.table import Routing
from routing.tablefile import TableError

_TIMES: Final = frozenset({"at", "expires_at", "closed_at", "repeated_at"})
_IDS: Final = {"number": "message_id", "cause": "cause_id"}
"""Fields shown as a message id under another name."""
_SECRET: Final = "<secret>"
"""Replaces the text of a mobile terminated SMS that holds a password."""

_BINDS: Final = (
    *("SYSTEM_ID", "MODE", "REMOTE", "ADDRESS_RANGE", "BOUND", "WINDOW_IN", "RECEIVED", "WINDOW_OUT", "SENT"),
    *("THROTTLED", "LAST_PDU"),
)
_OUTBOX: Final = ("MESSAGE_ID", "STATE", "ACCOUNT", "AGE", "ATTEMPTS", "FROM", "TO", "ERROR")


def _common(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _guarded(work: Callable[[argparse.Namespace, Settings], int], args: argparse.Namespace) -> int:
    settings = settings_of(args)
    store = settings.storage.path
    try:
        if settings.storage.in_file and not store.exists():
            complain(
                f"{store}: there is no store: start a gateway with fetion-gateway serve,"
                " or name the configuration of the one that runs with --config FILE"
            )
            return 1
        return work(args, settings)
    except NotRunning as error:
        complain(f"{error}: start it with fetion-gateway serve, or name another one with --config FILE")
    except (StoreUnusable, CommandRefused, TableError, OSError) as error:
        complain(error)
    return 1


def say(text: str) -> None:
    """Print a line on standard output."""
    sys.stdout.write(text + "\n")


def complain(text: object) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"fetion-gateway: {text}\n")


def _print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


class Trace:
    """`trace ID`: exit 0 when the SMS is known, 1 otherwise."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare ID and the common options."""
        parser.add_argument(
            "id", type=_message_id, metavar="ID", help="message id, as in submit_sm_resp and in the log"
        )
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print what the store knows of one SMS, in either direction."""
        return _guarded(_trace, args)


class ListBinds:
    """`binds`: lists the binds of the running gateway."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the common options."""
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per bind."""
        return _guarded(_binds, args)


class ListOutbox:
    """`outbox list`: lists the SMS that wait to be sent, and those that are parked."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the number of SMS and the common options."""
        parser.add_argument("--limit", type=_count, default=100, metavar="N", help="how many (default: 100)")
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per SMS."""
        return _guarded(_outbox, args)


class Decide:
    """`outbox retry ID`, `outbox drop ID`: send a parked SMS again, or give it up."""

    def __init__(self, command: str) -> None:
        self._command = command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare ID and the common options."""
        parser.add_argument("id", type=_message_id, metavar="ID", help="message id, as outbox list shows it")
        _common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Send the decision to the running gateway, which answers when it is stored."""
        return _guarded(self._decide, args)

    def _decide(self, args: argparse.Namespace, settings: Settings) -> int:
        state = asyncio.run(ask(settings.storage.path, self._command, message=args.id))
        if args.json:
            _print_json({"message_id": args.id, "state": state})
        else:
            say(f"{args.id}  {state}")
        return 0


trace = Trace
binds = ListBinds
outbox_list = ListOutbox
outbox_retry = Decide("outbox retry")
outbox_drop = Decide("outbox drop")


def _trace(args: argparse.Namespace, settings: Settings) -> int:
    number = number_of(args.id)
    with closing(open_reader(settings.storage.url)) as reader:
        outgoing = reader.downlink(number)
        cause = number if outgoing is None else outgoing.cause
        message = reader.journal_record(cause)
        replies = reader.caused_by(cause) if outgoing is None else [outgoing]
        numbers = message.detail.get("joined", ()) if message else ()
        parts = [part for each in numbers if (part := reader.journal_record(each)) is not None]
    if message is None and outgoing is None:
        complain(
            f"{args.id}: no such SMS in {settings.storage.place}"
            " (never answered positively, or another store)"
        )
        return 1
    home = "" if message is None else Routing.load().home(message.msisdn)
    if args.json:
        found = {
            "message": message and _shown(message) | {"home_province": home},
            "parts": [_shown(part) for part in parts],
            "outgoing": [_shown(sms) for sms in replies],
        }
        _print_json(found)
        return 0
    zone = ZoneInfo(settings.service.timezone)
    if message is not None:
        _print_message(message, home, zone)
    for part in parts:
        say(f"  part        {message_id(part.number)}  {_local(part.at, zone)}")
    for sms in replies:
        _print_outgoing(sms, zone)
    return 0


def _shown(record: JournalRecord | DownlinkRecord) -> dict[str, Any]:
    """Convert a record for JSON: ids and times as in the log, flags as 0 and 1."""
    shown: dict[str, Any] = {}
    for each in fields(record):
        key, value = each.name, getattr(record, each.name)
        if key in _IDS:
            shown[_IDS[key]] = message_id(value)
        elif key in _TIMES:
            shown[key] = _utc(value) if value else None
        elif isinstance(value, Delivery):
            shown[key] = _state(value)
        elif isinstance(value, bool):
            shown[key] = int(value)
        elif isinstance(value, bytes):
            shown[key] = value.hex()
        else:
            shown[key] = value
    shown["text"] = _text(record)
    if "joined" in shown.get("detail", ()):
        joined = [message_id(number) for number in shown["detail"]["joined"]]
        shown["detail"] = {**shown["detail"], "joined": joined}
    return shown


def _text(record: JournalRecord | DownlinkRecord) -> str:
    """Return the text, or what replaces one that nobody may see."""
    if isinstance(record, DownlinkRecord):
        return _SECRET if record.secret else record.text
    return MASKED if record.hidden else record.text


def _state(state: Delivery) -> str:
    return state.name.lower()


def _print_message(m: JournalRecord, home: str, zone: ZoneInfo) -> None:
    """Print what is known of a mobile originated SMS. home: the province of its sender."""
    place = m.access_code + (f" + {m.sub_code}" if m.sub_code else "")
    say(f"SMS in        {message_id(m.number)}  {_local(m.at, zone)}")
    say(f"  from        {m.source}, home province {home}")
    say(f"  to          {m.destination} ({place}), belongs to province {m.province}")
    say(f"  on          account {m.account}, session {m.session}, sequence {m.sequence}")
    say(f"  coding      data_coding {m.data_coding}, esm_class 0x{m.esm_class:02X}, parts {m.parts}")
    say(f"  text        {_text(m)!r}")
    say(f"  understood  {m.instruction or '-'} -> {m.outcome}")
    for event in m.detail.get("events", ()):
        say(f"  event       {event['event']} {event['msisdn']}")
    for key in ("error", "reason"):
        if key in m.detail:
            say(f"  {key:<11} {m.detail[key]}")
    if m.repeated_at:
        say(f"  resent      {_local(m.repeated_at, zone)}: recognised, not executed again")


def _print_outgoing(sms: DownlinkRecord, zone: ZoneInfo) -> None:
    """Print what is known of a mobile terminated SMS."""
    say(f"SMS out       {message_id(sms.number)}  {_local(sms.at, zone)}  {_state(sms.state)}")
    say(f"  from        {sms.source} to {sms.destination} (account {sms.account})")
    say(f"  text        {_text(sms)!r}" + (f" in {sms.parts} parts" if sms.parts > 1 else ""))
    left = _attempts(sms)
    if sms.closed_at:
        say(f"  closed      {_local(sms.closed_at, zone)} after {left} {sms.error}".rstrip())
    elif sms.state is Delivery.SUSPECT:
        say(f"  parked      after {left}: {sms.error}")
    else:
        say(f"  waits       until {_local(sms.expires_at, zone)}, {left} so far")
    if 0 < sms.parts_done < sms.parts:
        say(f"  parts       {sms.parts_done} of {sms.parts} acknowledged")


def _attempts(sms: DownlinkRecord) -> str:
    """Describe how often an SMS was sent. The store learns of one in flight only with its result."""
    again = " (perhaps delivered before)" if sms.repeat else ""
    return f"{sms.attempts} attempt{'' if sms.attempts == 1 else 's'}{again}"


def _binds(args: argparse.Namespace, settings: Settings) -> int:
    bound = asyncio.run(ask(settings.storage.path, "binds"))
    if args.json:
        _print_json(bound)
    elif bound:
        _print_columns(_BINDS, map(_bind_row, bound))
    else:
        say("nobody is bound")
    return 0


def _bind_row(bind: dict[str, Any]) -> list[str]:
    return [
        bind["system_id"],
        bind["mode"],
        bind["remote"],
        bind["address_range"] or "-",
        _age(bind["bound_s"]),
        f"{bind['window_in']}/{bind['window_in_limit']}",
        str(bind["messages_in"]),
        f"{bind['window_out']}/{bind['window_out_limit']}",
        str(bind["messages_out"]),
        str(bind["throttled"]),
        f"{bind['last_pdu_s']:.1f} s ago",
    ]


def _outbox(args: argparse.Namespace, settings: Settings) -> int:
    with closing(open_reader(settings.storage.url)) as reader:
        found = reader.waiting(args.limit)
    if args.json:
        _print_json([_shown(sms) for sms in found])
    elif found:
        now_ms = time.time() * 1000
        _print_columns(_OUTBOX, (_outbox_row(sms, now_ms) for sms in found))
    else:
        say("nothing waits, nothing is parked")
    return 0


def _outbox_row(sms: DownlinkRecord, now_ms: float) -> list[str]:
    return [
        message_id(sms.number),
        _state(sms.state),
        sms.account,
        _age((now_ms - sms.at) / 1000),
        str(sms.attempts),
        sms.source,
        sms.destination,
        sms.error,
    ]


def _print_columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Format a plain text table; each column is as wide as its widest entry."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def _age(seconds: float) -> str:
    """Format a duration in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{max(0, int(seconds))} s"


def _local(ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).isoformat(timespec="milliseconds")


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message_id(text: str) -> str:
    """argparse: a message id, as the log spells it."""
    try:
        return message_id(number_of(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    """argparse: how many, at least one."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
