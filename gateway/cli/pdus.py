"""`pdus`: shows the PDUs of one account or connection while they pass, decoded, in both directions."""

import argparse
import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.cli.config import add_config, settings_of
from gateway.cli.output import as_json, complain
from gateway.operations.control import STALLED, CommandRefused, NotRunning, follow
from gateway.operations.log_lines import escaped
from gateway.operations.pdus import LONGEST
from gateway.settings import Settings
from gateway.simulator.hints import command

_QUIET: Final = ("", 0, None)
"""Values of mandatory fields that a line leaves out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--account", default="", metavar="A", help="all binds of an account")
    which.add_argument(
        "--connection",
        default="",
        metavar="C",
        help="ADDRESS:PORT of one connection (remote in `binds` and in the log), or ADDRESS for all from"
        " there, bound or not, also those to come",
    )
    parser.add_argument(
        "--seconds",
        default=60,
        type=_seconds,
        metavar="N",
        help=f"how long to watch (default: 60, at most {LONGEST})",
    )
    parser.add_argument("--hex", action="store_true", help="show the octets too; ** for each that is hidden")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """0 after the time is over, 1 when nothing can be watched or the gateway ended meanwhile."""
    settings = settings_of(args)
    try:
        return asyncio.run(_watch(args, settings))
    except NotRunning as error:
        return complain(f"{error}: start it with {command()} serve, or name another one with --config FILE")
    except CommandRefused as refused:
        return complain(refused)


def _seconds(text: str) -> int:
    """argparse: how long to watch."""
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= LONGEST):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {LONGEST}")
    return int(text)


async def _watch(args: argparse.Namespace, settings: Settings) -> int:
    zone = ZoneInfo(settings.service.timezone)
    asked = {"account": args.account, "connection": args.connection, "seconds": str(args.seconds)}
    asked["octets"] = "yes" if args.hex else "no"
    items = follow(settings.storage.path, "pdus", args.seconds, **asked)
    ended = False
    async with aclosing(items):
        async for item in items:
            ended = ended or "ended" in item
            line = as_json(_for_programs(item)) if args.json else f"{_line(item, zone, args.seconds)}\n"
            sys.stdout.write(line)
            sys.stdout.flush()  # somebody waits for it
    return 0 if ended else complain(f"the gateway has ended, or nothing was read here for {STALLED:g} s")


def _for_programs(item: dict[str, Any]) -> dict[str, Any]:
    """The same with times as RFC 3339 in UTC."""
    if "pdu" not in item:
        return item
    at = datetime.fromtimestamp(item["pdu"]["at"] / 1000, UTC).isoformat(timespec="milliseconds")
    return {"pdu": {**item["pdu"], "at": at.replace("+00:00", "Z")}}


def _line(item: dict[str, Any], zone: ZoneInfo, seconds: int) -> str:
    if "watching" in item:
        return f"watching {escaped(item['watching'])} for {seconds} s, times of {zone.key}; Ctrl-C ends it"
    if "dropped" in item:
        return f"({item['dropped']} PDUs are not shown: they come faster than they are read)"
    if "ended" in item:
        return "{shown} shown, {dropped} not shown".format(**item["ended"])
    return line_of(item["pdu"], zone)


def line_of(pdu: dict[str, Any], zone: ZoneInfo) -> str:
    """One line for one PDU: time, direction, connection, command, then what is not empty."""
    at = datetime.fromtimestamp(pdu["at"] / 1000, UTC).astimezone(zone)
    begin = f"{at:%H:%M:%S}.{pdu['at'] % 1000:03d}  {pdu.get('direction', '-'):<3} {pdu['remote']}"
    if "said" in pdu:
        return escaped(f"{begin}  {pdu['said']}")
    words = [f"{begin}  {pdu['command']} {pdu['sequence_number']}"]
    if pdu["command_status"] is not None:
        words.append(pdu["command_status"])
    values = {**pdu.get("fields", {}), **pdu.get("tlvs", {})}
    words += [f"{name}={_value(value)}" for name, value in values.items() if value not in _QUIET]
    if "text" in pdu:
        words.append(f"text={pdu['text']!r}")
    if pdu["hidden"]:
        words.append(f"(hidden: {pdu['hidden']})")
    words += [f"({reason})" for reason in pdu.get("notes", ())]
    if "broken" in pdu:
        words.append(f"(broken: {pdu['broken']})")
    if "hex" in pdu:
        words.append(f"[{pdu['hex']}]")
    return escaped(" ".join(words))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['octets']} octets" if "octets" in value else str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
