"""From a submit_sm, deliver_sm or data_sm to an Inbound: what an SMS is, and its place in a long message.

A value that, followed, would change what an SMS means or when it is executed, and that we cannot follow, is
refused. A value without such an effect is taken with a note. In a deliver_sm all of them are noted: SMPP has
them empty there, and a refusal would silence the handset (docs/decisions/025-fields.md).
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.channels.contract import Alphabet, Bind, Inbound
from gateway.channels.smpp.settings import NUMBERING_PLANS, TYPES_OF_NUMBER
from gateway.errors import Refusal, Verdict
from gateway.message import PartHeader
from gateway.smpp.coding import Alphabet as SmppAlphabet
from gateway.smpp.long import BrokenUdhError, part_of
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.times import end_of
from gateway.smpp.tlvs import TAGS, USER_MESSAGE_REFERENCE, encode_tlvs

Carrier: TypeAlias = SubmitSm | DeliverSm | DataSm
"""A PDU that carries an SMS."""
Read: TypeAlias = Callable[[Bind, Alphabet, Carrier, float], Inbound]
"""Reads what comes on a bind, as Reader.read does."""
Note: TypeAlias = Callable[[Bind, Carrier, str], None]
"""Takes what is odd about it."""
PASSED: Final = 1024
"""Octets of TLVs that a reply takes over from its cause, heads included; it has none of more."""

MESSAGE_TYPE: Final = 0x3C
"""Bits of esm_class that say what an SMS is; only 0, a plain message, is a text (SMPP 3.4 section 5.2.12)."""
_MODE: Final = 0x03
_MODES: Final = {0x01: "datagram", 0x02: "transaction"}
"""Messaging modes that ask for more than to be stored and forwarded."""
_QOS_TIME_TO_LIVE: Final = TAGS["qos_time_to_live"]
_MARK: Final = 0xEF
"""No byte order mark begins with a lower octet (EF BB BF, FE FF, FF FE)."""
_MARKS: Final = {
    "ucs2": (b"\xfe\xff", b"\xff\xfe"),
    "ucs2-le": (b"\xfe\xff", b"\xff\xfe"),
    "utf-8": (b"\xef\xbb\xbf",),
}
"""Byte order marks by codec (gateway.smpp.coding)."""

_ADDRESSES: Final[tuple[tuple[str, Callable[[int], bool]], ...]] = (
    ("source_addr_ton", lambda value: value not in TYPES_OF_NUMBER),
    ("source_addr_npi", lambda value: value not in NUMBERING_PLANS),
    ("dest_addr_ton", lambda value: value not in TYPES_OF_NUMBER),
    ("dest_addr_npi", lambda value: value not in NUMBERING_PLANS),
    ("registered_delivery", lambda value: value > 0x1F),
)
_FLAGS: Final[tuple[tuple[str, Callable[[int], bool]], ...]] = (
    ("priority_flag", lambda value: value > 3),
    ("replace_if_present_flag", lambda value: value > 0),
    ("sm_default_msg_id", lambda value: value > 0),
)
"""Octets that are noted when this is true: of every message; of those that are no data_sm."""


def message_type(pdu: Carrier) -> int:
    """What a message is: 0 for a text of a person (the bits of MESSAGE_TYPE)."""
    return pdu.esm_class & MESSAGE_TYPE


def reader_of(read: Read, prefix: str, passes: frozenset[int]) -> Read:
    """How PDUs of an account or link are read, on top of `read`. prefix: what its peer puts before numbers of
    the service. passes: tags of the TLVs that a reply takes over."""
    return Rewriting(read, prefix, passes).read if prefix or passes else read


class Reader:
    """Reads what comes. now_ms: the wall clock (ms since the epoch). note: takes what is odd."""

    __slots__ = ("_note", "_now_ms")

    def __init__(self, now_ms: Callable[[], int], note: Note) -> None:
        self._now_ms = now_ms
        self._note = note

    def read(self, bind: Bind, alphabet: Alphabet, pdu: Carrier, arrived: float) -> Inbound:
        """The SMS in a request; blanks around an address are padding and part of neither.

        Raises Refusal for what is no plain message, has a user data header that is longer than itself, or
        asks for what cannot be done.
        """
        if isinstance(pdu, DataSm):
            inbound = plain(bind, alphabet, pdu, arrived)
            self._read_unusual(inbound, pdu)
            return inbound
        # What plain() does stands here once more: a call, and asking twice for a field, cost every SMS.
        octets, esm_class = pdu.short_message, pdu.esm_class
        source_ton, source_npi = pdu.source_addr_ton, pdu.source_addr_npi
        ton, npi = pdu.dest_addr_ton, pdu.dest_addr_npi
        inbound = Inbound(
            bind,
            pdu,
            pdu.sequence_number,
            arrived,
            pdu.source_addr.strip(" "),
            source_ton,
            source_npi,
            pdu.destination_addr.strip(" "),
            ton,
            npi,
            esm_class,
            pdu.data_coding,
            octets,
            alphabet,
        )
        if (
            not octets
            or esm_class
            or pdu.tlvs
            or not octets[-1]
            or octets[0] >= _MARK
            or pdu.schedule_delivery_time
            or pdu.validity_period
            or pdu.registered_delivery
            or pdu.replace_if_present_flag
            or pdu.sm_default_msg_id
            or pdu.priority_flag > 3
            or source_ton | ton > 3  # the usual ones are 0, 1 and 2
            or source_npi | npi > 1
        ):
            self._read_unusual(inbound, pdu)
        return inbound

    def _read_unusual(self, inbound: Inbound, pdu: Carrier) -> None:
        """What nearly no SMS has."""
        _read_headers(inbound, pdu)
        notes = [f"{field} {getattr(pdu, field)}" for field, odd in _ADDRESSES if odd(getattr(pdu, field))]
        if isinstance(pdu, DataSm):
            self._read_life(inbound, pdu)
        else:
            notes += [f"{field} {getattr(pdu, field)}" for field, odd in _FLAGS if odd(getattr(pdu, field))]
            if isinstance(pdu, SubmitSm):
                _refuse_wishes(pdu)
            elif pdu.schedule_delivery_time:
                notes.append("schedule_delivery_time")
            if pdu.validity_period:
                self._read_validity(inbound, pdu, notes)
        if not isinstance(pdu, DeliverSm) and (mode := _MODES.get(pdu.esm_class & _MODE)):
            notes.append(f"{mode} mode")
        inbound.registered = pdu.registered_delivery
        notes += _around(inbound)
        if notes:
            self._note(inbound.bind, pdu, "; ".join(notes))

    def _read_validity(self, inbound: Inbound, pdu: SubmitSm | DeliverSm, notes: list[str]) -> None:
        try:
            inbound.expires_at = end_of(pdu.validity_period, self._now_ms())
        except ValueError as error:
            if isinstance(pdu, SubmitSm):
                raise Refusal(Verdict.BAD_VALIDITY, f"validity_period: {error}") from error
            notes.append(f"validity_period: {error}")

    def _read_life(self, inbound: Inbound, pdu: DataSm) -> None:
        seconds = pdu.tlvs.get(_QOS_TIME_TO_LIVE)
        if isinstance(seconds, int) and seconds:
            inbound.expires_at = self._now_ms() + 1000 * seconds


def plain(bind: Bind, alphabet: Alphabet, pdu: Carrier, arrived: float) -> Inbound:
    """The SMS in a request as it stands in its mandatory fields."""
    return Inbound(
        bind,
        pdu,
        pdu.sequence_number,
        arrived,
        pdu.source_addr.strip(" "),
        pdu.source_addr_ton,
        pdu.source_addr_npi,
        pdu.destination_addr.strip(" "),
        pdu.dest_addr_ton,
        pdu.dest_addr_npi,
        pdu.esm_class,
        pdu.data_coding,
        b"" if isinstance(pdu, DataSm) else pdu.short_message,
        alphabet,
    )


def content(bind: Bind, alphabet: Alphabet, pdu: Carrier, arrived: float) -> Inbound:
    """The text in a request, whatever its other fields say. Raises Refusal for what has none."""
    inbound = plain(bind, alphabet, pdu, arrived)
    _read_headers(inbound, pdu)
    return inbound


def _refuse_wishes(pdu: SubmitSm) -> None:
    """Raises Refusal for a submit_sm that asks for what would make another SMS of it."""
    if pdu.schedule_delivery_time:
        raise Refusal(Verdict.BAD_SCHEDULE, "schedule_delivery_time: an SMS is executed when it comes")
    if pdu.replace_if_present_flag > 1:
        flag = pdu.replace_if_present_flag
        raise Refusal(Verdict.BAD_REPLACE, f"replace_if_present_flag {flag}: must be 0 or 1")
    if pdu.sm_default_msg_id:
        raise Refusal(
            Verdict.PREDEFINED, f"sm_default_msg_id {pdu.sm_default_msg_id}: there are no such texts"
        )


def _read_headers(inbound: Inbound, pdu: Carrier) -> None:
    """What stands in esm_class, the user data header and the TLVs."""
    if message_type(pdu):
        raise Refusal(Verdict.NOT_A_MESSAGE, f"esm_class 0x{pdu.esm_class:02X} is no plain message")
    try:
        header, inbound.octets = part_of(inbound.octets, pdu.esm_class, pdu.tlvs)
    except BrokenUdhError as error:
        raise Refusal(Verdict.UNREADABLE, str(error)) from error
    if header is not None:
        inbound.part = PartHeader(header.kind, header.reference, header.total, header.number)
    reference = pdu.tlvs.get(USER_MESSAGE_REFERENCE)
    inbound.reference = reference if isinstance(reference, int) else None


def _around(inbound: Inbound) -> list[str]:
    """What the alphabet drops at both ends of a text: a byte order mark, NULs."""
    alphabet = inbound.alphabet
    assert isinstance(alphabet, SmppAlphabet)
    codec = alphabet.codec_of.get(inbound.data_coding, alphabet.latin)
    octets, part = inbound.octets, inbound.part
    notes = []
    if (part is None or part.number == 1) and octets.startswith(_MARKS.get(codec, ())):
        notes.append("a byte order mark")
    nul = b"\0\0" if codec.startswith("ucs2") else b"\0"
    if (part is None or part.number == part.total) and codec != "binary" and octets.endswith(nul):
        notes.append("a NUL at the end of the text")
    return notes


class Rewriting:
    """Reads the PDUs of a peer that writes numbers of the service in its own way, or whose TLVs come back."""

    def __init__(self, read: Read, prefix: str, passes: frozenset[int]) -> None:
        self._read = read
        self._prefix = prefix
        self._passes = passes

    def read(self, bind: Bind, alphabet: Alphabet, pdu: Carrier, arrived: float) -> Inbound:
        """As the other, without the prefix and with the TLVs. Raises Refusal as that does."""
        inbound = self._read(bind, alphabet, pdu, arrived)
        inbound.destination = inbound.destination.removeprefix(self._prefix) or inbound.destination
        passed = {tag: value for tag, value in pdu.tlvs.items() if tag in self._passes}
        if passed:
            octets = encode_tlvs(passed)
            inbound.tlvs = octets if len(octets) <= PASSED else b""
        return inbound
