"""`tail`: shows the log of a gateway in short lines, while it grows and over its rotations.

Lines of other programs (a journal has them too) pass unchanged, unless a filter is given: then only lines of
the log that have what is asked for are shown. With --since alone, they are shown behind a line that is.
"""

import argparse
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from gateway.cli.config import add_config, settings_of
from gateway.cli.output import complain
from gateway.cli.tail_screen import Screen, StatusLine
from gateway.operations.log_lines import ShortLines, escaped, escaped_json, wants_colours
from gateway.operations.tail.follow import GrowingFile, LineSplitter, Source, Stream
from gateway.operations.tail.selection import (
    Selection,
    Wanted,
    parse_message,
    parse_msisdn,
    parse_since,
)
from gateway.operations.tail.tally import Tally
from gateway.settings import Settings

_IDLE = 0.5
"""Seconds between two looks at the end of a stream, and at the status line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FILE, the filters, and where to begin and end."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="the log; - is standard input (default: logging.file of the configuration)",
    )
    parser.add_argument(
        "--msisdn", type=_msisdn, metavar="M", help="lines about this handset (also where masked)"
    )
    parser.add_argument(
        "--message",
        type=_message,
        metavar="ID",
        help="an SMS and what it caused: its message id, or the last digits as shown (0002)",
    )
    parser.add_argument(
        "--event", default="", metavar="E", help="an event (sms.sent), or a family of them (sms)"
    )
    parser.add_argument(
        "--province",
        default="",
        metavar="P",
        help="SMS to the codes of this province (200), and what they caused",
    )
    parser.add_argument("--account", default="", metavar="A", help="lines about this account (system_id)")
    parser.add_argument(
        "--since",
        metavar="T",
        help="lines from this time on: 10m, 2h, 1d (ago), 09:30 (in service.timezone), or RFC 3339",
    )
    parser.add_argument(
        "-n", "--lines", type=_count, metavar="N", help="begin with the last N lines of FILE (default: all)"
    )
    parser.add_argument("--no-follow", action="store_true", help="stop at the end of FILE")
    parser.add_argument("--json", action="store_true", help="print the chosen lines of the log as they are")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Show lines until the end of what is read, or Ctrl-C; 1 when it cannot be read."""
    settings = settings_of(args)
    zone = ZoneInfo(settings.service.timezone)
    wanted = _wanted(args, zone)
    name = _name_of_log(args, settings)
    try:
        source = _open(args, name)
    except OSError as error:
        remedy = "name another FILE, or the configuration of the gateway with --config FILE"
        return complain(f"{name}: {error.strerror or error}: {remedy}")
    screen = Screen(sys.stdout)
    try:
        view = View(
            Selection(wanted),
            ShortLines(zone, colours=wants_colours(os.environ, terminal=screen.is_terminal)),
            as_json=args.json,
            terminal=screen.is_terminal,
        )
        follows = isinstance(source, Stream) or not args.no_follow
        status = _status_line(args, settings, screen, zone) if follows and not args.json else None
        with _progress(source, screen, shown=not follows) as advance:
            _show(source, view, screen, follows=follows, status=status, advance=advance)
    except BrokenPipeError:
        raise
    except OSError as error:
        screen.close()
        return complain(f"{name} to standard output: {error.strerror or error}")
    finally:
        screen.close()
        source.close()
    return 0


class View:
    """Makes the text that is shown of lines. as_json: the chosen lines as they are, and no others."""

    def __init__(self, selection: Selection, lines: ShortLines, *, as_json: bool, terminal: bool) -> None:
        self._selection = selection
        self._lines = lines
        self._as_json = as_json
        self._terminal = terminal

    def of(self, lines: Sequence[bytes]) -> str:
        """Return the text of the lines that are chosen, each with its newline."""
        may_take, text_of = self._selection.may_take, self._text_of
        shown = [text for line in lines if may_take(line) and (text := text_of(line)) is not None]
        return "\n".join((*shown, "")) if shown else ""

    def _text_of(self, line: bytes) -> str | None:
        event = _object(line)
        if event is not None and "event" in event and "timestamp" in event:
            if not self._selection.takes(event):
                return None
            if self._as_json:
                text = line.decode("utf-8", "replace")
                return escaped_json(text) if self._terminal else text
            shown = self._lines.of(event)
            if shown is not None:
                return shown
        if self._as_json or not self._selection.takes_others:
            return None
        text = line.decode("utf-8", "replace")
        if self._terminal and not text.isprintable():
            return "\t".join(map(escaped, text.split("\t")))
        return text


def _show(
    source: Source,
    view: View,
    screen: Screen,
    *,
    follows: bool,
    status: StatusLine | None,
    advance: Callable[[], None],
) -> None:
    """Show what comes, until the end; follows: the end of a file is not the end."""
    splitter = LineSplitter()
    live = False
    while True:
        octets = source.read()
        if octets:
            lines = splitter.feed(octets)
            screen.write(view.of(lines))
            advance()
            if status is not None:
                status.feed(lines, live=live)
        elif source.ended or not follows:
            screen.write(view.of(splitter.rest()))
            return
        else:
            live = True
            screen.raise_if_unread()
            if status is not None:
                status.draw()
            source.wait(_IDLE)


def _object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line; None: it is none."""
    if line[:1] != b"{":
        return None
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # octets that are no UTF-8
            found = orjson.loads(line.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            return None
    return found if isinstance(found, dict) else None


def _wanted(args: argparse.Namespace, zone: ZoneInfo) -> Wanted:
    """Return what the options ask for; leave with exit code 2 if --since is no time."""
    since = None
    if args.since:
        try:
            since = parse_since(args.since, datetime.now(UTC), zone)
        except ValueError as error:
            args.parser.error(f"argument --since: {error}")
    return Wanted(args.msisdn or "", args.message or "", args.event, args.province, args.account, since)


def _name_of_log(args: argparse.Namespace, settings: Settings) -> str:
    """Return FILE, or the log of the configuration; leave with exit code 2 if there is neither."""
    if args.file is None and settings.logging.file is None:
        args.parser.error(
            "which log? logging.file of the configuration names none: name FILE, - for standard input,"
            " or the configuration of the gateway with --config FILE"
        )
    if args.file == "-" and args.lines is not None:
        args.parser.error("argument -n/--lines: needs a file")
    return str(args.file or settings.logging.file)


def _open(args: argparse.Namespace, name: str) -> Source:
    """Open what is read. Raises OSError."""
    if name == "-":
        os.fstat(0)  # closed by the shell: <&-
        return Stream(0)
    mode = os.stat(name).st_mode
    if stat.S_ISDIR(mode):
        raise OSError("it is a folder")
    return GrowingFile(Path(name), args.lines) if stat.S_ISREG(mode) else Stream(os.open(name, os.O_RDONLY))


def _status_line(
    args: argparse.Namespace, settings: Settings, screen: Screen, zone: ZoneInfo
) -> StatusLine | None:
    """Return the status line of a terminal. The gateway of the configuration is asked about its own log."""
    if not screen.has_status:
        return None
    own = args.file in {None, "-"} or Path(args.file).absolute() == settings.logging.file
    store = settings.storage.path if own else None
    return StatusLine(screen, Tally(time.monotonic), zone, store)


@contextmanager
def _progress(source: Source, screen: Screen, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how far a file is read: a bar on standard error, or on the terminal where the lines are shown."""
    if not shown or not isinstance(source, GrowingFile):
        yield lambda: None
    elif screen.has_status:
        yield lambda: screen.status(f"{source.place / max(1, source.size):4.0%} read")
    elif not screen.is_terminal and sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console  # here, because they take time to load
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("reading", total=source.size)
            yield lambda: bar.update(task, completed=source.place, total=source.size)
    else:
        yield lambda: None


def _msisdn(text: str) -> str:
    """argparse: the number of a handset."""
    try:
        return parse_msisdn(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _message(text: str) -> str:
    """argparse: a message id, or its end."""
    try:
        return parse_message(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    """argparse: how many, at least one."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:10]) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
