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
        self._parts: OrderedDict[int, tuple[int, int]] = OrderedDict()  # by SMS: parts before it, and of all

    def add(self, sms: MobileTerminated) -> None:
        """The part in flight was not answered in time."""
        place = (sms.parts_done, sms.parts)
        known = self._parts.setdefault(sms.number, place)
        if known != place:  # a response does not say of which of the two it is
            self._parts[sms.number] = _AMBIGUOUS
        if len(self._parts) > self._most:
            self._parts.popitem(last=False)

    def is_wanted(self, sms: MobileTerminated, account: str) -> bool:
        """Whether a late response is about the part that the SMS wants acknowledged next, or about one that
        was all of it. account: of the bind. Of an SMS that moved to another account only a whole one is."""
        known = self._parts.get(sms.number)
        if known is None or known == _AMBIGUOUS:
            return False
        if sms.account != account:
            return known == (0, 1)
        part, parts = known
        return sms.parts == parts and (sms.parts_done == part or sms.parts_done == parts)
