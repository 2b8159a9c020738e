"""The command `smsc`: the simulated SMS centre alone, for any ESME, until SIGINT or SIGTERM.

With --json each SMS is an object on a line of its own: time (RFC 3339, UTC), from, to, text, message_id (null
for one that no ESME sent).
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from gateway.cli.output import complain, sentence
from gateway.operations.log_lines import escaped_json
from gateway.simulator.cli import port_number
from gateway.simulator.layout import visible
from gateway.simulator.sms import Sms
from gateway.simulator.smsc.centre import SmsCentre
from gateway.simulator.smsc.faults import Faults, load_faults
from gateway.simulator.smsc.receipts import FORMS
from gateway.simulator.terminal import line_printer, say
from gateway.simulator.transcript import Line
from routing.tablefile import TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument("--port", required=True, type=port_number, help="port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="what it does wrong (docs/smsc.md)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    parser.add_argument(
        "--account",
        type=_account,
        action="append",
        default=[],
        metavar="ID:PASSWORD",
        help="who may bind; may be repeated (default: anybody)",
    )
    parser.add_argument(
        "--ids", choices=tuple(FORMS), default="text", help="how message ids are written (default: text)"
    )
    parser.add_argument("--json", action="store_true", help="print each SMS as a JSON object")


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    try:
        faults = Faults() if args.faults is None else load_faults(args.faults)
    except TableError as error:
        return complain(str(error))
    try:
        return asyncio.run(_serve(args, faults))
    except OSError as error:
        return complain(f"cannot listen on {args.host}:{args.port}: {sentence(error)}")


async def _serve(args: argparse.Namespace, faults: Faults) -> int:
    """Run the centre until a signal comes."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    centre = SmsCentre(faults, seed=args.seed, ids=args.ids, accounts=dict(args.account))
    show = _json if args.json else _transcript()
    failed: list[OSError] = []

    def watch(sms: Sms, message_id: str) -> None:
        try:
            show(sms, message_id)
        except OSError as error:  # the reader is gone: said when the centre is closed
            failed.append(error)
            ended.set()

    centre.watch = watch
    await centre.start(args.port, args.host)
    async with centre:
        say(f"the SMS centre listens on {args.host}:{centre.port}", sys.stderr)
        await ended.wait()
    if failed:
        raise failed[0]
    counts = ", ".join(f"{name} {count}" for name, count in sorted(centre.ledger.counts.items()))
    say(f"the SMS centre has ended: {counts or 'nothing happened'}", sys.stderr)
    return 0


def _transcript() -> Callable[[Sms, str], None]:
    began = monotonic()
    printer = line_printer(sys.stdout)

    def show(sms: Sms, _message_id: str) -> None:
        printer(Line(monotonic() - began, visible(sms.sender), visible(sms.receiver), visible(sms.text)))

    return show


def _json(sms: Sms, message_id: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = {
        "time": now,
        "from": sms.sender,
        "to": sms.receiver,
        "text": sms.text,
        "message_id": message_id or None,
    }
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")  # elsewhere JSON has its own escapes
    say(escaped_json(json.dumps(values, ensure_ascii=not unicode)))


def _account(text: str) -> tuple[str, str]:
    """argparse: system_id and password; not repeated, the second is one."""
    system_id, colon, password = text.partition(":")
    if not (colon and 1 <= len(system_id) <= 15 and len(password) <= 8 and text.isascii()):
        raise argparse.ArgumentTypeError("must be ID:PASSWORD, at most 15 and 8 characters")
    return system_id, password
