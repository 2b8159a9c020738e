"""Takes SMS that wait for a receiver out of an outbox: they leave at another node, or through a backup."""

from collections import deque
from collections.abc import Callable, Collection
from typing import TypeVar

from gateway.message import MobileTerminated

Place = TypeVar("Place", int, str)
Queues = dict[tuple[str, str | int], deque[MobileTerminated]]
"""By account and handset; of a receipt, which is for no handset, by account and number."""


def take_out(
    unbound: dict[str, deque[MobileTerminated]],
    queues: Queues,
    unstored: Collection[int],
    elsewhere: Callable[[str, str], Place],
    most: int,
) -> dict[Place, list[MobileTerminated]]:
    """Take out about `most` SMS, by the place at which they can leave: whole queues of handsets, in order.

    Args:
        unbound: by account, the first SMS of each handset that waits for a receiver.
        queues: all that wait, by account and handset.
        unstored: numbers of SMS of which something is not stored yet: their queues stay.
        elsewhere: gives the node or account for an account and a handset; 0 or "": none.
        most: no queue is begun when so many SMS are taken out.
    """
    taken: dict[Place, list[MobileTerminated]] = {}
    for account, waiting in list(unbound.items()):
        kept: deque[MobileTerminated] = deque()
        for sms in waiting:
            queue = queues[account, sms.msisdn or sms.number]
            place = elsewhere(account, sms.msisdn) if most > 0 else None
            if not place or any(each.number in unstored for each in queue):
                kept.append(sms)
                continue
            taken.setdefault(place, []).extend(queue)
            del queues[account, sms.msisdn or sms.number]
            most -= len(queue)
        if kept:
            unbound[account] = kept
        else:
            del unbound[account]
    return taken
