"""Versions of SMPP: what a peer of each can read, and PDUs as it can read them.

A session has the version that its bind has settled (``of_bind``, ``of_response``). What is not known to that
version never leaves: TLVs and long message ids not to a peer of 3.3, statuses of 5.0 only to one of 5.0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from gateway.smpp.codec import encode
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdu import Pdu, Request, Response
from gateway.smpp.pdus import (
    BindRequest,
    BindResponse,
    BindTransceiver,
    DataSm,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    UnbindResp,
)
from gateway.smpp.plain import acknowledgement
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import (
    CONGESTION_STATE,
    MESSAGE_PAYLOAD,
    NO_TLVS,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
)

MOST_CONGESTED: Final = 100

_S = CommandStatus
_BEFORE_50: Final[Mapping[int, CommandStatus]] = MappingProxyType(
    {
        _S.RSERTYPUNAUTH: _S.RINVSERTYP,
        _S.RPROHIBITED: _S.RINVCMDID,
        _S.RSERTYPUNAVAIL: _S.RINVSERTYP,
        _S.RSERTYPDENIED: _S.RINVSERTYP,
        _S.RINVDCS: _S.RX_P_APPN,
        _S.RINVSRCADDRSUBUNIT: _S.RINVSRCADR,
        _S.RINVDSTADDRSUBUNIT: _S.RINVDSTADR,
        _S.RINVBCASTFREQINT: _S.RINVCMDID,
        _S.RINVBCASTALIAS_NAME: _S.RINVCMDID,
        _S.RINVBCASTAREAFMT: _S.RINVCMDID,
        _S.RINVNUMBCAST_AREAS: _S.RINVCMDID,
        _S.RINVBCASTCNTTYPE: _S.RINVCMDID,
        _S.RINVBCASTMSGCLASS: _S.RINVCMDID,
        _S.RBCASTFAIL: _S.RINVCMDID,
        _S.RBCASTQUERYFAIL: _S.RINVCMDID,
        _S.RBCASTCANCELFAIL: _S.RINVCMDID,
        _S.RINVBCAST_REP: _S.RINVCMDID,
        _S.RINVBCASTSRVGRP: _S.RINVCMDID,
        _S.RINVBCASTCHANIND: _S.RINVCMDID,
    }
)
"""What stands for a status of 5.0: as permanent as that one."""
_BEFORE_34: Final[Mapping[int, CommandStatus]] = MappingProxyType(
    {
        **_BEFORE_50,
        _S.RINVTLVSTREAM: _S.RINVCMDLEN,  # without TLVs they are octets behind the end of the PDU
        _S.RTLVNOTALLWD: _S.RINVCMDLEN,
        _S.RINVTLVLEN: _S.RINVCMDLEN,
        _S.RMISSINGTLV: _S.RINVCMDLEN,
        _S.RINVTLVVAL: _S.RINVCMDLEN,
        _S.RDELIVERYFAILURE: _S.RX_P_APPN,
        _S.RUNKNOWNERR: _S.RX_P_APPN,
    }
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Version:
    """What a peer of one version can read.

    octet: as interface_version. tlvs: whether it reads them at all. longest_id: characters of a message_id.
    congestion: whether it knows congestion_state. instead: what stands for a status that it does not know.
    """

    name: str
    octet: int
    tlvs: bool
    longest_id: int
    congestion: bool
    instead: Mapping[int, CommandStatus]

    def status(self, command_status: int) -> int:
        """This status, or what stands for it."""
        return self.instead.get(command_status, command_status)

    def id_of(self, message_id: str) -> str:
        """The name that a peer gets for an SMS: the end of ours where that is too long."""
        return message_id[-self.longest_id :]


V33: Final = Version(name="3.3", octet=0x33, tlvs=False, longest_id=8, congestion=False, instead=_BEFORE_34)
V34: Final = Version(name="3.4", octet=0x34, tlvs=True, longest_id=64, congestion=False, instead=_BEFORE_50)
V50: Final = Version(
    name="5.0", octet=0x50, tlvs=True, longest_id=64, congestion=True, instead=MappingProxyType({})
)
VERSIONS: Final[Mapping[str, Version]] = MappingProxyType({each.name: each for each in (V33, V34, V50)})
"""By the name that settings use."""
_OCTETS: Final = frozenset(each.octet for each in VERSIONS.values())


def of_octet(octet: int) -> Version:
    """The version of a peer that says this as its interface_version: the newest one that it reaches."""
    return V50 if octet >= V50.octet else V34 if octet >= V34.octet else V33


def of_bind(request: BindRequest) -> tuple[Version, str]:
    """The version of an ESME that binds, and what is odd about it; "" for nothing."""
    octet = request.interface_version
    version = of_octet(octet)
    if octet not in _OCTETS:
        return version, f"interface_version 0x{octet:02X}: taken as {version.name}"
    if version is V33 and isinstance(request, BindTransceiver):
        return version, "bind_transceiver, which is of 3.4, with interface_version 0x33: taken"
    return version, ""


def of_response(ours: Version, sc_interface_version: object) -> Version:
    """The version of a session that we asked for in ours: the older one of the two. Many centres of 3.4 do
    not say theirs: it counts as ours."""
    if not isinstance(sc_interface_version, int):
        return ours
    theirs = of_octet(sc_interface_version)
    return theirs if theirs.octet < ours.octet else ours


class Congestion:
    """How busy we are, as congestion_state says it (SMPP 5.0 section 4.8.4.18). One for many sessions."""

    __slots__ = ("octets", "state")

    _TLV: Final = Struct(">HHB")

    def __init__(self) -> None:
        self.set(0)

    def set(self, state: int) -> None:
        """From 0, idle, to 100, congested; what is beyond counts as the end."""
        self.state = min(max(state, 0), MOST_CONGESTED)
        self.octets = self._TLV.pack(CONGESTION_STATE, 1, self.state)


Encode = Callable[[Pdu], bytes]
Acknowledge = Callable[[SubmitSm | DataSm, str], bytes]
_OF_TEXTS: Final = (MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
_OF_SESSIONS: Final = (BindResponse, EnquireLinkResp, UnbindResp, GenericNack)
"""Responses that never have a congestion_state."""


def encode_34(pdu: Pdu) -> bytes:
    """As encode() does, with a status that 3.4 knows. Raises EncodeError."""
    if pdu.command_status in _BEFORE_50:
        pdu = replace(pdu, command_status=_BEFORE_50[pdu.command_status])
    return encode(pdu)


def encode_33(pdu: Pdu) -> bytes:
    """As 3.3 wants it: without TLVs, message_id in 8 characters, and a body with an error status too: that it
    is left out is a rule of 3.4.

    Raises EncodeError as encode() does, and for a request that means nothing without its TLVs.
    """
    if isinstance(pdu, Request) and (type(pdu) is DataSm or any(tag in pdu.tlvs for tag in _OF_TEXTS)):
        raise EncodeError(pdu.name, "tlvs", "none: the peer has bound as 3.3")
    changed: dict[str, Any] = {"tlvs": NO_TLVS, "command_status": 0}
    if message_id := getattr(pdu, "message_id", ""):
        changed["message_id"] = V33.id_of(message_id)
    octets = encode(replace(pdu, **changed))
    if not pdu.command_status:
        return octets
    return octets[:8] + V33.status(pdu.command_status).to_bytes(4, "big") + octets[12:]


def acknowledgement_33(request: SubmitSm | DataSm, message_id: str) -> bytes:
    """As plain.acknowledgement."""
    return acknowledgement(request, V33.id_of(message_id))


def ways_of(version: Version, congestion: Congestion | None) -> tuple[Encode, Acknowledge]:
    """How PDUs, and positive answers to SMS, are written for a peer of this version.

    congestion: what its responses say of us; None: nothing.
    """
    if not version.tlvs:
        return encode_33, acknowledgement_33
    if not version.congestion:
        return encode_34, acknowledgement
    return (encode, acknowledgement) if congestion is None else _with(congestion)


def _with(congestion: Congestion) -> tuple[Encode, Acknowledge]:
    """With a congestion_state in every response that is of an operation."""

    def telling(pdu: Pdu) -> bytes:
        if isinstance(pdu, Response) and not isinstance(pdu, _OF_SESSIONS):
            pdu = replace(pdu, tlvs={**pdu.tlvs, CONGESTION_STATE: congestion.state})
        return encode(pdu)

    def acknowledging(request: SubmitSm | DataSm, message_id: str) -> bytes:
        octets, tlv = acknowledgement(request, message_id), congestion.octets
        return (len(octets) + len(tlv)).to_bytes(4, "big") + octets[4:] + tlv

    return telling, acknowledging
