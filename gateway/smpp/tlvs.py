"""The TLVs (optional parameters), as one table, and their stream at the end of a PDU.

SMPP 3.4 section 5.3.2; the rows from 0x0600 to 0x0613 are SMPP 5.0's (section 4.8.4). Which PDU
may carry which TLV is not checked: real peers send them where no table has them, and they are harmless.

Value of a TLV in a PDU: ``int`` for an integer, ``str`` (Latin-1) for a C-octet string, ``bytes`` for
octets and for every tag that the table does not have. A tag that may be repeated has a tuple of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from types import MappingProxyType
from typing import Final

TlvScalar = int | str | bytes
TlvValue = TlvScalar | tuple[TlvScalar, ...]

NO_TLVS: Final[Mapping[int, TlvValue]] = MappingProxyType({})

_HEAD = Struct(">HH")
_MAX_LENGTH = 0xFFFF


class Form(Enum):
    """How the octets of a value are read."""

    INTEGER = "unsigned integer, big endian"
    C_STRING = "C-octet string"
    OCTETS = "octet string"


@dataclass(frozen=True, slots=True)
class Tlv:
    """A row of the table; ``least`` and ``most`` are octets of the value, a C-octet string's NUL included."""

    tag: int
    name: str
    form: Form
    least: int
    most: int
    repeatable: bool = False


def _integer(tag: int, name: str, octets: int = 1, *, repeatable: bool = False) -> Tlv:
    return Tlv(tag, name, Form.INTEGER, octets, octets, repeatable)


def _octets(tag: int, name: str, least: int, most: int, *, repeatable: bool = False) -> Tlv:
    return Tlv(tag, name, Form.OCTETS, least, most, repeatable)


def _c_string(tag: int, name: str, least: int, most: int) -> Tlv:
    return Tlv(tag, name, Form.C_STRING, least, most)


TLVS: Final = (
    _integer(0x0005, "dest_addr_subunit"),
    _integer(0x0006, "dest_network_type"),
    _integer(0x0007, "dest_bearer_type"),
    _integer(0x0008, "dest_telematics_id", 2),
    _integer(0x000D, "source_addr_subunit"),
    _integer(0x000E, "source_network_type"),
    _integer(0x000F, "source_bearer_type"),
    _integer(0x0010, "source_telematics_id"),
    _integer(0x0017, "qos_time_to_live", 4),
    _integer(0x0019, "payload_type"),
    _c_string(0x001D, "additional_status_info_text", 1, 256),
    _c_string(0x001E, "receipted_message_id", 1, 65),
    _integer(0x0030, "ms_msg_wait_facilities"),
    _integer(0x0201, "privacy_indicator"),
    _octets(0x0202, "source_subaddress", 2, 23),
    _octets(0x0203, "dest_subaddress", 2, 23),
    _integer(0x0204, "user_message_reference", 2),
    _integer(0x0205, "user_response_code"),
    _integer(0x020A, "source_port", 2),
    _integer(0x020B, "destination_port", 2),
    _integer(0x020C, "sar_msg_ref_num", 2),
    _integer(0x020D, "language_indicator"),
    _integer(0x020E, "sar_total_segments"),
    _integer(0x020F, "sar_segment_seqnum"),
    _integer(0x0210, "sc_interface_version"),
    _integer(0x0302, "callback_num_pres_ind", repeatable=True),
    _octets(0x0303, "callback_num_atag", 0, 65, repeatable=True),
    _integer(0x0304, "number_of_messages"),
    _octets(0x0381, "callback_num", 4, 19, repeatable=True),
    _integer(0x0420, "dpf_result"),
    _integer(0x0421, "set_dpf"),
    _integer(0x0422, "ms_availability_status"),
    _octets(0x0423, "network_error_code", 3, 3),
    _octets(0x0424, "message_payload", 0, _MAX_LENGTH),
    _integer(0x0425, "delivery_failure_reason"),
    _integer(0x0426, "more_messages_to_send"),
    _integer(0x0427, "message_state"),
    _integer(0x0428, "congestion_state"),
    _integer(0x0501, "ussd_service_op"),
    _integer(0x0600, "broadcast_channel_indicator"),
    _octets(0x0601, "broadcast_content_type", 3, 3),
    _octets(0x0602, "broadcast_content_type_info", 1, 255),
    _integer(0x0603, "broadcast_message_class"),
    _integer(0x0604, "broadcast_rep_num", 2),
    _octets(0x0605, "broadcast_frequency_interval", 3, 3),
    _octets(0x0606, "broadcast_area_identifier", 0, 100, repeatable=True),
    _integer(0x0607, "broadcast_error_status", 4, repeatable=True),
    _integer(0x0608, "broadcast_area_success"),
    _c_string(0x0609, "broadcast_end_time", 16, 17),
    _octets(0x060A, "broadcast_service_group", 1, 255),
    _octets(0x060B, "billing_identification", 1, 1024),
    _c_string(0x060D, "source_network_id", 7, 65),
    _c_string(0x060E, "dest_network_id", 7, 65),
    _octets(0x060F, "source_node_id", 6, 6),
    _octets(0x0610, "dest_node_id", 6, 6),
    _integer(0x0611, "dest_addr_np_resolution"),
    _octets(0x0612, "dest_addr_np_information", 10, 10),
    _octets(0x0613, "dest_addr_np_country", 1, 5),
    _integer(0x1201, "display_time"),
    _integer(0x1203, "sms_signal", 2),
    _octets(0x1204, "ms_validity", 1, 4),
    _octets(0x130C, "alert_on_message_delivery", 0, 1),
    _integer(0x1380, "its_reply_type"),
    _octets(0x1383, "its_session_info", 2, 2),
)

BY_TAG: Final[Mapping[int, Tlv]] = MappingProxyType({row.tag: row for row in TLVS})
TAGS: Final[Mapping[str, int]] = MappingProxyType({row.name: row.tag for row in TLVS})

USER_MESSAGE_REFERENCE: Final = TAGS["user_message_reference"]
SAR_MSG_REF_NUM: Final = TAGS["sar_msg_ref_num"]
SAR_TOTAL_SEGMENTS: Final = TAGS["sar_total_segments"]
SAR_SEGMENT_SEQNUM: Final = TAGS["sar_segment_seqnum"]
SC_INTERFACE_VERSION: Final = TAGS["sc_interface_version"]
CONGESTION_STATE: Final = TAGS["congestion_state"]
MESSAGE_PAYLOAD: Final = TAGS["message_payload"]


MOST_NOTES: Final = 10
"""Of one PDU; the others are counted: they go to the log."""


def name_of(tag: int) -> str:
    """``message_payload``; of a tag that is not in the table its hex, ``0x1403``."""
    row = BY_TAG.get(tag)
    return row.name if row is not None else f"0x{tag:04X}"


def decode_tlvs(frame: bytes, position: int) -> tuple[dict[int, TlvValue], tuple[str, ...], str]:
    """The TLVs from ``position`` to the end of the frame: values by tag, notes, and the fault.

    A value that does not fit its row is kept as octets, and a note says so. The fault is empty, or says
    where the stream breaks; the TLVs in front of that place are returned with it.
    """
    end = len(frame)
    values: dict[int, TlvValue] = {}
    repeated: dict[int, list[TlvScalar]] = {}  # a tuple that grew with each would take the square of the time
    notes: list[str] = []
    fault = ""
    while position < end:
        if end - position < 4:
            fault = f"{end - position} stray octets at the end"
            break
        tag, length = _HEAD.unpack_from(frame, position)
        start = position + 4
        position = start + length
        if position > end:
            fault = f"TLV {name_of(tag)} of {length} octets runs past the PDU"
            break
        octets = frame[start:position]
        row = BY_TAG.get(tag)
        value: TlvScalar = octets if row is None else _read(row, octets, notes)
        if row is not None and row.repeatable:
            if tag not in repeated:
                values[tag], repeated[tag] = (), []  # its place among the others
            repeated[tag].append(value)
        elif tag in values:
            notes.append(f"TLV {name_of(tag)} repeated: the first one counts")
        else:
            values[tag] = value
    for tag, those in repeated.items():
        values[tag] = tuple(those)
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"{len(notes) - MOST_NOTES} more of that kind"]
    return values, tuple(notes), fault


def _read(row: Tlv, octets: bytes, notes: list[str]) -> TlvScalar:
    """The value of a known TLV, its octets when they do not fit the row."""
    if not row.least <= len(octets) <= row.most:
        notes.append(f"TLV {row.name} of {len(octets)} octets")
        return octets
    if row.form is Form.INTEGER:
        return int.from_bytes(octets, "big")
    if row.form is Form.OCTETS:
        return octets
    text = octets.decode("latin-1")
    if text.endswith("\0"):
        text = text[:-1]
    else:
        notes.append(f"TLV {row.name} without NUL")
        if len(octets) == row.most:
            return octets  # no room for the NUL: as text it could not be sent again
    if "\0" in text:
        notes.append(f"TLV {row.name} with octets after its NUL")
        return octets
    return text


def encode_tlvs(tlvs: Mapping[int, TlvValue]) -> bytes:
    """The octets of the TLVs, in the order of the mapping.

    Octets are written as they are, for a known tag too: what came in irregular can be passed on.
    Raises ValueError with the name of the TLV and what its value must be.
    """
    parts = []
    for tag, value in tlvs.items():
        if not 0 <= tag <= 0xFFFF:
            raise ValueError(f"TLV {tag}", "a tag of two octets")
        for scalar in value if isinstance(value, tuple) else (value,):
            octets = scalar if isinstance(scalar, bytes) else _write(tag, scalar)
            if len(octets) > _MAX_LENGTH:
                raise ValueError(f"TLV {name_of(tag)}", f"at most {_MAX_LENGTH} octets")
            parts.append(_HEAD.pack(tag, len(octets)))
            parts.append(octets)
    return b"".join(parts)


def _write(tag: int, value: int | str) -> bytes:
    """The octets of an integer or a C-octet string; ValueError as encode_tlvs has it."""
    row = BY_TAG.get(tag)
    if row is not None and row.form is Form.INTEGER and isinstance(value, int):
        if 0 <= value < 1 << 8 * row.most:
            return value.to_bytes(row.most, "big")
        raise ValueError(f"TLV {row.name}", f"an integer of {row.most} octets")
    if row is not None and row.form is Form.C_STRING and isinstance(value, str):
        try:
            octets = value.encode("latin-1") + b"\0"
        except UnicodeEncodeError:
            octets = b""
        if row.least <= len(octets) <= row.most and "\0" not in value:
            return octets
        raise ValueError(
            f"TLV {row.name}", f"{row.least - 1} to {row.most - 1} Latin-1 characters without NUL"
        )
    raise ValueError(f"TLV {name_of(tag)}", row.form.value if row is not None else "octets")
