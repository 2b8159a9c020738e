"""The commands `handset send` and `handset chat`: a simulated handset for people and scripts.

With --json each SMS is an object on a line of its own, the one that was sent first: time (RFC 3339, UTC, when
it was answered or came), from, to, text, message_id (of the answer to it; null for one that came).
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from gateway.operations.log_lines import escaped_json
from gateway.simulator.errors import NotConnectedError, SimulatorError
from gateway.simulator.handset import SHIPPED, SPELLINGS, Account, Centre, Handset, Phone
from gateway.simulator.hints import as_called_here, start, tracing
from gateway.simulator.layout import visible
from gateway.simulator.sms import ENCODINGS, Expectation, Sms, bare
from gateway.simulator.terminal import line_printer, lines_of, say
from gateway.simulator.transcript import Transcript
from gateway.smpp.errors import SmppError

UNBOUND: Final = "unbound by peer"
"""Reason of a connection that the gateway ended by unbind, as gateway.smpp.session gives it."""

_MOBILE: Final = re.compile(r"1\d{10}")
_OURS: Final = re.compile(r"[0-9a-f]{16}")
"""What message ids of the gateway look like."""
_NUMBER: Final = re.compile(r"\+?\d{1,20}")


class HandsetSend:
    """`handset send`: sends one SMS and shows the answers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        _add_handset(parser)
        parser.add_argument("--to", required=True, type=_number, help="number to text, such as 161 or 12520")
        parser.add_argument("text", metavar="TEXT", help="what to text")
        parser.add_argument("--expect", type=_pattern, metavar="REGEX", help="only such an SMS counts")
        parser.add_argument(
            "--wait", type=_seconds, default=5.0, metavar="SECONDS", help="for the answer (default: 5)"
        )
        parser.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0], help="default: auto")
        parser.add_argument(
            "--client", choices=("own", "smpplib"), default="own", help="which SMPP client carries it"
        )

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command."""
        return _run(lambda: _send(args))


class HandsetChat:
    """`handset chat`: sends lines typed on the keyboard, and shows the answers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        _add_handset(parser)

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command."""
        return _run(lambda: _chat(args))


handset_send: Final = HandsetSend()
handset_chat: Final = HandsetChat()


async def _send(args: argparse.Namespace) -> int:
    shown = _Shown(args.sender, _printer(args))
    async with _phone(args, shown.watch) as phone:
        try:
            message_id = await phone.send(args.text, args.to, args.encoding)
            if args.json:
                say(_as_json(Sms(args.sender, args.to, args.text), message_id))
            else:
                hint = ""
                if _OURS.fullmatch(message_id):  # an SMS centre has ids of its own, which no trace knows
                    hint = f": {tracing(getattr(args, 'config', None))} {message_id}"
                say(visible(f"message id {message_id}{hint}"))
        finally:
            shown.release()
        await phone.wait_for(Expectation(regex=args.expect), args.wait)
    return 0


class _Shown:
    """Shows sent SMS at once, and received ones only after release().

    An answer may arrive before the message id of its cause has been shown.
    """

    def __init__(self, owner: str, show: Callable[[Sms], None]) -> None:
        self._owner = owner
        self._show = show
        self._held: list[Sms] | None = []

    def watch(self, sms: Sms) -> None:
        """Show, or hold back, an SMS that was sent or received."""
        if self._held is not None and sms.receiver == self._owner:
            self._held.append(sms)
        else:
            self._show(sms)

    def release(self) -> None:
        """Show the received SMS, and from now on each one at once."""
        held, self._held = self._held, None
        for sms in held or ():
            self._show(sms)


@asynccontextmanager
async def _phone(args: argparse.Namespace, watch: Callable[[Sms], None]) -> AsyncIterator[Phone]:
    """Connect the handset of the command line, with its number as address_range."""
    if args.client == "smpplib":
        from gateway.simulator.smpplib_handset import SmpplibHandset

        connecting = SmpplibHandset.connect(
            account_of(args), args.sender, spelling=args.spelling, watch=watch
        )
        async with await connecting as foreign:
            yield foreign
    else:
        async with await _centre(args, watch) as centre:
            yield centre.handsets[args.sender]


async def _chat(args: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        say(f"{args.sender}: type NUMBER TEXT, for example: 161 KTFX  (Ctrl-D ends)", sys.stderr)
    async with await _centre(args, None) as centre:
        handset = centre.handsets[args.sender]
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(_read(handset, _printer(args)), name="reading")
                await _type(handset)
                reading.cancel()
        except ExceptionGroup as failed:  # the connection was lost
            if centre.esme.lost_because != UNBOUND:
                raise failed.exceptions[0] from None
            say("the gateway sent unbind: it is stopping, or has ended this bind", sys.stderr)
            return 1
    return 0


async def _read(handset: Handset, show: Callable[[Sms], None]) -> None:
    """Show each received SMS."""
    while True:
        show(await handset.wait_for(Expectation(), None))


async def _type(handset: Handset) -> None:
    """Send each typed line until the end of input; go on after a line that cannot be sent."""
    async with aclosing(lines_of(sys.stdin.fileno())) as lines:
        async for line in lines:
            number, _, text = line.strip().partition(" ")
            if not number:
                continue
            if not _NUMBER.fullmatch(number) or not text:
                say("type NUMBER TEXT, for example: 161 KTFX", sys.stderr)
                continue
            try:
                await handset.send(text.strip(), number)
            except (SimulatorError, SmppError) as error:
                say(as_called_here(str(error)), sys.stderr)


def _centre(args: argparse.Namespace, watch: Callable[[Sms], None] | None) -> Awaitable[Centre]:
    return Centre.connect(
        account_of(args), [args.sender], address_range=args.sender, spelling=args.spelling, watch=watch
    )


def _run(command: Callable[[], Coroutine[None, None, int]]) -> int:
    """Run a command. An error becomes one line on standard error and exit code 1."""
    try:
        return asyncio.run(command())
    except NotConnectedError as error:
        say(f"{error}\n{start()}", sys.stderr)
    except (SimulatorError, SmppError) as error:
        say(as_called_here(str(error)), sys.stderr)
    return 1


def _printer(args: argparse.Namespace) -> Callable[[Sms], None]:
    """Prints SMS: each as a line of a transcript, or the received ones as JSON."""

    def show_json(sms: Sms) -> None:
        if sms.receiver == args.sender:
            say(_as_json(sms))

    if args.json:
        return show_json
    return Transcript({}, time.monotonic, line_printer(sys.stdout)).add


def _as_json(sms: Sms, message_id: str | None = None) -> str:
    """Format an SMS as a JSON object on one line. message_id: of a sent SMS; a received one has none."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = {"time": now, "from": sms.sender, "to": sms.receiver, "text": sms.text, "message_id": message_id}
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")  # elsewhere JSON has its own escapes
    return escaped_json(json.dumps(values, ensure_ascii=not unicode))


def account_of(args: argparse.Namespace) -> Account:
    """Return the account that the options of `add_account` name."""
    return Account(
        args.host or SHIPPED.host,
        args.port or SHIPPED.port,
        args.system_id or SHIPPED.system_id,
        args.password or SHIPPED.password,
    )


def _add_handset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="sender", required=True, type=_mobile, metavar="MSISDN", help="the handset's number"
    )
    add_account(parser)
    parser.add_argument(
        "--spelling", choices=tuple(SPELLINGS), default="national", help="how the centre writes the number"
    )
    parser.add_argument("--json", action="store_true", help="print each SMS as a JSON object")


def add_account(parser: argparse.ArgumentParser) -> None:
    """Declare the options for address and account."""
    parser.add_argument("--host", help=f"default: {SHIPPED.host}")
    parser.add_argument("--port", type=port_number, help=f"default: {SHIPPED.port}")
    parser.add_argument("--system-id", type=_at_most(15), help=f"default: {SHIPPED.system_id}")
    parser.add_argument("--password", type=_at_most(8), help="default: that of the shipped account")


def _mobile(text: str) -> str:
    """argparse: a mobile number, with or without 86."""
    number = bare(text)
    if not _MOBILE.fullmatch(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no mobile number of 11 digits")
    return number


def _number(text: str) -> str:
    """argparse: a destination number."""
    if not _NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at most 20 digits")
    return text


def port_number(text: str) -> int:
    """argparse: a TCP port."""
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port between 1 and 65535")
    return int(text)


def _at_most(limit: int) -> Callable[[str], str]:
    """argparse: a text that fits a field of a bind (SMPP 3.4 sections 5.2.1 and 5.2.2); not repeated, it may
    be a password."""

    def check(text: str) -> str:
        if not (text.isascii() and text.isprintable() and 1 <= len(text) <= limit):
            raise argparse.ArgumentTypeError(f"must have 1 to {limit} printable ASCII characters")
        return text

    return check


def _pattern(text: str) -> re.Pattern[str]:
    """argparse: a regular expression."""
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"no regular expression: {error}") from error


def _seconds(text: str) -> float:
    """argparse: a time to wait, up to an hour."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, at most 3600")
    return seconds
