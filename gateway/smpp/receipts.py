"""Receipts of SMS: how one stands in a deliver_sm or data_sm, read loosely and written strictly.

The type is in esm_class (SMPP 3.4 section 5.2.12), what it says in TLVs and in the text of appendix B. Real
centres change the order of its fields, their case and widths, leave fields out, and write the text in
another alphabet; where a TLV says something, the text is not asked (SMPP 3.4 section 5.3.2).
"""

import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from gateway.smpp.tlvs import TlvValue

MESSAGE_TYPE: Final = 0x3C
"""The bits of esm_class that say what a message is."""
DELIVERY_RECEIPT: Final = 0x04
DELIVERY_ACKNOWLEDGEMENT: Final = 0x08
USER_ACKNOWLEDGEMENT: Final = 0x10
INTERMEDIATE: Final = 0x20
RECEIPTS: Final = frozenset({DELIVERY_RECEIPT, DELIVERY_ACKNOWLEDGEMENT, USER_ACKNOWLEDGEMENT, INTERMEDIATE})
"""The types that say what became of another message."""

RECEIPTED_MESSAGE_ID: Final = 0x001E
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_STATE: Final = 0x0427

LONGEST_ID: Final = 64
LONGEST_WORD: Final = 16
"""Characters of a state or an error that are kept."""


class Outcome(Enum):
    """What a state says of a message."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNDER_WAY = "under way"


_WORDS: Final[Mapping[int, tuple[str, Outcome]]] = MappingProxyType(
    {
        0: ("SCHEDULED", Outcome.UNDER_WAY),
        1: ("ENROUTE", Outcome.UNDER_WAY),
        2: ("DELIVRD", Outcome.DELIVERED),
        3: ("EXPIRED", Outcome.UNDELIVERED),
        4: ("DELETED", Outcome.UNDELIVERED),
        5: ("UNDELIV", Outcome.UNDELIVERED),
        6: ("ACCEPTD", Outcome.UNDER_WAY),
        7: ("UNKNOWN", Outcome.UNDELIVERED),
        8: ("REJECTD", Outcome.UNDELIVERED),
        9: ("SKIPPED", Outcome.UNDELIVERED),
    }
)
"""By message_state: its word in a text, and what it says (SMPP 3.4 section 5.2.28, 5.0 section 4.7.15)."""
_OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        **dict(_WORDS.values()),
        "DELIVERED": Outcome.DELIVERED,
        "UNDELIVERABLE": Outcome.UNDELIVERED,
        "UNDELIVERED": Outcome.UNDELIVERED,
        "REJECTED": Outcome.UNDELIVERED,
        "FAILED": Outcome.UNDELIVERED,
        "ACCEPTED": Outcome.UNDER_WAY,
        "ENROUTED": Outcome.UNDER_WAY,
    }
)
_STATES: Final = MappingProxyType({word: state for state, (word, _) in _WORDS.items()})

# A field ends where the next one begins, wherever that is: values may hold blanks.
_FIELD: Final = re.compile(
    r"(?<![A-Za-z_])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us)?|err(?:or)?|text)\s?:",
    re.IGNORECASE,
)
_NAMES: Final = MappingProxyType({"status": "stat", "error": "err"})
_DIGITS: Final = re.compile(r"\d{10,14}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says.

    tlv_id, text_id: what it calls the message, "" for nothing. said: the word of the state. outcome: None
    where it says nothing that is understood. error: a code, "" for none. done: the digits of the time when
    that was, as the peer's clock shows it, "" for none.
    """

    tlv_id: str
    text_id: str
    said: str
    outcome: Outcome | None
    error: str = ""
    done: str = ""


def is_receipt(esm_class: int) -> bool:
    """Whether the type is one of a receipt."""
    return esm_class & MESSAGE_TYPE in RECEIPTS


def read_receipt(octets: bytes, data_coding: int, tlvs: Mapping[int, TlvValue]) -> Receipt:
    """What a receipt says. octets: of short_message or message_payload. Nothing raises."""
    fields = fields_of(text_of(octets, data_coding))
    said = fields.get("stat", "").upper().split(" ")[0]
    state, outcome = tlvs.get(MESSAGE_STATE), None
    if isinstance(state, int) and state in _WORDS:
        word, outcome = _WORDS[state]
        said = said if _OUTCOMES.get(said) is outcome else word
    else:
        outcome = _OUTCOMES.get(said)
    named = tlvs.get(RECEIPTED_MESSAGE_ID, "")
    return Receipt(
        _clean(named if isinstance(named, str) else "", LONGEST_ID),
        _clean(fields.get("id", ""), LONGEST_ID),
        _clean(said, LONGEST_WORD),
        outcome,
        _error(tlvs.get(NETWORK_ERROR_CODE)) or _clean(fields.get("err", ""), LONGEST_WORD),
        _done(fields),
    )


def text_of(octets: bytes, data_coding: int) -> str:
    """The text of a receipt: UCS-2 where its alphabet or its octets say so, else ASCII and its like."""
    if octets[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return octets.decode("utf-16", "replace")
    if octets[:1] != b"\0" and octets[1:2] == b"\0":
        return octets.decode("utf-16-le", "replace")
    if octets[:1] == b"\0" or (data_coding == 8 and b"\0" in octets):
        return octets.decode("utf-16-be", "replace")
    return octets.decode("latin-1").rstrip("\0")


def fields_of(text: str) -> dict[str, str]:
    """The fields of a text of appendix B, by their names in small letters; the first of each counts."""
    found = list(_FIELD.finditer(text))
    fields: dict[str, str] = {}
    for at, each in enumerate(found):
        name = re.sub("[ _]", "", each[1].lower())
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        fields.setdefault(_NAMES.get(name, name), text[each.end() : end].strip(" \0\r\n\t,;|"))
        if name == "text":  # the rest is somebody's words
            break
    return fields


def date_of(digits: str) -> int | None:
    """Seconds since the epoch of YYMMDDhhmm, YYMMDDhhmmss or YYYYMMDDhhmmss, as if it were UTC.

    12 digits are YYMMDDhhmmss, and only where that is no date YYYYMMDDhhmm. None for what is no date.
    """
    for form in (
        (r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?", 2000),
        (r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?", 0),
    ):
        parts = re.fullmatch(form[0], digits)
        if parts is None:
            continue
        year, month, day, hour, minute, second = (int(each or 0) for each in parts.groups())
        year += form[1]
        if 1 <= month <= 12 and 1 <= day <= _days(year, month) and hour < 24 and minute < 60 and second < 60:
            return timegm((year, month, day, hour, minute, second, 0, 0, 0))
    return None


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _done(fields: Mapping[str, str]) -> str:
    digits = _DIGITS.match(fields.get("donedate", ""))
    return digits[0] if digits and date_of(digits[0]) is not None else ""


def _error(code: TlvValue | None) -> str:
    """network_error_code: a type of network and a code of two octets; some peers write four octets."""
    if not isinstance(code, bytes) or not 3 <= len(code) <= 4:
        return ""
    value = int.from_bytes(code[1:], "big")
    return f"{value:03}" if value else ""


def _clean(value: str, most: int) -> str:
    """What is kept of a word of a peer: printable, without blanks around it, no longer than `most`."""
    return "".join(each for each in value.strip() if each.isprintable())[:most]


@dataclass(frozen=True, slots=True)
class Report:
    """A receipt to write. message_id: as our response called the message. said: a word of appendix B.
    submitted, done: YYMMDDhhmm, in the time that the peer shows."""

    message_id: str
    said: str
    submitted: str
    done: str
    error: str = "000"

    @property
    def octets(self) -> bytes:
        """The text of appendix B. It quotes nothing of the message: its text may be a password."""
        delivered = "001" if self.said == "DELIVRD" else "000"
        return (
            f"id:{self.message_id} sub:001 dlvrd:{delivered} submit date:{self.submitted}"
            f" done date:{self.done} stat:{self.said} err:{self.error} text:"
        ).encode("ascii")

    @property
    def tlvs(self) -> dict[int, TlvValue]:
        """The TLVs, for peers that read them (SMPP 3.4 and up)."""
        return {RECEIPTED_MESSAGE_ID: self.message_id, MESSAGE_STATE: _STATES[self.said]}
