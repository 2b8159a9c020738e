"""Which parts of SMS a bind has left unanswered, so that a late response is taken for the right one."""

from collections import OrderedDict
from typing import Final

from gateway.message import MobileTerminated
from gateway.smpp.window import OVERDUE

_AMBIGUOUS: Final = (-1, -1)


class Overdue:
    """The parts of one bind; of the last `most` SMS."""

    __slots__ = ("_most", "_parts")

    def __init__(self, most: int = OVERDUE) -> None:
        self._most = most
        # By SMS: parts before it, and of all; and how many requests for it are without a response.
        self._parts: OrderedDict[int, tuple[tuple[int, int], int]] = OrderedDict()

    def add(self, sms: MobileTerminated) -> None:
        """The part in flight was not answered in time."""
        place = (sms.parts_done, sms.parts)
        known, count = self._parts.get(sms.number, (place, 0))
        # A response does not say of which of two parts it is.
        self._parts[sms.number] = (place if known == place else _AMBIGUOUS, count + 1)
        if len(self._parts) > self._most:
            self._parts.popitem(last=False)

    def answered(self, sms: MobileTerminated, account: str) -> bool:
        """A late response has come. Returns whether it is about the part that the SMS wants acknowledged
        next, or about one that was all of it. account: of the bind. Of an SMS that moved to another account
        only a whole one is."""
        known, count = self._parts.pop(sms.number, (_AMBIGUOUS, 1))
        if count > 1:
            self._parts[sms.number] = (known, count - 1)
        if known == _AMBIGUOUS:
            return False
        if sms.account != account:
            return known == (0, 1)
        part, parts = known
        return sms.parts == parts and (sms.parts_done == part or sms.parts_done == parts)
