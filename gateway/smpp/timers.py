"""The timers of a session as values: nothing here waits, the time is handed in (SMPP 3.4 section 7.2).

All times are seconds on one clock that never goes back.
"""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Timers:
    """How long things may take, in seconds; 0 is for ever.

    ``session_init``: from the connection to a bind, on the MC. ``enquire_link``: without an octet from
    the peer, until it is asked whether it lives. ``inactivity``: without a message either way, until we
    unbind. ``response``: from a request of ours to its response. ``pdu_read``: from the first octet of
    a PDU to its last.
    """

    session_init: float = 30.0
    enquire_link: float = 30.0
    inactivity: float = 0.0
    response: float = 60.0
    pdu_read: float = 10.0


@dataclass(slots=True)
class Marks:
    """Since when each of the timers runs; ``inf`` for one that does not run."""

    session_init: float = inf
    enquire_link: float = inf
    inactivity: float = inf
    response: float = inf
    pdu_read: float = inf


_NAMES = ("session_init", "pdu_read", "response", "inactivity", "enquire_link")


def ends(since: float, limit: float) -> float:
    """When a timer that runs since then ends; ``inf`` when its limit is 0."""
    return since + limit if limit else inf


def deadline(timers: Timers, marks: Marks) -> float:
    """When the first of the timers ends; ``inf`` when none does."""
    return min(
        ends(marks.session_init, timers.session_init),
        ends(marks.pdu_read, timers.pdu_read),
        ends(marks.response, timers.response),
        ends(marks.inactivity, timers.inactivity),
        ends(marks.enquire_link, timers.enquire_link),
    )


def due(timers: Timers, marks: Marks, now: float) -> list[str]:
    """The names of the timers that have ended, those that close a session first."""
    return [name for name in _NAMES if ends(getattr(marks, name), getattr(timers, name)) <= now]
