"""Takes SMS that have never left out of an outbox, because who caused them takes them back."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.message import Delivery, Kind, MobileTerminated
from gateway.outbound.moving import Queues


class Withdrawals:
    """Of one outbox, whose places these are.

    Args:
        queues: all that wait, by account and handset.
        places: where the first SMS of a handset may wait that has never left, by anything.
        followers: takes those whose turn comes.
    """

    def __init__(
        self,
        queues: Queues,
        places: tuple[dict[Any, deque[MobileTerminated]], ...],
        followers: deque[MobileTerminated],
    ) -> None:
        self._queues = queues
        self._places = places
        self._followers = followers

    def causes(self) -> dict[int, set[str]]:
        """The causes of those that have never left, and the handsets to which they go."""
        found: dict[int, set[str]] = {}
        for sms in self._unsent():
            found.setdefault(sms.cause, set()).add(sms.msisdn)
        return found

    def take(self, keep: Mapping[int, str]) -> list[MobileTerminated]:
        """Take out those that these SMS caused and that have never left.

        keep: by cause, the handset whose SMS stay: what its own sender is told.
        """
        those = [sms for sms in self._unsent() if keep.get(sms.cause, sms.msisdn) != sms.msisdn]
        # The last one first: none becomes the first of its handset meanwhile.
        return [sms for sms in reversed(those) if self._take(sms)][::-1]

    def _unsent(self) -> Iterator[MobileTerminated]:
        """One that waited at a restart may have left. A receipt of ours is nothing that its cause did to
        others: it says what became of the cause, and stays."""
        for queue in self._queues.values():
            for sms in queue:
                if sms.kind is not Kind.SMS:
                    continue
                if not sms.attempts and not sms.repeat and sms.state is Delivery.WAITING:
                    yield sms

    def _take(self, sms: MobileTerminated) -> bool:
        """Take out one. The first of a handset that waits in none of the places stays."""
        key = (sms.account, sms.msisdn or sms.number)
        queue = self._queues[key]
        if queue[0] is not sms:
            queue.remove(sms)
            return True
        if not any(_remove(sms, place) for place in self._places):
            return False
        queue.popleft()
        if queue:
            self._followers.append(queue[0])
        else:
            del self._queues[key]
        return True


def _remove(sms: MobileTerminated, place: dict[Any, deque[MobileTerminated]]) -> bool:
    """Remove an SMS from where it waits. Returns whether it waited there."""
    for key, waiting in place.items():
        if sms in waiting:
            waiting.remove(sms)
            if not waiting:
                del place[key]
            return True
    return False
