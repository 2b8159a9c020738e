"""The log: the form of a line, when it is written, and what never stands in it."""

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.operations.log_writer import BUFFER_SIZE
from gateway.operations.logs import NUMBER_KEYS, REDACTED, SECRET_KEYS, Log, open_log
from gateway.settings import Logging
from tests.proofs.served import PATIENCE, until

NOON = 1_164_196_800.0  # 2006-11-22T12:00:00Z


class Disk(io.RawIOBase):
    """A file with room for so many octets."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.octets = b""

    def write(self, octets: Any) -> int:
        """Take what there is room for; a full disk is an error."""
        taken = bytes(octets)[: self.room - len(self.octets)]
        if octets and not taken:
            raise OSError(28, "No space left on device")
        self.octets += taken
        return len(taken)


class Terminal(io.BytesIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def opened(stream: Any, now: float = NOON, **settings: Any) -> Log:
    """A log of JSON lines on a stream, at a fixed time."""
    return open_log(Logging.model_validate({"format": "json", **settings}), stream, lambda: now)


def wide(log: Log, event: str, **fields: Any) -> None:
    """A line by the short way, as gateway.reports writes them."""
    log.wide({"timestamp": log.stamp(int(NOON * 1000)), "level": "info", "event": event} | fields)


def lines_of(stream: io.BytesIO) -> list[dict[str, Any]]:
    """The lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_begins_with_time_level_and_event() -> None:
    """One JSON object a line: timestamp in UTC with milliseconds, level, event, then the rest in order."""
    stream = io.BytesIO()
    log = opened(stream, NOON + 0.0075)
    log.logger.info("sms.handled", message_id="A", parts=1)
    at = log.stamp(int(NOON * 1000) + 7)
    log.wide({"timestamp": at, "level": "info", "event": "sms.sent", "message_id": "A", "parts": 1})
    log.close()
    head = '{"timestamp":"2006-11-22T12:00:00.007Z","level":"info","event":'
    assert stream.getvalue().decode().splitlines() == [
        head + '"sms.handled","message_id":"A","parts":1}',
        head + '"sms.sent","message_id":"A","parts":1}',
    ]


def test_time_goes_on() -> None:
    """The stamp that is kept is that of its own millisecond only."""
    times = iter([NOON, NOON, NOON + 0.001, NOON + 61])
    stream = io.BytesIO()
    log = open_log(Logging(format="json"), stream, lambda: next(times))
    for _ in range(4):
        log.logger.info("tick")
    log.close()
    stamps = [line["timestamp"][14:] for line in lines_of(stream)]
    assert stamps == ["00:00.000Z", "00:00.000Z", "00:00.001Z", "01:01.000Z"]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_levels_below_are_left_out(level: str) -> None:
    """Only lines of the configured level and above are written, wide ones at info."""
    stream = io.BytesIO()
    log = opened(stream, level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(log.logger, name)(name)
    wide(log, "wide")
    log.close()
    written = [line["event"] for line in lines_of(stream)]
    levels = ["debug", "info", "warning", "error"]
    assert written == levels[levels.index(level) :] + ["wide"] * (level in {"debug", "info"})


async def test_lines_wait_for_a_flush() -> None:
    """Lines are collected until flush(), and written at once for an error."""
    stream = io.BytesIO()
    log = opened(stream)
    log.logger.info("first")
    assert stream.getvalue() == b""
    log.flush()
    await until(lambda: len(lines_of(stream)) == 1, "the first")
    log.logger.warning("second")
    log.logger.error("third")
    await until(lambda: len(lines_of(stream)) == 3, "the error")
    assert [line["event"] for line in lines_of(stream)] == ["first", "second", "third"]
    log.close()


async def test_the_buffer_is_bounded() -> None:
    """Nobody flushing, no more than the buffer waits."""
    stream = io.BytesIO()
    log = opened(stream)
    log.logger.info("long", filler="x" * BUFFER_SIZE)
    await until(lambda: len(lines_of(stream)) == 1, "the line")
    log.close()


def test_lines_after_the_end_are_dropped() -> None:
    """A late line, of a library perhaps, does no harm."""
    stream = io.BytesIO()
    log = opened(stream)
    log.close()
    log.logger.error("late")
    logging.getLogger("late").warning("late")
    log.flush()
    assert stream.getvalue() == b""


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("shape", ["flat", "mapping", "list"])
def test_no_secret_by_accident(key: str, style: str, shape: str) -> None:
    """Values of secret keys are replaced at every depth, level and format; by the short way at the top."""
    stream = io.BytesIO()
    log = opened(stream, level="debug", format=style)
    value: dict[str, Any] = {key: "canary"}
    fields = {"flat": value, "mapping": {"pdu": {"body": value}}, "list": {"pdus": [(value,)]}}[shape]
    log.logger.debug("one", **fields)
    log.logger.error("two", **fields)
    wide(log, "three", **value)
    log.close()
    assert b"canary" not in stream.getvalue()
    assert stream.getvalue().count(REDACTED.encode()) == 3


def test_fields_of_a_caller_stay_as_they_are() -> None:
    """What is replaced is replaced in the line: the caller's own mapping is not touched."""
    log = opened(io.BytesIO(), mask_msisdn=True)
    fields = {"text": "hello", "msisdn": "13800138000", "inner": {"text": "hello"}}
    log.logger.info("event", **fields)
    log.close()
    assert fields == {"text": "hello", "msisdn": "13800138000", "inner": {"text": "hello"}}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800138000", "138****8000"),
        ("8613800138000", "86138****8000"),
        ("+8613800138000", "+86138****8000"),
        ("1252013800138000", "12520138****8000"),
        (" 13800138000 ", " 138****8000 "),
        ("(+86) 138.0013.8000", "(+86) 138****.8000"),
        ("125931 3 8 0 0 1 3 8 0 0 0", "125931 3 8**** 8 0 0 0"),
        ("161", "161"),
        ("12520050", "12520050"),
        ("471234567", "471234567"),
    ],
)
@pytest.mark.parametrize("key", sorted(NUMBER_KEYS))
def test_numbers_are_masked_when_asked(key: str, number: str, shown: str) -> None:
    """mask_msisdn hides the middle four digits of mobiles under every key that carries one."""
    for mask in (True, False):
        stream = io.BytesIO()
        log = opened(stream, mask_msisdn=mask)
        wide(log, "event", **{key: number, "deep": {key: [number]}})
        log.close()
        wanted = shown if mask else number
        line = lines_of(stream)[0]
        assert (line[key], line["deep"]) == (wanted, {key: [wanted]})


@pytest.mark.parametrize("value", [b"\x00\xff", "\ud800", 2**70, {1: 2}, Path("a"), object(), float("nan")])
def test_whatever_is_logged_gives_a_line(value: object) -> None:
    """A value that JSON does not know is written in some form, and never raises."""
    stream = io.BytesIO()
    log = opened(stream)
    log.logger.info("odd", value=value)
    log.close()
    assert lines_of(stream)[0]["event"] == "odd"


def test_an_exception_comes_with_its_traceback() -> None:
    """logger.exception() writes an error with the traceback in one line."""
    stream = io.BytesIO()
    log = opened(stream)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        log.logger.exception("failed")
    log.close()
    line = lines_of(stream)[0]
    assert line["level"] == "error"
    assert line["exception"].endswith("RuntimeError: broken")


def test_auto_is_console_on_a_terminal() -> None:
    """Where somebody looks, columns; elsewhere JSON; json and console when they are asked for."""
    for style, stream, is_json in (
        ("auto", Terminal(), False),
        ("auto", io.BytesIO(), True),
        ("json", Terminal(), True),
        ("console", io.BytesIO(), False),
    ):
        log = opened(stream, format=style)
        log.logger.info("开通", parts=1)
        log.close()
        line = stream.getvalue().decode()
        assert line.endswith("\n")
        assert "开通" in line
        assert line.startswith("{") is is_json


def test_a_file_is_appended_to_and_reopened(tmp_path: Path) -> None:
    """The file, its folder made, grows; after it was moved away, reopen() goes on in a new one."""
    path = tmp_path / "log" / "fetion.log"
    for event in ("one", "two"):
        log = open_log(Logging(file=path))
        log.logger.info(event)
        log.close()
    log = open_log(Logging(file=path))
    log.logger.info("three")
    path.rename(tmp_path / "old.log")
    log.reopen()
    log.logger.info("four")
    log.close()
    old = [json.loads(line)["event"] for line in (tmp_path / "old.log").read_text().splitlines()]
    assert old == ["one", "two", "three"]
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["four"]


def test_a_file_that_cannot_be_reopened_stays_in_use(tmp_path: Path) -> None:
    """When the new file cannot be made the old one goes on, and says why."""
    folder = tmp_path / "log"
    log = open_log(Logging(file=folder / "a.log"))
    folder.rename(tmp_path / "old")
    folder.write_text("in the way")
    log.reopen()
    assert log.written(PATIENCE)
    log.flush()
    log.logger.info("still here")
    log.close()
    said = [json.loads(line) for line in (tmp_path / "old" / "a.log").read_text().splitlines()]
    assert [line["event"] for line in said] == ["log.reopen_failed", "still here"]
    assert "exists" in said[0]["reason"]


def test_a_full_disk_costs_lines_but_never_raises() -> None:
    """Lines that found no room are counted, told of later, and do not damage their followers."""
    disk = Disk(100)
    log = opened(disk)
    log.logger.info("one")
    log.flush()
    log.logger.error("two")
    log.logger.error("three")
    assert log.written(PATIENCE)
    disk.room = 10_000
    log.logger.info("four")
    log.flush()
    log.close()
    whole = [json.loads(line) for line in disk.octets.splitlines() if line.endswith(b"}")]
    assert [(line["event"], line.get("total")) for line in whole] == [
        ("one", None),
        ("four", None),
        ("log.lost", 2),
    ]


def test_a_lost_log_is_told_of_once(capfd: pytest.CaptureFixture[str]) -> None:
    """The first line that cannot be written is told of on standard error, the following ones are not."""
    log = opened(Disk(0))
    log.logger.error("one")
    log.logger.error("two")
    log.close()
    said = capfd.readouterr().err
    assert said.startswith("fetion-gateway: the log cannot be written (No space left on device): ")
    assert said.count("\n") == 1


def test_a_terminal_shows_short_lines() -> None:
    """On a terminal an event is one short line in the time zone of the service; the first names date and
    zone. Colours are used unless NO_COLOR is set."""
    coloured = {}
    for no_color in ("", "1"):
        stream = Terminal()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TERM", "xterm")
            patch.setenv("NO_COLOR", no_color)
            settings = Logging(format="auto")
            log = open_log(settings, stream, lambda: NOON, ZoneInfo("Asia/Shanghai"))
        wide(log, "sms.sent", msisdn="13800138000", source="161", parts=2, message_id="0000000100000002")
        log.close()
        coloured[no_color] = stream.getvalue().decode()
    assert coloured["1"].splitlines() == [
        "-- 2006-11-22, Asia/Shanghai --",
        "20:00:00.000  out  161 > 13800138000        2 parts           sent               #...0002",
    ]
    assert "\x1b[32msent" in coloured[""]


async def test_warnings_of_libraries_arrive() -> None:
    """What asyncio and others report through the standard logging module becomes a line; chatter does not."""
    stream = io.BytesIO()
    log = opened(stream)
    asyncio.get_running_loop().call_exception_handler({"message": "lost", "exception": ValueError("oops")})
    logging.getLogger("lib").info("chatter %s", 1)
    log.close()
    (line,) = lines_of(stream)
    assert (line["event"], line["logger"]) == ("library.log", "asyncio")
    assert line["message"].startswith("lost")
    assert "oops" in line["exception"]
