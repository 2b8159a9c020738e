"""The SMS of a handset, the conditions it waits for, and the mailbox that joins long messages. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.simulator.errors import CannotSendError, MailboxFullError, SimulatorError
from gateway.simulator.layout import visible
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Added, MessageTooLongError, PartSet, Segment, Tlvs, part_of, segments

UNREAD_LIMIT: Final = 1000
"""Unread SMS that a handset keeps; it refuses further ones."""

UNFINISHED_LIMIT: Final = 16
"""Incomplete long messages that a handset may hold."""

AUTO: Final = "auto"
"""The default encoding of a handset: GSM 7-bit if it has every character, else UCS-2."""

# The other encodings: data_coding and Python codec.
_FORCED: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {"ascii": (1, "ascii"), "ucs2": (8, "utf-16-be"), "gbk": (15, "gb18030")}
)
ENCODINGS: Final = (AUTO, *_FORCED)
"""The encodings that `encode` accepts."""

_SMS_OCTETS: Final = 140


@dataclass(frozen=True, slots=True)
class Sms:
    """A complete SMS: source, destination and text. Mobiles have 11 digits, without 86."""

    sender: str
    receiver: str
    text: str

    @property
    def line(self) -> str:
        """Who sent what, on one line, for display."""
        return visible(f"{self.sender}: {self.text}")


@dataclass(frozen=True, slots=True)
class Expectation:
    """The SMS that a handset waits for; fields that are None do not matter.

    text: the whole text, exactly. regex: found anywhere in the text. sender: matches the whole
    sending number, so that plain digits mean that very number.
    """

    text: str | None = None
    regex: re.Pattern[str] | None = None
    sender: re.Pattern[str] | None = None

    @classmethod
    def of(
        cls, regex: str | None = None, text: str | None = None, sender: str | None = None
    ) -> "Expectation":
        """Compile patterns. Raises re.error."""
        return cls(
            text,
            None if regex is None else re.compile(regex, re.DOTALL),
            None if sender is None else re.compile(sender),
        )

    def groups(self, sms: Sms) -> dict[str, str] | None:
        """Return the named groups that matched in text and sender; None if `sms` does not match."""
        found: dict[str, str] = {}
        if self.text is not None and sms.text != self.text:
            return None
        for pattern, match in (
            (self.regex, self.regex and self.regex.search(sms.text)),
            (self.sender, self.sender and self.sender.fullmatch(sms.sender)),
        ):
            if pattern is None:
                continue
            if match is None:
                return None
            found.update((name, value) for name, value in match.groupdict().items() if value is not None)
        return found

    def __str__(self) -> str:
        wished = [f"from {self.sender.pattern}"] if self.sender is not None else []
        if self.text is not None:
            wished.append(f"with text {self.text!r}")
        if self.regex is not None:
            wished.append(f"with /{self.regex.pattern}/")
        return " ".join(["an SMS", *wished])


class MissedError(SimulatorError, AssertionError):
    """The awaited SMS did not come in time. instead: the unread SMS of the handset."""

    def __init__(
        self, receiver: str, expectation: Expectation, within: float, instead: tuple[Sms, ...]
    ) -> None:
        came = "".join(f"\n  came instead: {sms.line}" for sms in instead)
        super().__init__(f"{receiver} expected {expectation} within {within:g} s{came or ', nothing came'}")
        self.receiver = receiver
        self.expectation = expectation
        self.within = within
        self.instead = instead


class UnexpectedError(SimulatorError, AssertionError):
    """An unwanted SMS came."""

    def __init__(self, receiver: str, expectation: Expectation, sms: Sms) -> None:
        super().__init__(f"{receiver} expected not to get {expectation}\n  came: {sms.line}")
        self.receiver = receiver
        self.expectation = expectation
        self.sms = sms


@dataclass(frozen=True, slots=True)
class Received:
    """One delivered PDU as plain values, independent of the client library that received it."""

    sender: str
    octets: bytes
    data_coding: int
    esm_class: int
    tlvs: Tlvs


class Mailbox:
    """The SMS of one handset: joins long messages, and keeps unread SMS."""

    def __init__(self, owner: str, alphabet: Alphabet) -> None:
        self.owner = owner
        self.unread: list[Sms] = []
        self._alphabet = alphabet
        self._unfinished: dict[tuple[str, str, int, int], PartSet] = {}

    def put(self, received: Received) -> Sms | None:
        """Add one PDU. Returns the SMS that it completes; None while parts are missing.

        Raises MailboxFullError, and BrokenUdhError for a user data header that cannot be read.
        """
        if len(self.unread) >= UNREAD_LIMIT:
            raise MailboxFullError(f"{self.owner} has {UNREAD_LIMIT} unread SMS")
        text = self._text(received)
        if text is None:
            return None
        sms = Sms(bare(received.sender), self.owner, text)
        self.unread.append(sms)
        return sms

    def take(self, expectation: Expectation) -> Sms | None:
        """Take out the oldest unread SMS that matches; None if there is none."""
        for place, sms in enumerate(self.unread):
            if expectation.groups(sms) is not None:
                return self.unread.pop(place)
        return None

    def _text(self, received: Received) -> str | None:
        """Return the whole text, or None while parts are missing."""
        header, octets = part_of(received.octets, received.esm_class, received.tlvs)
        if header is None:
            return self._alphabet.decode_piece(octets, received.data_coding, marked=True, padded=False)
        key = (received.sender, header.kind, header.reference, header.total)
        parts = self._unfinished.get(key)
        if parts is None:
            parts = self._begin(key)
        added = parts.add(header.number, octets, received.data_coding)
        if added is Added.CONFLICT:  # the reference came round again: the older message stays unfinished
            del self._unfinished[key]
            added = self._begin(key).add(header.number, octets, received.data_coding)
        if added is not Added.COMPLETE:
            return None
        return self._unfinished.pop(key).text(self._alphabet, padded=False)

    def _begin(self, key: tuple[str, str, int, int]) -> PartSet:
        if len(self._unfinished) >= UNFINISHED_LIMIT:
            raise MailboxFullError(f"{self.owner} waits for parts of {UNFINISHED_LIMIT} long SMS")
        return self._unfinished.setdefault(key, PartSet(key[3]))


def bare(address: str) -> str:
    """Strip +86, 86 or 0086 from a mobile number; return any other address unchanged."""
    digits = address.removeprefix("+")
    for prefix in ("86", "0086"):
        if digits.startswith(prefix + "1") and len(digits) == len(prefix) + 11:
            return digits.removeprefix(prefix)
    return address


def encode(text: str, alphabet: Alphabet, reference: int, encoding: str = AUTO) -> list[Segment]:
    """Encode a text as the SMS that a handset sends. encoding: one of ENCODINGS; all but `auto` make one SMS.

    Raises CannotSendError when a character is not in the encoding or the text is too long, and KeyError for
    an encoding that does not exist.
    """
    try:
        if encoding == AUTO:
            return segments(text, alphabet, reference, "udh8")
        data_coding, codec = _FORCED[encoding]
        octets = text.encode(codec)
    except MessageTooLongError as error:
        raise CannotSendError(f"cannot send as {encoding}: {error}") from error
    except UnicodeEncodeError as error:
        lacking = f"it has no {text[error.start]!r}, character {error.start + 1} of the text"
        raise CannotSendError(f"cannot send as {encoding}: {lacking}") from error
    if len(octets) > _SMS_OCTETS:
        raise CannotSendError(
            f"{len(octets)} octets as {encoding}, one SMS holds {_SMS_OCTETS}: send it as {AUTO}"
        )
    return [Segment(octets, data_coding)]
