"""Takes SMS that wait for a receiver out of an outbox: they leave at another node."""

from collections import deque
from collections.abc import Callable, Collection

from gateway.message import MobileTerminated

Queues = dict[tuple[str, str | int], deque[MobileTerminated]]
"""By account and handset; of a receipt, which is for no handset, by account and number."""


def take_out(
    unbound: dict[str, deque[MobileTerminated]],
    queues: Queues,
    unstored: Collection[int],
    elsewhere: Callable[[str, str], int],
    most: int,
) -> dict[int, list[MobileTerminated]]:
    """Take out about `most` SMS, by the node at which they can leave: whole queues of handsets, in order.

    Args:
        unbound: by account, the first SMS of each handset that waits for a receiver.
        queues: all that wait, by account and handset.
        unstored: numbers of SMS of which something is not stored yet: their queues stay.
        elsewhere: gives the node for an account and a handset, 0 for none.
        most: no queue is begun when so many SMS are taken out.
    """
    taken: dict[int, list[MobileTerminated]] = {}
    for account, waiting in list(unbound.items()):
        kept: deque[MobileTerminated] = deque()
        for sms in waiting:
            queue = queues[account, sms.msisdn or sms.number]
            node = elsewhere(account, sms.msisdn) if most > 0 else 0
            if not node or any(each.number in unstored for each in queue):
                kept.append(sms)
                continue
            taken.setdefault(node, []).extend(queue)
            del queues[account, sms.msisdn or sms.number]
            most -= len(queue)
        if kept:
            unbound[account] = kept
        else:
            del unbound[account]
    return taken
