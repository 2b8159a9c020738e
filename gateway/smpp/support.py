"""What the gateway does with each field of a PDU that it serves or sends: as the listener (role MC), and what
both roles have alike. As ESME: ``support_esme``.

Facts about the packages that use this one, for the conformance statement (``conformance``). The tests drive a
running gateway with every refusal that is named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    QueryBroadcastSm,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from gateway.smpp.status import CommandStatus

SERVES: Final[tuple[type[Request], ...]] = (
    BindReceiver, BindTransmitter, BindTransceiver, SubmitSm, DataSm, SubmitMulti, QuerySm, CancelSm,
    ReplaceSm, BroadcastSm, QueryBroadcastSm, CancelBroadcastSm,
)  # fmt: skip
"""The requests that the listener hands to the gateway; of the others the session answers those it can."""

FAILS: Final[Mapping[type[Request], CommandStatus]] = MappingProxyType(
    {
        BroadcastSm: CommandStatus.RBCASTFAIL,
        QueryBroadcastSm: CommandStatus.RBCASTQUERYFAIL,
        CancelBroadcastSm: CommandStatus.RBCASTCANCELFAIL,
    }
)
"""Those of them that always fail, whatever their fields hold, and how."""


class Use(Enum):
    """What happens with the value of a field."""

    USED = "used"
    IGNORED = "accepted, ignored"
    SENT = "sent"
    EMPTY = "sent as 0 or empty"


@dataclass(frozen=True, slots=True)
class Support:
    """What the gateway does with one field. ``refusals``: which values are answered with which status.
    ``noted``: which ones are taken with a note in the log (pdu.noted)."""

    use: Use
    how: str = ""
    refusals: tuple[tuple[CommandStatus, str], ...] = ()
    noted: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The value as a statement has it."""
        said = f"{self.use.value}: {self.how}" if self.how else self.use.value
        return f"{said}; noted: {', '.join(self.noted)}" if self.noted else said


_IGNORED = Support(Use.IGNORED)
_EMPTY = Support(Use.EMPTY)

_BIND: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "system_id": Support(
            Use.USED,
            "names the account",
            (
                (
                    CommandStatus.RINVPASWD,
                    "no account of that name, or not from that address",
                ),
                (CommandStatus.RBINDFAIL, "an account that may not bind in this mode"),
                (CommandStatus.RBINDFAIL, "an account with as many binds as it may have"),
            ),
        ),
        "password": Support(
            Use.USED, "compared with that of the account", ((CommandStatus.RINVPASWD, "another one"),)
        ),
        "system_type": _IGNORED,
        "interface_version": Support(Use.USED, "says the version of the peer (see Versions)"),
        "addr_ton": _IGNORED,
        "addr_npi": _IGNORED,
        "address_range": Support(
            Use.USED,
            "digits ask for that number, digits* and ^digits for all that begin so; others for none",
        ),
    }
)

_NO_MOBILE = (CommandStatus.RINVSRCADR, "no mobile number, or a second number that is not served")
_NOT_ITS_SENDER = (CommandStatus.RINVSRCADR, "a sender that the account may not submit for")
_NO_ROUTE = (CommandStatus.RINVDSTADR, "no number of the service")
_NOT_ITS_CODE = (CommandStatus.RINVDSTADR, "a number of the service that the account may not use")
NO_TON = ("one that section 5.2.5 does not have",)
NO_NPI = ("one that section 5.2.6 does not have",)
_MESSAGE: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "service_type": _IGNORED,
        "source_addr_ton": Support(Use.USED, "SMS to that handset have it as dest_addr_ton", noted=NO_TON),
        "source_addr_npi": Support(Use.USED, "SMS to that handset have it as dest_addr_npi", noted=NO_NPI),
        "source_addr": Support(
            Use.USED, "the customer; blanks around it are dropped", (_NO_MOBILE, _NOT_ITS_SENDER)
        ),
        "dest_addr_ton": Support(
            Use.USED, "the answer to the sender has it as source_addr_ton", noted=NO_TON
        ),
        "dest_addr_npi": Support(
            Use.USED, "the answer to the sender has it as source_addr_npi", noted=NO_NPI
        ),
        "destination_addr": Support(
            Use.USED,
            "says what the text means; blanks around it and the prefix of the account are dropped",
            (_NO_ROUTE, _NOT_ITS_CODE),
        ),
        "esm_class": Support(
            Use.USED,
            "bit 6 (user data header); messaging mode and reply path are ignored",
            ((CommandStatus.RINVESMCLASS, "a message type (bits 5 to 2) other than 0"),),
            ("datagram or transaction mode",),
        ),
        "registered_delivery": Support(
            Use.USED,
            "bits 0 to 3: who gets a receipt; bit 4: there is no intermediate notification",
            noted=("bits 7 to 5",),
        ),
        "data_coding": Support(
            Use.USED, "by the alphabet of the account; one that it does not know is read as 0"
        ),
    }
)

_DESTINATION: Final = ("dest_addr_ton", "dest_addr_npi", "destination_addr")
_OF_SUBMIT_SM: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "protocol_id": _IGNORED,
        "priority_flag": Support(Use.IGNORED, noted=("above 3",)),
        "schedule_delivery_time": Support(
            Use.USED,
            "an SMS is executed when it comes",
            ((CommandStatus.RINVSCHED, "any but empty"),),
        ),
        "validity_period": Support(
            Use.USED,
            "behind it the SMS is not executed; a span counts from the arrival, and one of 0 has no end",
            (
                (CommandStatus.RINVEXPIRY, "no time of section 7.1.1"),
                (CommandStatus.RINVEXPIRY, "over before the SMS is executed"),
            ),
        ),
        "replace_if_present_flag": Support(
            Use.IGNORED,
            "nothing is replaced",
            ((CommandStatus.RINVREPFLAG, "above 1"),),
            ("1",),
        ),
        "sm_default_msg_id": Support(
            Use.USED,
            "there are no predefined messages",
            ((CommandStatus.RINVDFTMSGID, "any but 0"),),
        ),
        "short_message": Support(
            Use.USED,
            "the text, unless message_payload has octets",
            ((CommandStatus.RINVMSGLEN, "a part of a long message to the number for passwords"),),
            ("a byte order mark, which is dropped", "a NUL at the end of the text, which is dropped"),
        ),
    }
)
_SENDER: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "source_addr_ton": _IGNORED,
        "source_addr_npi": _IGNORED,
    }
)
_NO_ID = (CommandStatus.RINVMSGID, "no id that we give")

RECEIVED: Final[Mapping[type[Pdu], Mapping[str, Support]]] = MappingProxyType(
    {
        BindReceiver: _BIND,
        BindTransmitter: _BIND,
        BindTransceiver: _BIND,
        SubmitSm: {
            **_MESSAGE,
            **_OF_SUBMIT_SM,
        },
        DataSm: _MESSAGE,
        SubmitMulti: {
            **{name: support for name, support in _MESSAGE.items() if name not in _DESTINATION},
            **_OF_SUBMIT_SM,
            "dest_addresses": Support(
                Use.USED,
                "each mobile or number is an SMS of its own, as in submit_sm; what is refused stands in"
                " unsuccess_smes: a distribution list with RINVDLNAME",
                (
                    (CommandStatus.RINVNUMDESTS, "none"),
                    (CommandStatus.RCNTSUBDL, "distribution lists only"),
                    (CommandStatus.RINVDSTADR, "none of them a number of the service"),
                ),
            ),
        },
        QuerySm: {
            **_SENDER,
            "message_id": Support(
                Use.USED, "names the SMS", (_NO_ID, (CommandStatus.RQUERYFAIL, "an id of no SMS"))
            ),
            "source_addr": Support(
                Use.USED,
                "must be the handset that sent it, through this account",
                ((CommandStatus.RQUERYFAIL, "another handset"),),
            ),
        },
        CancelSm: {
            **_SENDER,
            "service_type": _IGNORED,
            "message_id": Support(
                Use.USED,
                "names the SMS; empty: the latest from source_addr to destination_addr",
                (
                    _NO_ID,
                    (CommandStatus.RCANCELFAIL, "an SMS that caused nothing that still waits for others"),
                ),
            ),
            "source_addr": Support(
                Use.USED,
                "must be the handset that sent it, through this account",
                ((CommandStatus.RCANCELFAIL, "another handset"),),
            ),
            "dest_addr_ton": _IGNORED,
            "dest_addr_npi": _IGNORED,
            "destination_addr": Support(Use.USED, "where message_id is empty"),
        },
        ReplaceSm: {
            **dict.fromkeys(
                (
                    "source_addr_ton",
                    "source_addr_npi",
                    "source_addr",
                    "schedule_delivery_time",
                    "validity_period",
                    "registered_delivery",
                    "sm_default_msg_id",
                    "short_message",
                ),
                _IGNORED,
            ),
            "message_id": Support(
                Use.USED,
                "looked at",
                (_NO_ID, (CommandStatus.RREPLACEFAIL, "any other: an SMS is executed when it comes")),
            ),
        },
        DeliverSmResp: {"message_id": Support(Use.USED, "kept with the SMS that it answers; may be absent")},
    }
)
"""Fields of PDUs that come from the peer."""

_SYSTEM_ID = {"system_id": Support(Use.SENT, "fetion with ESME_ROK, else none")}
_MESSAGE_ID = {
    "message_id": Support(Use.SENT, "16 hexadecimal digits with ESME_ROK, to 3.3 the last 8; else none")
}

SENT: Final[Mapping[type[Pdu], Mapping[str, Support]]] = MappingProxyType(
    {
        BindReceiverResp: _SYSTEM_ID,
        BindTransmitterResp: _SYSTEM_ID,
        BindTransceiverResp: _SYSTEM_ID,
        SubmitSmResp: _MESSAGE_ID,
        DataSmResp: _MESSAGE_ID,
        SubmitMultiResp: {
            "message_id": Support(Use.SENT, "of the first SMS that was accepted, as in submit_sm_resp"),
            "unsuccess_smes": Support(Use.SENT, "each destination that was refused, and its status"),
        },
        QuerySmResp: {
            "message_id": Support(Use.SENT, "as asked with ESME_ROK, else none"),
            "final_date": Support(Use.SENT, "when the SMS came and was executed, absolute, in local time"),
            "message_state": Support(
                Use.SENT,
                "2 (DELIVERED): executed; of a part 1 (ENROUTE): waits for the others, 3 (EXPIRED): given up,"
                " 7 (UNKNOWN): not known any more",
            ),
            "error_code": _EMPTY,
        },
        DeliverSm: {
            "service_type": Support(Use.SENT, "as the account wants it, else empty"),
            "source_addr_ton": Support(
                Use.SENT, "as the account wants it, else in an answer that of the destination, else 0"
            ),
            "source_addr_npi": Support(
                Use.SENT, "as the account wants it, else in an answer that of the destination, else 1"
            ),
            "source_addr": Support(
                Use.SENT,
                "a number of the service, or of the person who writes, behind the prefix of the account",
            ),
            "dest_addr_ton": Support(Use.SENT, "as the handset wrote last, else that of the account"),
            "dest_addr_npi": Support(Use.SENT, "as the handset wrote last, else that of the account"),
            "destination_addr": Support(Use.SENT, "as the handset wrote last, else as the account wants it"),
            "esm_class": Support(
                Use.SENT,
                "0, in parts of a long message with a user data header 0x40, in a receipt 0x04 or 0x08",
            ),
            "protocol_id": _EMPTY,
            "priority_flag": Support(Use.SENT, "as the account wants it, else 0"),
            "schedule_delivery_time": _EMPTY,
            "validity_period": Support(Use.SENT, "relative, where the account wants one, else empty"),
            "registered_delivery": Support(Use.SENT, "1 or 2 where the account asks for receipts, else 0"),
            "replace_if_present_flag": _EMPTY,
            "data_coding": Support(Use.SENT, "0 where the alphabet of the account has every letter, else 8"),
            "sm_default_msg_id": _EMPTY,
            "short_message": Support(
                Use.SENT, "up to 160 octets under data_coding 0, 140 under 8; empty beside message_payload"
            ),
        },
    }
)
"""Fields of PDUs that the gateway sends."""

ORIGINATES: Final[Mapping[type[Request], str]] = MappingProxyType(
    {
        DeliverSm: "for each SMS to a handset",
        DataSm: "instead, to an account that wants it so",
        EnquireLink: "when the peer is silent, and to learn whether it has read",
        Unbind: "when the gateway stops, or nothing was exchanged for long",
    }
)
"""The requests that the gateway sends, and when."""

TLVS_USED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "message_payload": "received: the text of data_sm, and of submit_sm where it has octets; sent in"
        " data_sm, and for a long message where the account wants it",
        "sar_msg_ref_num": "received: a part of a long message; sent so where the account wants it",
        "sar_total_segments": "received: a part of a long message; sent so where the account wants it",
        "sar_segment_seqnum": "received: a part of a long message; sent so where the account wants it",
        "user_message_reference": "received: tells a repeated SMS from another one",
        "qos_time_to_live": "received: seconds behind which the SMS of a data_sm is not executed, 0: no end;"
        " sent in data_sm where the account wants a validity",
        "sc_interface_version": "sent in bind responses from 3.4 on; received: the version of a centre",
        "congestion_state": "sent to peers of 5.0, in the responses of the listener to all operations",
        "receipted_message_id": "sent in receipts, and read in those that were asked for",
        "message_state": "sent in receipts, and read in those that were asked for",
        "network_error_code": "received: in receipts",
    }
)
"""The TLVs that the gateway uses or sends; the others are read and ignored."""

BY_SESSION: Final[tuple[tuple[CommandStatus, str], ...]] = (
    (CommandStatus.RINVCMDLEN, "a command_length below 16 or above 70,000 (generic_nack, then the end)"),
    (CommandStatus.RINVCMDLEN, "a PDU that ends inside a field"),
    (CommandStatus.RINVCMDID, "a command_id that no PDU has (generic_nack)"),
    (CommandStatus.RINVBNDSTS, "a request that state or side does not allow"),
    (CommandStatus.RALYBND, "a second bind"),
    (CommandStatus.RINVMSGLEN, "an sm_length that runs past the PDU"),
    (CommandStatus.RINVMSGLEN, "a user data header that is longer than the message"),
    (CommandStatus.RINVTLVSTREAM, "TLVs that do not end with the PDU"),
    (CommandStatus.RTHROTTLED, "more unanswered requests than window_in, or 256 KiB of them"),
)
"""What the session refuses, whatever the fields hold."""

FORGIVEN: Final[tuple[str, ...]] = (
    "a NUL behind the last field",
    "octets behind the header of a PDU that has no body",
    "a last text that lacks its NUL",
    "requests behind a bind, before its response",
)
"""What does no harm in a request: it is taken with a note in the log (pdu.noted)."""

BY_GATEWAY: Final[tuple[tuple[CommandStatus, str], ...]] = (
    (CommandStatus.RSYSERR, "the store has a fault, the SMS cannot be stored, or a bug meets it"),
    (
        CommandStatus.RMSGQFUL,
        "queue, outbox or store full, too many parts of a handset, the gateway stops",
    ),
    (CommandStatus.RTHROTTLED, "more SMS a second than the account may submit"),
    (CommandStatus.RTHROTTLED, "a submit_multi while window_in destinations of others wait"),
    (CommandStatus.RINVMSGLEN, "a submit_multi with more than 256 KiB of text for all its destinations"),
    (CommandStatus.RINVCMDID, "a request that the account may not send, of a peer below SMPP 5.0"),
    (CommandStatus.RPROHIBITED, "a request that the account may not send, of a peer of SMPP 5.0"),
    *((status, f"`{request.name}`, always") for request, status in FAILS.items()),
)
"""What the gateway refuses for want of means or permission."""
