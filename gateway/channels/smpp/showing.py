"""PDUs as an operator may see them: decoded, without what nobody may see.

A text is shown only where it is known to be none of these: a password or what may hold one (as the parser
says), a text to 050, a part of a long message, or something that no parser has read. Where it is not shown,
neither are its octets, nor the values of TLVs that are texts or octets. A password of a bind is never shown.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from typing import Any, Final

from gateway.channels.contract import Inbound
from gateway.channels.smpp.reading import Carrier, Read, content
from gateway.channels.smpp.watching import Passed, Watch, Watches
from gateway.errors import Refusal
from gateway.smpp.codec import BY_COMMAND_ID, decode, encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.errors import SmppError
from gateway.smpp.long import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS, UDHI
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.pdus import (
    PDUS,
    BindRequest,
    BroadcastSm,
    DataSm,
    DeliverSm,
    Outbind,
    ReplaceSm,
    ShortMessageRequest,
    SubmitMulti,
    SubmitSm,
)
from gateway.smpp.status import name_of as status_name
from gateway.smpp.tlvs import TlvScalar, TlvValue
from gateway.smpp.tlvs import name_of as tlv_name
from gateway.smpp.wire import HEADER_LENGTH

Judge = Callable[[Inbound], str]
"""Why the text of an SMS from a handset may not be shown; "": it may. Pure."""

TEXTS: Final = (ShortMessageRequest, DataSm, SubmitMulti, ReplaceSm, BroadcastSm)
"""What may carry the text of an SMS."""
PASSWORDS: Final = (BindRequest, Outbind)
SAR: Final = (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)

NOT_READ: Final = "nobody reads such a PDU here"
NOT_BOUND: Final = "not bound"
HEADER_BEFORE_TEXT: Final = "a user data header, or a part of a long message"
TWO_TEXTS: Final = "a short_message and a message_payload"
NO_TEXT: Final = "octets that are no text"
MISREAD: Final = "in another alphabet than its data_coding says it may hold a password"
PASSWORD: Final = "<secret>"
NUMBERS_MASKED: Final = "logging.mask_msisdn"
UNREADABLE: Final = "its content cannot be read"
READINGS: Final = ("utf-8", "gbk", "ucs2", "ucs2-le", "gsm-packed")
"""Codecs in which a text may have been written whose data_coding says another: whoever watches may be looking
for that very fault, and can read the octets as they were meant."""
_FIRST: Final = 0x40  # data_codings that mean nothing in particular
_READERS: Final = Alphabet.from_config({_FIRST + n: codec for n, codec in enumerate(READINGS)}, "gsm")
_LEGIBLE: Final = re.compile("[ -~\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")
"""A text of ASCII and Chinese characters, as a password or an instruction is."""
NO_READERS: Final[Mapping[str, Read]] = MappingProxyType({})
_HEADER: Final = frozenset(each.name for each in fields(Pdu))
_BODIES: Final = {pdu: tuple(each.name for each in fields(pdu) if each.name not in _HEADER) for pdu in PDUS}


class Watching:
    """Opens watches for operators. now_ms: milliseconds since the epoch. broken: told of a bug met while a
    PDU is shown."""

    def __init__(
        self,
        watches: Watches,
        display: "Display",
        now_ms: Callable[[], int],
        broken: Callable[[Exception], None],
    ) -> None:
        self._watches = watches
        self._display = display
        self._now_ms = now_ms
        self._broken = broken

    def watch(self, account: str, connection: str, *, octets: bool) -> "DisplayedWatch":
        """Watch an account or a connection; octets: show those too. Raises CannotWatch."""
        watch = self._watches.open(account, connection, self._now_ms)
        return DisplayedWatch(watch, self._display, self._broken, octets=octets)


class DisplayedWatch:
    """A watch whose PDUs come as mappings of plain values."""

    def __init__(
        self, watch: Watch, display: "Display", broken: Callable[[Exception], None], *, octets: bool
    ) -> None:
        self._watch = watch
        self._display = display
        self._broken = broken
        self._with_octets = octets

    @property
    def dropped(self) -> int:
        """PDUs that found no room since the start."""
        return self._watch.dropped

    def take(self, most: int) -> list[dict[str, Any]]:
        """What passed first."""
        return [self._shown(each) for each in self._watch.take(most)]

    def _shown(self, passed: Passed) -> dict[str, Any]:
        try:
            return self._display.shown(passed, octets=self._with_octets)
        except Exception as error:  # the boundary for bugs while a PDU is shown: the next one is
            self._broken(error)
            return {
                "at": passed.at,
                "remote": passed.peer,
                "said": f"a PDU met a bug: {type(error).__name__}",
            }

    def close(self) -> None:
        """Watch no more."""
        self._watch.close()


class Display:
    """Shows what passed. alphabets, readers: by account; readers of those whose PDUs are not read as usual.
    judge: see Judge. masked: whether numbers are hidden, and so all texts and octets, in which numbers may
    stand. centres: accounts at which we are the ESME."""

    def __init__(
        self,
        alphabets: Mapping[str, Alphabet],
        judge: Judge,
        *,
        masked: bool = False,
        readers: Mapping[str, Read] = NO_READERS,
        centres: Collection[str] = (),
    ) -> None:
        self._centres = centres
        self._alphabets = alphabets
        self._readers = readers
        self._judge = judge
        self._masked = masked

    def shown(self, passed: Passed, *, octets: bool) -> dict[str, Any]:
        """One PDU, or what happened. hidden: why its text is not shown, "" where there is nothing to hide.

        octets: with those as hexadecimal digits, `**` for each that is hidden.
        """
        about = {"at": passed.at, "remote": passed.peer, "account": passed.account}
        if passed.said:
            return about | {"said": passed.said}
        frame = passed.octets
        about |= {"direction": "in" if passed.incoming else "out"}
        try:
            pdu = decode(frame)
        except SmppError as error:
            about |= _header_of(frame) | {"broken": str(error), "hidden": UNREADABLE}
            return about | ({"hex": _hex(frame, HEADER_LENGTH)} if octets else {})
        text, hidden = self._text(passed, pdu)
        about |= _header_of(frame) | {
            "fields": _fields(pdu),
            "tlvs": _tlvs(pdu, bare=bool(hidden) or self._masked),
        }
        if pdu.notes:
            about["notes"] = list(pdu.notes)
        if text is not None:
            about["text"] = text
        about["hidden"] = hidden
        if octets:
            about["hex"] = _hex(frame, self._visible(pdu, frame, hidden))
        return about

    def _text(self, passed: Passed, pdu: Pdu) -> tuple[str | None, str]:
        """The text of an SMS where it may be shown, and why it may not."""
        if passed.hidden:
            return None, passed.hidden
        if isinstance(pdu, PASSWORDS):
            return None, "the password of a bind"
        if not isinstance(pdu, TEXTS):
            return None, ""
        if self._masked:
            return None, NUMBERS_MASKED
        alphabet = self._alphabets.get(passed.account)
        if alphabet is None:
            return None, NOT_BOUND
        if passed.incoming:
            read_here = (DeliverSm, DataSm) if passed.account in self._centres else (SubmitSm, DataSm)
            read = self._readers.get(passed.account, content)
            text, hidden = (
                self._from_handset(pdu, alphabet, read) if isinstance(pdu, read_here) else ("", NOT_READ)
            )
        else:
            text, hidden = _to_handset(pdu, alphabet)
        if not hidden and "\ufffd" in text:
            hidden = NO_TEXT
        return (None, hidden) if hidden else (text, "")

    def _from_handset(self, pdu: Carrier, alphabet: Alphabet, read: Read) -> tuple[str, str]:
        if hidden := _in_pieces(pdu):
            return "", hidden
        try:
            inbound = read(_NOBODY, alphabet, pdu, 0.0)
        except Refusal as refusal:
            return "", refusal.reason
        text = alphabet.decode(inbound.octets, inbound.data_coding)
        return text, self._judge(inbound) or self._misread(inbound, text)

    def _misread(self, inbound: Inbound, text: str) -> str:
        """Why a text may not be shown that is another one if its data_coding is wrong."""
        if text.isascii() and text.isprintable() and 0 not in inbound.octets:  # in GSM 7-bit 0x00 is @
            return ""
        for data_coding in range(_FIRST, _FIRST + len(READINGS)):
            meant = _READERS.decode(inbound.octets, data_coding)
            if meant != text and _LEGIBLE.fullmatch(meant):
                other = replace(inbound, alphabet=_READERS, data_coding=data_coding)
                if self._judge(other):
                    return MISREAD
        return ""

    def _visible(self, pdu: Pdu, frame: bytes, hidden: str) -> int:
        """How many octets from the first on may be shown."""
        if self._masked:
            return HEADER_LENGTH
        return _before_content(pdu, frame) if hidden or _holds_more(pdu) else len(frame)


_NOBODY: Any = None
"""The bind of an SMS that is only looked at."""


def _to_handset(pdu: Pdu, alphabet: Alphabet) -> tuple[str, str]:
    """Only what the session knows comes here without a reason to hide it."""
    if not isinstance(pdu, DeliverSm | SubmitSm):
        return "", NOT_READ
    payload = pdu.tlvs.get(MESSAGE_PAYLOAD)
    octets = payload if isinstance(payload, bytes) and payload else pdu.short_message
    return alphabet.decode(octets, pdu.data_coding), _in_pieces(pdu)


def _in_pieces(pdu: SubmitSm | DataSm | DeliverSm) -> str:
    """Why the octets of an SMS may be more, or less, than its text."""
    if pdu.esm_class & UDHI or any(tag in pdu.tlvs for tag in SAR):
        return HEADER_BEFORE_TEXT
    if getattr(pdu, "short_message", b"") and MESSAGE_PAYLOAD in pdu.tlvs:
        return TWO_TEXTS
    return ""


def _header_of(frame: bytes) -> dict[str, Any]:
    """What the header says."""
    command_id, status, sequence = (int.from_bytes(frame[at : at + 4], "big") for at in (4, 8, 12))
    known = BY_COMMAND_ID.get(command_id)
    name = known.name if known is not None else f"0x{command_id:08X}"
    is_answer = bool(status) or (known is not None and issubclass(known, Response))
    return {
        "command": name,
        "command_status": status_name(status) if is_answer else None,
        "sequence_number": sequence,
        "command_length": len(frame),
    }


def _fields(pdu: Pdu) -> dict[str, Any]:
    """The mandatory fields. Of a text the number of octets; of a password nothing."""
    shown: dict[str, Any] = {}
    for name in _BODIES[type(pdu)]:
        value = getattr(pdu, name)
        if name == "password":
            value = PASSWORD
        elif isinstance(value, bytes):
            value = {"octets": len(value)}
        elif isinstance(value, tuple):
            value = [asdict(each) for each in value]
        shown[name] = value
    return shown


def _tlvs(pdu: Pdu, *, bare: bool) -> dict[str, Any]:
    """The TLVs by name. Octets are counted; bare: texts too, for they may quote what is hidden."""
    return {tlv_name(tag): _tlv(value, bare=bare) for tag, value in pdu.tlvs.items()}


def _tlv(value: TlvValue, *, bare: bool) -> Any:
    if isinstance(value, tuple):
        return [_scalar(each, bare=bare) for each in value]
    return _scalar(value, bare=bare)


def _scalar(value: TlvScalar, *, bare: bool) -> Any:
    if isinstance(value, bytes) or (bare and isinstance(value, str)):
        return {"octets": len(value)}
    return value


def _holds_more(pdu: Pdu) -> bool:
    """Whether an SMS has octets of no field and no text that was read: a TLV of a vendor, say."""
    return isinstance(pdu, TEXTS) and (
        bool(pdu.notes)
        or any(not isinstance(value, int | str) for tag, value in pdu.tlvs.items() if tag != MESSAGE_PAYLOAD)
    )


def _before_content(pdu: Pdu, frame: bytes) -> int:
    """How many octets stand before what is hidden: those that the PDU without that is encoded to.

    Where its octets are others than we would write, only the header: nobody can say what the rest is.
    """
    if isinstance(pdu, PASSWORDS):
        end = HEADER_LENGTH + len(pdu.system_id) + 1
        return end if frame[HEADER_LENGTH : end - 1] == pdu.system_id.encode("latin-1") else HEADER_LENGTH
    if isinstance(pdu, DataSm):
        empty: Pdu = replace(pdu, tlvs={})
        count = 0
    elif isinstance(pdu, ShortMessageRequest):
        empty = replace(pdu, tlvs={}, short_message=b"")
        count = 1  # sm_length
    else:
        return HEADER_LENGTH
    octets = encode(empty)
    end = len(octets) - count
    return end if frame[HEADER_LENGTH:end] == octets[HEADER_LENGTH:end] else HEADER_LENGTH


def _hex(frame: bytes, visible: int) -> str:
    return frame[:visible].hex() + "**" * (len(frame) - visible)
