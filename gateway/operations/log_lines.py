"""Makes one short line of one event of the log: for `tail`, and for the log itself in the format console.

    12:33:49.021  in   13500000000 > 161        service.open      done       1.2 ms  #...0002
    12:33:49.023  out  161034 > 13500000000     1 part            sent       0.9 ms  #...0003 for #...0002
    12:33:52.640  -    bind.closed              smsc at 127.0.0.1:40112, unbound by the peer

The second column is the direction of an SMS; for all other events it is their level: - (debug and info),
! (warning), !! (error). A line with the date and the time zone precedes the first line of each day. Empty
values, and the numbers that only machines need (MACHINE), are left out; a key that no table here names is
shown as key=value. An exception follows its line, indented.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from string import Formatter
from typing import Final

import orjson

from gateway.message import short_id

WHO, WHAT, OUTCOME, TOOK = 23, 16, 9, 8
"""Widths of the columns. A longer value moves what follows."""
LONGEST_VALUE: Final = 300
"""Characters that are shown of one value."""
PLACED: Final = frozenset(
    {"timestamp", "level", "event", "message_id", "cause_id", "error_id", "latency_ms", "exception"}
)
"""Keys that have a place of their own in a line."""
MACHINE: Final = frozenset({"session", "sequence", "table_version", "run"})
"""Keys that are left out: numbers that only machines need."""
HIDDEN: Final = PLACED | MACHINE
_HIDDEN_OF_SMS: Final = HIDDEN | {"remote", "system_id", "purpose", "province", "outcome"}

SIGNS: Final = {"debug": "-", "info": "-", "warning": "!", "error": "!!", "critical": "!!"}

_FAILURES: Final = frozenset({"failed", "parked", "rejected"})
_SUCCESSES: Final = frozenset({"done", "sent", "asked", "chat", "received"})
_RED, _GREEN, _YELLOW, _DIM, _BOLD = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[1m"
_OFF: Final = "\x1b[0m"
_COLOUR_OF_SIGN: Final = {"!": _YELLOW, "!!": _RED}


@dataclass(frozen=True, slots=True)
class SmsRow:
    """The line of an event about one SMS. way: in or out. source, target: keys whose values stand before and
    behind >. what: the key of the next column, a count if COUNTED names it. outcome: a word, or "": the value
    of the key `outcome`. pieces: what is said behind the message ids."""

    way: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    what: str
    outcome: str
    pieces: tuple[str, ...] = ()


COUNTED: Final = {"parts": "part", "attempts": "attempt"}

_TO_HANDSET: Final = ("{reason}", "{losses} times unanswered")

SMS: Final[Mapping[str, SmsRow]] = {
    "sms.handled": SmsRow("in", ("msisdn",), ("access_code", "sub_code"), "instruction", ""),
    "sms.rejected": SmsRow(
        "in",
        ("msisdn",),
        ("destination",),
        "command_status",
        "rejected",
        ("{reason}", "{suppressed} more left out before"),
    ),
    "sms.duplicate": SmsRow("in", ("msisdn",), (), "", "duplicate"),
    "sms.fault": SmsRow("in", ("msisdn",), (), "instruction", "failed", ("{reason}",)),
    "sms.incomplete": SmsRow("in", ("source",), ("destination",), "parts", "incomplete"),
    "sms.sent": SmsRow("out", ("source",), ("msisdn",), "parts", "sent"),
    "sms.deferred": SmsRow("out", ("source",), ("msisdn",), "attempts", "deferred", _TO_HANDSET),
    "sms.failed": SmsRow("out", ("source",), ("msisdn",), "attempts", "failed", _TO_HANDSET),
    "sms.late": SmsRow("out", ("source",), ("msisdn",), "attempts", "late", ("{reason}",)),
    "sms.moved": SmsRow("out", ("source",), ("msisdn",), "attempts", "moved", ("{reason}",)),
    "sms.parked": SmsRow("out", ("source",), ("msisdn",), "attempts", "parked", _TO_HANDSET),
    "sms.receipted": SmsRow(
        "out",
        ("source",),
        ("msisdn",),
        "said",
        "",
        ("part {part} of {parts}", "called {remote_id}", "error {error}"),
    ),
}
"""Events about one SMS. sms.fault is the sms.failed of an SMS that came in."""

_PEER: Final = "{system_id} at {remote}"
_LEFT_OUT: Final = "{suppressed} more left out before"

PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway.starting": ("store {store}",),
    "gateway.ready": (
        "listens on {host}:{smpp_port}",
        "links {links}",
        "console {console}",
        "{waiting} SMS wait",
    ),
    "gateway.stopping": ("{binds} bound", "{waiting} SMS wait"),
    "gateway.stop_deadline": ("shutdown.deadline is over", "{in_flight} SMS are not answered"),
    "gateway.commit_outlasts_deadline": ("the last commit takes longer than shutdown.deadline",),
    "gateway.stopped": ("{waiting} SMS wait",),
    "gateway.failed": ("{reason}",),
    "gateway.fault": ("{reason} in {where}",),
    "tables.loaded": ("version {version}",),
    "tables.refused": ("{reason}",),
    "words.loaded": ("{words} words of {file}",),
    "words.refused": ("{reason}",),
    "key.replaced": ("{file}: {consequence}",),
    "figures.incomplete": ("{commits} commits of {days} are counted in no figure, until they are rebuilt",),
    "figures.rebuilt": ("{day} was counted again from {records} records",),
    "clock.jumped": ("the machine's clock was put forward by {seconds} s, or the machine stood still",),
    "clock.behind": ("the machine's clock went back by {seconds} s",),
    "clock.caught_up": ("the machine's clock is right again",),
    "bind.accepted": (_PEER, "{mode}", "address_range {address_range}"),
    "bind.closed": (_PEER, "{reason}", "{unanswered} requests unanswered"),
    "bind.refused": (_PEER, "{reason}", "{command_status}", _LEFT_OUT),
    "bind.address_range": (_PEER, "{reason}"),
    "link.up": ("{name}", _PEER, "{mode}"),
    "link.down": (
        *(
            "{name}",
            _PEER,
            "{mode}",
            "{reason}",
            "{unanswered} requests unanswered",
            "next try in {pause_s} s",
        ),
    ),
    "link.failed": (
        *("{name}", "{system_id}", "{mode}", "{reason}", "failure {failures}", "next try in {pause_s} s"),
    ),
    "outbind.sent": (_PEER,),
    "outbind.failed": ("{system_id}", "{reason}", "failure {failures}", "next try in {pause_s} s"),
    "link.paused": ("{name}",),
    "link.resumed": ("{name}",),
    "link.resting": ("{name}", "too many SMS failed", "nothing leaves for {rest_s} s"),
    "link.rested": ("{name}", "one SMS decides"),
    "connection.refused": ("{remote}", "{reason}", _LEFT_OUT),
    "connection.introduced": ("{remote}", "by the balancer {balancer}"),
    "tls.loaded": ("{name}", "{subject}", "valid until {not_after}"),
    "tls.refused": ("{name}", "{key}", "{reason}", "{consequence}"),
    "tls.ending": ("{name}", "{subject}", "ends in {days} days, at {not_after}", "{remedy}"),
    "tls.unverified": ("{name}", "{remedy}"),
    "console.acted": ("{actor}", "{action}", "{msisdn}", "{outcome}", "{reason}"),
    "console.login": ("{account}", "{remote}"),
    "console.login_failed": ("{account}", "{remote}", "{reason}", _LEFT_OUT),
    "console.refused": ("{account}", "{path}", "{remote}", "{reason}", _LEFT_OUT),
    "console.fault": ("{path}", "number {number}"),
    "accept.failed": ("{reason}", "{connections} connections", "{remedy}", _LEFT_OUT),
    "accept.recovered": ("{connections} connections",),
    "pdu.refused": ("{system_id}", "{remote}", "{command}", "{reason}", "{command_status}", _LEFT_OUT),
    "pdu.noted": ("{system_id}", "{remote}", "{command}", "{reason}", _LEFT_OUT),
    "receipt.sent": ("{system_id}", "session {session}"),
    "receipt.unmatched": (
        "{system_id}",
        "receipt {remote_id}",
        "{said}",
        "error {error}",
        "{source} > {destination}",
        "{reason}",
        _LEFT_OUT,
    ),
    "receipt.contradicts": (
        "{system_id}",
        "{msisdn}",
        "part {part}",
        "{remote_id}",
        "says {said}",
        "{kept} stays",
    ),
    "storage.failed": ("{error}", "failure {failures}", "no SMS is taken for {pause_s} s"),
    "storage.recovered": ("after {failures} failures in {failing_s} s",),
    "node.joined": ("{node}", "number {number}"),
    "node.taken_over": (
        "{node}",
        "{sms} SMS",
        "{parts} parts",
        "{events} events",
        "{candidates} may come again",
    ),
    "node.clock_differs": ("{node}", "its clock is {seconds} s ahead of the server's (-: behind)"),
    "node.clock_agrees": ("{node}", "its clock is {seconds} s ahead of the server's (-: behind)"),
    "node.untrusted": ("{node}", "{consequence}"),
    "node.trusted": ("{node}",),
    "node.cannot_rejoin": ("{reason}", "again in {pause_s} s"),
    "node.fenced": ("{node}", "{error}", "{consequence}"),
    "storage.in_doubt": ("nobody knows whether {sms} SMS are stored", "{consequence}"),
    "storage.lost": ("{error}", "{closed} SMS delivered or given up", "{changed} changed", "{consequence}"),
    "outbox.sealed": ("{reason}",),
    "outbox.unread": ("{reason}",),
    "part.sealed": ("{reason}",),
    "retransmissions.dropped": ("{count} SMS: {consequence}",),
    "events.deferred": ("{consumer}", "{reason}", "failure {failures}", "next try in {pause_s} s"),
    "events.broken": ("{consumer}", "{error}", "failure {failures}", "next try in {pause_s} s"),
    "events.resumed": ("{consumer}", "after {failures} failures in {seconds} s"),
    "events.parked": ("{consumer}", "{happened}", "{msisdn}", "{reason}", _LEFT_OUT),
    "events.unparked": ("{consumer}", "{events} events taken after all"),
    "events.connected": ("{consumer}", "{peer}", "after {failures} failures"),
    "events.disconnected": ("{consumer}", "{peer}", "{reason}", "failure {failures}"),
    "events.denied": ("{consumer}", "{what}", "{reason}"),
    "events.dropped": ("{consumer}", "{events} events", _LEFT_OUT),
    "province.refused": ("of {province}", "{reason}", _LEFT_OUT),
    "province.unanswered": ("by {province}", "the customer was told", _LEFT_OUT),
    "log.lost": ("{total} lines since the start",),
    "log.reopen_failed": ("{reason}",),
    "library.log": ("{logger}", "{message}"),
}
"""The other events: pieces of a sentence. A piece with an empty value is left out."""

UNSAID: Final[Mapping[str, frozenset[str]]] = {
    "sms.handled": frozenset({"parts", "replies"}),
    "sms.sent": frozenset({"attempts", "repeat"}),
    "gateway.stopped": frozenset({"stored"}),
    "accept.failed": frozenset({"open_files_limit"}),
    "storage.failed": frozenset({"kind"}),
    "storage.lost": frozenset({"kind"}),
    "clock.caught_up": frozenset({"seconds"}),
    "events.parked": frozenset({"event_id"}),
}
"""Keys that are left out of an event, or that _remarks puts into words."""


def _keys(piece: str) -> frozenset[str]:
    return frozenset(key for _, key, _, _ in Formatter().parse(piece) if key)


_KEYS: Final = {
    piece: _keys(piece)
    for pieces in (*PHRASES.values(), *(row.pieces for row in SMS.values()))
    for piece in pieces
}
_NAMED: Final = {
    **{
        event: _HIDDEN_OF_SMS.union({*row.source, *row.target, row.what}, *map(_keys, row.pieces))
        | UNSAID.get(event, frozenset())
        for event, row in SMS.items()
    },
    **{
        event: HIDDEN.union(*map(_keys, pieces)) | UNSAID.get(event, frozenset())
        for event, pieces in PHRASES.items()
    },
}
"""For each event the keys that are not shown as key=value."""


def wants_colours(environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Return whether to use colours: on a terminal that has them, unless NO_COLOR is set (no-color.org)."""
    return terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class ShortLines:
    """Makes the lines, in order: it remembers the last date. zone: of the times that are shown."""

    __slots__ = ("_clock", "_colours", "_date", "_last_date", "_second", "_zone")

    def __init__(self, zone: tzinfo, *, colours: bool = False) -> None:
        self._zone = zone
        self._colours = colours
        self._second = self._clock = self._date = self._last_date = ""

    def of(self, event: Mapping[str, object]) -> str | None:
        """Return the line, without its newline; behind the line of its date if that is another one.

        Returns None when this is no event of a log: it has no name, or no time.
        """
        name, at = event.get("event"), event.get("timestamp")
        if not isinstance(name, str) or not isinstance(at, str) or not name:
            return None
        clock = self._time(at)
        if clock is None:
            return None
        if name == "sms.failed" and "attempts" not in event:
            name = "sms.fault"
        row = SMS.get(name)
        line = self._other(name, event) if row is None else self._sms(row, name, event)
        line = f"{self._in(_DIM, clock)}  {line}"
        if "exception" in event:
            line += _indented(event["exception"])
        if self._date != self._last_date:
            self._last_date = self._date
            line = f"{self._in(_BOLD, f'-- {self._date}, {self._zone} --')}\n{line}"
        return line

    def _time(self, at: str) -> str | None:
        """Return the local time of a timestamp, and note its date. None: it is no time."""
        # The second of the log's own form is converted once.
        usual = len(at) == 24 and at[19] == "." and at[23] == "Z" and at[20:23].isdigit() and at.isascii()
        if usual and at[:19] == self._second:
            return self._clock + at[19:23]
        try:
            moment = datetime.fromisoformat(at)
            local = (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(self._zone)
        except (ValueError, OverflowError):
            return None
        clock, self._date = f"{local:%H:%M:%S}", f"{local.year:04d}-{local:%m-%d}"
        self._second, self._clock = (at[:19], clock) if usual else ("", "")
        return f"{clock}.{local.microsecond // 1000:03d}"

    def _sms(self, row: SmsRow, name: str, event: Mapping[str, object]) -> str:
        who = "".join([_value(event.get(key)) for key in row.source])
        if row.target:
            target = "".join([_value(event.get(key)) for key in row.target])
            who = f"{who} > {target}" if who else f"> {target}"
        what, outcome = event.get(row.what), row.outcome or _value(event.get("outcome"))
        said = _counted(what, COUNTED[row.what]) if row.what in COUNTED else _value(what)
        if said == outcome:  # chat, misunderstood
            said = ""
        took = _duration(event.get("latency_ms"))
        took = took.rjust(max(OUTCOME + TOOK - len(outcome), len(took) + 1))
        shown = outcome
        if self._colours:
            shown = self._in(_colour_of(outcome), shown)
        ids = self._in(_DIM, _ids(event))
        more = _remarks(name, event)
        if row.pieces:
            more += _pieces(row.pieces, event)
        more += _others(name, event)
        # A long pair of numbers moves the next column, but not those behind it, as far as there is room.
        what_about = _padded(f"{_padded(who, WHO)}  {said}", WHO + 2 + WHAT)
        line = f"{row.way:<3}  {what_about}  {shown}{took}  {ids}"
        return f"{line}{'  ' if ids else ''}{', '.join(more)}" if more else line.rstrip()

    def _other(self, name: str, event: Mapping[str, object]) -> str:
        sign = SIGNS.get(str(event.get("level")), "-")
        said = [*_pieces(PHRASES.get(name, ()), event), *_others(name, event)]
        ids = _ids(event)
        head = self._in(_COLOUR_OF_SIGN.get(sign, ""), f"{sign:<3}  {_padded(_value(name), WHO)}")
        return f"{head}  {', '.join([*([ids] if ids else ()), *said])}".rstrip()

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_OFF}" if self._colours and colour and text else text


def _colour_of(outcome: str) -> str:
    if outcome in _SUCCESSES:
        return _GREEN
    return _RED if outcome in _FAILURES else _YELLOW


def _ids(event: Mapping[str, object]) -> str:
    """Return the short message ids: its own, and that of the SMS that caused it."""
    own, cause = event.get("message_id"), event.get("cause_id")
    said = short_id(_value(own)) if own else ""
    return f"{said} for {short_id(_value(cause))}" if cause else said


def _remarks(name: str, event: Mapping[str, object]) -> list[str]:
    """Return what is said of the two lines of every SMS only where it is not as usual."""
    said: list[str] = []
    if name == "sms.handled":
        if event.get("parts") != 1 and event.get("parts"):
            said.append(_counted(event["parts"], "part"))
        if event.get("replies") == 0:
            said.append("no reply")
    elif name == "sms.sent":
        if event.get("attempts") != 1 and event.get("attempts"):
            said.append(_counted(event["attempts"], "attempt"))
        if event.get("repeat"):
            said.append("perhaps delivered before")
    elif event.get("stored") is False:
        said.append("not everything could be stored")
    return said


def _pieces(pieces: tuple[str, ...], event: Mapping[str, object]) -> list[str]:
    """Return the pieces of a sentence whose values are all there. An unknown peer is shown by its address."""
    said = []
    for piece in pieces:
        keys = _KEYS[piece]
        if all(map(event.get, keys)):
            said.append(piece.format_map({key: _value(event[key]) for key in keys}))
        elif piece is _PEER and event.get("remote"):
            said.append(_value(event["remote"]))
    return said


def _others(name: str, event: Mapping[str, object]) -> list[str]:
    """Return what no table names as key=value, in the order of the event."""
    named = _NAMED.get(name, HIDDEN)
    if named >= event.keys():
        return []
    return [f"{_value(key)}={_value(value)}" for key, value in event.items() if key not in named and value]


def _value(value: object) -> str:
    """Return one printable text of bounded length: the words of a peer must not move a terminal's cursor."""
    if isinstance(value, str):
        if len(value) <= LONGEST_VALUE and value.isprintable():
            return value
        text = str(value)
    elif value is None:
        return ""
    elif isinstance(value, bool):
        return "yes" if value else "no"
    elif isinstance(value, (list, tuple, dict)):
        try:
            text = orjson.dumps(value, default=repr).decode()
        except TypeError:  # too deep, or keys that are no texts
            text = "..."
    else:
        text = str(value)
    if len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}..."
    return text if text.isprintable() else escaped(text)


def escaped(text: str) -> str:
    r"""Return a text with control characters and the like as \n, \x1b, \u202e."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def escaped_json(text: str) -> str:
    r"""Return a line of JSON with the like written as \u009b, which means the same; its tabs stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\t\r" else json.dumps(each)[1:-1] for each in text)


def _indented(exception: object) -> str:
    """Return the lines of an exception, each behind a newline."""
    lines = exception.splitlines() if isinstance(exception, str) else [_value(exception)]
    return "".join(f"\n    {escaped(line)}" for line in lines if line)


def _counted(number: object, noun: str) -> str:
    if not number:
        return ""
    return f"{_value(number)} {noun}" if number == 1 else f"{_value(number)} {noun}s"


def _duration(milliseconds: object) -> str:
    if not isinstance(milliseconds, (int, float)) or isinstance(milliseconds, bool):
        return ""
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _padded(text: str, width: int) -> str:
    """Return a text filled up to a width in columns: a Chinese character takes two."""
    return text.ljust(width) if text.isascii() else text + " " * (width - columns(text))


def columns(text: str) -> int:
    """Return how many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # here, because it takes time to load and is seldom needed

    return cell_len(text)
