"""The queues of handsets, and the places where the first SMS of each waits."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TypeVar

from gateway.message import MobileTerminated
from gateway.outbound.moving import Queues, take_out
from gateway.outbound.pauses import Pauses
from gateway.outbound.waiting import Wait, wait_of

Place = TypeVar("Place", int, str)


class Lanes:
    """The half of an outbox that knows who waits where. depth: how many SMS there are.

    The first SMS of a handset is in flight, or in one of these places; the others are behind it in its queue:
    `_unbound` (by account: no receiver is bound), `_blocked` (by bind: its window was full, or its rate),
    `_pauses` (for its time), `_awaited` (by bind: for a response that is late).
    """

    def __init__(self) -> None:
        self.depth = 0
        self._queues: Queues = {}
        self._followers: deque[MobileTerminated] = deque()  # heads of queues whose turn has come
        self._unbound: dict[str, deque[MobileTerminated]] = {}
        self._blocked: dict[int, deque[MobileTerminated]] = {}
        self._pauses = Pauses()
        self._awaited: dict[int, dict[int, MobileTerminated]] = {}  # by bind, then by number
        self._expires: float = inf  # earliest expiry (ms) in _unbound, _blocked and _awaited

    def holds(self, sms: MobileTerminated) -> bool:
        """Return whether the SMS waits here already.

        It may: an operator can retry a parked SMS while older ones are still to be read from the store.
        """
        queue = self._queues.get((sms.account, sms.msisdn or sms.number), ())
        return any(each.number == sms.number for each in queue)

    def waits_for(self, account: str, msisdn: str) -> bool:
        """Return whether SMS to a handset wait here, so that others to it come behind them."""
        return (account, msisdn) in self._queues

    def lacks_receiver(self, account: str) -> bool:
        """Return whether SMS wait for a bind of an account that receives."""
        return bool(self._unbound.get(account))

    def _take_out(
        self, unstored: set[int], elsewhere: Callable[[str, str], Place], most: int
    ) -> dict[Place, list[MobileTerminated]]:
        """Take out SMS that find no receiver (gateway.outbound.moving)."""
        taken = take_out(self._unbound, self._queues, unstored, elsewhere, most)
        self.depth -= sum(map(len, taken.values()))
        return taken

    def _wait_of(
        self, number: int, account: str, msisdn: str, now: float, *, store_behind: bool, links: bool
    ) -> Wait:
        queue = self._queues.get((account, msisdn or number))
        return wait_of(number, queue, now, store_behind=store_behind, links=links)

    def _wait_in(self, waiting: deque[MobileTerminated], sms: MobileTerminated) -> None:
        waiting.append(sms)
        if sms.expires_at < self._expires:
            self._expires = sms.expires_at

    def _wait_until(self, due: float, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Let an SMS wait until `due`, but not beyond its expiry: its followers leave then."""
        expires = now + (sms.expires_at - now_ms + 1) / 1000  # the two clocks may differ by a part of 1 ms
        self._pauses.add(min(due, expires), sms)

    def _wait_for_answer(self, number: int, sms: MobileTerminated) -> int:
        """Let an SMS wait for a late response on a bind. Returns how many do."""
        awaited = self._awaited.setdefault(number, {})
        awaited[sms.number] = sms
        self._expires = min(self._expires, sms.expires_at)
        return len(awaited)

    def _awaits(self, number: int, sms: MobileTerminated) -> bool:
        """Take an SMS out of those that wait for a late response on a bind, if it is one of them."""
        awaited = self._awaited.get(number, {})
        if awaited.get(sms.number) is not sms:
            return False
        del awaited[sms.number]
        if not awaited:
            del self._awaited[number]
        return True

    def _is_first(self, sms: MobileTerminated) -> bool:
        """Return whether it is the first SMS of its queue."""
        queue = self._queues.get((sms.account, sms.msisdn or sms.number))
        return queue is not None and queue[0] is sms

    def _withdraw(self, sms: MobileTerminated) -> None:
        """Take the first SMS of a handset out of the place where it waits. Rare, so a deque is searched."""
        if self._pauses.cancel(sms):
            return
        _remove(self._unbound, sms)
        _remove(self._blocked, sms)

    def _pop_expired(
        self, places: dict[Place, deque[MobileTerminated]], now_ms: int
    ) -> list[MobileTerminated]:
        """Take out the waiting SMS that have expired, and note the next expiry."""
        expired = []
        for key, waiting in list(places.items()):
            kept: deque[MobileTerminated] = deque()
            for sms in waiting:
                if now_ms >= sms.expires_at:
                    expired.append(sms)
                else:
                    self._wait_in(kept, sms)
            if kept:
                places[key] = kept
            else:
                del places[key]
        return expired

    def _pop_unanswered(self, now_ms: int) -> list[tuple[int, MobileTerminated]]:
        """Take out those that waited for a late response and have expired, with the numbers of the binds."""
        found = [(number, sms) for number, awaited in self._awaited.items() for sms in awaited.values()]
        expired = [each for each in found if now_ms >= each[1].expires_at]
        for number, sms in expired:
            self._awaits(number, sms)
        left = [sms.expires_at for number, sms in found if sms.expires_at > now_ms]
        self._expires = min([self._expires, *left])
        return expired

    def _leave(self, sms: MobileTerminated) -> None:
        """Remove an SMS from its queue; its follower is next."""
        sms.segments = ()
        self.depth -= 1
        key = (sms.account, sms.msisdn or sms.number)
        queue = self._queues[key]
        queue.popleft()
        if queue:
            self._followers.append(queue[0])
        else:
            del self._queues[key]


def _remove(places: dict[Place, deque[MobileTerminated]], sms: MobileTerminated) -> None:
    for key, waiting in places.items():
        if sms in waiting:
            waiting.remove(sms)
            if not waiting:
                del places[key]
            return
