"""`tail` over 1,000,000 lines of a log, half of them sms.handled and half sms.sent.

    python -m tests.bench_tail [LINES]

Writes the log with the event log of the gateway, in a temporary folder, and runs `fetion-gateway tail
--no-follow` over it: everything, one handset, and the last minute. Prints seconds and lines per second, the
median of ROUNDS processes each, start included. Exits 1 when a run takes longer than MOST seconds for a
million lines, or does not show the lines that it must.
"""

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from gateway.message import TABLES
from gateway.operations.event_log import EventLog
from gateway.operations.logs import open_log
from gateway.settings import Logging
from gateway.simulator.terminal import say
from tests.support import START_MS, HandClock, leaving, received, routing

ROUNDS = 3
MOST = 60.0
A_SECOND = 2_000
"""Lines of one second of the log."""


class Remote:
    """A bind, as far as a line tells of it."""

    account, peer, number = "smsc", "127.0.0.1:40112", 1


def write_log(path: Path, lines: int) -> None:
    """Write an SMS and its reply again and again, from 10,000 handsets."""
    log = open_log(Logging(format="json", file=path))
    event_log = EventLog(log, HandClock(), routing().home)
    entry, reply, remote = (
        received(1)._replace(detail={TABLES: "0123456789ab.0123456789ab"}),
        leaving(2),
        Remote(),
    )
    reply.attempts = 1
    for number in range(0, lines, 2):
        now_ms = START_MS + number * 1000 // A_SECOND
        msisdn = f"1380000{number // 2 % 10_000:04d}"
        reply.number, reply.cause, reply.msisdn, reply.source = number + 1, number, msisdn, "161034"
        event_log.handled(entry._replace(number=number, msisdn=msisdn), remote, "base", 1, 0.001234, now_ms)
        event_log.sent(reply, remote, 0.000912, now_ms)
        if number % 1000 == 0:
            log.written(60)
    log.close(60)


def measure(path: Path, *options: str) -> tuple[float, int]:
    """Return the seconds that a process takes, and the lines that it shows besides those of the dates."""
    words = [sys.executable, "-m", "gateway", "tail", str(path), "--no-follow", *options]
    taken, shown = [], 0
    for _ in range(ROUNDS):
        with tempfile.TemporaryFile() as out:
            began = perf_counter()
            subprocess.run(words, stdout=out, check=True)
            taken.append(perf_counter() - began)
            out.seek(0)
            shown = sum(not line.startswith(b"--") for line in out)
    return median(taken), shown


def main(lines: int) -> int:
    """Run all. Returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.log"
        write_log(path, lines)
        say(f"{lines:,} lines, {path.stat().st_size / 1e6:.0f} MB")
        last = datetime.fromtimestamp(START_MS / 1000 + lines / A_SECOND - 60, UTC).isoformat()
        runs = {
            "all": ((), lines),
            "--json": (("--json",), lines),
            "--msisdn 13800000042": (("--msisdn", "13800000042"), lines // 10_000),
            "--since (the last minute)": (("--since", last), min(lines, 60 * A_SECOND)),
            "--lines 1000": (("--lines", "1000"), min(lines, 1000)),
        }
        good = True
        for name, (options, expected) in runs.items():
            seconds, shown = measure(path, *options)
            good &= shown == expected and seconds < MOST * max(1, lines / 1_000_000)
            say(f"{name:<26} {seconds:6.2f} s {lines / seconds:12,.0f} lines/s  {shown:,} shown")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
