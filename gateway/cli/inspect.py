"""`binds`, `outbox list|retry|drop`: show what the store and the running gateway know. `trace`:
gateway.cli.trace."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, Final

from gateway.cli.output import complain, print_json
from gateway.cli.showing import (
    Local,
    add_common,
    age,
    count,
    guarded,
    say,
    waits_of,
)
from gateway.message import Delivery, message_id, number_of
from gateway.operations.control import ask
from gateway.operations.log_lines import escaped
from gateway.operations.timeline.records import shown, state_of, utc
from gateway.settings import Settings
from gateway.storage.engines import open_reader
from gateway.storage.reader import DownlinkRecord

_BINDS: Final = (
    *("SYSTEM_ID", "MODE", "REMOTE", "ADDRESS_RANGE", "BOUND", "WINDOW_IN", "RECEIVED", "WINDOW_OUT", "SENT"),
    *("THROTTLED", "LAST_PDU"),
)
_OUTBOX: Final = ("MESSAGE_ID", "STATE", "ACCOUNT", "AGE", "ATTEMPTS", "FROM", "TO", "WHY")


class ListBinds:
    """`binds`: lists the binds of the running gateway."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the common options."""
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per bind."""
        return guarded(_binds, args)


class ListOutbox:
    """`outbox list`: lists the SMS that wait to be sent, and those that are parked."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the number of SMS and the common options."""
        parser.add_argument("--limit", type=count, default=100, metavar="N", help="how many (default: 100)")
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per SMS."""
        return guarded(_outbox, args)


class Decide:
    """`outbox retry ID`, `outbox drop ID`: send a parked SMS again, or give it up."""

    def __init__(self, command: str) -> None:
        self._command = command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare ID and the common options."""
        parser.add_argument("id", type=_message_id, metavar="ID", help="message id, as outbox list shows it")
        add_common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Send the decision to the running gateway, which answers when it is stored."""
        return guarded(self._decide, args)

    def _decide(self, args: argparse.Namespace, settings: Settings) -> int:
        state = asyncio.run(ask(settings.storage.path, self._command, message=args.id))
        if args.json:
            print_json({"message_id": args.id, "state": state})
        else:
            say(f"{args.id}  {state}")
        return 0


binds = ListBinds
outbox_list = ListOutbox
outbox_retry = Decide("outbox retry")
outbox_drop = Decide("outbox drop")


def _binds(args: argparse.Namespace, settings: Settings) -> int:
    bound = asyncio.run(ask(settings.storage.path, "binds"))
    if args.json:
        for each in bound:
            print_json(each)
    elif bound:
        dialled = any(bind["link"] for bind in bound)
        rows = ([*_bind_row(bind), *([bind["link"] or "-"] if dialled else [])] for bind in bound)
        print_columns((*_BINDS, "LINK") if dialled else _BINDS, rows)
    else:
        say("nobody is bound")
    return 0


def _bind_row(bind: dict[str, Any]) -> list[str]:
    return [
        bind["system_id"],
        bind["mode"],
        bind["remote"],
        bind["address_range"] or "-",
        age(bind["bound_s"]),
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
        total = reader.count_waiting() if len(found) == args.limit else len(found)
    local, now_ms = Local(settings.service.timezone), time.time() * 1000
    waits = waits_of(settings, [sms for sms in found if sms.state is Delivery.WAITING])
    why = {sms.number: _why(sms, waits, local) for sms in found}
    if args.json:
        for sms in found:
            reason, until = waits.get(sms.number, (sms.error, 0))
            print_json(shown(sms) | {"why": reason, "until": utc(until) if until else None})
    elif found:
        print_columns(_OUTBOX, (_outbox_row(sms, why[sms.number], now_ms) for sms in found))
    else:
        say("nothing waits, nothing is parked")
    if total > len(found):
        sys.stdout.flush()
        complain(f"{len(found):,} of {total:,} shown: --limit N shows more")
    return 0


def _why(sms: DownlinkRecord, waits: dict[int, tuple[str, int]], local: Local) -> str:
    """Why an SMS waits or is parked; until when with its time zone, so that each line stands alone."""
    reason, until = waits.get(sms.number, (sms.error, 0))
    return f"{reason} {local.time(until)} ({local.name(until)})" if until else reason


def _outbox_row(sms: DownlinkRecord, why: str, now_ms: float) -> list[str]:
    return [
        message_id(sms.number),
        state_of(sms.state),
        sms.account,
        age((now_ms - sms.at) / 1000),
        str(sms.attempts),
        sms.source,
        sms.destination,
        why,
    ]


def print_columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Format a plain text table; each column is as wide as its widest entry."""
    table = [header, *([escaped(word) for word in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def _message_id(text: str) -> str:
    """argparse: a message id, as the log spells it."""
    try:
        return message_id(number_of(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
