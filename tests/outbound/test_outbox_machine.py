"""The outbox against any behaviour of centres, clocks and operators: no handset is silenced, nothing lost."""

import itertools
from collections import Counter

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.message import Delivery, MobileTerminated
from gateway.outbound.outbox import LOSSES, RETRY_MOST
from gateway.smpp.status import CommandStatus
from tests.outbound.links import link, with_backups
from tests.peers import Peer, Sending
from tests.proofs.served import SYSTEM_ID
from tests.support import leaving

HANDSETS = ["13800138001", "13800138002", "13900139000"]
BUSY, THROTTLED = int(CommandStatus.RMSGQFUL), int(CommandStatus.RTHROTTLED)
PERMANENT = [int(CommandStatus.RINVDSTADR), int(CommandStatus.RSYSERR), 0x00000FFF]
RESPONSE = 60.0
LONGEST_PAUSE = max(RETRY_MOST, RESPONSE * 2 ** (LOSSES - 2))
"""Seconds within which an SMS that waits for its time leaves."""
AFTER = 45.0
"""Seconds after which SMS of the centre `north` move to the account."""
AFTER_ALL = 200
"""Rounds in which a centre that answers everything has taken everything."""


class OutboxMachine(RuleBasedStateMachine):
    """Centres that answer anything, in any order, late, or not at all: up to three binds of an account, and
    links of a centre that keep a rate, rest, wait or reconnect, whose SMS move to the account."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = Sending()
        with_backups(self.sending, north=(SYSTEM_ID, AFTER))
        self.accounts: dict[int, str] = {}  # of each SMS, before it moved anywhere
        self.peers: list[Peer] = []
        self.messages: dict[int, MobileTerminated] = {}
        self.numbers = itertools.count(1)
        self.seen: dict[int, int] = {}  # per bind: PDUs that had arrived

    @property
    def stopping(self) -> bool:
        """Whether the gateway stops."""
        return self.sending.outbox.stopping

    @rule(
        to=strategies.lists(strategies.sampled_from(HANDSETS), min_size=1, max_size=5),
        length=strategies.sampled_from([1, 161]),
        reply=strategies.booleans(),
        account=strategies.sampled_from([SYSTEM_ID, SYSTEM_ID, "north"]),
        lives=strategies.sampled_from([90, 259_200, 259_200]),
        data=strategies.data(),
    )
    def hand_over(
        self,
        to: list[str],
        length: int,
        reply: bool,
        account: str,
        lives: int,
        data: strategies.DataObject,
    ) -> None:
        """A commit with some more SMS, perhaps replies to what came on one of the binds."""
        causes = [peer for peer in self.peers if peer.bind.account == account]
        cause = data.draw(strategies.sampled_from(causes)) if reply and causes else None
        more = [
            leaving(
                number,
                handset,
                "x" * length,
                account=account,
                bind=cause.bind.number if cause else 0,
                expires_at=self.sending.clock.now_ms() + lives * 1000,
            )
            for handset, number in zip(to, self.numbers, strict=False)
        ]
        self.messages |= {sms.number: sms for sms in more}
        self.accounts |= {sms.number: account for sms in more}
        self.sending.hand_over(*more)

    @precondition(lambda self: len(self.peers) < 3)
    @rule(
        address_range=strategies.sampled_from(["", "138*", "13900139000"]), window=strategies.integers(1, 3)
    )
    def bind(self, address_range: str, window: int) -> None:
        """Somebody binds."""
        self.peers.append(self.sending.bind(address_range, window=window))

    @precondition(lambda self: len(self.peers) < 4)
    @rule(
        name=strategies.sampled_from(["one", "two"]),
        rate=strategies.sampled_from([0, 0, 1]),
        unanswered=strategies.sampled_from(["repeat", "reconnect", "wait"]),
        window=strategies.integers(1, 3),
    )
    def dial(self, name: str, rate: int, unanswered: str, window: int) -> None:
        """A link of the centre `north` is bound; it rests when two of three SMS failed."""
        breaker = {"share": 0.6, "least": 3, "rest": 20}
        way = link(name, centre="north", rate=rate, unanswered=unanswered, breaker=breaker)
        self.peers.append(self.sending.bind(link=way, window=window))

    @precondition(lambda self: any(peer.unanswered and not peer.mute for peer in self.peers))
    @rule(data=strategies.data(), status=strategies.sampled_from([0, 0, 0, 0, BUSY, THROTTLED, *PERMANENT]))
    def answer(self, data: strategies.DataObject, status: int) -> None:
        """Any PDU that was delivered is answered, some of them late."""
        speaking = [peer for peer in self.peers if peer.unanswered and not peer.mute]
        peer = data.draw(strategies.sampled_from(speaking))
        place = data.draw(strategies.integers(0, len(peer.unanswered) - 1))
        self.sending.answer(peer, status, place)

    @precondition(lambda self: self.peers)
    @rule(data=strategies.data())
    def fall_silent(self, data: strategies.DataObject) -> None:
        """A peer answers nothing any more, not even enquire_link."""
        data.draw(strategies.sampled_from(self.peers)).mute = True

    @precondition(lambda self: self.peers)
    @rule(data=strategies.data())
    def lose(self, data: strategies.DataObject) -> None:
        """A connection is cut: that counts against the oldest PDU that it left unanswered, unless we stop."""
        peer = data.draw(strategies.sampled_from(self.peers))
        contexts = [request.context for request in peer.session._window.requests.values()]
        flying = list(self.sending.outbox._awaited.get(peer.bind.number, {}).values())
        flying += [sms for sms in contexts if isinstance(sms, MobileTerminated)]
        expected = {sms.number: sms.losses for sms in flying}
        if flying and not self.stopping and flying[0].state is Delivery.WAITING:
            expected[flying[0].number] += 1
        self.sending.lose(peer)
        assert {sms.number: sms.losses for sms in flying} == expected

    @precondition(lambda self: self.peers)
    @rule(data=strategies.data())
    def unbind(self, data: strategies.DataObject) -> None:
        """A session begins to end; its connection goes later."""
        data.draw(strategies.sampled_from(self.peers)).unbind()

    @rule(seconds=strategies.sampled_from([0.5, 1.0, 30.0, 60.0, 61.0, 300.0]))
    def wait(self, seconds: float) -> None:
        """Time passes. What waited beyond its expiry is over then, and a peer that ends its session by its
        silence has blamed nobody whom nobody passed over."""
        silent = [
            (request.context, request.context.losses)
            for peer in self.peers
            if peer.mute and not peer.session._read.newest
            for request in peer.session._window.requests.values()
            if isinstance(request.context, MobileTerminated)
        ]
        self.sending.advance(seconds)
        assert all(sms.losses == losses for sms, losses in silent)
        if not self.stopping:
            outbox, now_ms = self.sending.outbox, self.sending.clock.now_ms()
            awaited = [each.values() for each in outbox._awaited.values()]
            for waiting in (*outbox._blocked.values(), *outbox._unbound.values(), *awaited):
                assert all(sms.expires_at > now_ms for sms in waiting)

    @rule(seconds=strategies.sampled_from([-3600, 30]))
    def put_the_clock(self, seconds: int) -> None:
        """Somebody moves the time of day."""
        self.sending.clock.wall += seconds
        self.sending.advance(0.001)

    @rule()
    def commit(self) -> None:
        """What was closed or changed is written."""
        self.sending.commit()

    @precondition(lambda self: any(sms.state is Delivery.PARKED for sms in self.messages.values()))
    @precondition(lambda self: not self.stopping)
    @rule(data=strategies.data(), again=strategies.booleans())
    def decide(self, data: strategies.DataObject, again: bool) -> None:
        """An operator retries or drops what is parked; the decision is committed."""
        parked = [sms for sms in self.messages.values() if sms.state is Delivery.PARKED]
        sms = data.draw(strategies.sampled_from(parked))
        outbox, clock = self.sending.outbox, self.sending.clock
        if again:
            # Behind all others of its handset: it begins a life of its own.
            del self.messages[sms.number]
            sms.number = next(self.numbers)
            self.messages[sms.number] = sms
            self.accounts[sms.number] = sms.account
            sms.segments = ()
            outbox.retry(sms)
        else:
            outbox.drop(sms, "dropped", clock.now_ms())
        self.sending.commit()

    @precondition(lambda self: self.sending.outbox.depth > self.sending.outbox.in_flight > 0)
    @rule()
    def stop(self) -> None:
        """The gateway stops: nothing leaves from now on."""
        self.sending.outbox.stopping = True

    @invariant()
    def nothing_leaves_when_it_must_not(self) -> None:
        """No PDU arrived after the stop; none of an SMS that was over; each of the first that waits for its
        handset."""
        self.peers = [peer for peer in self.peers if not peer.closed]
        now_ms = self.sending.clock.now_ms()
        for peer in self.peers:
            assert peer.arrived == self.seen.get(peer.bind.number, 0) or not self.stopping
            self.seen[peer.bind.number] = peer.arrived
            for request in peer.session._window.requests.values():
                if isinstance(sms := request.context, MobileTerminated):
                    assert sms.state is Delivery.WAITING or self.is_second_copy(sms)
                    assert request.sent_at <= self.sending.clock.now
                    if request.sent_at == self.sending.clock.now:
                        assert now_ms < sms.expires_at

    def is_second_copy(self, sms: MobileTerminated) -> bool:
        """A late response to its first copy has closed it while this one was on its way."""
        return sms.state is Delivery.SENT and ("twice", sms.number) in self.sending.said

    @invariant()
    def every_handset_moves(self) -> None:
        """The first SMS of each handset is in exactly one place, and each place lets it go: in flight, in
        front of the full window of a live bind, where nobody receives, or waiting for a known time."""
        outbox, clock = self.sending.outbox, self.sending.clock
        if self.stopping:
            return
        flying = [
            request.context
            for peer in self.peers
            for request in peer.session._window.requests.values()
            if isinstance(request.context, MobileTerminated)
        ]
        flying += [sms for each in outbox._awaited.values() for sms in each.values()]
        assert len(flying) == outbox.in_flight
        for number, waiting in outbox._blocked.items():
            bind = self.sending.binds.get(number)
            assert waiting
            assert bind is not None
            assert not bind.receives or bind.room == 0
            if bind.link:
                for each in self.sending.binds.siblings(bind):
                    fit = any(each.number not in sms.avoid for sms in waiting)
                    assert each.room == 0 or not (fit and each.receives)
        for waiting in outbox._unbound.values():
            for sms in waiting:
                chosen = self.sending.binds.choose(sms.account, sms.msisdn, sms.bind)
                assert chosen is None or not chosen.receives
        for sms in outbox._pauses:
            due = sms.due
            assert due <= clock.now + LONGEST_PAUSE
            assert clock.wall or due <= clock.now + (sms.expires_at - clock.now_ms()) / 1000 + 0.002
        places = Counter(
            id(sms)
            for sms in itertools.chain(
                flying,
                *outbox._blocked.values(),
                *outbox._unbound.values(),
                outbox._pauses,
            )
        )
        heads = {id(queue[0]) for queue in outbox._queues.values()}
        assert places == dict.fromkeys(heads, 1)

    @invariant()
    def one_unanswered_pdu_per_handset(self) -> None:
        """Of the PDUs of an account whose session still waits for the answer no two are to one handset."""
        waiting = Counter(
            (request.context.account, request.context.msisdn)
            for peer in self.peers
            for request in peer.session._window.requests.values()
            if isinstance(request.context, MobileTerminated)
        )
        assert max(waiting.values(), default=0) <= 1

    @invariant()
    def each_handset_in_order(self) -> None:
        """An SMS is over only when those before it to the same handset, through the same account, are over
        or parked, wherever they moved."""
        for number, sms in self.messages.items():
            if sms.state is not Delivery.WAITING:
                earlier = [
                    m
                    for n, m in self.messages.items()
                    if n < number and m.msisdn == sms.msisdn and self.accounts[n] == self.accounts[number]
                ]
                assert all(m.state is not Delivery.WAITING for m in earlier)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every SMS waits, is parked at LOSSES, or is over, and the depth is how many wait."""
        waiting = [sms for sms in self.messages.values() if sms.state is Delivery.WAITING]
        copies = [
            request.context
            for peer in self.peers
            for request in peer.session._window.requests.values()
            if isinstance(request.context, MobileTerminated) and request.context.state is Delivery.SENT
        ]
        assert self.sending.outbox.depth == len(waiting) + len(copies)
        for sms in self.messages.values():
            assert sms.losses <= LOSSES
            assert sms.state is not Delivery.PARKED or sms.losses == LOSSES
            assert sms.losses == 0 or sms.repeat

    def teardown(self) -> None:
        """In the end a centre binds that takes everything, after a restart if the gateway has stopped:
        nothing waits any more, and all was delivered that was not refused, parked or too old."""
        for peer in list(self.peers):
            if not peer.closed:
                self.sending.lose(peer)
        if self.stopping:
            self.restart()
        last = self.sending.bind(window=2)
        for _ in range(AFTER_ALL):
            while last.unanswered:
                self.sending.answer(last)
            if not self.sending.outbox.depth:
                break
            self.sending.advance(LONGEST_PAUSE)
        assert self.sending.outbox.depth == 0
        assert Delivery.WAITING not in {sms.state for sms in self.messages.values()}

    def restart(self) -> None:
        """Another outbox takes up what the store has: the rows that wait, as they were when they changed."""
        clock = self.sending.clock
        self.sending = Sending()
        self.sending.clock.now, self.sending.clock.wall = clock.now, clock.wall
        with_backups(self.sending, north=(SYSTEM_ID, AFTER))
        for number, sms in sorted(self.messages.items()):
            if sms.state is Delivery.WAITING:
                account = self.accounts[number]
                again = leaving(number, sms.msisdn, sms.text, account=account, expires_at=sms.expires_at)
                again.parts, again.parts_done, again.losses = sms.parts, sms.parts_done, sms.losses
                again.repeat = True
                self.messages[number] = again
                self.sending.hand_over(again)


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
