"""What leaves: SMS to handsets, from the commit that stored them to the response that closes them.

Order: one unanswered PDU per handset, the parts of a long SMS in sequence; a temporary failure holds
only that handset's followers. An SMS is handed over from memory straight after its commit and read
from disk only at start. It leaves at least once: after a crash, a cut or a timeout it is sent again,
marked `repeat`; a timeout never sends it again on the same session. One that was in flight when LOSSES
sessions were lost may be what breaks them: it is parked as suspect until an operator retries or drops it.

Everything runs in the loop's thread; no task per SMS. What became of SMS waits in `closed` and `changed` for
the next commit.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final, Protocol

from gateway.binds import Bind, Binds
from gateway.model import Delivery, MobileTerminated
from gateway.smpp.coding import Alphabet
from gateway.smpp.errors import EncodeError
from gateway.smpp.long import Method, Segment, segments
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import DeliverSm
from gateway.smpp.status import Retry, name_of, retry_class

RETRY_FIRST_MS: Final = 1_000
RETRY_MOST_MS: Final = 300_000
LOSSES: Final = 3
"""Sessions lost while the same SMS was in flight, after which it is parked."""
CONCATENATION: Final[Method] = "udh8"


class SendLog(Protocol):
    """Where the outbox says what became of an SMS."""

    def sent(self, sms: MobileTerminated, bind: Bind, latency: float, now_ms: int) -> None:
        """All parts were acknowledged at `now_ms`, `latency` seconds after the first one left."""

    def failed(self, sms: MobileTerminated) -> None:
        """It will not be sent any more; sms.error says why."""

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """Nobody takes it now, or it was refused for a while; it waits."""

    def suspected(self, sms: MobileTerminated) -> None:
        """It is parked; sms.error says why."""


class Outbox:
    """SMS that wait, and those in flight. `limit`: how many are held before new messages are refused.

    alphabets: of each account. wake: called when something was closed, so that it gets committed.
    """

    def __init__(
        self,
        binds: Binds,
        alphabets: Mapping[str, Alphabet],
        log: SendLog,
        random: Random,
        wake: Callable[[], None],
        limit: int = 100_000,
    ) -> None:
        self.closed: list[MobileTerminated] = []
        self.changed: list[MobileTerminated] = []
        self.deciding: dict[int, MobileTerminated] = {}  # parked ones about which an operator has decided
        self.limit = limit
        self.stopping = False  # nothing leaves any more; it stays in the store
        self.depth = 0
        self.in_flight = 0
        self._binds = binds
        self._alphabets = alphabets
        self._log = log
        self._random = random
        self._wake = wake
        self._lanes: dict[tuple[str, str], deque[MobileTerminated]] = {}  # per account and handset
        self._followers: deque[MobileTerminated] = deque()  # heads of lanes whose turn has come
        self._unbound: dict[str, deque[MobileTerminated]] = {}  # per account: nobody receives them now
        self._blocked: dict[int, deque[MobileTerminated]] = {}  # per bind: its window was full
        self._retries: list[tuple[int, int, MobileTerminated]] = []  # (due, number, sms)
        self._touched: dict[int, Bind] = {}

    @property
    def full(self) -> bool:
        """Whether new messages had better wait at the centre (RMSGQFUL)."""
        return self.depth >= self.limit

    def compose(self, sms: MobileTerminated) -> None:
        """Cut an SMS into the parts it will leave in. Raises ValueError when it cannot be sent at all."""
        pieces = segments(sms.text, self._alphabets[sms.account], sms.reference, CONCATENATION)
        sms.segments = pieces
        sms.parts = len(pieces)

    def hand_over(self, stored: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        """SMS that the store holds from now on: send what can be sent. Ends with flush()."""
        lanes = self._lanes
        for sms in stored:
            self.depth += 1
            key = (sms.account, sms.msisdn)
            lane = lanes.get(key)
            if lane is None:
                lanes[key] = deque((sms,))
                self._send(sms, now, now_ms)
            else:
                lane.append(sms)
        self._finish(now, now_ms)

    def touch(self, bind: Bind) -> None:
        """Somebody else has queued octets on that bind: they leave with the next flush()."""
        self._touched[bind.number] = bind

    def flush(self) -> None:
        """Write what was sent since the last call, one write per bind."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for bind in touched.values():
                bind.link.flush()

    def bind_ready(self, bind: Bind, now: float, now_ms: int) -> None:
        """A receiver has bound: what waits for its account may leave."""
        for sms in self._unbound.pop(bind.account, ()):
            self._send(sms, now, now_ms)
        self._finish(now, now_ms)

    def answered(self, bind: Bind, sms: MobileTerminated, response: Pdu, now: float, now_ms: int) -> None:
        """The peer answered the part in flight. The caller calls settle() behind the last of its events."""
        self.in_flight -= 1
        status = response.command_status
        if status == 0:
            sms.parts_done += 1
            sms.refusals = 0
            sms.avoid = ()
            if sms.parts_done < sms.parts:
                self._send(sms, now, now_ms)
            else:
                sms.remote_id = str(getattr(response, "message_id", ""))
                bind.messages_out += 1
                self._close(sms, Delivery.SENT, now_ms)
                self._log.sent(sms, bind, now - sms.handed_over, now_ms)
        elif retry_class(status) is Retry.PERMANENT:
            self._fail(sms, Delivery.FAILED, name_of(status), now_ms)
        else:
            bind.throttled += 1
            sms.error = name_of(status)
            self._retry_later(sms, now_ms)

    def timed_out(self, bind: Bind, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """No answer in time: it may have been delivered. Any other bind may have it, this one never again."""
        self.in_flight -= 1
        sms.repeat = True
        sms.attempts += 1
        sms.avoid = (*(number for number in sms.avoid if self._binds.get(number)), bind.number)
        self._send(sms, now, now_ms)

    def settle(self, bind: Bind, now: float, now_ms: int) -> None:
        """Answers of a bind have been taken: its window has room, followers may leave."""
        blocked = self._blocked.get(bind.number)
        if blocked:
            while blocked and bind.receives and bind.session.window_free > 0:
                self._transmit(blocked.popleft(), bind, now, now_ms)
            if not blocked:
                del self._blocked[bind.number]
        self._finish(now, now_ms)

    def lost(self, bind: Bind, contexts: Iterable[object], now: float, now_ms: int) -> None:
        """A bind is gone (and out of Binds): what it left unanswered goes out again elsewhere or later."""
        for sms in contexts:
            if isinstance(sms, MobileTerminated):
                self.in_flight -= 1
                sms.repeat = True
                sms.losses += 1
                self.changed.append(sms)
                if sms.losses < LOSSES:
                    self._send(sms, now, now_ms)
                else:
                    self._park(sms)
        if self.changed:
            self._wake()
        for sms in self._blocked.pop(bind.number, ()):
            self._send(sms, now, now_ms)
        self._finish(now, now_ms)

    def retry(self, sms: MobileTerminated) -> None:
        """A parked SMS, as the store has it, is to leave once more, as soon as that is committed."""
        self.deciding[sms.number] = sms
        sms.state = Delivery.WAITING
        sms.losses = 0
        sms.error = ""
        self.changed.append(sms)
        self._wake()

    def drop(self, sms: MobileTerminated, reason: str, now_ms: int) -> None:
        """A parked SMS, as the store has it, is given up."""
        self.deciding[sms.number] = sms
        sms.state = Delivery.FAILED
        sms.error = reason
        sms.closed_at = now_ms
        self.closed.append(sms)
        self._log.failed(sms)
        self._wake()

    def park_stored(self, sms: MobileTerminated, reason: str) -> None:
        """An SMS, as the store has it, cannot leave: it is parked with the next commit."""
        sms.state = Delivery.SUSPECT
        sms.error = reason
        self.changed.append(sms)
        self._log.suspected(sms)
        self._wake()

    def committed(self, written: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        """These rows are on the disk: those that an operator wanted retried leave now."""
        for sms in written:
            if self.deciding.pop(sms.number, None) is not None and sms.state is Delivery.WAITING:
                self.hand_over((sms,), now, now_ms)

    def tick(self, now: float, now_ms: int) -> None:
        """Work that time brings: retries that are due, SMS that expire while nobody is bound."""
        while self._retries and self._retries[0][0] <= now_ms:
            self._send(heapq.heappop(self._retries)[2], now, now_ms)
        for account, waiting in list(self._unbound.items()):
            if any(now_ms >= sms.expires_at for sms in waiting):
                del self._unbound[account]
                for sms in waiting:
                    self._send(sms, now, now_ms)
        self._finish(now, now_ms)

    def next_retry(self) -> int | None:
        """When the next retry is due, in milliseconds since the epoch; None while none is planned."""
        return self._retries[0][0] if self._retries else None

    def _finish(self, now: float, now_ms: int) -> None:
        followers = self._followers
        while followers:
            self._send(followers.popleft(), now, now_ms)
        self.flush()

    def _send(self, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Send the next part of a lane's head, or park it where it will be found again."""
        if now_ms >= sms.expires_at:
            self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
            return
        if self.stopping:
            return
        bind = self._binds.choose(sms.account, sms.msisdn, sms.bind, sms.avoid)
        if bind is None:
            waiting = self._unbound.get(sms.account)
            if waiting is None:
                waiting = self._unbound[sms.account] = deque()
                self._log.deferred(sms, "no receiver")
            waiting.append(sms)
        elif bind.session.window_free <= 0 or bind.number in self._blocked:
            self._blocked.setdefault(bind.number, deque()).append(sms)
        else:
            self._transmit(sms, bind, now, now_ms)

    def _transmit(self, sms: MobileTerminated, bind: Bind, now: float, now_ms: int) -> None:
        try:
            if sms.segments is None:
                self.compose(sms)
            piece: Segment = sms.segments[sms.parts_done]
            if not sms.handed_over:
                sms.handed_over = now
                sms.attempts += 1
            request = DeliverSm(
                source_addr_ton=sms.source_ton,
                source_addr_npi=sms.source_npi,
                source_addr=sms.source,
                dest_addr_ton=sms.ton,
                dest_addr_npi=sms.npi,
                destination_addr=sms.destination,
                esm_class=piece.esm_class,
                data_coding=piece.data_coding,
                short_message=piece.octets,
                tlvs=piece.tlvs,
            )
            bind.session.send(request, sms, now)
        except (EncodeError, ValueError) as error:
            self._fail(sms, Delivery.FAILED, str(error), now_ms)
            return
        self.in_flight += 1
        self._touched[bind.number] = bind

    def _fail(self, sms: MobileTerminated, state: Delivery, error: str, now_ms: int) -> None:
        sms.error = error
        self._close(sms, state, now_ms)
        self._log.failed(sms)

    def _close(self, sms: MobileTerminated, state: Delivery, now_ms: int) -> None:
        """It is over: to be written with the next commit, and its follower's turn has come."""
        sms.state = state
        sms.closed_at = now_ms
        self.closed.append(sms)
        self._wake()
        self._leave(sms)

    def _park(self, sms: MobileTerminated) -> None:
        """It will not leave by itself any more; its follower's turn has come."""
        sms.state = Delivery.SUSPECT
        sms.error = f"in flight at {sms.losses} session losses"
        self._leave(sms)
        self._log.suspected(sms)

    def _leave(self, sms: MobileTerminated) -> None:
        """It waits here no more."""
        sms.segments = None
        self.depth -= 1
        key = (sms.account, sms.msisdn)
        lane = self._lanes[key]
        lane.popleft()
        if lane:
            self._followers.append(lane[0])
        else:
            del self._lanes[key]

    def _retry_later(self, sms: MobileTerminated, now_ms: int) -> None:
        """1 s, doubling to 5 min, with jitter down to a half."""
        wait = min(RETRY_FIRST_MS << min(sms.refusals, 20), RETRY_MOST_MS)
        sms.refusals += 1
        sms.attempts += 1
        due = now_ms + int(wait * (0.5 + self._random.random() / 2))
        heapq.heappush(self._retries, (due, sms.number, sms))
        self._log.deferred(sms, sms.error)
