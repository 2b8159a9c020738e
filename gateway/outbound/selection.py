"""Keeps the live binds, and chooses the bind on which an SMS leaves.

Rule (DESIGN, "Which bind"): a reply to the sender leaves on the bind that its cause came in on, or on the one
on which answers of that bind leave (Bind.reply_on). Any other SMS leaves through its account: on the receiver
with the closest matching address_range, else on one of the receivers without address_range: of links the one
with the most room, else by hash.
"""

import zlib
from collections.abc import Container
from operator import attrgetter
from typing import Final

from gateway.channels.contract import Bind

_ROOM: Final = attrgetter("room")


class Binds:
    """All live binds. choose() is O(binds of the account)."""

    def __init__(self) -> None:
        self._by_number: dict[int, Bind] = {}
        self._by_account: dict[str, list[Bind]] = {}
        self._came = self._left = 0  # on binds that are gone

    def add(self, bind: Bind) -> None:
        """Add an accepted bind."""
        self._by_number[bind.number] = bind
        self._by_account.setdefault(bind.account, []).append(bind)

    def remove(self, bind: Bind) -> None:
        """Remove a bind that is gone."""
        if self._by_number.pop(bind.number, None) is not None:
            self._came += bind.messages_in
            self._left += bind.messages_out
        members = self._by_account.get(bind.account, [])
        if bind in members:
            members.remove(bind)

    def get(self, number: int) -> Bind | None:
        """Return the live bind with that number, or None."""
        return self._by_number.get(number)

    def all(self) -> list[Bind]:
        """Return the live binds in the order of their acceptance."""
        return list(self._by_number.values())

    def totals(self) -> tuple[int, int]:
        """How many SMS came, and how many peers have taken, since the start."""
        live = self._by_number.values()
        came = self._came + sum(bind.messages_in for bind in live)
        return came, self._left + sum(bind.messages_out for bind in live)

    def choose(
        self, account: str, msisdn: str, cause_bind: int = 0, avoid: Container[int] = ()
    ) -> Bind | None:
        """Choose the bind for an SMS to `msisdn`; None when no bind of the account receives now.

        Args:
            account: the account through which the SMS leaves.
            msisdn: the receiver.
            cause_bind: the bind of the SMS that it answers; 0: it answers none of the receiver's SMS.
            avoid: binds that left the same PDU unanswered; they are never chosen.
        """
        if cause_bind and cause_bind not in avoid:
            cause = self._by_number.get(cause_bind)
            if cause is not None:
                if cause.receives:
                    return cause
                sibling = self._by_number.get(cause.reply_on)
                if sibling is not None and sibling.receives and sibling.number not in avoid:
                    return sibling
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
            if unrestricted[0].link:
                return max(unrestricted, key=_ROOM)
            return unrestricted[zlib.crc32(msisdn.encode()) % len(unrestricted)]
        return None

    def with_room(self, account: str, msisdn: str, avoid: Container[int]) -> Bind | None:
        """Return the bind of a link of this account that takes the most SMS now; None when none takes any."""
        fit = [
            bind
            for bind in self._by_account.get(account, ())
            if bind.link
            and bind.receives
            and bind.number not in avoid
            and bind.room > 0
            and bind.asks_for(msisdn) != 0
        ]
        return max(fit, key=_ROOM, default=None)

    def siblings(self, bind: Bind) -> list[Bind]:
        """Return the other binds of its account."""
        return [each for each in self._by_account.get(bind.account, ()) if each is not bind]

    def receive(self, account: str) -> bool:
        """Return whether a bind of an account receives now."""
        return any(bind.receives for bind in self._by_account.get(account, ()))

    def links(self, account: str) -> bool:
        """Return whether a bind of an account is one of a link of ours, whatever it does now."""
        return any(bind.link for bind in self._by_account.get(account, ()))

    def choose_again(self, account: str, msisdn: str, cause_bind: int, avoid: tuple[int, ...]) -> Bind | None:
        """Choose among binds that all left an SMS unanswered: another one than last time, else the same."""
        last = avoid[-1:]
        return self.choose(account, msisdn, cause_bind, last) or self.choose(account, msisdn, cause_bind)

    def claim(self, account: str, msisdn: str) -> int:
        """Return how closely the closest receiver of an account asks for a handset.

        0: it asks for nobody in particular. -1: there is none, or none that asks for it.
        """
        closest = -1
        for bind in self._by_account.get(account, ()):
            if bind.receives:
                asks = bind.asks_for(msisdn)
                closest = max(closest, 0 if asks is None else asks or -1)
        return closest

    def receivers(self, now: float) -> dict[str, list[str]]:
        """Return, by account, the address ranges of the binds that receive, "" for one without one."""
        found: dict[str, list[str]] = {}
        for bind in self._by_number.values():
            if bind.receives:
                found.setdefault(bind.account, []).append(str(bind.describe(now).get("address_range", "")))
        return {account: sorted(ranges) for account, ranges in sorted(found.items())}
