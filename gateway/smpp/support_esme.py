"""What the gateway does with each field of a PDU that it serves or sends as ESME: on the links that it dials.

Facts as those of ``support``.
"""

from collections.abc import Mapping
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
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from gateway.smpp.support import NO_NPI, NO_TON, Support, Use

SERVES: Final[tuple[type[Request], ...]] = (DeliverSm, DataSm)
"""The requests of a centre that a link hands to the gateway."""

_IGNORED = Support(Use.IGNORED)
_EMPTY = Support(Use.EMPTY)
_OF_LINK = Support(Use.SENT, "that of the link")

_BIND: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "system_id": _OF_LINK,
        "password": _OF_LINK,
        "system_type": _OF_LINK,
        "interface_version": Support(Use.SENT, "0x33, 0x34 or 0x50: the version of the link"),
        "addr_ton": _EMPTY,
        "addr_npi": _EMPTY,
        "address_range": _OF_LINK,
    }
)

_FROM_CENTRE: Final[Mapping[str, Support]] = MappingProxyType(
    {
        "service_type": _IGNORED,
        "source_addr_ton": Support(Use.USED, "SMS to that handset have it as dest_addr_ton", noted=NO_TON),
        "source_addr_npi": Support(Use.USED, "SMS to that handset have it as dest_addr_npi", noted=NO_NPI),
        "source_addr": Support(Use.USED, "the customer; of a receipt the handset"),
        "dest_addr_ton": Support(
            Use.USED, "the answer to the sender has it as source_addr_ton", noted=NO_TON
        ),
        "dest_addr_npi": Support(
            Use.USED, "the answer to the sender has it as source_addr_npi", noted=NO_NPI
        ),
        "destination_addr": Support(Use.USED, "says what the text means"),
        "esm_class": Support(Use.USED, "says whether it is an SMS or a receipt; bit 6 (user data header)"),
        "registered_delivery": Support(
            Use.USED, "bits 2 and 3: the centre gets an acknowledgement", noted=("bits 7 to 5",)
        ),
        "data_coding": Support(Use.USED, "by the alphabet of the link"),
    }
)

RECEIVED: Final[Mapping[type[Pdu], Mapping[str, Support]]] = MappingProxyType(
    {
        DeliverSm: {
            **_FROM_CENTRE,
            "protocol_id": _IGNORED,
            "priority_flag": Support(Use.IGNORED, noted=("above 3",)),
            "schedule_delivery_time": Support(Use.IGNORED, noted=("any but empty",)),
            "validity_period": Support(
                Use.USED,
                "behind it the SMS is not executed, and answered with ESME_RX_R_APPN; as in submit_sm",
                noted=("no time of section 7.1.1",),
            ),
            "replace_if_present_flag": Support(Use.IGNORED, "nothing is replaced", noted=("above 0",)),
            "sm_default_msg_id": Support(
                Use.IGNORED, "there are no predefined messages", noted=("any but 0",)
            ),
            "short_message": Support(
                Use.USED,
                "the text, unless message_payload has octets",
                noted=(
                    "a byte order mark, which is dropped",
                    "a NUL at the end of the text, which is dropped",
                ),
            ),
        },
        DataSm: _FROM_CENTRE,
        BindReceiverResp: {"system_id": _IGNORED},
        BindTransmitterResp: {"system_id": _IGNORED},
        BindTransceiverResp: {"system_id": _IGNORED},
        SubmitSmResp: {"message_id": Support(Use.USED, "kept with the SMS; receipts name it")},
    }
)
"""Fields of PDUs that come from a centre. Of DataSm and DataSmResp, which go both ways, those that come."""

SENT: Final[Mapping[type[Pdu], Mapping[str, Support]]] = MappingProxyType(
    {
        BindReceiver: _BIND,
        BindTransmitter: _BIND,
        BindTransceiver: _BIND,
        SubmitSm: {
            "service_type": _OF_LINK,
            "source_addr_ton": Support(Use.SENT, "in an answer that of the destination it answers, else 0"),
            "source_addr_npi": Support(Use.SENT, "in an answer that of the destination it answers, else 1"),
            "source_addr": Support(Use.SENT, "a number of the service, or of the person who writes"),
            "dest_addr_ton": Support(Use.SENT, "as the handset wrote last, else that of the link"),
            "dest_addr_npi": Support(Use.SENT, "as the handset wrote last, else that of the link"),
            "destination_addr": Support(Use.SENT, "as the handset wrote last, else as the link wants it"),
            "esm_class": Support(Use.SENT, "0, in parts of a long message 0x40 (user data header)"),
            "protocol_id": _EMPTY,
            "priority_flag": _OF_LINK,
            "schedule_delivery_time": _EMPTY,
            "validity_period": _OF_LINK,
            "registered_delivery": Support(Use.SENT, "1 or 2 where the link asks for receipts, else 0"),
            "replace_if_present_flag": _EMPTY,
            "data_coding": Support(Use.SENT, "0 where the alphabet of the link has every letter, else 8"),
            "sm_default_msg_id": _EMPTY,
            "short_message": Support(Use.SENT, "up to 160 octets under data_coding 0, 140 under 8"),
        },
        DeliverSmResp: {"message_id": _EMPTY},
        DataSmResp: {"message_id": Support(Use.SENT, "as submit_sm_resp has it in the other role")},
    }
)
"""Fields of PDUs that a link sends."""

ORIGINATES: Final[Mapping[type[Request], str]] = MappingProxyType(
    {
        BindReceiver: "by a link that binds as receiver, or as a pair",
        BindTransmitter: "by a link that binds as transmitter, or as a pair",
        BindTransceiver: "by any other link",
        SubmitSm: "for each SMS to a handset",
        DataSm: "in its place, where the link says so",
        EnquireLink: "when the centre is silent, and to learn whether it has read",
        Unbind: "when the gateway stops, or the link is paused",
    }
)
"""The requests that a link sends, and when."""
