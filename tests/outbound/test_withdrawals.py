"""SMS that are taken back: only those that have never left, and nothing is lost behind them."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Delivery, Kind, MobileTerminated
from gateway.outbound.moving import Queues
from gateway.outbound.withdrawals import Withdrawals
from tests.proofs.served import SYSTEM_ID
from tests.support import ALICE, BOB, leaving

FLIGHT = "in flight"


def caused(number: int, cause: int, to: str) -> MobileTerminated:
    """An SMS that another one caused."""
    sms = leaving(number, to)
    sms.cause = cause
    return sms


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([ALICE, BOB])), max_size=8),
    st.dictionaries(st.sampled_from([ALICE, BOB]), st.sampled_from(["unbound", "blocked", FLIGHT])),
    st.dictionaries(st.integers(1, 3), st.sampled_from([ALICE, BOB, ""])),
)
def test_what_is_taken_out(those: list[tuple[int, str]], heads: dict[str, str], keep: dict[int, str]) -> None:
    """Of what was caused all but those to the handset to keep, and the first one where it is in flight; the
    others stay in their order, and the next of a handset has its turn exactly where the first one went."""
    queues: Queues = {}
    for number, (cause, to) in enumerate(those, 1):
        queues.setdefault((SYSTEM_ID, to), deque()).append(caused(number, cause, to))
    unbound: dict[str, deque[MobileTerminated]] = {}
    blocked: dict[int, deque[MobileTerminated]] = {}
    followers: deque[MobileTerminated] = deque()
    flying = set()
    for queue in queues.values():
        to = queue[0].msisdn
        where = heads.get(to, "unbound")
        if where == FLIGHT:
            queue[0].attempts = 1
            flying.add(queue[0].number)
        else:
            waiting = unbound.setdefault(SYSTEM_ID, deque()) if where == "unbound" else None
            (waiting if waiting is not None else blocked.setdefault(7, deque())).append(queue[0])
    before = {key: list(queue) for key, queue in queues.items()}
    withdrawals = Withdrawals(queues, (unbound, blocked), followers)
    taken = withdrawals.take(keep)
    every = [sms for queue in before.values() for sms in queue]
    expected = [
        sms
        for sms in every
        if sms.cause in keep and sms.msisdn != keep[sms.cause] and sms.number not in flying
    ]
    assert {sms.number for sms in taken} == {sms.number for sms in expected}
    for key, old in before.items():
        left = [sms for sms in old if sms not in taken]
        assert list(queues.get(key, ())) == left
        assert (key in queues) == bool(left)
        assert ([sms for sms in followers if sms in old] == left[:1]) == (old[0] in taken or not left)
    for place in (unbound, blocked):
        assert all(place.values())
        assert not any(sms in taken for waiting in place.values() for sms in waiting)
    unsent = [sms for sms in every if sms not in taken and sms.number not in flying]
    assert set(withdrawals.causes()) == {sms.cause for sms in unsent}


def test_one_that_waits_elsewhere_stays() -> None:
    """A place that is not known here: nothing is taken that would be sent from there later."""
    sms = caused(1, 9, BOB)
    queues: Queues = {(SYSTEM_ID, BOB): deque((sms,))}
    assert Withdrawals(queues, ({}, {}), deque()).take({9: ALICE}) == []
    assert list(queues[SYSTEM_ID, BOB]) == [sms]
    sms.state = Delivery.PARKED
    assert Withdrawals(queues, ({},), deque()).causes() == {}


def test_receipts_stay() -> None:
    """What tells a sender what became of an SMS is no effect of it on others: no cancel finds it."""
    for kind in (Kind.RECEIPT, Kind.ACKNOWLEDGEMENT):
        sms = caused(1, 9, "")
        sms.kind = kind
        queue = deque((sms,))
        withdrawals = Withdrawals({(SYSTEM_ID, 1): queue}, ({SYSTEM_ID: deque((sms,))},), deque())
        assert withdrawals.causes() == {}
        assert withdrawals.take({9: ALICE}) == []
        assert list(queue) == [sms]
