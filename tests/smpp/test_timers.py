"""Timers as values."""

from math import inf

from gateway.smpp.timers import Marks, Timers, deadline, due


def test_first_deadline_counts() -> None:
    """The deadline is the earliest end of a timer that runs."""
    timers = Timers(session_init=30, enquire_link=20, response=60, pdu_read=10)
    assert deadline(timers, Marks()) == inf
    assert deadline(timers, Marks(session_init=100, enquire_link=105)) == 125
    assert deadline(timers, Marks(session_init=100, pdu_read=119)) == 129


def test_zero_is_never() -> None:
    """A timer of 0 seconds does not run."""
    assert deadline(Timers(0, 0, 0, 0, 0), Marks(1, 1, 1, 1, 1)) == inf


def test_due_at_the_deadline() -> None:
    """At its deadline a timer is due, before it is not; the ones that close come first."""
    timers, marks = Timers(), Marks(session_init=0.1, enquire_link=0.1)
    at = deadline(timers, marks)
    assert due(timers, marks, at) == ["session_init", "enquire_link"]
    assert due(timers, marks, at - 0.001) == []
