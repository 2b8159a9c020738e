"""`trace`, `binds`, `outbox list`: what the store and the running gateway know."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from gateway.cli_config import add_config, settings_of
from gateway.control import NotRunning, ask
from gateway.model import message_id, number_of
from gateway.settings import Settings
from gateway.storage.contract import StoreUnusable
from gateway.storage.sqlite_reader import SqliteReader


def _common(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _guarded(work: Callable[[argparse.Namespace, Settings], int], args: argparse.Namespace) -> int:
    try:
        return work(args, settings_of(args))
    except (StoreUnusable, NotRunning, RuntimeError, OSError) as error:
        complain(error)
        return 1


def say(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def complain(text: object) -> None:
    """One line on standard error."""
    sys.stderr.write(f"fetion-gateway: {text}\n")


def _print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


class Trace:
    """`trace ID`: exit 0 when the SMS is known, 1 otherwise."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """ID and the common options."""
        parser.add_argument("id", metavar="ID", help="message id, as in submit_sm_resp and in the log")
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print what the store knows of one SMS, in either direction."""
        return _guarded(_trace, args)


class ListBinds:
    """`binds`: who is bound to the running gateway."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """The common options."""
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per bind."""
        return _guarded(_binds, args)


class ListOutbox:
    """`outbox list`: the SMS that wait to leave."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """How many, and the common options."""
        parser.add_argument("--limit", type=int, default=100, metavar="N", help="how many (default: 100)")
        _common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per SMS."""
        return _guarded(_outbox, args)


trace = Trace
binds = ListBinds
outbox_list = ListOutbox


def _trace(args: argparse.Namespace, settings: Settings) -> int:
    try:
        number = number_of(args.id)
    except ValueError as error:
        complain(f"{error}")
        return 1
    reader = SqliteReader.open(settings.storage.path)
    try:
        outgoing = reader.outgoing(number)
        cause = number if outgoing is None else int(outgoing["cause"])
        message = reader.message(cause)
        replies = reader.caused_by(cause) if outgoing is None else [outgoing]
        joined = [] if message is None else [reader.message(n) for n in message["detail"].get("joined", ())]
    finally:
        reader.close()
    if message is None and outgoing is None:
        complain(
            f"{args.id}: no such SMS in {settings.storage.path} (never answered positively, or another store)"
        )
        return 1
    if args.json:
        _print_json({"message": message, "parts": joined, "outgoing": replies})
        return 0
    zone = ZoneInfo(settings.service.timezone)
    if message is not None:
        _print_message(message, zone)
    for part in joined:
        if part is not None:
            say(f"  part        {message_id(part['number'])}  {_time(part['at'], zone)}")
    for sms in replies:
        _print_outgoing(sms, zone)
    return 0


def _print_message(m: dict[str, Any], zone: ZoneInfo) -> None:
    detail = m["detail"]
    place = m["access_code"] + (f" + {m['sub_code']}" if m["sub_code"] else "")
    say(f"SMS in        {message_id(m['number'])}  {_time(m['at'], zone)}")
    say(f"  from        {m['source']} (province {m['province']}) to {m['destination']} ({place})")
    say(f"  on          account {m['account']}, session {m['session']}, sequence {m['sequence']}")
    say(f"  coding      data_coding {m['data_coding']}, esm_class 0x{m['esm_class']:02X}, parts {m['parts']}")
    say(f"  text        {m['text']!r}")
    say(f"  understood  {m['instruction'] or '-'} -> {m['outcome']}")
    for event in detail.get("events", ()):
        say(f"  event       {event['event']} {event['msisdn']}")
    for key in ("error", "reason"):
        if key in detail:
            say(f"  {key:<11} {detail[key]}")
    if m["repeated_at"]:
        say(f"  resent      {_time(m['repeated_at'], zone)}: recognised, not executed again")


def _print_outgoing(sms: dict[str, Any], zone: ZoneInfo) -> None:
    say(f"SMS out       {message_id(sms['number'])}  {_time(sms['at'], zone)}  {sms['state']}")
    say(f"  from        {sms['source']} to {sms['destination']} (account {sms['account']})")
    say(f"  text        {sms['text']!r}" + (f" in {sms['parts']} parts" if sms["parts"] > 1 else ""))
    if sms["closed_at"]:
        closed = _time(sms["closed_at"], zone)
        say(f"  closed      {closed} after {sms['attempts']} attempts {sms['error']}".rstrip())
    else:
        say(f"  waits       until {_time(sms['expires_at'], zone)}")


def _time(ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).isoformat(timespec="milliseconds")


def _binds(args: argparse.Namespace, settings: Settings) -> int:
    bound = asyncio.run(ask(settings.storage.path, "binds"))
    if args.json:
        _print_json(bound)
        return 0
    if not bound:
        say("nobody is bound")
    for bind in bound:
        claim = f" for {bind['address_range']}" if bind["address_range"] else ""
        head = f"{bind['system_id']:<15} {bind['mode']:<11} {bind['remote']:<21}{claim}"
        say(
            f"{head} bound {bind['bound_s']:.0f} s,"
            f" in {bind['window_in']}/{bind['window_in_limit']} ({bind['messages_in']}),"
            f" out {bind['window_out']}/{bind['window_out_limit']} ({bind['messages_out']}),"
            f" throttled {bind['throttled']}, last PDU {bind['last_pdu_s']:.1f} s ago"
        )
    return 0


def _outbox(args: argparse.Namespace, settings: Settings) -> int:
    reader = SqliteReader.open(settings.storage.path)
    try:
        rows = reader.waiting(args.limit)
    finally:
        reader.close()
    if args.json:
        for row in rows:
            row["message_id"] = message_id(row["number"])
        _print_json(rows)
        return 0
    if not rows:
        say("nothing waits")
    zone = ZoneInfo(settings.service.timezone)
    for row in rows:
        name, since = message_id(row["number"]), _time(row["at"], zone)
        way = f"{row['source']} -> {row['destination']}"
        say(f"{name}  {way}  since {since}  attempts {row['attempts']}  {row['error']}".rstrip())
    return 0
