"""The values that routing returns for an SMS."""

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
    PROVINCE = auto()  # for an activity of a provincial company
    VOICE = auto()  # answered with the sentence that this is a voice number
    NONE = auto()  # accepted, answered with one sentence


class TailKind(StrEnum):
    """What the digits behind access code and prefix are."""

    NONE = auto()
    MOBILE = auto()
    FETION_NUMBER = auto()
    DIGITS = auto()


class Operator(StrEnum):
    """The operator of a mobile: as ported, else by its segment."""

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

    province: None for the sender's home. refused: why the address is refused, or None; then `accepts` is NONE
    and the other fields hold what was recognised. person: the number of the person that the address names,
    with a second number replaced by its main number; else empty.

    Routes are cached per destination and shared between messages, so they are frozen.
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
        """The destination without country code. An answer is sent from it when it names a person."""
        return self.access_code + self.prefix + self.tail


@dataclass(frozen=True, slots=True)
class Considered:
    """A row whose prefix begins the address, and why it was chosen or not."""

    prefix: str
    wants: str
    accepts: Accepts
    purpose: str
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The operator of a sender, and the rows that decided it and the province of the SMS.

    province_by: empty for a refused address.
    """

    operator: Operator
    operator_by: str
    province_by: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A route with its reasons, for `explain route`.

    province: None when it depends on a sender that was not given. main_number: the main number of a sender
    with a second number. sender_refused: why the sender cannot use the service. decided: None without a
    sender, or when he is refused.
    """

    destination: str
    route: Route
    province: str | None
    considered: tuple[Considered, ...]
    main_number: str | None = None
    sender_refused: str | None = None
    decided: Decided | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that `explain route --json` prints. Fields about second numbers and about the sender
        are left out when they are empty."""
        route = self.route
        second = {
            "person": route.person if route.person != route.tail else "",
            "main_number": self.main_number,
            "sender_refused": self.sender_refused,
        }
        decided = {} if self.decided is None else asdict(self.decided)
        return {
            "access_code": route.access_code,
            "prefix": route.prefix,
            "tail": route.tail,
            "accepts": str(route.accepts),
            "purpose": route.purpose,
            "province": self.province,
            **{key: value for key, value in decided.items() if value},
            "refused": route.refused,
            **{key: value for key, value in second.items() if value},
            "considered": [asdict(row) for row in self.considered],
        }
