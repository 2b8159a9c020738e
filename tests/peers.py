"""Binds in memory: a test plays the far end."""

from itertools import count
from random import Random
from typing import cast

from gateway.channels.contract import Bind, ChannelOwner, Loss
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.channel import SmppChannel
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.writing import Manner, writer_of
from gateway.message import Commit, MobileTerminated
from gateway.net.connection import Connection
from gateway.observer import Observer, Remote
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    DeliverSm,
)
from gateway.smpp.session import Answered, Closing, Event, Limits, Session, TimedOut, Timers
from tests.proofs.served import SYSTEM_ID
from tests.smpp.sessions import bound_pair
from tests.support import GSM, NO_ACCOUNTS, HandClock


class Line:
    """What a bind needs of its connection (gateway.net.connection.Connection)."""

    def __init__(self, peer: "Peer") -> None:
        self.closed = False
        self._peer = peer

    def flush(self) -> None:
        """Deliver at once what the gateway has queued."""
        self._peer.flush()


class Peer:
    """One bind, both of its ends in memory; the test plays the far end."""

    def __init__(
        self, number: int, clock: HandClock, request: BindRequest, account: str, window: int
    ) -> None:
        self.mute = False  # the far end does not even answer enquire_link
        self.arrived = 0
        self.unanswered: list[DeliverSm] = []
        self.taken: list[DeliverSm] = []
        self._clock = clock
        timers = Timers(session_init=0, enquire_link=0, response=60)
        mc, self.far = bound_pair(request, clock.now, timers, Limits(window_out=window))
        self.session: Session = mc
        self.line = Line(self)
        try:
            wanted = AddressRange.of(request.address_range)
        except ValueError:
            wanted = None
        self.bind = SmppBind(
            number=number,
            account=account,
            peer=f"peer {number}",
            mode=request.name.removeprefix("bind_"),
            address_range=request.address_range,
            wanted=wanted,
            connection=cast(Connection, self.line),
            session=mc,
            since=clock.now,
            response_timeout=timers.response,
            writer=writer_of(DeliverSm, Manner(), Composition(GSM), clock.now_ms),
        )

    @property
    def closed(self) -> bool:
        """Whether the connection is cut."""
        return self.line.closed

    def flush(self) -> None:
        """Deliver at once what the gateway has queued."""
        for event in self.far.receive(self.session.output(), self._clock.now):
            if not isinstance(event, Closing):  # the far end has answered our unbind
                assert isinstance(event, DeliverSm)
                self.unanswered.append(event)
                self.arrived += 1

    def heard(self) -> list[Event]:
        """Pass to the gateway what the far end's session sends by itself. Returns the events."""
        octets = self.far.output()
        return [] if self.mute else self.session.receive(octets, self._clock.now)

    def unbind(self) -> None:
        """Let the gateway end the session."""
        self.session.unbind(self._clock.now)

    def answers(self, place: int, status: int) -> list[Event]:
        """Let the far end answer one of its deliveries. Returns the gateway's events."""
        request = self.unanswered.pop(place)
        if status:
            self.far.refuse(request, status)
        else:
            self.taken.append(request)
            self.far.answer(request, request.response(message_id="remote"))
        return self.session.receive(self.far.output(), self._clock.now)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Return handset and text of all accepted SMS."""
        return [(pdu.destination_addr, GSM.decode(pdu.short_message, 0)) for pdu in self.taken]


class _Told:
    """Passes on the responses that the SMPP driver reports, as gateway.processing.exchange does."""

    def __init__(self, outbox: Outbox, clock: HandClock) -> None:
        self._outbox = outbox
        self._clock = clock

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """The peer accepted a part."""
        self._outbox.sent(bind, sms, remote_id, self._clock.now, self._clock.now_ms())

    def refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """The peer refused a part."""
        self._outbox.refused(bind, sms, reason, self._clock.now, self._clock.now_ms(), retry=retry)


class Sending(Observer):
    """An Outbox with SMPP binds in memory and a clock that a test moves; around it, what a gateway does."""

    def __init__(self, *, limit: int = 100_000) -> None:
        self.clock = HandClock()
        self.binds = Binds()
        self.peers: dict[int, Peer] = {}
        self.said: list[tuple[str, int]] = []
        self.woken = 0
        self._bound = 0
        composer = SmppComposer(dict.fromkeys((SYSTEM_ID, "other"), Composition(GSM)))
        self.outbox = Outbox(self.binds, composer, self, Random(7), self._wake, limit)
        owner = cast(ChannelOwner, _Told(self.outbox, self.clock))
        self._driver = SmppChannel(NO_ACCOUNTS, owner, self, self.clock.monotonic, count(1))

    def bind(
        self,
        address_range: str = "",
        *,
        request: type[BindRequest] = BindTransceiver,
        account: str = SYSTEM_ID,
        window: int = 10,
    ) -> Peer:
        """Add a bind; SMS that wait for it leave."""
        self._bound += 1
        wish = request(system_id=account, address_range=address_range)
        peer = Peer(self._bound, self.clock, wish, account, window)
        self.peers[self._bound] = peer
        self.binds.add(peer.bind)
        if peer.bind.receives:
            self.outbox.bind_ready(peer.bind, self.clock.now, self.clock.now_ms())
        return peer

    def receiver(self, address_range: str = "") -> Peer:
        """A bind_receiver."""
        return self.bind(address_range, request=BindReceiver)

    def hand_over(self, *messages: MobileTerminated) -> None:
        """Hand over SMS as after their commit."""
        self.outbox.hand_over(messages, self.clock.now, self.clock.now_ms())

    def answer(self, peer: Peer, status: int = 0, place: int = 0) -> None:
        """Let the far end answer a delivery, by default its oldest one."""
        self._pass_on(peer, peer.answers(place, status))

    def advance(self, seconds: float) -> None:
        """Move the clock: due retries leave, late responses time out, sessions end."""
        self.clock.now += seconds
        for bind in self.binds.all():
            peer = self.peers[bind.number]
            self._pass_on(peer, peer.session.tick(self.clock.now))
            if not peer.closed:
                peer.flush()
                self._pass_on(peer, peer.heard())
        self.outbox.tick(self.clock.now, self.clock.now_ms())

    def lose(self, peer: Peer) -> None:
        """Cut the connection."""
        peer.line.closed = True
        peer.unanswered.clear()
        self.binds.remove(peer.bind)
        unanswered = [each for each in peer.session.lost() if isinstance(each, MobileTerminated)]
        loss = Loss("cut", silent=peer.session.silent)
        self.outbox.lost(peer.bind, unanswered, loss, self.clock.now, self.clock.now_ms())

    @property
    def unwritten(self) -> Commit:
        """Return the changed and closed SMS that are not stored yet."""
        commit = self.hand_in()
        self.outbox.take_back(commit)
        return commit

    def hand_in(self) -> Commit:
        """Return a commit of the changed and closed SMS that is under way."""
        commit = Commit()
        self.outbox.hand_in(commit)
        return commit

    def commit(self) -> Commit:
        """Store the changed and closed SMS. Returns the commit."""
        commit = self.hand_in()
        self.outbox.committed(commit, self.clock.now, self.clock.now_ms())
        return commit

    def _pass_on(self, peer: Peer, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Answered):
                assert isinstance(event.context, MobileTerminated)
                self._driver.answered(peer.bind, event.context, event.response)
            elif isinstance(event, TimedOut):
                assert isinstance(event.context, MobileTerminated)
                self.outbox.unknown(peer.bind, event.context, self.clock.now, self.clock.now_ms())
        if events and isinstance(events[-1], Closing):
            self.lose(peer)
        elif events:
            self.outbox.settle(peer.bind, self.clock.now, self.clock.now_ms())

    def _wake(self) -> None:
        self.woken += 1

    def sent(self, sms: MobileTerminated, _remote: Remote, _latency: float, _now_ms: int) -> None:
        """It was delivered."""
        self.said.append(("sent", sms.number))

    def failed(self, sms: MobileTerminated, _error: Exception | None = None) -> None:
        """It never will be."""
        self.said.append((sms.error, sms.number))

    def parked(self, sms: MobileTerminated) -> None:
        """It is parked."""
        self.said.append(("parked", sms.number))

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """It waits."""
        self.said.append((reason, sms.number))
