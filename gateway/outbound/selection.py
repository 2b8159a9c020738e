"""Who is bound, and on which bind an SMS leaves.

Rule (DESIGN, "Which bind"): a reply to the sender goes to the bind its cause came in on. Any other SMS goes
to the account through which that handset wrote last: there to the live receiver that asks for it most
closely, else, by hash, to one of those that ask for nobody in particular.
"""

import zlib
from collections.abc import Container

from gateway.channels.contract import Bind


class Binds:
    """All live binds. Choosing is O(binds of the account)."""

    def __init__(self) -> None:
        self._by_number: dict[int, Bind] = {}
        self._by_account: dict[str, list[Bind]] = {}

    def add(self, bind: Bind) -> None:
        """A bind was accepted."""
        self._by_number[bind.number] = bind
        self._by_account.setdefault(bind.account, []).append(bind)

    def remove(self, bind: Bind) -> None:
        """A bind is gone."""
        self._by_number.pop(bind.number, None)
        members = self._by_account.get(bind.account, [])
        if bind in members:
            members.remove(bind)

    def get(self, number: int) -> Bind | None:
        """The live bind with that number."""
        return self._by_number.get(number)

    def all(self) -> list[Bind]:
        """Live binds in the order in which they came."""
        return list(self._by_number.values())

    def choose(
        self, account: str, msisdn: str, cause_bind: int = 0, avoid: Container[int] = ()
    ) -> Bind | None:
        """The bind for an SMS to `msisdn`, None when nobody there receives it now.

        cause_bind: that of the SMS it answers (0: it answers none of the receiver's). avoid: binds that
        left the same PDU unanswered, never chosen.
        """
        if cause_bind and cause_bind not in avoid:
            cause = self._by_number.get(cause_bind)
            if cause is not None and cause.receives:
                return cause
        best, weight, unrestricted = None, 0, []
        for bind in self._by_account.get(account, ()):
            if not bind.receives or bind.number in avoid:
                continue
            asks = bind.asks_for(msisdn)
            if asks is None:
                unrestricted.append(bind)
            elif asks > weight:
                best, weight = bind, asks
        if best is not None:
            return best
        if unrestricted:
            return unrestricted[zlib.crc32(msisdn.encode()) % len(unrestricted)]
        return None
