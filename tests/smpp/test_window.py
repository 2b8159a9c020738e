"""Requests without a response."""

from math import inf

from gateway.smpp.window import MAX_SEQUENCE, InFlight, Window


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
