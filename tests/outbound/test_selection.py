"""Which bind an SMS leaves on."""

import pytest

from gateway.channels.smpp.address_range import AddressRange
from gateway.smpp.pdus import BindTransmitter
from tests.peers import Peer, Sending
from tests.support import ALICE, BOB


@pytest.fixture
def sending() -> Sending:
    """Binds in memory."""
    return Sending()


def chosen(sending: Sending, msisdn: str, account: str = "smsc", **more: int | tuple[int, ...]) -> int:
    """The number of the bind that is chosen, 0 for none."""
    cause, avoid = more.get("cause", 0), more.get("avoid", ())
    assert isinstance(cause, int)
    assert isinstance(avoid, tuple)
    bind = sending.binds.choose(account, msisdn, cause, avoid)
    return bind.number if bind else 0


def number(peer: Peer) -> int:
    """That of its bind."""
    return peer.bind.number


@pytest.mark.parametrize(
    ("address_range", "claim"),
    [
        ("", None),
        ("  ", None),
        ("13800138000", AddressRange("13800138000", exact=True)),
        ("8613800138000", AddressRange("13800138000", exact=True)),
        ("+8613800138000", AddressRange("13800138000", exact=True)),
        ("138*", AddressRange("138", exact=False)),
        ("^138", AddressRange("138", exact=False)),
        ("^86138", AddressRange("138", exact=False)),
        ("+86138*", AddressRange("138", exact=False)),
        ("86*", AddressRange("", exact=False)),
    ],
)
def test_what_an_address_range_claims(address_range: str, claim: AddressRange | None) -> None:
    """Digits are one number, digits* and ^digits a prefix, as 11 digits with 86 off; "" claims nothing."""
    assert AddressRange.of(address_range) == claim


@pytest.mark.parametrize(
    "address_range", ["*", "^", "13[58]*", "^13.*", "138000-138999", "１３８*", "abc", "1,2"]
)
def test_what_is_no_claim(address_range: str) -> None:
    """Anything else is refused with its text, never guessed."""
    with pytest.raises(ValueError, match="no claim"):
        AddressRange.of(address_range)


def test_the_bind_of_the_cause_comes_first(sending: Sending) -> None:
    """A reply goes where its cause came from, whatever others claim, of another account as well."""
    cause = sending.bind("139*")
    sending.bind(ALICE)
    assert chosen(sending, ALICE, cause=number(cause)) == number(cause)
    other = sending.bind(account="other")
    assert chosen(sending, ALICE, cause=number(other)) == number(other)


def test_a_transmitter_gets_its_reply_elsewhere(sending: Sending) -> None:
    """A cause that came in on a transmitter is answered on a receiver of the same account."""
    cause = sending.bind(request=BindTransmitter)
    assert chosen(sending, ALICE, cause=number(cause)) == 0
    receiver = sending.receiver()
    assert chosen(sending, ALICE, cause=number(cause)) == number(receiver)


def test_a_cause_that_is_gone(sending: Sending) -> None:
    """When the bind of the cause is lost, the reply goes where any other SMS to that handset would."""
    cause, other = sending.bind(), sending.bind(ALICE)
    sending.lose(cause)
    assert chosen(sending, ALICE, cause=number(cause)) == number(other)


def test_the_closest_claim_wins(sending: Sending) -> None:
    """The exact number beats every prefix, the longest prefix wins, of equals the first one bound; only then
    come binds without a claim."""
    free = sending.bind()
    all_of_china = sending.bind("86*")
    short, short_too, long = sending.bind("13*"), sending.bind("^8613"), sending.bind("13800138*")
    exact = sending.bind(f"86{ALICE}")
    assert chosen(sending, ALICE) == number(exact)
    for peer, next_one in ((exact, long), (long, short), (short, short_too), (short_too, all_of_china)):
        sending.lose(peer)
        assert chosen(sending, ALICE) == number(next_one)
    sending.lose(all_of_china)
    assert chosen(sending, ALICE) == number(free)


def test_claims_of_others_are_not_taken(sending: Sending) -> None:
    """Where every bind claims other handsets nobody is chosen."""
    sending.bind("139*")
    sending.bind(BOB)
    assert chosen(sending, ALICE) == 0


def test_a_claim_that_is_none_counts_as_none(sending: Sending) -> None:
    """A bind whose address_range says nothing that we understand takes its share of all handsets."""
    peer = sending.bind("13[5-9].*")
    assert chosen(sending, ALICE) == number(peer)


def test_without_claims_handsets_are_spread(sending: Sending) -> None:
    """By hash: a handset always goes to the same bind, and none is left out."""
    numbers = {number(sending.bind()) for _ in range(4)}
    first = {f"138001380{n:02}": chosen(sending, f"138001380{n:02}") for n in range(50)}
    assert set(first.values()) == numbers
    assert {msisdn: chosen(sending, msisdn) for msisdn in first} == first


def test_accounts_do_not_mix(sending: Sending) -> None:
    """Binds of another account are no choice."""
    sending.bind(ALICE, account="other")
    assert chosen(sending, ALICE) == 0


def test_transmitters_receive_nothing(sending: Sending) -> None:
    """A bind_transmitter is never chosen."""
    sending.bind(ALICE, request=BindTransmitter)
    assert chosen(sending, ALICE) == 0


@pytest.mark.parametrize("ours", [True, False], ids=["we unbind", "the peer unbinds"])
def test_who_unbinds_receives_no_more(sending: Sending, *, ours: bool) -> None:
    """From unbind on nothing may be sent, so nothing is given to that bind, though it is still connected."""
    peer = sending.bind()
    if ours:
        peer.unbind()
    else:
        peer.far.unbind(0.0)
        peer.session.receive(peer.far.output(), 0.0)
    assert not peer.bind.receives
    assert chosen(sending, ALICE) == 0
    assert chosen(sending, ALICE, cause=number(peer)) == 0


def test_binds_to_avoid(sending: Sending) -> None:
    """Binds that left the PDU unanswered are left out, the cause's and the one with the claim as well."""
    cause, exact, free = sending.bind("139*"), sending.bind(ALICE), sending.bind()
    avoid: tuple[int, ...] = ()
    for expected in (cause, exact, free):
        assert chosen(sending, ALICE, cause=number(cause), avoid=avoid) == number(expected)
        avoid = (*avoid, number(expected))
    assert chosen(sending, ALICE, cause=number(cause), avoid=avoid) == 0


def test_all_lists_the_living(sending: Sending) -> None:
    """What `fetion-gateway binds` shows: live binds in the order in which they came."""
    peers = [sending.bind() for _ in range(3)]
    sending.lose(peers[1])
    assert sending.binds.all() == [peers[0].bind, peers[2].bind]
    assert sending.binds.get(number(peers[1])) is None
