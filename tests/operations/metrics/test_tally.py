"""What the tally counts, against a count by hand; and that a peer cannot make it grow."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Commit, Delivery, Kind, MobileTerminated
from gateway.operations.metrics.tally import KINDS, OTHER, Tally
from tests.operations.metrics.peer import Peer
from tests.support import leaving, received

HOMES = {"13800000001": "100", "13800000002": "200"}
STATES = {Delivery.SENT: "sent", Delivery.FAILED: "failed", Delivery.EXPIRED: "expired"}
arrivals = st.tuples(
    st.sampled_from(["base", "chat"]), st.sampled_from(["done", "usage"]), st.sampled_from(["100", "200"])
)
closures = st.tuples(
    st.sampled_from([*STATES]), st.sampled_from([*HOMES]), st.integers(0, 1), st.integers(0, 3)
)
Arrival = tuple[str, str, str]
Closure = tuple[Delivery, str, int, int]
batches = st.lists(st.tuples(st.lists(arrivals, max_size=5), st.lists(closures, max_size=5)), max_size=5)


def closed(state: Delivery, msisdn: str, bind: int, attempts: int) -> MobileTerminated:
    """An SMS that is closed."""
    sms = leaving(1)
    sms.state, sms.msisdn, sms.bind, sms.attempts = state, msisdn, bind, attempts
    return sms


@given(batches)
def test_batches(given_batches: list[tuple[list[Arrival], list[Closure]]]) -> None:
    """Each SMS in and out counts once, under its labels; attempts beyond the first are retries."""
    tally, came, left, retries = Tally(HOMES.__getitem__), Counter[object](), Counter[object](), 0
    for arrived, ended in given_batches:
        messages = [received(1)._replace(outcome=outcome, province=home) for _, outcome, home in arrived]
        commit = Commit(messages=messages, closed=[closed(*each) for each in ended])
        tally.committed(commit, [purpose for purpose, _, _ in arrived], [0.01] * len(arrived), 0.001)
        came.update(arrived)
        left.update(
            ("reply" if bind else "notice", STATES[state], HOMES[msisdn]) for state, msisdn, bind, _ in ended
        )
        retries += sum(max(0, attempts - 1) for *_, attempts in ended)
    assert tally.came == came
    assert tally.left == left
    assert tally.retries == retries
    assert tally.total_came == sum(came.values()) == tally.round_trip.cumulative[-1]
    assert tally.batch.total == sum(came.values())
    assert tally.commit.cumulative[-1] == len(given_batches)


def test_receipts_of_ours_are_no_notices() -> None:
    """A receipt to an SMS centre has its own purpose, and no handset."""
    tally = Tally(lambda msisdn: "000" if not msisdn else "100")
    sms = closed(Delivery.SENT, "", 0, 1)
    sms.kind = Kind.RECEIPT
    tally.committed(Commit(closed=[sms]), (), (), 0.0)
    assert tally.left == {("receipt", "sent", "000"): 1}


def test_a_peer_chooses_few_labels() -> None:
    """Statuses and reasons that a peer invents become OTHER from the KINDS-th on."""
    tally = Tally(str)
    for number in range(10 * KINDS):
        tally.rejected(Peer(), 1, "", "", "", f"0x{number:08X}")
        tally.deferred(leaving(1), f"0x{number:08X}")
    for kinds in (tally.refused, tally.deferrals):
        assert len(kinds.counts) == KINDS + 1
        assert kinds.counts[OTHER] == 9 * KINDS
