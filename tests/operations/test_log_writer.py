"""The log with a reader that stalls: real pipes, FIFOs and files; the caller never waits for them."""

import fcntl
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.operations.log_writer import BUFFER_SIZE
from gateway.operations.logs import Log, open_log
from gateway.settings import Logging
from tests.operations.test_logs import Disk
from tests.proofs.served import PATIENCE

BACKLOG = 65_536
PIPE = 4096
"""Octets that the pipe of a test holds."""


class Pipe:
    """A small pipe: `stream` to log to, and a reader that reads only when it is told."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
        self.stream = io.FileIO(writing, "w")
        self._reader = io.FileIO(reading, "r")
        self._octets = b""
        self._thread = threading.Thread(target=self._read_on, daemon=True)

    def _read_on(self) -> None:
        self._octets += self._reader.readall()

    def read(self, octets: int) -> None:
        """Some octets, as many as there are at most."""
        os.set_blocking(self._reader.fileno(), False)
        self._octets += self._reader.read(octets) or b""
        os.set_blocking(self._reader.fileno(), True)

    def read_on(self) -> None:
        """From now on everything is read at once."""
        self._thread.start()

    def lines(self) -> list[dict[str, Any]]:
        """After the end of the log: what came out, which is whole lines."""
        self.stream.close()
        self._thread.join(PATIENCE)
        assert self._octets.endswith(b"\n")
        return [json.loads(line) for line in self._octets.splitlines()]

    def close(self) -> None:
        """Both ends."""
        self.stream.close()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
        self._reader.close()


@contextmanager
def piped() -> Iterator[Pipe]:
    """A pipe that is closed at the end."""
    pipe = Pipe()
    try:
        yield pipe
    finally:
        pipe.close()


def opened(stream: Any = None, **changes: Any) -> Log:
    """A log of JSON lines with a small backlog."""
    return open_log(Logging.model_validate({"format": "json", "backlog": BACKLOG, **changes}), stream)


def logged(log: Log, numbers: range) -> None:
    """Numbered lines of about 500 octets."""
    head = {"timestamp": log.stamp(0), "level": "info", "event": "line"}
    for number in numbers:
        log.wide({**head, "number": number, "filler": "x" * 400})


def lost_of(lines: list[dict[str, Any]], written: int) -> int:
    """How many are missing: lines are in order, log.lost stands in the place of the missing ones and counts
    exactly those."""
    expected = lost = 0
    for line in lines:
        if line["event"] == "log.lost":
            expected += line["total"] - lost
            lost = line["total"]
        else:
            assert line["number"] == expected
            expected += 1
    assert expected == written
    return lost


def test_a_pipe_that_nobody_reads(capfd: pytest.CaptureFixture[str]) -> None:
    """The caller goes on, what waits is bounded, the rest is dropped; who reads on finds whole lines in
    order, and in the place of the missing ones how many they were. Standard error is told, once."""
    with piped() as pipe:
        log = opened(pipe.stream)
        logged(log, range(2000))
        log.flush()
        logged(log, range(2000, 3000))
        pipe.read_on()
        assert log.written(PATIENCE)
        logged(log, range(3000, 3010))
        log.close(PATIENCE)
        lines = pipe.lines()
    lost = lost_of(lines, 3010)
    assert lost > 2000
    kept = sum(len(json.dumps(line)) for line in lines)
    assert kept < 1.1 * (BACKLOG + 3 * BUFFER_SIZE), "more waited than the backlog allows"
    assert capfd.readouterr().err.count("the log takes no lines") == 1


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("log"), st.integers(1, 300)),
            st.tuples(st.just("read"), st.integers(1, 100_000)),
            st.tuples(st.just("flush"), st.just(0)),
            st.tuples(st.just("wait"), st.integers(1, 3)),
        ),
        max_size=30,
    )
)
@settings(deadline=None, max_examples=60)
def test_any_reader(steps: list[tuple[str, int]]) -> None:
    """However a slow reader and a fast writer alternate: whole lines, in order, every missing one counted."""
    with piped() as pipe:
        log, count = opened(pipe.stream), 0
        for step, size in steps:
            if step == "log":
                logged(log, range(count, count + size))
                count += size
            elif step == "read":
                pipe.read(size)
            elif step == "flush":
                log.flush()
            else:
                log.written(size / 1000)
        logged(log, range(count, count + 1))
        pipe.read_on()
        log.close(PATIENCE)
        lost_of(pipe.lines(), count + 1)


@given(rooms=st.lists(st.integers(-20, 900), max_size=30))
def test_a_disk_that_fills_and_empties(rooms: list[int]) -> None:
    """Whatever room there is from line to line: a torn line takes no other with it, and every line is whole
    or counted (a log.lost that is lost counts as well)."""
    disk = Disk(0)
    log = opened(disk)
    for number, room in enumerate(rooms):
        disk.room = max(len(disk.octets), disk.room + room)
        logged(log, range(number, number + 1))
        assert log.written(PATIENCE)
    disk.room = len(disk.octets) + 100_000
    log.flush()
    logged(log, range(len(rooms), len(rooms) + 1))
    log.close(PATIENCE)
    whole = [json.loads(line) for line in disk.octets.splitlines() if line.endswith(b"}")]
    numbers = [line["number"] for line in whole if line["event"] == "line"]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == [len(rooms)]
    missing = len(rooms) + 1 - len(numbers)
    total = max((line["total"] for line in whole if line["event"] == "log.lost"), default=0)
    assert missing <= total <= missing + max(0, len(rooms) - 1)
    assert b"\n\n" not in disk.octets


def test_a_paused_terminal() -> None:
    """Ctrl-S on the terminal that shows the log: nobody waits; after Ctrl-Q the lines come."""
    terminal, ours = os.openpty()
    with io.FileIO(ours, "w") as stream, io.FileIO(terminal, "r") as screen:
        log = opened(stream)
        logged(log, range(100))
        log.flush()
        assert not log.written(0.01)
        shown = b""
        while b'"number":99,' not in shown:
            shown += screen.read(65_536)
        log.close(PATIENCE)


def test_the_pipe_of_others_stays_as_it_is() -> None:
    """The shell that started us shares our standard output: it does not become non-blocking."""
    with piped() as pipe:
        log = opened(pipe.stream)
        logged(log, range(1000))
        log.flush()
        assert os.get_blocking(pipe.stream.fileno())
        pipe.read_on()
        log.close(PATIENCE)


def test_a_pipe_that_others_made_non_blocking() -> None:
    """Somebody who shares our standard output made it non-blocking: it is waited for, and nothing is lost."""
    with piped() as pipe:
        os.set_blocking(pipe.stream.fileno(), False)
        log = opened(pipe.stream)
        logged(log, range(100))
        log.flush()
        pipe.read_on()
        log.close(PATIENCE)
        assert lost_of(pipe.lines(), 100) == 0


def test_a_busy_loop_loses_nothing(tmp_path: Path) -> None:
    """Lines come as fast as one thread can make them, as many as may wait, and a healthy file gets all of
    them."""
    log = opened(file=tmp_path / "log", backlog=16_777_216)
    for first in range(0, 30_000, 100):
        logged(log, range(first, first + 100))
        log.flush()
    log.close(PATIENCE)
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert lost_of([json.loads(line) for line in lines], 30_000) == 0


def test_reopened_while_stalled(tmp_path: Path) -> None:
    """SIGHUP while the reader of a FIFO stalls waits for nothing; what came before goes to it, the rest goes
    to the new file."""
    path, old = tmp_path / "gateway.log", tmp_path / "old.log"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE)
    log = opened(file=path)
    logged(log, range(100))
    path.rename(old)
    for _ in range(3):
        log.reopen()
    logged(log, range(100, 200))
    log.flush()
    assert not log.written(0.01)
    os.set_blocking(reading, True)
    with io.FileIO(reading, "r") as reader:
        first = reader.readall()  # its end: the log has let go of it
    log.close(PATIENCE)
    octets = first + path.read_bytes()
    assert first.count(b"\n") == 100
    assert lost_of([json.loads(line) for line in octets.splitlines()], 200) == 0


def test_closed_while_stalled(capfd: pytest.CaptureFixture[str]) -> None:
    """The end waits for a stalled reader no longer than it is told, and says what is lost."""
    with piped() as pipe:
        log = opened(pipe.stream)
        logged(log, range(100))
        since = time.monotonic()
        log.close(0.1)
        assert time.monotonic() - since < 2
        assert "the log takes no lines: up to 100 are lost at the end" in capfd.readouterr().err
        pipe.read_on()


def test_a_closed_stream_is_a_lost_log() -> None:
    """A stream that its owner closed under the log costs lines, and nothing raises."""
    stream = io.BytesIO()
    log = opened(stream)
    stream.close()
    log.logger.error("one")
    assert log.written(PATIENCE)
    log.close()


FORKED = """
import os, sys
from gateway.operations.logs import open_log
from gateway.settings import Logging
log = open_log(Logging(format="json"))
log.logger.info("parent")
if os.fork() == 0:
    log.logger.error("child")
    sys.exit(3)
print(os.waitstatus_to_exitcode(os.wait()[1]), file=sys.stderr)
log.logger.info("parent")
"""


def test_a_forked_process_ends() -> None:
    """A process that was forked off ends at once, and the lines of its parent come once; so they do at an end
    without close()."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, timeout=PATIENCE, check=True
    )
    assert ended.stderr == b"3\n"
    assert [json.loads(line)["event"] for line in ended.stdout.splitlines()] == ["parent", "parent"]
