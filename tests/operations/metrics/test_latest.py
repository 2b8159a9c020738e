"""Latest refusals and alarms: bounded, masked, counted."""

import errno

from hypothesis import given
from hypothesis import strategies as st

from gateway.observer import METHODS
from gateway.operations.metrics.latest import ALARMS, BY_HAND, KEPT, LONGEST, Latest, masked
from gateway.storage.contract import StorageError
from tests.operations.metrics.peer import Peer
from tests.support import leaving

AT = 1_200_000_000_000


def test_bounded() -> None:
    """Only the last ones are kept, whatever comes; all are counted."""
    latest = Latest(lambda: AT)
    for number in range(3 * KEPT):
        latest.rejected(Peer(), 1, "13800138000", "161", "no", f"{number}")
        latest.broken("tick", ValueError("13800138000"))
    assert [each.status for each in latest.refusals] == [f"{number}" for number in range(2 * KEPT, 3 * KEPT)]
    assert len(latest.alarms) == KEPT
    assert latest.counts["gateway.fault"] == 3 * KEPT
    assert latest.alarms[-1].detail == "tick: ValueError"


def test_alarms() -> None:
    """A link that we end, an accept that works again and a third failure in a row are none."""
    latest = Latest(lambda: AT)
    latest.storage_failed(StorageError("disk full"), 1, 0.1)
    latest.parked(leaving(6))
    latest.link_down(Peer(), "north", "receiver", "closed by peer", 2, 0.5)
    latest.link_down(Peer(), "north", "receiver", "unbound", 0, None)
    latest.accepting(OSError(errno.EMFILE, "Too many open files"), 7)
    latest.accepting(None, 7)
    for failures in range(1, 5):
        latest.link_failed("north", "smsc", "receiver", "refused", failures, 1.0)
        latest.consumer_disconnected("mqtt", "10.0.0.1:1883", "refused", failures)
    assert [each.event for each in latest.alarms].count("link.failed") == 3
    assert latest.alarms[0].detail == "disk full"
    assert latest.alarms[1].detail.startswith("0000000000000006: ")
    wanted = {"storage.failed": 1, "sms.parked": 1, "link.down": 1, "accept.failed": 1}
    assert {event: count for event, count in latest.counts.items() if count} == wanted | {
        "link.failed": 3,
        "events.disconnected": 3,
    }


def test_table() -> None:
    """Each alarm of the table is something that an observer hears."""
    assert set(ALARMS) <= set(METHODS)
    assert set(Latest(lambda: AT).counts) == {event for event, _ in ALARMS.values()} | set(BY_HAND)


def test_masks() -> None:
    """Mobile numbers in any place; control characters; what is too long."""
    assert masked("13800138000") == "138****8000"
    assert masked("+8613800138000 to 1252013900139000") == "+86138****8000 to 12520139****9000"
    assert masked("a\x1b[31m\n") == "a?[31m?"
    assert len(masked("x" * 5_000)) == LONGEST


@given(st.text(max_size=300), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text(max_size=50))
def test_no_number_is_shown(before: str, number: str, after: str) -> None:
    """Whatever stands around a mobile number, it is not shown whole."""
    assert number not in masked(f"{before} {number} {after}")
