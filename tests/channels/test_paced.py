"""Alarms of binds with a pace, on a real loop with a clock that the test moves."""

from typing import Any, cast

from gateway.channels.contract import Bind, ChannelOwner
from gateway.channels.smpp.paced import PacedBind, pace
from gateway.observer import Observer
from gateway.smpp.pdus import BindTransmitter
from gateway.smpp.status import CommandStatus
from tests.outbound.links import link
from tests.peers import Peer, Sending
from tests.proofs.served import until
from tests.support import leaving


class Owner:
    """Passes on what alarms tell, as gateway.processing.exchange does. told: names of the calls."""

    def __init__(self, sending: Sending) -> None:
        self.told: list[tuple[str, int]] = []
        self._sending = sending

    def ready(self, bind: Bind) -> None:
        """SMS may leave."""
        self.told.append(("ready", bind.number))
        clock = self._sending.clock
        self._sending.outbox.bind_ready(bind, clock.now, clock.now_ms())

    def settled(self, bind: Bind) -> None:
        """There may be room."""
        self.told.append(("settled", bind.number))
        clock = self._sending.clock
        self._sending.outbox.settle(bind, clock.now, clock.now_ms())


def paced(sending: Sending, owner: Owner, **more: Any) -> Peer:
    """A bind of a link, with its alarm."""
    peer = sending.bind(**more)
    assert isinstance(peer.bind, PacedBind)
    pace(peer.bind, cast(ChannelOwner, owner), Observer())
    return peer


async def test_an_alarm_that_comes_when_the_token_is_gone_rings_again() -> None:
    """A response lets an SMS leave just before the alarm for it rings: the next one leaves in its time."""
    sending = Sending()
    owner = Owner(sending)
    peer = paced(sending, owner, link=link(rate=2))
    sending.hand_over(*(leaving(n, f"1380013800{n}", account="north") for n in range(1, 4)))
    assert peer.arrived == 1
    sending.clock.now += 0.5
    sending.answer(peer)
    assert peer.arrived == 2
    await until(lambda: bool(owner.told), "the alarm for the second SMS")
    assert peer.arrived == 2
    sending.clock.now += 0.5
    await until(lambda: peer.arrived == 3, "the third SMS")
    peer.bind.stop()


async def test_the_rest_of_a_pair_ends_for_its_transmitter() -> None:
    """Both binds of a pair come again while the link rests, the receiver first: what waits leaves after the
    rest."""
    sending = Sending()
    owner = Owner(sending)
    settings = link(breaker={"share": 0.5, "least": 1, "rest": 10})
    first = paced(sending, owner, link=settings)
    sending.hand_over(leaving(1, account="north"))
    sending.answer(first, int(CommandStatus.RSYSERR))
    sending.lose(first)
    receiver = paced(sending, owner, link=settings, request=BindTransmitter)  # from the other end of the wire
    sending.hand_over(leaving(2, "13900139000", account="north"))
    sender = paced(sending, owner, link=settings)
    assert sender.arrived == 0
    sending.clock.now += 10
    await until(lambda: ("ready", sender.bind.number) in owner.told, "the end of the rest")
    assert sender.arrived == 1
    for peer in (receiver, sender):
        peer.bind.stop()
