"""What routing says about an SMS: plain values, shared with everything above."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum, auto
from typing import Any


class Accepts(StrEnum):
    """What a text sent to an address means."""

    BASE = auto()  # instructions
    ANSWER = auto()  # the answer to one question
    PASSWORD = auto()  # the whole text is a new password
    CHAT = auto()  # a message to the person named by the tail
    PROVINCE = auto()  # a provincial company's own activity
    VOICE = auto()  # a voice number: one sentence says so
    NONE = auto()  # accepted, answered with one sentence


class TailKind(StrEnum):
    """What the digits behind access code and prefix are."""

    NONE = auto()
    MOBILE = auto()
    FETION_NUMBER = auto()
    DIGITS = auto()


class Operator(StrEnum):
    """Whose mobile a number is, by its segment."""

    CMCC = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Province:
    """A provincial company of China Mobile, or its headquarters (code 000)."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Route:
    """What a destination address means.

    `province` None means the home of the sender. A refused route says why in `refused`; its other
    fields hold as much as was understood, and its `accepts` is none. `person` is whom an address names:
    the number in its tail or, where that is a second number, its main number; else empty. Cached per
    destination and shared between messages, hence frozen.
    """

    access_code: str
    prefix: str
    tail: str
    tail_kind: TailKind
    accepts: Accepts
    purpose: str
    province: str | None
    refused: str | None = None
    person: str = ""

    @property
    def address(self) -> str:
        """The destination without a country code: the address to answer from when it names a person."""
        return self.access_code + self.prefix + self.tail


@dataclass(frozen=True, slots=True)
class Considered:
    """A row whose prefix begins the address, and why it was or was not chosen."""

    prefix: str
    wants: str
    accepts: Accepts
    purpose: str
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A route with its reasons. `province` is resolved; None when it depends on a sender not given.

    `main_number` is what counts for a sender who wrote from a second number; `sender_refused` says why one
    cannot use the service.
    """

    destination: str
    route: Route
    province: str | None
    considered: tuple[Considered, ...]
    main_number: str | None = None
    sender_refused: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that `explain route --json` prints. What is about second numbers only for one."""
        route = self.route
        second = {
            "person": route.person if route.person != route.tail else "",
            "main_number": self.main_number,
            "sender_refused": self.sender_refused,
        }
        return {
            "access_code": route.access_code,
            "prefix": route.prefix,
            "tail": route.tail,
            "accepts": str(route.accepts),
            "purpose": route.purpose,
            "province": self.province,
            "refused": route.refused,
            **{key: value for key, value in second.items() if value},
            "considered": [asdict(row) for row in self.considered],
        }
