"""The structured log: one event a line, JSON in a file or a pipe, columns on a terminal.

Every line begins with `timestamp` (RFC 3339, UTC, milliseconds), `level` and `event`. Lines are
collected and written together: when 64 KiB have come together, at once for an error, and whenever the
owner calls flush() (the gateway does when it has nothing to work, every 100 ms, and at its end).

What must never be logged is kept out here, whoever logs it: the values of SECRET_KEYS, at any depth.
"""

import atexit
import errno
import io
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

BUFFER_SIZE = 65_536
"""Octets after which the collected lines are written."""

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
        "sub_code",
        "address_range",
    }
)
"""Keys in whose values a mobile number is masked, when logging.mask_msisdn says so."""

FIRST_KEYS = ("timestamp", "level", "event", "message_id", "msisdn", "outcome")
"""What a reader looks for: in front on a terminal, the others in the order in which they were given."""

# The end of the value: a sub-code before a number (12520 + 13800138000) and 86 stay. Digits may be grouped.
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
        """Where the lines go; None: standard output."""

    @property
    def mask_msisdn(self) -> bool:
        """Whether the middle four digits of mobile numbers are hidden."""


class Log:
    """An open log. Made by open_log(); one per process, handed to whoever logs.

    logger is a structlog logger like any other. wide() is for the lines of every message: the same
    line at less than half the cost, because structlog builds the mapping of a call four times.
    All of it belongs to one thread.
    """

    def __init__(self, sink: "Sink", stamp: "Stamp", processors: list[Processor], level: str) -> None:
        self._sink = sink
        self._stamp = stamp
        self._processors = processors
        self._told = 0
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
        atexit.register(sink.flush)

    def begin(self, event: str, now_ms: int) -> dict[str, Any]:
        """The head of a line for wide(): timestamp, level info and event. now_ms: since the epoch."""
        return {"timestamp": self._stamp.text(now_ms), "level": "info", "event": event}

    def wide(self, line: dict[str, Any]) -> None:
        """One line at level info, begun by begin(), with flat values: secrets are looked for at the top."""
        if self._wide:
            if not SECRET_KEYS.isdisjoint(line):
                line = dict(redact(None, "info", line))
            done: Any = line
            for process in self._finish:
                done = process(None, "info", done)
            self._sink.info(done)

    def flush(self) -> None:
        """Write what has been collected. Lines lost to a full disk are told of once it has room again."""
        self._sink.flush()
        if self._sink.lost != self._told and not self._sink.failing:
            self._told = self._sink.lost
            self.logger.warning("log.lost", total=self._told)

    def reopen(self) -> None:
        """Flush, and go on in a new file of the same name (SIGHUP, after the old one was moved away).

        Raises OSError when it cannot be opened; the old file then stays in use.
        """
        self._sink.reopen()

    def close(self) -> None:
        """Flush and let go of the file. Lines that come later are dropped."""
        logging.getLogger().removeHandler(self._bridge)
        self._sink.close()
        atexit.unregister(self._sink.flush)


def open_log(
    settings: LogSettings, stream: BinaryIO | None = None, clock: Callable[[], float] = time.time
) -> Log:
    """Open the log that the settings describe.

    stream: where lines go when there is no file (default: standard output). clock: seconds since the
    epoch. Raises OSError when the file cannot be opened.
    """
    sink = Sink(settings.file, _standard_output() if stream is None else stream)
    console = settings.format == "console" or (settings.format == "auto" and sink.isatty())
    processors: list[Processor] = [redact]
    if settings.mask_msisdn:
        processors.append(mask_numbers)
    processors.append(_console(sink.isatty()) if console else render_json)
    return Log(sink, Stamp(clock), processors, settings.level)


class Sink:
    """Where finished lines end: a buffer before a file. Its methods are the ones structlog calls.

    A file that cannot be written (disk full, reader gone) must not stop the gateway: the lines are
    dropped and counted in `lost`. `failing` says whether the last write failed. The first time standard
    error is told: the log itself is where nobody can read it.
    """

    __slots__ = ("_buffer", "_complained", "_file", "_path", "_torn", "failing", "lost")

    def __init__(self, path: Path | None, stream: BinaryIO) -> None:
        self.lost = 0
        self.failing = False
        self._path = path
        self._file: BinaryIO | None = _append(path) if path else stream
        # Octets, not a list of lines: lines that stay alive cost the allocator as much as all the rest.
        self._buffer = bytearray()
        self._torn = False
        self._complained = False

    def info(self, line: bytes) -> None:
        """Take one line, with its newline."""
        self._buffer += line
        if len(self._buffer) > BUFFER_SIZE:
            self.flush()

    debug = warning = info

    def error(self, line: bytes) -> None:
        """Take one line and write everything."""
        self._buffer += line
        self.flush()

    critical = error

    def flush(self) -> None:
        """Write what has been collected."""
        if not self._buffer:
            return
        if self._torn:  # what is half there must not take the next line with it
            self._buffer[:0] = b"\n"
        octets = bytes(self._buffer)
        written = 0
        try:
            while self._file is not None and written < len(octets):
                written += self._file.write(octets[written:]) or _would_block()
                self._file.flush()
        except OSError as error:
            self.lost += octets.count(b"\n", max(written, self._torn))
            self._torn = self._torn or written > 0
            self.failing = True
            self._complain(error)
        else:
            self._torn = self.failing = False
        self._buffer.clear()

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            with suppress(OSError, ValueError):  # standard error may be gone as well
                sys.stderr.write(
                    f"fetion-gateway: the log cannot be written ({error.strerror or error}):"
                    " its lines are lost until it can, and the gateway goes on\n"
                )

    def reopen(self) -> None:
        """Flush and open the path anew; a stream stays."""
        if self._path and self._file:
            new = _append(self._path)
            self.flush()
            self._file.close()
            self._file = new

    def close(self) -> None:
        """Flush and let go; a stream that we did not open stays open."""
        self.flush()
        if self._path and self._file:
            self._file.close()
        self._file = None

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        return self._file is not None and self._file.isatty()


class Stamp:
    """Processor: timestamp, level and event first. The text of a millisecond is made once."""

    __slots__ = ("_clock", "_millisecond", "_text")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._millisecond = -1
        self._text = ""

    def text(self, millisecond: int) -> str:
        """RFC 3339 of a time in milliseconds since the epoch."""
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
    """Processor: REDACTED in place of the values of SECRET_KEYS, in mappings and lists below as well."""
    for key in SECRET_KEYS & event.keys():
        event[key] = REDACTED
    if not _SCALARS.issuperset(map(type, event.values())):
        return {key: _redacted(value) for key, value in event.items()}
    return event


def mask_numbers(_logger: object, _level: str, event: _Event) -> _Event:
    """Processor: 138****8000 in the values of NUMBER_KEYS, in mappings and lists below as well."""
    for key in NUMBER_KEYS & event.keys():
        event[key] = _masked(key, event[key])
    if not _SCALARS.issuperset(map(type, event.values())):
        return {key: _masked(key, value) for key, value in event.items()}
    return event


def render_json(_logger: object, _level: str, event: _Event) -> bytes:
    """Last processor: one line of JSON. What JSON does not know is written as its repr."""
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates, keys that are no text, integers beyond 64 bits
        return json.dumps({str(k): v for k, v in event.items()}, default=repr).encode() + b"\n"


def _console(colors: bool) -> Processor:
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)

    def render(logger: object, level: str, event: _Event) -> bytes:
        ordered = {key: event[key] for key in FIRST_KEYS if key in event} | dict(event)
        shown = {key: _printable(key, value) for key, value in ordered.items()}
        return f"{renderer(logger, level, shown)}\n".encode("utf-8", "backslashreplace")

    return render


def _printable(key: str, value: object) -> object:
    """A text of a peer must not move the cursor of whoever reads the log."""
    if not isinstance(value, str) or value.isprintable():
        return value
    kept = "\n" if key == "exception" else ""
    return "".join(each if each.isprintable() or each in kept else repr(each)[1:-1] for each in value)


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
    """Brings warnings of libraries that use the standard logging module (asyncio) into our log."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """logging: one record."""
        log = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        log("library.log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)


def _standard_output() -> BinaryIO:
    """Standard output without Python's buffer, which would keep what a reader that went away did not take."""
    sys.stdout.flush()
    raw: BinaryIO = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    return raw


def _would_block() -> int:
    """Raise for a pipe that takes nothing now: nobody waits for it."""
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _append(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.FileIO(path, "a")
