"""Frames to PDUs and back."""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn

from gateway.smpp.compiler import Decoder, Encoder, compile_decoder, compile_encoder
from gateway.smpp.errors import FrameError, PduError
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import PDUS
from gateway.smpp.status import CommandStatus
from gateway.smpp.wire import HEADER

BY_COMMAND_ID: Final[Mapping[int, type[Pdu]]] = MappingProxyType({pdu.command_id: pdu for pdu in PDUS})

#: By command_id: what makes the PDU out of a whole frame and its header. It raises PduError as decode() does.
DECODERS: Final[Mapping[int, Decoder]] = {pdu.command_id: compile_decoder(pdu) for pdu in PDUS}
_ENCODERS: Final[dict[type[Pdu], Encoder]] = {pdu: compile_encoder(pdu) for pdu in PDUS}

unpack_header = HEADER.unpack_from
"""command_length, command_id, command_status and sequence_number of a frame."""


def decode(frame: bytes) -> Pdu:
    """The PDU that a whole frame holds.

    A request that cannot be accepted, and a command_id that is in no table, raise PduError. A response
    never does: what is wrong with it stands in its ``notes``. FrameError when the octets are not one frame.
    """
    try:
        command_length, command_id, command_status, sequence_number = unpack_header(frame)
    except struct.error:
        raise FrameError(f"{len(frame)} octets are less than a header") from None
    if command_length != len(frame):
        raise FrameError(f"command_length {command_length} on a frame of {len(frame)} octets")
    decoder = DECODERS.get(command_id, unknown_command)
    return decoder(frame, command_length, command_status, sequence_number)


def unknown_command(frame: bytes, _length: int, _command_status: int, sequence_number: int) -> NoReturn:
    """In the place of a decoder, for a command_id that is in no table. Raises PduError."""
    command_id = int.from_bytes(frame[4:8], "big")
    raise PduError(
        f"0x{command_id:08X} is unknown",
        command_status=CommandStatus.RINVCMDID,
        command_id=command_id,
        sequence_number=sequence_number,
        field="command_id",
    )


def encode(pdu: Pdu) -> bytes:
    """The octets of a PDU. Raises EncodeError when a value does not fit its field; nothing is ever cut.

    The body of a response with an error status and no content is left out where SMPP 3.4 says so.
    """
    return _ENCODERS[pdu.__class__](pdu)
