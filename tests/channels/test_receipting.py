"""Receipts in the SMPP driver, on both sides of a session."""

from datetime import UTC, timedelta, timezone
from typing import Any, cast

import pytest

from gateway.channels.contract import Fate, Receipt, Receipted, ReceiptsAsked
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.receipting import IdForm, asked_by, ids_of, report_in
from gateway.channels.smpp.settings import ReceiptSettings
from gateway.channels.smpp.terms import PeerTerms
from gateway.channels.smpp.traffic import Traffic
from gateway.channels.smpp.writing import Manner, writer_of
from gateway.errors import Verdict
from gateway.message import Kind
from gateway.observer import Observer
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Session
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, decode_tlvs
from gateway.smpp.versions import V33
from tests.smpp.sessions import bound_pair, pdus
from tests.support import ALICE, GSM, START_MS, leaving


class Owner:
    """Keeps what the driver tells."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.received_: list[object] = []

    def receipted(self, receipt: Receipt) -> None:
        """Keep it."""
        self.receipts.append(receipt)

    def received(self, inbound: object) -> None:
        """Keep it."""
        self.received_.append(inbound)


def bind_of(session: Session, **more: Any) -> SmppBind:
    """A bind over one end of a session."""
    return SmppBind(
        1, "smsc", "peer", "transceiver", "", None, cast(Any, None), session, 0.0, 60.0,
        writer_of(DeliverSm, Manner(), Composition(GSM), lambda: START_MS), **more,
    )  # fmt: skip


def traffic_to(owner: Owner) -> Traffic:
    """The driver."""
    return Traffic(
        {"smsc": PeerTerms(Composition(GSM))}, cast(Any, owner), Observer(), lambda: 1.0, lambda: START_MS
    )


TEXT = b"id:12 stat:DELIVRD err:000 text:"


@pytest.mark.parametrize(
    "pdu",
    [
        DeliverSm(esm_class=4, short_message=TEXT, source_addr=f" {ALICE} ", destination_addr="161"),
        DataSm(esm_class=4, tlvs={MESSAGE_PAYLOAD: TEXT}, source_addr=ALICE, destination_addr="161"),
        DeliverSm(esm_class=8, short_message=TEXT, source_addr=ALICE, destination_addr="161"),
        DeliverSm(esm_class=0x24 & 0x20, short_message=TEXT, source_addr=ALICE, destination_addr="161"),
        DeliverSm(esm_class=4, tlvs={0x1E: "12", 0x427: 2}, source_addr=ALICE, destination_addr="161"),
    ],
)
def test_from_a_centre_that_we_dialled(pdu: DeliverSm | DataSm) -> None:
    """Whatever PDU it is, and whether or not we asked; it is answered ROK, without a message_id."""
    mc, esme = bound_pair()
    owner, bind = Owner(), bind_of(esme, link="centre")
    mc.send(pdu, "context", 0.0)
    [request] = esme.receive(mc.output(), 0.0)
    traffic_to(owner).submitted(bind, cast(Any, request))
    [receipt] = owner.receipts
    assert (receipt.ids, receipt.receipted, receipt.said) == (("12",), Receipted.DELIVERED, "DELIVRD")
    assert (receipt.source, receipt.destination, receipt.arrived) == (ALICE, "161", 1.0)
    bind.accept(receipt.origin, "")
    [answer] = pdus(esme.output())
    assert (answer.command_status, cast(Any, answer).message_id) == (0, "")
    assert (owner.received_, bind.messages_in) == ([], 0)


def test_refused_while_nothing_can_be_stored() -> None:
    """With the status that asks a centre to come again."""
    mc, esme = bound_pair()
    owner, bind = Owner(), bind_of(esme, link="centre")
    mc.send(DeliverSm(esm_class=4, short_message=TEXT), "context", 0.0)
    [request] = esme.receive(mc.output(), 0.0)
    traffic_to(owner).submitted(bind, cast(Any, request))
    assert bind.reject(owner.receipts[0].origin, Verdict.STORE_FAULT) == "ESME_RX_T_APPN"
    assert pdus(esme.output())[0].command_status == CommandStatus.RX_T_APPN


@pytest.mark.parametrize(("receipts", "taken"), [(None, 0), (ReceiptsAsked(), 1)])
def test_from_a_peer_that_has_bound(receipts: ReceiptsAsked | None, taken: int) -> None:
    """Only where receipts are asked for; other types of message are none in any case."""
    mc, esme = bound_pair()
    owner, bind = Owner(), bind_of(mc, receipts=receipts)
    for esm_class in (0x04, 0x18):
        esme.send(SubmitSm(esm_class=esm_class, short_message=TEXT), "context", 0.0)
        [request] = mc.receive(esme.output(), 0.0)
        traffic_to(owner).submitted(bind, cast(Any, request))
    assert len(owner.receipts) == taken
    assert [each.command_status for each in pdus(mc.output())] == [CommandStatus.RINVESMCLASS] * (2 - taken)


@pytest.mark.parametrize(
    ("tlv", "text", "form", "ids"),
    [
        ("ab", "ab", "text", ("ab",)),
        ("ab", "171", "text", ("ab", "171")),
        ("", "", "text", ()),
        ("", "171", "hex", ("ab",)),
        ("", "0000000171", "hex", ("ab",)),
        ("", "AB", "decimal", ("171",)),
        ("171", "171", "hex", ("ab",)),
        ("AB", "171", "hex", ("AB", "ab")),
        ("ab", "", "decimal", ("171",)),
        ("", "no number", "hex", ("no number",)),
        ("", "x-1", "decimal", ("x-1",)),
        ("", "1_0", "hex", ("1_0",)),  # what Python reads as a number, and no centre writes as one
        ("", "+5", "hex", ("+5",)),
        ("", "A_B", "decimal", ("A_B",)),
        ("", "0xAB", "decimal", ("171",)),
        ("", "", "hex", ()),
    ],
)
def test_ids(tlv: str, text: str, form: IdForm, ids: tuple[str, ...]) -> None:
    """In two forms an id is never taken in the form of the receipt."""
    assert ids_of(tlv, text, form) == ids


def test_what_is_asked_for() -> None:
    """A receipt is missed only where one always comes."""
    assert asked_by(ReceiptSettings()) is None
    assert asked_by(ReceiptSettings(ask="failure", wait=5)) == ReceiptsAsked(0)
    assert asked_by(ReceiptSettings(ask="always", wait=1.5)) == ReceiptsAsked(1500)


def test_the_name_that_a_peer_was_given() -> None:
    """Whole, or its last eight characters where the peer is of SMPP 3.3."""
    mc, _ = bound_pair()
    assert bind_of(mc).given_id("0123456789abcdef") == "0123456789abcdef"
    mc.version = V33
    assert bind_of(mc).given_id("0123456789abcdef") == "89abcdef"


@pytest.mark.parametrize(("kind", "esm_class"), [(Kind.RECEIPT, 4), (Kind.ACKNOWLEDGEMENT, 8)])
def test_ours_on_the_wire(kind: Kind, esm_class: int) -> None:
    """Times in the zone of the service; TLVs beside the text."""
    report = report_in(timezone(timedelta(hours=8)))
    text, tlvs = report(Fate("00000000000000ab", delivered=True, came_at=0, over_at=86_400_000))
    assert "submit date:7001010800 done date:7001020800 stat:DELIVRD err:000 text:" in text
    assert decode_tlvs(tlvs, 0)[0] == {0x1E: "00000000000000ab", 0x427: 2}
    assert report_in(UTC)(Fate("1", delivered=False, came_at=0, over_at=0))[0].endswith(
        "UNDELIV err:000 text:"
    )
    mc, esme = bound_pair()
    sms = leaving(5)
    sms.kind, sms.text, sms.tlvs, sms.account = kind, text, tlvs, "smsc"
    sms.segments = SmppComposer({"smsc": Composition(GSM)}).compose(sms)
    bind_of(mc).send(sms, 0.0)
    [request] = esme.receive(mc.output(), 0.0)
    assert isinstance(request, DeliverSm)
    assert (request.esm_class, request.data_coding, request.short_message) == (esm_class, 0, text.encode())
    assert dict(request.tlvs) == {0x1E: "00000000000000ab", 0x427: 2}
