"""SMS that wait for their time: a pause after a refusal, or after no answer."""

import heapq
from collections.abc import Iterator
from typing import Final

from gateway.message import MobileTerminated

SPARE: Final = 64
"""Entries of pauses that ended early which are kept beside as many as there are pauses."""
Entry = tuple[float, int, MobileTerminated]


class Pauses:
    """By when each SMS may leave (monotonic seconds). Each operation is O(log n), cancel() O(1)."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._waiting: dict[int, MobileTerminated] = {}  # by number; other entries of the heap are void

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[MobileTerminated]:
        return iter(self._waiting.values())

    def add(self, due: float, sms: MobileTerminated) -> None:
        """Let an SMS wait. It does not wait here yet."""
        sms.due = due
        self._waiting[sms.number] = sms
        heapq.heappush(self._heap, (due, sms.number, sms))

    def cancel(self, sms: MobileTerminated) -> bool:
        """End the pause of an SMS. Returns whether there was one."""
        if self._waiting.get(sms.number) is not sms:
            return False
        del self._waiting[sms.number]
        sms.due = 0.0
        if len(self._heap) > 2 * len(self._waiting) + SPARE:
            self._heap = [each for each in self._heap if self._is_valid(each)]
            heapq.heapify(self._heap)
        return True

    def take(self, now: float) -> MobileTerminated | None:
        """Take out the first SMS whose pause is over; None where none is."""
        if (due := self.next()) is None or due > now:
            return None
        _, number, sms = heapq.heappop(self._heap)
        del self._waiting[number]
        return sms

    def next(self) -> float | None:
        """When the first pause is over; None where there is none."""
        heap = self._heap
        while heap and not self._is_valid(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def _is_valid(self, entry: Entry) -> bool:
        due, number, sms = entry
        return self._waiting.get(number) is sms and sms.due == due
