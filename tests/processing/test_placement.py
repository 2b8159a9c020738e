"""At which node an SMS to another handset leaves."""

from collections import Counter

import pytest

from gateway.channels.smpp.address_range import claim_of
from gateway.processing.placement import Placement
from gateway.storage.nodes import NodeState
from tests.peers import Sending
from tests.proofs.served import SYSTEM_ID
from tests.support import ALICE, BOB, leaving

HERE, NORTH, SOUTH = 1, 2, 3


@pytest.fixture
def sending() -> Sending:
    """Binds in memory."""
    return Sending()


def knowing(sending: Sending, *others: tuple[int, list[str]], live: bool = True) -> Placement:
    """One that knows what others receive."""
    placement = Placement(HERE, sending.binds, sending.outbox, claim_of)
    states = [NodeState(number, f"n{number}", live, 5.0, 9, {SYSTEM_ID: ranges}) for number, ranges in others]
    placement.learn([NodeState(HERE, "here", live, 5.0, 9, {SYSTEM_ID: ["138*"]}), *states])
    return placement


@pytest.mark.parametrize(
    ("own", "other", "node"),
    [
        (["138*"], ["1380*"], NORTH),
        (["1380*"], ["138*"], 0),
        (["138*"], ["138*"], 0),
        ([""], ["138*"], NORTH),
        ([""], [""], 0),
        ([""], ["139*"], 0),
        (["139*"], [""], NORTH),
        ([], [""], NORTH),
        ([], ["no range"], NORTH),
        ([], ["139*"], 0),
        ([], [], 0),
    ],
)
def test_the_closest_receiver_of_all_nodes(
    sending: Sending, own: list[str], other: list[str], node: int
) -> None:
    """Of equals this node; where nobody receives it waits here."""
    for each in own:
        sending.receiver(each)
    assert knowing(sending, (NORTH, other)).elsewhere(SYSTEM_ID, "13800138000") == node


def test_receipts_leave_on_any_receiver(sending: Sending) -> None:
    """They are for no handset: no address range asks for one, and none comes behind another."""
    placement, elsewhere = knowing(sending, (NORTH, ["139*"])), Counter[int]()
    reply, receipt = leaving(1, "", bind=9), leaving(2, "")
    placement.place([reply, receipt], elsewhere)
    assert (reply.node, receipt.node, elsewhere) == (0, NORTH, {NORTH: 1})
    sending.receiver("138*")
    assert placement.elsewhere(SYSTEM_ID, "") == 0


def test_among_other_nodes_by_hash(sending: Sending) -> None:
    """The same one each time."""
    placement = knowing(sending, (NORTH, [""]), (SOUTH, [""]))
    found = {f"1380013{n:04}": placement.elsewhere(SYSTEM_ID, f"1380013{n:04}") for n in range(50)}
    assert set(found.values()) == {NORTH, SOUTH}
    assert all(placement.elsewhere(SYSTEM_ID, msisdn) == node for msisdn, node in found.items())


def test_dead_nodes_and_other_accounts_receive_nothing(sending: Sending) -> None:
    """Only live ones, only of the account."""
    assert knowing(sending, (NORTH, [""]), live=False).elsewhere(SYSTEM_ID, BOB) == 0
    assert knowing(sending, (NORTH, [""])).elsewhere("other", BOB) == 0


def test_replies_to_the_sender_stay(sending: Sending) -> None:
    """They leave where their cause came in."""
    reply, other, elsewhere = leaving(1, ALICE, bind=9), leaving(2, BOB), Counter[int]()
    knowing(sending, (NORTH, [""])).place([reply, other], elsewhere)
    assert (reply.node, other.node, elsewhere) == (0, NORTH, {NORTH: 1})


def test_what_follows_to_a_handset_comes_behind_what_waits(sending: Sending) -> None:
    """In the outbox here, or in the same batch."""
    placement, elsewhere = knowing(sending, (NORTH, [""])), Counter[int]()
    sending.hand_over(leaving(1, BOB))
    behind = leaving(2, BOB)
    placement.place([behind], elsewhere)
    assert behind.node == 0
    reply, next_one = leaving(3, ALICE, bind=9), leaving(4, ALICE)
    placement.place([reply, next_one], elsewhere)
    assert (next_one.node, elsewhere) == (0, {})
