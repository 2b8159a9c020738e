"""How a field of a PDU stands on the wire: the types that the classes of ``pdus`` are annotated with.

SMPP 3.4 section 3.1. The octet that counts a list or a text (``sm_length``, ``number_of_dests``,
``no_unsuccess``) belongs to the type of what it counts, so that the two cannot disagree.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from gateway.smpp.status import CommandStatus

HEADER: Final = Struct(">IIII")
HEADER_LENGTH: Final = HEADER.size
RESPONSE_BIT: Final = 0x80000000

_ERROR_STATUS = Struct(">I")
_MAX_LIST = 255


@dataclass(frozen=True, slots=True)
class Octet:
    """An unsigned integer of one octet."""


@dataclass(frozen=True, slots=True)
class CString:
    """A C-octet string of at most ``size`` octets, its NUL included; a Latin-1 ``str`` in the PDU.

    ``fault`` is the status that answers a longer one.
    """

    size: int
    fault: CommandStatus = CommandStatus.RINVCMDLEN


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """sm_length and short_message: up to 254 octets in SMPP 3.4, up to 255 in 5.0 and in the field."""

    size: int = 255


@dataclass(frozen=True, slots=True)
class DestAddresses:
    """number_of_dests and dest_addresses of submit_multi (SMPP 3.4 section 4.5.1.1)."""


@dataclass(frozen=True, slots=True)
class UnsuccessSmes:
    """no_unsuccess and unsuccess_smes of submit_multi_resp (SMPP 3.4 section 4.5.2.1)."""


WireType = Octet | CString | ShortMessage | DestAddresses | UnsuccessSmes


@dataclass(frozen=True, slots=True)
class SmeAddress:
    """An entry of dest_addresses with dest_flag 1."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


@dataclass(frozen=True, slots=True)
class DistributionList:
    """An entry of dest_addresses with dest_flag 2."""

    dl_name: str = ""


@dataclass(frozen=True, slots=True)
class UnsuccessSme:
    """An entry of unsuccess_smes: a destination that the message was not sent to, and why."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    error_status_code: int = 0


class FieldError(Exception):
    """A field that cannot be read: its name, the reason, the status that says so.

    ``value`` is what is there all the same, for a reader that forgives: a text that is too long
    or ends without NUL.
    """

    def __init__(self, field: str, reason: str, status: CommandStatus, value: str | None = None):
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.status = status
        self.value = value


class Reader:
    """The body of a frame, read field by field. Slow and exact: it names what is wrong.

    The compiled decoders hand over to it as soon as a frame is not as it should be.
    """

    __slots__ = ("_frame", "position")

    def __init__(self, frame: bytes) -> None:
        self._frame = frame
        self.position = HEADER_LENGTH

    def octet(self, field: str) -> int:
        """One octet; FieldError at the end of the frame."""
        if self.position >= len(self._frame):
            raise FieldError(field, "missing", CommandStatus.RINVCMDLEN)
        self.position += 1
        return self._frame[self.position - 1]

    def c_string(self, field: str, wire: CString) -> str:
        """A text up to its NUL; FieldError when there is none or it comes too late."""
        start = self.position
        end = self._frame.find(0, start)
        if end < 0:
            self.position = len(self._frame)
            rest = self._frame[start:].decode("latin-1")
            reason = "no NUL" if rest else "missing"
            raise FieldError(field, reason, CommandStatus.RINVCMDLEN, rest)
        self.position = end + 1
        text = self._frame[start:end].decode("latin-1")
        if end - start >= wire.size:
            raise FieldError(field, f"longer than {wire.size} octets", wire.fault, text)
        return text

    def octets(self, field: str, count: int) -> bytes:
        """``count`` octets; FieldError when the frame has fewer."""
        end = self.position + count
        if end > len(self._frame):
            raise FieldError(field, f"the PDU ends inside its {count} octets", CommandStatus.RINVMSGLEN)
        octets = self._frame[self.position : end]
        self.position = end
        return octets


_ADDRESS = CString(21, CommandStatus.RINVDSTADR)
_DL_NAME = CString(21, CommandStatus.RINVDLNAME)


def read_dests(reader: Reader) -> tuple[SmeAddress | DistributionList, ...]:
    """number_of_dests and its entries."""
    return tuple(_read_dest(reader) for _ in range(reader.octet("number_of_dests")))


def _read_dest(reader: Reader) -> SmeAddress | DistributionList:
    flag = reader.octet("dest_flag")
    if flag == 1:
        ton, npi = reader.octet("dest_addr_ton"), reader.octet("dest_addr_npi")
        return SmeAddress(ton, npi, reader.c_string("destination_addr", _ADDRESS))
    if flag == 2:
        return DistributionList(reader.c_string("dl_name", _DL_NAME))
    raise FieldError("dest_flag", f"{flag} is neither 1 nor 2", CommandStatus.RINVDESTFLAG)


def read_unsuccess(reader: Reader) -> tuple[UnsuccessSme, ...]:
    """no_unsuccess and its entries."""
    return tuple(_read_unsuccess(reader) for _ in range(reader.octet("no_unsuccess")))


def _read_unsuccess(reader: Reader) -> UnsuccessSme:
    ton, npi = reader.octet("dest_addr_ton"), reader.octet("dest_addr_npi")
    address = reader.c_string("destination_addr", _ADDRESS)
    (status,) = _ERROR_STATUS.unpack(reader.octets("error_status_code", 4))
    return UnsuccessSme(ton, npi, address, status)


def check_octet(field: str, value: object) -> str:
    """The octet as a Latin-1 character. ValueError with the field and what it must be."""
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise ValueError(field, "an integer of one octet")
    return chr(value)


def check_c_string(field: str, value: object, wire: CString) -> str:
    """The text with its NUL. ValueError with the field and what it must be."""
    ok = isinstance(value, str) and len(value) < wire.size and all("\0" < c <= "\xff" for c in value)
    if not ok:
        raise ValueError(field, f"at most {wire.size - 1} Latin-1 characters without NUL")
    return f"{value}\0"


def write_dests(dests: tuple[SmeAddress | DistributionList, ...]) -> str:
    """number_of_dests and its entries as Latin-1 text. ValueError with the field and what it must be."""
    parts = [_count("dest_addresses", len(dests))]
    for dest in dests:
        if isinstance(dest, DistributionList):
            parts.append("\2" + check_c_string("dl_name", dest.dl_name, _DL_NAME))
        else:
            parts.append("\1" + _write_address(dest))
    return "".join(parts)


def write_unsuccess(entries: tuple[UnsuccessSme, ...]) -> str:
    """no_unsuccess and its entries as Latin-1 text. ValueError with the field and what it must be."""
    parts = [_count("unsuccess_smes", len(entries))]
    for entry in entries:
        if not 0 <= entry.error_status_code < 1 << 32:
            raise ValueError("error_status_code", "an integer of four octets")
        status = _ERROR_STATUS.pack(entry.error_status_code).decode("latin-1")
        parts.append(_write_address(entry) + status)
    return "".join(parts)


def _count(field: str, count: int) -> str:
    if count > _MAX_LIST:
        raise ValueError(field, f"at most {_MAX_LIST} entries")
    return chr(count)


def _write_address(entry: SmeAddress | UnsuccessSme) -> str:
    return (
        check_octet("dest_addr_ton", entry.dest_addr_ton)
        + check_octet("dest_addr_npi", entry.dest_addr_npi)
        + check_c_string("destination_addr", entry.destination_addr, _ADDRESS)
    )
