"""Rates and binds, counted in the log."""

import orjson

from gateway.operations.tail.tally import SPAN, Tally


class Seconds:
    """A monotonic clock that is moved."""

    now = 100.0

    def __call__(self) -> float:
        """Its reading."""
        return self.now


def lines(*events: str) -> list[bytes]:
    """Lines of the log."""
    return [orjson.dumps({"timestamp": "", "level": "", "event": event}) for event in events]


def test_rates() -> None:
    """Lines that come now count for SPAN seconds; those of the past do not."""
    clock = Seconds()
    tally = Tally(clock)
    tally.feed(lines("sms.handled", "sms.sent"), live=False)
    assert tally.rates() == {"in": 0, "out": 0, "rejected": 0, "failed": 0}
    clock.now += 4
    tally.feed(lines(*["sms.handled"] * 8, "sms.rejected", "sms.duplicate"), live=True)
    assert tally.rates() == {"in": 2, "out": 0, "rejected": 0.25, "failed": 0}
    clock.now += SPAN
    tally.feed(lines("sms.sent"), live=True)
    assert tally.rates() == {"in": 0, "out": 1 / SPAN, "rejected": 0, "failed": 0}


def test_binds() -> None:
    """Binds are known from a start of the gateway on; a name inside a value does not count."""
    tally = Tally(Seconds())
    tally.feed(lines("bind.accepted"), live=False)
    assert [tally.binds] == [None]
    evil = orjson.dumps({"event": "bind.refused", "system_id": '"event":"bind.accepted"'})
    spaced = b'{"level": "info", "event": "bind.accepted"}'
    tally.feed([*lines("gateway.starting", "bind.accepted"), spaced, evil, b"junk"], live=True)
    assert tally.binds == 2
    tally.feed(lines("bind.closed", "bind.closed", "bind.closed"), live=True)
    assert tally.binds == 0
