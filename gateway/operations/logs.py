"""The structured log: one event per line, JSON in a file or a pipe, short lines on a terminal.

Every line begins with `timestamp` (RFC 3339, UTC, milliseconds), `level` and `event`. The log collects lines
and passes them to the writer together: after 64 KiB, at once for an error, and when the owner calls flush()
(the gateway does so when it is idle, every 100 ms, and at its end). gateway.operations.log_writer writes
them, in a thread of its own.

This module keeps out what must never be logged, whoever logs it: the values of SECRET_KEYS, at any depth.
"""

import atexit
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from gateway.operations.log_lines import ShortLines, wants_colours
from gateway.operations.log_writer import CLOSING, Sink, Writer, append

REDACTED = "<secret>"
SECRET_KEYS = frozenset({"password", "secret", "text", "short_message", "message_payload"})
"""Keys whose values are replaced by REDACTED."""

NUMBER_KEYS = frozenset(
    {
        "msisdn",
        "to",
        "from",
        "source",
        "destination",
        "source_addr",
        "destination_addr",
        "esme_addr",
        "sub_code",
        "address_range",
    }
)
"""Keys in whose values mobile numbers are masked if logging.mask_msisdn is set."""

# At the end of a value: a sub-code before a number (12520 + 13800138000) and 86 stay. Digits may be grouped.
_GROUP = r"[ .()<>{}\[\]-]*"
_MOBILE = re.compile(rf"(1{_GROUP}[3-9]{_GROUP}\d)(?:{_GROUP}\d){{4}}((?:{_GROUP}\d){{4}}{_GROUP})$")

_SCALARS = frozenset({str, int, float, bool, type(None)})  # what the lines of the hot path hold

_Event = MutableMapping[str, Any]


class LogSettings(Protocol):
    """What open_log reads (the section `logging` of the configuration)."""

    @property
    def format(self) -> str:
        """auto, console or json. auto: console when the lines go to a terminal."""

    @property
    def level(self) -> str:
        """debug, info, warning or error."""

    @property
    def file(self) -> Path | None:
        """The file for the lines; None: standard output."""

    @property
    def backlog(self) -> int:
        """Octets that may wait for a file that blocks."""

    @property
    def mask_msisdn(self) -> bool:
        """Whether the middle four digits of mobile numbers are hidden."""


class Log:
    """An open log, made by open_log(); one per process. Only one thread may use it.

    logger is an ordinary structlog logger. wide() is for the lines of every message: it writes the same line
    at less than half the cost, because structlog builds the mapping of a call four times.
    """

    def __init__(self, writer: Writer, stamp: "Stamp", processors: list[Processor], level: str) -> None:
        self._sink = sink = Sink(writer, self._lost)
        self._stamp = stamp
        self._processors = processors
        self._wide = level in {"debug", "info"}
        self._finish: list[Any] = [process for process in processors if process is not redact]
        lazy = structlog.wrap_logger(
            sink,
            processors=[stamp, structlog.processors.format_exc_info, *processors],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            context_class=dict,
        )
        # bind() makes the logger now, once, instead of anew at every call.
        self.logger = cast(FilteringBoundLogger, lazy.bind())
        self._bridge = _Bridge(self.logger)
        logging.getLogger().addHandler(self._bridge)
        atexit.register(sink.close)

    def wide(self, line: dict[str, Any]) -> None:
        """Write a line at level info that has timestamp, level and event. Redacts the top level only."""
        if self._wide:
            if not SECRET_KEYS.isdisjoint(line):
                line = dict(redact(None, "info", line))
            done: Any = line
            for process in self._finish:
                done = process(None, "info", done)
            self._sink.info(done)

    @property
    def plain(self) -> bool:
        """Whether a line at level info is plain JSON, neither masked nor coloured; then write() works."""
        return self._wide and self._finish == [render_json]

    @property
    def lost(self) -> int:
        """Lines that were lost since the start."""
        return self._sink.lost

    def stamp(self, now_ms: int) -> str:
        """Return the timestamp of a line. now_ms: milliseconds since the epoch."""
        return self._stamp.text(now_ms)

    def write(self, line: str) -> None:
        """Write a line at level info that is JSON already, with its newline. Only if `plain`."""
        self._sink.info(line.encode())

    def flush(self) -> None:
        """Pass the collected lines to the writer; never waits for the file.

        The event `log.lost` reports lost lines, before the next line that is written.
        """
        self._sink.flush()
        refusal = self._sink.refusal()
        if refusal:
            self.logger.error("log.reopen_failed", reason=refusal)

    def written(self, patience: float) -> bool:
        """Flush, and wait until everything is in the file. Returns False after `patience` seconds.

        It blocks: never call it in the loop of a running gateway.
        """
        return self._sink.written(patience)

    def reopen(self) -> None:
        """Reopen the file by its name (SIGHUP, after the old file was moved away); never waits.

        If that fails, the old file stays in use and the event `log.reopen_failed` says why.
        """
        self._sink.reopen()

    def close(self, patience: float = CLOSING) -> None:
        """Write the collected lines and close the file. Later lines are dropped.

        Waits at most `patience` seconds for a file that blocks; standard error then reports what is lost.
        """
        logging.getLogger().removeHandler(self._bridge)
        self._sink.close(patience)
        atexit.unregister(self._sink.close)

    def _lost(self, total: int) -> bytes:
        """Make the line log.lost: the total of lost lines since the start."""
        line: Any = {"event": "log.lost", "total": total}
        processors: list[Processor] = [self._stamp, *self._processors]
        for process in processors:
            line = process(None, "warning", line)
        return cast(bytes, line)


def open_log(
    settings: LogSettings,
    stream: BinaryIO | None = None,
    clock: Callable[[], float] = time.time,
    zone: tzinfo = UTC,
) -> Log:
    """Open the log that the settings describe.

    stream: receives the lines if there is no file (default: standard output). clock: returns seconds since
    the epoch. zone: of the times in the format console (JSON lines are in UTC). Raises OSError if the file
    cannot be opened, or standard output is closed.
    """
    file = append(settings.file) if settings.file else stream or _standard_output()
    writer = Writer(file, settings.file, settings.backlog)
    console = settings.format == "console" or (settings.format == "auto" and writer.isatty())
    processors: list[Processor] = [redact]
    if settings.mask_msisdn:
        processors.append(mask_numbers)
    processors.append(_console(zone, terminal=writer.isatty()) if console else render_json)
    return Log(writer, Stamp(clock), processors, settings.level)


class Stamp:
    """Processor: puts timestamp, level and event first. Formats each millisecond once."""

    __slots__ = ("_clock", "_millisecond", "_text")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._millisecond = -1
        self._text = ""

    def text(self, millisecond: int) -> str:
        """Format milliseconds since the epoch as RFC 3339."""
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            seconds, rest = divmod(millisecond, 1000)
            self._text = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"
        return self._text

    def __call__(self, _logger: object, level: str, event: _Event) -> _Event:
        return {
            "timestamp": self.text(int(self._clock() * 1000)),
            "level": level,
            "event": event.pop("event"),
            **event,
        }


def redact(_logger: object, _level: str, event: _Event) -> _Event:
    """Processor: replaces the values of SECRET_KEYS by REDACTED, also in nested mappings and lists."""
    for key in SECRET_KEYS & event.keys():
        event[key] = REDACTED
    if not _SCALARS.issuperset(map(type, event.values())):
        return {key: _redacted(value) for key, value in event.items()}
    return event


def mask_numbers(_logger: object, _level: str, event: _Event) -> _Event:
    """Processor: writes 138****8000 in the values of NUMBER_KEYS, also in nested mappings and lists."""
    for key in NUMBER_KEYS & event.keys():
        event[key] = _masked(key, event[key])
    if not _SCALARS.issuperset(map(type, event.values())):
        return {key: _masked(key, value) for key, value in event.items()}
    return event


def render_json(_logger: object, _level: str, event: _Event) -> bytes:
    """Last processor: makes one line of JSON. Values that JSON does not know become their repr."""
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates, keys that are no text, integers beyond 64 bits
        return json.dumps({str(k): v for k, v in event.items()}, default=repr).encode() + b"\n"


def _console(zone: tzinfo, *, terminal: bool) -> Processor:
    """Return the last processor for readers: one short line of an event, as `tail` shows it."""
    lines = ShortLines(zone, colours=wants_colours(os.environ, terminal=terminal))

    def render(logger: object, level: str, event: _Event) -> bytes:
        line = lines.of(event)
        if line is None:  # an event without a name
            return render_json(logger, level, event)
        return f"{line}\n".encode("utf-8", "backslashreplace")

    return render


def _redacted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: REDACTED if key in SECRET_KEYS else _redacted(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    return value


def _masked(key: object, value: object) -> object:
    if isinstance(value, str):
        return _MOBILE.sub(r"\1****\2", value) if key in NUMBER_KEYS else value
    if isinstance(value, Mapping):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(key, item) for item in value]
    return value


class _Bridge(logging.Handler):
    """Copies warnings of libraries that use the standard logging module (asyncio) into our log."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """logging: one record."""
        log = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        log("library.log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)


def _standard_output() -> BinaryIO:
    """Return standard output without Python's buffer, which would keep what a lost reader did not read."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    sys.stdout.flush()
    raw: BinaryIO = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    return raw
