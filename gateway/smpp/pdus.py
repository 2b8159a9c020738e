"""The PDUs of SMPP 3.4, and the broadcast family of 5.0: one class each, its fields in wire order.

This is the one place that says what a PDU is made of; ``compiler`` makes decoders and encoders
out of it. The classes are plain mutable values: an integer is ``int``, a C-octet string is a
Latin-1 ``str``, a short message is ``bytes``. Nothing is checked before a PDU is encoded.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from gateway.smpp.pdu import Pdu, Request, Response
from gateway.smpp.status import CommandStatus
from gateway.smpp.wire import (
    CString,
    DestAddresses,
    DistributionList,
    Octet,
    ShortMessage,
    SmeAddress,
    UnsuccessSme,
    UnsuccessSmes,
)

_STATUS = CommandStatus

Int1 = Annotated[int, Octet()]
SystemId = Annotated[str, CString(16, _STATUS.RINVSYSID)]
Password = Annotated[str, CString(9, _STATUS.RINVPASWD)]
SystemType = Annotated[str, CString(13, _STATUS.RINVSYSTYP)]
AddressRange = Annotated[str, CString(41)]
MessageId = Annotated[str, CString(65, _STATUS.RINVMSGID)]
ServiceType = Annotated[str, CString(6, _STATUS.RINVSERTYP)]
Source = Annotated[str, CString(21, _STATUS.RINVSRCADR)]
LongSource = Annotated[str, CString(65, _STATUS.RINVSRCADR)]
Destination = Annotated[str, CString(21, _STATUS.RINVDSTADR)]
LongDestination = Annotated[str, CString(65, _STATUS.RINVDSTADR)]
# The specification says 1 or 17 octets; the field also sends shorter forms, so only the limit is checked.
Schedule = Annotated[str, CString(17, _STATUS.RINVSCHED)]
Validity = Annotated[str, CString(17, _STATUS.RINVEXPIRY)]
FinalDate = Annotated[str, CString(17)]
Message = Annotated[bytes, ShortMessage()]


@dataclass(slots=True, kw_only=True, repr=False)
class GenericNack(Response):
    """SMPP 3.4 section 4.3: what cannot be answered by a response of its own."""

    command_id: ClassVar[int] = 0x80000000
    name: ClassVar[str] = "generic_nack"


@dataclass(slots=True, kw_only=True, repr=False)
class BindResponse(Response):
    """The shape of the three bind responses (SMPP 3.4 section 4.1.2)."""

    system_id: SystemId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class BindRequest(Request):
    """The shape of the three binds (SMPP 3.4 section 4.1.1)."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: SystemType = ""
    interface_version: Int1 = 0x34
    addr_ton: Int1 = 0
    addr_npi: Int1 = 0
    address_range: AddressRange = ""


@dataclass(slots=True, kw_only=True, repr=False)
class BindReceiverResp(BindResponse):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x80000001
    name: ClassVar[str] = "bind_receiver_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class BindReceiver(BindRequest):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x00000001
    name: ClassVar[str] = "bind_receiver"
    response: ClassVar[type[BindReceiverResp]] = BindReceiverResp


@dataclass(slots=True, kw_only=True, repr=False)
class BindTransmitterResp(BindResponse):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x80000002
    name: ClassVar[str] = "bind_transmitter_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class BindTransmitter(BindRequest):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x00000002
    name: ClassVar[str] = "bind_transmitter"
    response: ClassVar[type[BindTransmitterResp]] = BindTransmitterResp


@dataclass(slots=True, kw_only=True, repr=False)
class BindTransceiverResp(BindResponse):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x80000009
    name: ClassVar[str] = "bind_transceiver_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class BindTransceiver(BindRequest):
    """SMPP 3.4 section 4.1."""

    command_id: ClassVar[int] = 0x00000009
    name: ClassVar[str] = "bind_transceiver"
    response: ClassVar[type[BindTransceiverResp]] = BindTransceiverResp


@dataclass(slots=True, kw_only=True, repr=False)
class Outbind(Request):
    """SMPP 3.4 section 4.1.7: an MC asks an ESME to bind. Nothing answers it but the bind."""

    command_id: ClassVar[int] = 0x0000000B
    name: ClassVar[str] = "outbind"

    system_id: SystemId = ""
    password: Password = ""


@dataclass(slots=True, kw_only=True, repr=False)
class UnbindResp(Response):
    """SMPP 3.4 section 4.2."""

    command_id: ClassVar[int] = 0x80000006
    name: ClassVar[str] = "unbind_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class Unbind(Request):
    """SMPP 3.4 section 4.2."""

    command_id: ClassVar[int] = 0x00000006
    name: ClassVar[str] = "unbind"
    response: ClassVar[type[UnbindResp]] = UnbindResp


@dataclass(slots=True, kw_only=True, repr=False)
class EnquireLinkResp(Response):
    """SMPP 3.4 section 4.11."""

    command_id: ClassVar[int] = 0x80000015
    name: ClassVar[str] = "enquire_link_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class EnquireLink(Request):
    """SMPP 3.4 section 4.11."""

    command_id: ClassVar[int] = 0x00000015
    name: ClassVar[str] = "enquire_link"
    response: ClassVar[type[EnquireLinkResp]] = EnquireLinkResp


@dataclass(slots=True, kw_only=True, repr=False)
class ShortMessageRequest(Request):
    """The shape of submit_sm and deliver_sm (SMPP 3.4 sections 4.4.1 and 4.6.1)."""

    service_type: ServiceType = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""
    dest_addr_ton: Int1 = 0
    dest_addr_npi: Int1 = 0
    destination_addr: Destination = ""
    esm_class: Int1 = 0
    protocol_id: Int1 = 0
    priority_flag: Int1 = 0
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: Int1 = 0
    replace_if_present_flag: Int1 = 0
    data_coding: Int1 = 0
    sm_default_msg_id: Int1 = 0
    short_message: Message = b""


@dataclass(slots=True, kw_only=True, repr=False)
class SubmitSmResp(Response):
    """SMPP 3.4 section 4.4.2."""

    command_id: ClassVar[int] = 0x80000004
    name: ClassVar[str] = "submit_sm_resp"

    message_id: MessageId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class SubmitSm(ShortMessageRequest):
    """SMPP 3.4 section 4.4.1."""

    command_id: ClassVar[int] = 0x00000004
    name: ClassVar[str] = "submit_sm"
    response: ClassVar[type[SubmitSmResp]] = SubmitSmResp


@dataclass(slots=True, kw_only=True, repr=False)
class DeliverSmResp(Response):
    """SMPP 3.4 section 4.6.2: message_id is empty by rule, and is sent with an error status too."""

    command_id: ClassVar[int] = 0x80000005
    name: ClassVar[str] = "deliver_sm_resp"
    bare_on_error: ClassVar[bool] = False

    message_id: MessageId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class DeliverSm(ShortMessageRequest):
    """SMPP 3.4 section 4.6.1: schedule_delivery_time, validity_period, replace_if_present_flag and
    sm_default_msg_id are empty by rule."""

    command_id: ClassVar[int] = 0x00000005
    name: ClassVar[str] = "deliver_sm"
    response: ClassVar[type[DeliverSmResp]] = DeliverSmResp


@dataclass(slots=True, kw_only=True, repr=False)
class DataSmResp(Response):
    """SMPP 3.4 section 4.7.2."""

    command_id: ClassVar[int] = 0x80000103
    name: ClassVar[str] = "data_sm_resp"

    message_id: MessageId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class DataSm(Request):
    """SMPP 3.4 section 4.7.1: the text travels in the TLV message_payload."""

    command_id: ClassVar[int] = 0x00000103
    name: ClassVar[str] = "data_sm"
    response: ClassVar[type[DataSmResp]] = DataSmResp

    service_type: ServiceType = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: LongSource = ""
    dest_addr_ton: Int1 = 0
    dest_addr_npi: Int1 = 0
    destination_addr: LongDestination = ""
    esm_class: Int1 = 0
    registered_delivery: Int1 = 0
    data_coding: Int1 = 0


@dataclass(slots=True, kw_only=True, repr=False)
class SubmitMultiResp(Response):
    """SMPP 3.4 section 4.5.2."""

    command_id: ClassVar[int] = 0x80000021
    name: ClassVar[str] = "submit_multi_resp"

    message_id: MessageId = ""
    unsuccess_smes: Annotated[tuple[UnsuccessSme, ...], UnsuccessSmes()] = ()


@dataclass(slots=True, kw_only=True, repr=False)
class SubmitMulti(Request):
    """SMPP 3.4 section 4.5.1."""

    command_id: ClassVar[int] = 0x00000021
    name: ClassVar[str] = "submit_multi"
    response: ClassVar[type[SubmitMultiResp]] = SubmitMultiResp

    service_type: ServiceType = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""
    dest_addresses: Annotated[tuple[SmeAddress | DistributionList, ...], DestAddresses()] = ()
    esm_class: Int1 = 0
    protocol_id: Int1 = 0
    priority_flag: Int1 = 0
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: Int1 = 0
    replace_if_present_flag: Int1 = 0
    data_coding: Int1 = 0
    sm_default_msg_id: Int1 = 0
    short_message: Message = b""


@dataclass(slots=True, kw_only=True, repr=False)
class QuerySmResp(Response):
    """SMPP 3.4 section 4.8.2: final_date is empty while the message has no final state."""

    command_id: ClassVar[int] = 0x80000003
    name: ClassVar[str] = "query_sm_resp"
    bare_on_error: ClassVar[bool] = False

    message_id: MessageId = ""
    final_date: FinalDate = ""
    message_state: Int1 = 0
    error_code: Int1 = 0


@dataclass(slots=True, kw_only=True, repr=False)
class QuerySm(Request):
    """SMPP 3.4 section 4.8.1."""

    command_id: ClassVar[int] = 0x00000003
    name: ClassVar[str] = "query_sm"
    response: ClassVar[type[QuerySmResp]] = QuerySmResp

    message_id: MessageId = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""


@dataclass(slots=True, kw_only=True, repr=False)
class CancelSmResp(Response):
    """SMPP 3.4 section 4.9.2."""

    command_id: ClassVar[int] = 0x80000008
    name: ClassVar[str] = "cancel_sm_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class CancelSm(Request):
    """SMPP 3.4 section 4.9.1: an empty message_id cancels all of service_type, source and destination."""

    command_id: ClassVar[int] = 0x00000008
    name: ClassVar[str] = "cancel_sm"
    response: ClassVar[type[CancelSmResp]] = CancelSmResp

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""
    dest_addr_ton: Int1 = 0
    dest_addr_npi: Int1 = 0
    destination_addr: Destination = ""


@dataclass(slots=True, kw_only=True, repr=False)
class ReplaceSmResp(Response):
    """SMPP 3.4 section 4.10.2."""

    command_id: ClassVar[int] = 0x80000007
    name: ClassVar[str] = "replace_sm_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class ReplaceSm(Request):
    """SMPP 3.4 section 4.10.1."""

    command_id: ClassVar[int] = 0x00000007
    name: ClassVar[str] = "replace_sm"
    response: ClassVar[type[ReplaceSmResp]] = ReplaceSmResp

    message_id: MessageId = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: Int1 = 0
    sm_default_msg_id: Int1 = 0
    short_message: Message = b""


@dataclass(slots=True, kw_only=True, repr=False)
class AlertNotification(Request):
    """SMPP 3.4 section 4.12: a handset is reachable again. Nothing answers it."""

    command_id: ClassVar[int] = 0x00000102
    name: ClassVar[str] = "alert_notification"

    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: LongSource = ""
    esme_addr_ton: Int1 = 0
    esme_addr_npi: Int1 = 0
    esme_addr: LongDestination = ""


@dataclass(slots=True, kw_only=True, repr=False)
class BroadcastSmResp(Response):
    """SMPP 5.0 section 4.4.1.2."""

    command_id: ClassVar[int] = 0x80000111
    name: ClassVar[str] = "broadcast_sm_resp"

    message_id: MessageId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class BroadcastSm(Request):
    """SMPP 5.0 section 4.4.1.1."""

    command_id: ClassVar[int] = 0x00000111
    name: ClassVar[str] = "broadcast_sm"
    response: ClassVar[type[BroadcastSmResp]] = BroadcastSmResp

    service_type: ServiceType = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""
    message_id: MessageId = ""
    priority_flag: Int1 = 0
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    replace_if_present_flag: Int1 = 0
    data_coding: Int1 = 0
    sm_default_msg_id: Int1 = 0


@dataclass(slots=True, kw_only=True, repr=False)
class QueryBroadcastSmResp(Response):
    """SMPP 5.0 section 4.6.1.3."""

    command_id: ClassVar[int] = 0x80000112
    name: ClassVar[str] = "query_broadcast_sm_resp"

    message_id: MessageId = ""


@dataclass(slots=True, kw_only=True, repr=False)
class QueryBroadcastSm(Request):
    """SMPP 5.0 section 4.6.1.1."""

    command_id: ClassVar[int] = 0x00000112
    name: ClassVar[str] = "query_broadcast_sm"
    response: ClassVar[type[QueryBroadcastSmResp]] = QueryBroadcastSmResp

    message_id: MessageId = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""


@dataclass(slots=True, kw_only=True, repr=False)
class CancelBroadcastSmResp(Response):
    """SMPP 5.0 section 4.6.2.3."""

    command_id: ClassVar[int] = 0x80000113
    name: ClassVar[str] = "cancel_broadcast_sm_resp"


@dataclass(slots=True, kw_only=True, repr=False)
class CancelBroadcastSm(Request):
    """SMPP 5.0 section 4.6.2.1."""

    command_id: ClassVar[int] = 0x00000113
    name: ClassVar[str] = "cancel_broadcast_sm"
    response: ClassVar[type[CancelBroadcastSmResp]] = CancelBroadcastSmResp

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Int1 = 0
    source_addr_npi: Int1 = 0
    source_addr: Source = ""


REQUESTS: Final[tuple[type[Request], ...]] = (
    BindReceiver,
    BindTransmitter,
    BindTransceiver,
    Outbind,
    Unbind,
    EnquireLink,
    SubmitSm,
    DeliverSm,
    DataSm,
    SubmitMulti,
    QuerySm,
    CancelSm,
    ReplaceSm,
    AlertNotification,
    BroadcastSm,
    QueryBroadcastSm,
    CancelBroadcastSm,
)
RESPONSES: Final[tuple[type[Response], ...]] = (
    GenericNack,
    *(request.response for request in REQUESTS if request.response is not None),
)
PDUS: Final[tuple[type[Pdu], ...]] = (*REQUESTS, *RESPONSES)
