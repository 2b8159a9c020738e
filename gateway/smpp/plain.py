"""The PDUs that make up nearly all of the traffic, in octets and without an object: for the plain cases.

What is not plain goes the checked way of ``codec``, which writes the same octets or says what is wrong. So
nothing here decides what may be sent.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from struct import Struct
from struct import error as PackError  # noqa: N812  as ``compiler`` calls it
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, NoReturn

from gateway.smpp.codec import encode
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import DataSm, DataSmResp, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from gateway.smpp.wire import HEADER, HEADER_LENGTH

_pack_header = HEADER.pack
_IRREGULAR: Final = (LookupError, ValueError, TypeError, AttributeError, PackError)


_LONGEST_ID: Final = 64
_LONGEST_ADDRESS: Final = 20
_RESPONSE_IDS: Final[Mapping[type[Request], int]] = MappingProxyType(
    {SubmitSm: SubmitSmResp.command_id, DataSm: DataSmResp.command_id}
)


def acknowledgement(request: SubmitSm | DataSm, message_id: str) -> bytes:
    """The octets of its response with ESME_ROK and this message_id (SMPP 3.4 sections 4.4.2 and 4.7.2).

    Raises EncodeError when the message_id does not fit.
    """
    try:
        size = len(message_id)
        if size <= _LONGEST_ID and "\0" not in message_id:
            length = HEADER_LENGTH + size + 1
            header = _pack_header(length, _RESPONSE_IDS[request.__class__], 0, request.sequence_number)
            return header + message_id.encode("latin-1") + b"\0"
    except _IRREGULAR:
        pass
    return encode(request.response(sequence_number=request.sequence_number, message_id=message_id))


class Always(NamedTuple):
    """Fields that all SMS to a peer have alike."""

    service_type: str = ""
    priority_flag: int = 0
    validity_period: str = ""
    registered_delivery: int = 0


_NOTHING: Final = Always()


class Template:
    """A deliver_sm or submit_sm without TLVs, from one number to handsets of one spelling (SMPP 3.4
    sections 4.4.1 and 4.6.1).

    It does not change: keep it for the next SMS from that number. ``pdu`` is the class of what it writes,
    ``response_id`` the command_id of the response.
    """

    __slots__ = ("_empty", "_front", "_length", "_middle", "_pack_back")

    pdu: ClassVar[type[DeliverSm | SubmitSm]]
    command_id: ClassVar[int]
    response_id: ClassVar[int]

    def __init__(
        self,
        source_addr_ton: int,
        source_addr_npi: int,
        source_addr: str,
        dest_addr_ton: int,
        dest_addr_npi: int,
        always: Always = _NOTHING,
    ) -> None:
        """Raises EncodeError for a value that does not fit."""
        self._empty = self.pdu(
            service_type=always.service_type,
            source_addr_ton=source_addr_ton,
            source_addr_npi=source_addr_npi,
            source_addr=source_addr,
            dest_addr_ton=dest_addr_ton,
            dest_addr_npi=dest_addr_npi,
            priority_flag=always.priority_flag,
            validity_period=always.validity_period,
            registered_delivery=always.registered_delivery,
        )
        octets = encode(self._empty)
        # Behind destination_addr: its NUL, esm_class, the six fields from protocol_id to
        # replace_if_present_flag, which do not change, data_coding, sm_default_msg_id, sm_length.
        unchanged = 6 + len(always.validity_period)
        back = Struct(f"xB{unchanged}sBxB")
        self._pack_back = back.pack
        self._front = octets[HEADER_LENGTH : -back.size]
        self._middle = octets[2 - back.size : -3]
        self._length = len(octets)

    def octets(
        self, sequence: int, destination: str, esm_class: int, data_coding: int, short_message: bytes
    ) -> bytes:
        """The frame. Raises EncodeError for a value that does not fit; nothing is ever cut."""
        try:
            size, length = len(short_message), len(destination)
            if length <= _LONGEST_ADDRESS and "\0" not in destination:
                header = _pack_header(self._length + length + size, self.command_id, 0, sequence)
                back = self._pack_back(esm_class, self._middle, data_coding, size)
                return header + self._front + destination.encode("latin-1") + back + short_message
        except _IRREGULAR:
            pass
        pdu = replace(
            self._empty,
            sequence_number=sequence,
            destination_addr=destination,
            esm_class=esm_class,
            data_coding=data_coding,
            short_message=short_message,
        )
        return encode(pdu)


class DeliverSmTemplate(Template):
    """Of deliver_sm."""

    __slots__ = ()

    pdu = DeliverSm
    command_id = DeliverSm.command_id
    response_id = DeliverSmResp.command_id


class SubmitSmTemplate(Template):
    """Of submit_sm."""

    __slots__ = ()

    pdu = SubmitSm
    command_id = SubmitSm.command_id
    response_id = SubmitSmResp.command_id


class _Shared(DeliverSmResp):
    """A response that stands for many, so nobody may write into it."""

    __slots__ = ()

    def __init__(self) -> None:
        plain = DeliverSmResp()
        for field in fields(plain):
            object.__setattr__(self, field.name, getattr(plain, field.name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} of a response that is shared")


DELIVERED: Final[DeliverSmResp] = _Shared()
"""Stands for every positive deliver_sm_resp without a message_id; its sequence_number is 0."""
