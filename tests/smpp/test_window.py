"""Requests without a response."""

from math import inf

from gateway.smpp.window import MAX_SEQUENCE, InFlight, Overdue, Window


def test_sequence_wraps_and_skips() -> None:
    """After 0x7FFFFFFF comes 1, and a number that is still in flight is left out."""
    window = Window(sequence=MAX_SEQUENCE - 1)
    first = window.next_sequence()
    window.add(1, 0.0, "waits", 0)
    window.add(2, 0.0, "waits", 0)
    assert (first, window.next_sequence(), window.next_sequence()) == (MAX_SEQUENCE, 3, 4)


def test_expired_are_the_oldest() -> None:
    """Requests are late in the order in which they were sent, whatever came back between."""
    window = Window()
    for second in range(5):
        window.add(window.next_sequence(), float(second), second, 0)
    window.remove(2)
    assert window.oldest() == 0.0
    assert [request.context for _, request in window.expired(10.0, now=12.0)] == [0, 2]
    for sequence, _ in window.expired(10.0, now=12.0):
        window.remove(sequence)
    assert window.oldest() == 3.0
    assert len(window) == 2
    assert window.expired(0.0, now=1e9) == []
    assert window.clear() == [InFlight(3.0, 3, 0), InFlight(4.0, 4, 0)]
    assert window.oldest() == inf


def test_overdue_requests_are_bounded_and_taken_once() -> None:
    """The oldest go; one is taken by its number and the id of its response, once."""
    overdue = Overdue(most=2)
    for sequence in (1, 2, 3):
        overdue.add(sequence, InFlight(0.0, str(sequence), 7))
    assert len(overdue) == 2
    assert overdue.take(1, 7) is None
    assert overdue.take(2, 8) is None
    found = overdue.take(2, 7)
    assert found is not None
    assert found.context == "2"
    assert overdue.take(2, 7) is None
