"""`load`: a load generator over SMPP. Its --help defines message, time and percentile."""

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.cli.handset import Configured
from gateway.cli.output import complain, sentence
from gateway.cli.serve import new_event_loop
from gateway.simulator.cli import account_of, add_account
from gateway.simulator.errors import NotConnectedError, SimulatorError
from gateway.simulator.hints import start
from gateway.simulator.load.driver import Outcome, drive
from gateway.simulator.load.mix import DEFAULT
from gateway.simulator.load.mix import load as load_mix
from gateway.simulator.load.plan import FIRST_NUMBER, LAST_NUMBER, Plan
from gateway.simulator.load.report import Circumstances, Progress, as_object, lines
from gateway.simulator.sms import bare
from gateway.simulator.terminal import say
from routing.tablefile import TableError

_MOST_MESSAGES: Final = 2_000_000_000  # sequence numbers end at 0x7FFFFFFF
_POOL: Final = "random:"

_WORK: Final = """\
A message is a round trip: submit_sm, its submit_sm_resp, the reply as deliver_sm, our
deliver_sm_resp. Each comes from a handset of its own, because the gateway limits what one handset
sends in a minute.

  answer   from the submit_sm to its positive submit_sm_resp; refused messages do not count
  reply    from the submit_sm to the last deliver_sm that answers it, of messages that have every reply
  late     (with --rate) from the moment at which a message is due to its sending

Without --rate the loop is closed: each bind has --window submit_sm without submit_sm_resp, and a
time counts from the sending. With --rate the messages are due at fixed moments, and every time
counts from the moment at which a message was due, also when it left later because the window was
full: a gateway that stands still for a second is seen by all messages of that second. p95 is the
time that 95 per cent of the counted messages did not exceed; percentiles are less than 1 per cent
off, max is exact.

A message that is refused (RTHROTTLED, RMSGQFUL ...) or has no answer or reply within --timeout is
counted as an error, and not sent again. Exit code 0: every message got its answer and its replies;
1: not so, or the connection was lost; 130: Ctrl-C, behind a report of what was measured.

A mix is a YAML list; default: KTFX to 161. replies (1): deliver_sm that come back, each part of a
long SMS is one. from: fresh or random, default as --handsets says.

  - {text: KTFX, to: "161", weight: 8, from: fresh}
  - {text: CXFX, to: "161", weight: 2, from: random, replies: 1}
"""


class Load:
    """`load`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description = f"{parser.description}\n\n{_WORK}"
        add_account(parser)
        number = _whole(1, _MOST_MESSAGES)
        parser.add_argument(
            "--count", type=number, default=10_000, metavar="N", help="messages (default: 10000)"
        )
        parser.add_argument(
            "--window",
            type=_whole(1, 100_000),
            default=100,
            metavar="W",
            help="submit_sm that a bind may have unanswered (default: 100)",
        )
        parser.add_argument("--binds", type=_whole(1, 100), default=1, metavar="B", help="default: 1")
        parser.add_argument(
            "--rate",
            type=_number(0.001, 10_000_000),
            metavar="R",
            help="messages a second over all binds (default: as fast as the windows let)",
        )
        parser.add_argument(
            "--timeout",
            type=_number(0.001, 86_400),
            default=60.0,
            metavar="SECONDS",
            help="for answer and replies, from the sending (default: 60)",
        )
        parser.add_argument("--mix", type=Path, metavar="FILE", help="what is sent (default: KTFX to 161)")
        parser.add_argument(
            "--handsets",
            type=_pool,
            default=0,
            metavar="fresh|random:N",
            help="a new number for each message (default), or one of N from --first on",
        )
        parser.add_argument(
            "--first",
            type=_first,
            default=FIRST_NUMBER,
            metavar="MSISDN",
            help=f"the lowest number of a handset (default: {FIRST_NUMBER})",
        )
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="of every draw (default: 1)")
        parser.add_argument("--json", type=Path, metavar="OUT", help="write the report there as one object")

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command."""
        if args.first + args.handsets + args.count - 1 > LAST_NUMBER:
            args.parser.error(f"--first and --count: there is no mobile number above {LAST_NUMBER}")
        try:
            outcome = _measure(args)
        except NotConnectedError as error:
            say(f"{error}\n{start()}", sys.stderr)
            return 1
        except (TableError, SimulatorError) as error:
            say(str(error), sys.stderr)
            return 1
        except OSError as error:
            return complain(sentence(error))
        if outcome.end == "interrupted":
            return 130
        return 0 if outcome.good else 1


load: Final = Configured(Load())


def _measure(args: argparse.Namespace) -> Outcome:
    """Run and report. Raises TableError, SimulatorError and, for the file of --json, OSError."""
    plan = Plan(
        count=args.count,
        window=args.window,
        binds=args.binds,
        rate=args.rate,
        timeout=args.timeout,
        first=args.first,
        pool=args.handsets,
        seed=args.seed,
        mix=load_mix(args.mix, pool=args.handsets) if args.mix else DEFAULT,
    )
    if args.json:
        args.json.open("a").close()  # an hour later it would be too late to say that it cannot be written
    progress = Progress(sys.stderr, plan)
    began = datetime.now(UTC)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            loop = type(runner.get_loop()).__module__
            outcome = runner.run(drive(plan, account_of(args), show=progress.show))
    finally:
        progress.clear()
    say("\n".join(lines(outcome)))
    if args.json:
        report = as_object(outcome, Circumstances(command_line(args), began, loop))
        args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return outcome


def command_line(args: argparse.Namespace) -> str:
    """Return the command line of these options, without defaults and without the password."""
    words = ["fetion-gateway", "load"]
    for name in ("host", "port", "system_id", "config", "count", "window", "binds", "rate", "timeout", "mix"):
        if getattr(args, name, None) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    words += ["--handsets", f"{_POOL}{args.handsets}" if args.handsets else "fresh"]
    words += ["--first", str(args.first), "--seed", str(args.seed)]
    return shlex.join([*words, "--json", str(args.json)] if args.json else words)


def _whole(least: int, most: int) -> Callable[[str], int]:
    """argparse: a whole number."""

    def check(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} to {most}")
        return int(text)

    return check


def _number(least: float, most: float) -> Callable[[str], float]:
    """argparse: a number."""

    def check(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of {least:g} to {most:g}")
        return number

    return check


def _pool(text: str) -> int:
    """argparse: number of handsets; 0: each message has a fresh one."""
    if text == "fresh":
        return 0
    if not text.startswith(_POOL):
        raise argparse.ArgumentTypeError(f"{text!r} is neither fresh nor random:N")
    return _whole(1, 100_000_000)(text.removeprefix(_POOL))


def _first(text: str) -> int:
    """argparse: a mobile number, with or without 86. Returns it with 86."""
    number = bare(text)
    if not (number.isascii() and number.isdecimal() and len(number) == 11 and number.startswith("1")):
        raise argparse.ArgumentTypeError(f"{text!r} is no mobile number of 11 digits")
    return int(f"86{number}")
