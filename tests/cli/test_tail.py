"""`tail`, as a process: what it shows, rotations of a gateway under load, a terminal, and its ends."""

import asyncio
import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from gateway.cli.tail_screen import standing
from gateway.operations.control import Control, socket_path
from gateway.simulator.esme import Esme
from tests.cli.test_main import call
from tests.operations.test_log_lines import HANDLED, SENT
from tests.proofs.served import PATIENCE, accepted, bind, serving, sms, until, write_config

COMMAND = [sys.executable, "-m", "gateway", "tail"]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("FETION__")},
    "TERM": "xterm",
    "COLUMNS": "120",
}
IN = "12:33:49.021  in   13500000000 > 161        service.open      done       1.2 ms  #...0002"
OUT = "12:33:49.021  out  161034 > 13500000000     1 part            sent       0.9 ms  #...0003 for #...0002"
DAY = "-- 2026-11-27, Asia/Shanghai --"
LINES = b"".join(json.dumps(each).encode() + b"\n" for each in (HANDLED, SENT))


def tail(*words: str, given: bytes = b"", **environ: str) -> tuple[int, str, str]:
    """Run it to its end. Returns exit code, standard output, standard error."""
    done = subprocess.run(
        [*COMMAND, *words], input=given, capture_output=True, check=False, env={**ENVIRON, **environ}
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@contextlib.contextmanager
def running(*words: str, **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start it, and kill it at the end."""
    process = subprocess.Popen([*COMMAND, *words], env=ENVIRON, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two lines."""
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    return path


def test_a_file_to_its_end(log: Path) -> None:
    """--no-follow shows all lines and ends; a last line without newline too."""
    assert tail(str(log), "--no-follow") == (0, f"{DAY}\n{IN}\n{OUT}\n", "")
    log.write_bytes(LINES[:-1])
    assert tail(str(log), "--no-follow")[1] == f"{DAY}\n{IN}\n{OUT}\n"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--event", "sms.sent"), [OUT]),
        (("--message", "#...0002"), [IN, OUT]),
        (("--message", "0003"), [OUT]),
        (("--msisdn", "+8613500000000"), [IN, OUT]),
        (("--account", "smsc"), [IN]),
        (("--province", "200"), []),
        (("--since", "2026-11-27T12:33:49.022"), []),
        (("--lines", "1"), [OUT]),
    ],
)
def test_filters(
    log: Path, words: tuple[str, ...], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only lines that have what is asked for; lines of other programs do not."""
    log.write_bytes(b"another program\n" + LINES)
    code, out, _ = call(capsys, "tail", str(log), "--no-follow", *words)
    assert (code, out.splitlines()) == (0, [DAY, *shown] if shown else [])


def test_standard_input_with_lines_of_others() -> None:
    """Lines of other programs pass unchanged, octets that are no UTF-8 are replaced, also in our own lines;
    no line is lost."""
    given = b'Started.\n{"a": 1}\n{"event": 7}\n[1]\n{\n\n \xff\x1b[1m\r\n' + LINES.replace(
        b"open", b"\xffopen"
    )
    code, out, err = tail("-", given=given)
    assert (code, err) == (0, "")
    shown = IN.replace("service.open ", "service.\ufffdopen")
    assert (
        out == f'Started.\n{{"a": 1}}\n{{"event": 7}}\n[1]\n{{\n\n \ufffd\x1b[1m\r\n{DAY}\n{shown}\n{OUT}\n'
    )


def test_json_for_programs() -> None:
    """--json gives the chosen lines of the log as they are, and nothing else."""
    assert tail("-", "--json", given=b"other\n" + LINES)[1] == LINES.decode()
    assert tail("-", "--json", "--event", "sms.sent", given=LINES)[1].splitlines() == [json.dumps(SENT)]


def test_what_the_encoding_does_not_have(log: Path) -> None:
    """It is escaped: no traceback."""
    log.write_text("飞信\n", "utf-8")
    assert tail(str(log), "--no-follow", PYTHONIOENCODING="ascii") == (0, "\\u98de\\u4fe1\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "logging.file of the configuration names none"),
        (("none.log",), 1, "none.log: No such file or directory: name another FILE"),
        (("/",), 1, "it is a folder"),
        (("-", "--since", "soon"), 2, "'soon' is no time: 30s, 10m, 2h or 1d (ago), HH:MM"),
        (("-", "--message", "xyz"), 2, "'xyz' is no message id"),
        (("-", "--msisdn", "xyz"), 2, "'xyz' is no number of a handset"),
        (("-", "--lines", "3"), 2, "needs a file"),
        (("a", "--lines", "0"), 2, "'0' is no number above 0"),
    ],
)
def test_what_cannot_be_shown(
    words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names what is wrong and what helps."""
    got, out, err = call(capsys, "tail", *words)
    assert (got, out) == (code, "")
    assert said in err


def test_the_log_of_the_configuration(tmp_path: Path) -> None:
    """Without FILE, logging.file is shown, in the time zone of the service."""
    config = write_config(tmp_path, service={"timezone": "Europe/Berlin"})
    (tmp_path / "gateway.log").write_bytes(LINES)
    _, out, _ = tail("--config", str(config), "--no-follow")
    assert out.splitlines()[:2] == ["-- 2026-11-27, Europe/Berlin --", IN.replace("12:", "05:", 1)]


# While the log grows


async def burst(esme: Esme, first: int, count: int) -> None:
    """SMS from so many handsets."""
    await asyncio.gather(
        *(accepted(esme, sms(f"138{first + each:08d}", "161", "KTFX")) for each in range(count))
    )


async def load(esme: Esme, ended: asyncio.Event) -> None:
    """Send SMS until the end."""
    first = 0
    while not ended.is_set():
        await burst(esme, first, 40)
        first += 40


async def test_every_line_once_over_rotations_under_load(tmp_path: Path) -> None:
    """A gateway under load, whose log is renamed (with SIGHUP) and copied and truncated in turns: every line
    that is in one of the files afterwards is shown once, in order, and none twice."""
    config = write_config(tmp_path)
    shown, log = tmp_path / "shown", tmp_path / "gateway.log"

    def rotated() -> list[Path]:
        return sorted(tmp_path.glob("gateway.log.*"))

    def is_followed() -> bool:
        """Whether the present file has some lines, of which one is shown already."""
        present = log.read_bytes().splitlines(keepends=True) if log.exists() else []
        return len(present) > 200 and present[0] in shown.read_bytes()

    async with serving(config) as gateway, await bind(gateway.port) as esme:
        with shown.open("wb") as out, running("--config", str(config), "--json", stdout=out):
            ended = asyncio.Event()
            loading = asyncio.create_task(load(esme, ended))
            for renames in (True, False, True, False, False, True, True):
                await until(is_followed, "lines of the present file")
                name = tmp_path / f"gateway.log.{len(rotated())}"
                if renames:
                    log.rename(name)
                    gateway.send(signal.SIGHUP)
                else:
                    shutil.copy(log, name)
                    os.truncate(log, 0)
            await until(is_followed, "lines of the last file")
            ended.set()
            await loading
            assert await gateway.stop() == 0
            await until(lambda: b"gateway.stopped" in shown.read_bytes(), "the last line")
    got = shown.read_bytes().splitlines()
    files = [line for path in (*rotated(), log) for line in path.read_bytes().splitlines()]
    assert len(rotated()) == 7
    assert len(files) > 1500
    assert len(got) == len(set(got))
    ours = set(files)
    assert [line for line in got if line in ours] == files


async def test_what_comes_while_it_looks(log: Path, tmp_path: Path) -> None:
    """A line is shown as soon as it is whole."""
    out = tmp_path / "out"
    with out.open("wb") as stream, running(str(log), stdout=stream):
        await until(lambda: OUT in out.read_text("utf-8"), "the file")
        with log.open("ab", buffering=0) as file:
            file.write(b"one")
            file.write(b" line\nsecond\n")
        await until(lambda: out.read_text("utf-8").endswith(f"{OUT}\none line\nsecond\n"), "new lines")


async def test_a_reader_that_goes_away(log: Path) -> None:
    """`tail | head -1` ends, although nothing more is written."""
    with running(str(log), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        await until(lambda: process.poll() is not None, "the end")
        assert process.returncode == 141


# On a terminal


class Window:
    """A terminal. text(): what was written to it."""

    def __init__(self) -> None:
        self._master, self.end = pty.openpty()
        os.set_blocking(self._master, False)
        self._octets = b""

    def text(self) -> str:
        """Read what there is. Returns all so far."""
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(self._master, 65_536):
                self._octets += piece
        return self._octets.decode()

    def close(self) -> None:
        """The end."""
        os.close(self._master)
        os.close(self.end)


@pytest.fixture
def window() -> Iterator[Window]:
    """A terminal."""
    with contextlib.closing(Window()) as opened:
        yield opened


async def test_the_status_line(tmp_path: Path, window: Window) -> None:
    """On a terminal: colours, and a last line with zone, rates and binds of the running gateway, which is
    cleared at Ctrl-C; the exit code is 130."""
    config = write_config(tmp_path)
    async with serving(config) as gateway, await bind(gateway.port) as esme:
        with running("--config", str(config), stdout=window.end) as process:
            await until(lambda: "1 bound" in window.text(), "the status line")
            await burst(esme, 0, 3)
            await until(lambda: "\x1b[32mdone" in window.text(), "a line")
            await until(lambda: "in 0.0/s" not in window.text().rpartition("\r")[2], "rates")
            process.send_signal(signal.SIGINT)
            await until(lambda: process.poll() is not None, "the end")
            assert process.returncode == 130
    text = window.text()
    assert " Asia/Shanghai  in " in text
    assert text.endswith("\r\x1b[K")


async def test_others_cannot_write_on_the_terminal(tmp_path: Path, window: Window) -> None:
    """Control characters of other programs are escaped on a terminal, a tab is not."""
    path = tmp_path / "evil.log"
    path.write_bytes(b"evil\x1b[2J\tx\n")
    with running(str(path), "--no-follow", stdout=window.end):
        await until(lambda: "evil\\x1b[2J\tx" in window.text(), "the line")


async def test_a_peer_cannot_write_on_the_terminal(tmp_path: Path, window: Window) -> None:
    """JSON may hold DEL, and the control characters of Latin-1: with --json they are escaped on a terminal; a
    file gets the line as it is."""
    path = tmp_path / "evil.log"
    event = {"timestamp": "2007-06-01T04:00:00.000Z", "level": "info", "event": "bind.refused"}
    line = json.dumps(event | {"system_id": "\x7f\x9b2J"}, ensure_ascii=False) + "\n"
    path.write_text(line, "utf-8")
    with running(str(path), "--no-follow", "--json", stdout=window.end):
        await until(lambda: r'"\u007f\u009b2J"' in window.text(), "the line")
    with running(str(path), "--no-follow", "--json", stdout=subprocess.PIPE) as process:
        stdout = process.stdout
        assert stdout is not None
        assert await asyncio.to_thread(lambda: whole(stdout)) == line


async def test_progress(log: Path, window: Window) -> None:
    """Reading a file to its end into another one shows a bar on a terminal; the lines are as without it."""
    with running(str(log), "--no-follow", stdout=subprocess.PIPE, stderr=window.end) as process:
        stdout = process.stdout
        assert stdout is not None
        assert (await asyncio.to_thread(lambda: whole(stdout))).endswith(f"{OUT}\n")
        await until(lambda: "reading" in window.text(), "the bar")


def whole(stream: IO[bytes]) -> str:
    """Everything of a stream."""
    return stream.read().decode()


async def test_what_the_gateway_answers(tmp_path: Path) -> None:
    """Binds and outbox are those of `status`; a gateway that does not answer in time is as none."""
    store = tmp_path / "a.db"
    report = {"binds": {"smsc": {"receiver": 2, "transceiver": 1}, "other": {}}, "outbox": {"depth": 7}}

    async def status() -> dict[str, Any]:
        return report

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def binds() -> list[int]:
        return [1, 2]

    assert await standing(store) == {}
    for commands, found in (
        ({"status": status}, {"binds": 3, "outbox": 7}),
        ({"binds": binds}, {"binds": 2}),
        ({}, {}),
        ({"status": stuck}, {}),
    ):
        control = Control(socket_path(store), commands)
        await control.start()
        try:
            async with asyncio.timeout(PATIENCE):
                assert await standing(store) == found
        finally:
            control.close()
