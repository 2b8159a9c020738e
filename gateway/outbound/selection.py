"""Who is bound, and which bind an SMS leaves on.

Rule (DESIGN, "Which bind"): a reply to the sender goes to the bind its cause came in on. Any other SMS goes
to the account through which that handset wrote last: there to the live receiver whose address_range
matches it most closely, else, by hash, to one of those that claim nothing.
"""

import zlib
from collections.abc import Container
from dataclasses import dataclass
from typing import Protocol

from gateway.smpp.session import Session, State


class Link(Protocol):
    """What a bind needs of its connection."""

    session: Session
    peer: str

    @property
    def closed(self) -> bool:
        """Whether nothing can be answered there any more."""

    def flush(self) -> None:
        """Write what the session has queued."""

    def unbind(self) -> None:
        """End politely."""

    def abort(self, reason: str) -> None:
        """End at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an address_range asks for: one number, or all that begin with a prefix, compared as 11 digits."""

    digits: str
    exact: bool

    @classmethod
    def of(cls, address_range: str) -> "Claim | None":
        """`digits` = that number, `digits*` or `^digits` = a prefix, "" = no claim (None).

        Raises ValueError for anything else.
        """
        text = address_range.strip()
        if not text:
            return None
        exact = not text.startswith("^") and not text.endswith("*")
        digits = text.removeprefix("^").removesuffix("*").removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(
                f"address_range {address_range!r} is neither digits, digits* nor ^digits: no claim"
            )
        if digits.startswith("86"):
            digits = digits[2:]
        return cls(digits, exact)

    def weight(self, msisdn: str) -> int:
        """How closely it matches: 0 = not at all, an exact number beats every prefix."""
        if self.exact:
            return 100 if msisdn == self.digits else 0
        return len(self.digits) + 1 if msisdn.startswith(self.digits) else 0


@dataclass(slots=True, eq=False)
class Bind:
    """One bound session. number: unique in the store's lifetime (run, counter), the journal's `session`."""

    number: int
    account: str
    mode: str
    address_range: str
    claim: Claim | None
    link: Link
    since: float
    session: Session
    throttled: int = 0
    messages_in: int = 0
    messages_out: int = 0

    @property
    def receives(self) -> bool:
        """Whether it takes SMS to handsets now: no transmitter, and not one that is unbinding."""
        state = self.session.state
        return state is State.BOUND_TRX or state is State.BOUND_RX

    def describe(self, now: float) -> dict[str, object]:
        """What `fetion-gateway binds` shows; ages in seconds."""
        session = self.session
        return {
            "system_id": self.account,
            "remote": self.link.peer,
            "mode": self.mode,
            "address_range": self.address_range,
            "bound_s": round(now - self.since, 1),
            "window_in": session.owed,
            "window_in_limit": session.limits.window_in,
            "window_out": session.limits.window_out - session.window_free,
            "window_out_limit": session.limits.window_out,
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
            "throttled": self.throttled,
            "last_pdu_s": round(now - session.last_received, 1),
        }


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
        best, weight, unclaimed = None, 0, []
        for bind in self._by_account.get(account, ()):
            if not bind.receives or bind.number in avoid:
                continue
            if bind.claim is None:
                unclaimed.append(bind)
            elif (its := bind.claim.weight(msisdn)) > weight:
                best, weight = bind, its
        if best is not None:
            return best
        if unclaimed:
            return unclaimed[zlib.crc32(msisdn.encode()) % len(unclaimed)]
        return None
