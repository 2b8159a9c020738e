"""SMS to handsets as PDUs: what an account or link wants in them, and texts of every length and way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.contract import CannotSend
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.settings import AccountSettings, Conventions, LinkSettings
from gateway.channels.smpp.writing import QOS_TIME_TO_LIVE, Checked, Lasting, Manner, Plain, Writer, writer_of
from gateway.message import Kind, MobileTerminated
from gateway.smpp.errors import EncodeError
from gateway.smpp.long import Method
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindTransceiver, DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Limits, Session
from gateway.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    TlvValue,
    encode_tlvs,
)
from tests.proofs.served import SYSTEM_ID
from tests.smpp.sessions import bound_pair, pdus
from tests.support import ALICE, GSM, START_MS, leaving

WAYS: tuple[Method, ...] = ("udh8", "udh16", "sar", "payload")
ROLES: tuple[type[DeliverSm] | type[SubmitSm], ...] = (DeliverSm, SubmitSm)
VENDOR, OTHER = 0x1401, 0x1402
A_DAY, SMS_LIFE = 86_400, 72 * 3600

#: An independent alphabet: what these octets of data_coding 0 are (3GPP TS 23.038 section 6.2.1).
LETTERS = {"a": b"a", "7": b"7", "@": b"\x00", "é": b"\x05", "€": b"\x1be", "[": b"\x1b<"}
WIDE = ("飞", "😀", "a", "é")

latin = st.lists(st.tuples(st.sampled_from(sorted(LETTERS)), st.integers(1, 170)), max_size=6)
wide = st.lists(st.tuples(st.sampled_from(WIDE), st.integers(1, 80)), max_size=6)
texts = st.one_of(latin, wide).map(lambda runs: "".join(letter * times for letter, times in runs))


def carried(pdu: Pdu) -> tuple[tuple[str, int, int, int] | None, bytes]:
    """What a handset finds in a PDU: the place in a long text, as kind, reference, total and number, and the
    octets. It shares no code with the gateway."""
    assert isinstance(pdu, DeliverSm | SubmitSm | DataSm)
    short = b"" if isinstance(pdu, DataSm) else pdu.short_message
    payload = pdu.tlvs.get(MESSAGE_PAYLOAD)
    assert not (short and payload), "two texts"
    octets = payload if isinstance(payload, bytes) else short
    if pdu.esm_class == 0x40:
        size = octets[0]
        header, octets = octets[1 : size + 1], octets[size + 1 :]
        kind, reference = ("udh8", header[2]) if size == 5 else ("udh16", header[2] * 256 + header[3])
        assert header[:2] == (b"\x00\x03" if size == 5 else b"\x08\x04")
        return (kind, reference, header[-2], header[-1]), octets
    assert pdu.esm_class == 0
    sar = [pdu.tlvs.get(tag) for tag in (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)]
    if sar == [None, None, None]:
        return None, octets
    reference, total, number = (value for value in sar if isinstance(value, int))
    return ("sar", reference, total, number), octets


def shown(sent: list[Pdu]) -> str:
    """The text that a handset shows of the PDUs of one SMS, each decoded for itself: so no pair is cut."""
    places, pieces = zip(*map(carried, sent), strict=True)
    if len(sent) == 1:
        assert places == (None,)
    else:
        kind, reference, total, _ = places[0]
        assert places == tuple((kind, reference, total, number) for number in range(1, total + 1))
    wide = [getattr(pdu, "data_coding", None) for pdu in sent] == [8] * len(sent)
    return "".join(each.decode("utf-16-be") if wide else of_letters(each) for each in pieces)


def of_letters(octets: bytes) -> str:
    """Read data_coding 0."""
    text = ""
    while octets:
        size = 2 if octets[0] == 0x1B else 1
        text += next(letter for letter, code in LETTERS.items() if code == octets[:size])
        octets = octets[size:]
    return text


def session_of(role: type[DeliverSm] | type[SubmitSm], version: int = 0x34) -> Session:
    """The gateway's session with a peer of this interface_version."""
    bind = BindTransceiver(system_id=SYSTEM_ID, interface_version=version)
    mc, esme = bound_pair(bind, limits=Limits(window_out=1000))
    esme.tlvs_allowed = mc.tlvs_allowed
    return mc if role is DeliverSm else esme


def composed(sms: MobileTerminated, composition: Composition) -> MobileTerminated:
    """The SMS with its parts, as the outbox makes them."""
    sms.segments = SmppComposer({SYSTEM_ID: composition}).compose(sms)
    sms.parts, sms.parts_done = len(sms.segments), 0
    return sms


def written(writer: Writer, session: Session, sms: MobileTerminated) -> list[Pdu]:
    """The PDUs of all parts that have not left."""
    while sms.parts_done < sms.parts:
        writer.write(session, sms, 1.0)
        sms.parts_done += 1
    return pdus(session.output())


def one(
    conventions: Conventions,
    sms: MobileTerminated,
    *,
    version: int = 0x34,
    now_ms: int = START_MS,
) -> Pdu:
    """The PDU of an SMS in one part."""
    role = SubmitSm if isinstance(conventions, LinkSettings) else DeliverSm
    composition = Composition.of(conventions)
    writer = writer_of(role, Manner.of(conventions), composition, lambda: now_ms)
    [pdu] = written(writer, session_of(role, version), composed(sms, composition))
    return pdu


def account(**values: object) -> AccountSettings:
    """An account that wants this."""
    return AccountSettings.model_validate({"system_id": SYSTEM_ID, "password": "secret"} | values)


def link(**values: object) -> LinkSettings:
    """A link that wants this."""
    about = {"name": SYSTEM_ID, "host": "localhost", "system_id": "fetion", "password": "secret"}
    return LinkSettings.model_validate(about | values)


@given(
    texts,
    st.sampled_from(WAYS),
    st.sampled_from(ROLES),
    st.booleans(),
    st.sampled_from([0x00, 0x33, 0x34, 0x50]),
    st.integers(0, 0xFFFF),
)
def test_every_text_arrives(
    text: str,
    way: Method,
    role: type[DeliverSm] | type[SubmitSm],
    data_sm: bool,
    version: int,
    reference: int,
) -> None:
    """Whatever the way, the PDU and the version of the peer, a handset shows the text. A peer before 3.4 gets
    neither a TLV nor a data_sm."""
    composition = Composition(GSM, way)
    writer = writer_of(role, Manner(data_sm=data_sm, added={VENDOR: b"v"}), composition, lambda: START_MS)
    sms = replace(leaving(1, text=text), reference=reference)
    sent = written(writer, session_of(role, version), composed(sms, composition))
    assert shown(sent) == text
    if version < 0x34:
        assert {type(pdu) for pdu in sent} == {role}
        assert all(not pdu.tlvs for pdu in sent)
        return
    assert {type(pdu) for pdu in sent} == ({DataSm} if data_sm else {role})
    assert all(pdu.tlvs[VENDOR] == b"v" for pdu in sent)
    place, _ = carried(sent[0])
    if place is not None:
        assert place[:2] == (way, reference % (256 if way == "udh8" else 0x10000))
    for pdu in sent:
        assert isinstance(pdu, DataSm) == (MESSAGE_PAYLOAD in pdu.tlvs) or way == "payload"


@pytest.mark.parametrize("way", ["sar", "payload"])
def test_a_peer_without_tlvs_takes_over(way: Method) -> None:
    """Two parts have left to a peer of 3.4; the next bind is of 3.3: all leave anew as user data headers,
    marked as a repeat, and remain so for a peer of 3.4."""
    text = "飞" * 300
    composition = Composition(GSM, way)
    writer = writer_of(DeliverSm, Manner(), composition, lambda: START_MS)
    sms = composed(leaving(1, text=text), composition)
    sms.parts_done = min(2, sms.parts - 1)
    began = sms.parts_done > 0
    old = session_of(DeliverSm, 0x33)
    writer.write(old, sms, 1.0)
    assert (sms.parts_done, sms.parts, sms.repeat) == (0, 5, began)
    first = pdus(old.output())
    sms.parts_done = 1
    assert shown(first + written(writer, session_of(DeliverSm), sms)) == text


@pytest.mark.parametrize(("way", "left"), [("udh8", 1), ("udh16", 0), ("sar", 0)])
def test_parts_that_left_before_a_restart(way: Method, left: int) -> None:
    """They count where they can only have left in the way of the account."""
    sms = leaving(1, text="飞" * 130)
    sms.parts, sms.parts_done = 2, 1
    assert len(SmppComposer({SYSTEM_ID: Composition(GSM, way)}).compose(sms)) == 2
    assert (sms.parts_done, sms.repeat) == (left, not left)


def test_what_a_template_can_write_comes_from_it() -> None:
    """The default way is the one without checks; whoever wants TLVs or data_sm has the checked one."""
    now_ms, composition = (lambda: START_MS), Composition(GSM)
    for plain in ({}, {"long": "sar"}, {"priority": 1, "service_type": "FT", "receipts": {"ask": "always"}}):
        assert isinstance(writer_of(DeliverSm, Manner.of(account(**plain)), composition, now_ms), Plain)
    assert isinstance(writer_of(DeliverSm, Manner.of(account(validity=1)), composition, now_ms), Lasting)
    for checked in ({"message": "data_sm"}, {"tlvs": {VENDOR: ""}}, {"pass_tlvs": [VENDOR]}):
        assert isinstance(writer_of(DeliverSm, Manner.of(account(**checked)), composition, now_ms), Checked)


@pytest.mark.parametrize("more", [{}, {"tlvs": {VENDOR: "0A"}}], ids=["from a template", "checked"])
def test_what_all_sms_have(more: dict[str, object]) -> None:
    """service_type, priority, registered_delivery and the source, as the peer wants them."""
    wants = {
        "service_type": "FT",
        "priority": 2,
        "receipts": {"ask": "failure"},
        "source": {"prefix": "106", "ton": 3, "npi": 9},
        **more,
    }
    for conventions in (account(**wants), link(**wants)):
        pdu = one(conventions, leaving(1))
        assert isinstance(pdu, DeliverSm | SubmitSm)
        assert (pdu.service_type, pdu.priority_flag, pdu.registered_delivery) == ("FT", 2, 2)
        assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == ("106161", 3, 9)
        assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == (ALICE, 0, 1)
        assert pdu.validity_period == pdu.schedule_delivery_time == ""


@pytest.mark.parametrize("more", [{}, {"tlvs": {VENDOR: "0A"}}], ids=["from a template", "checked"])
def test_a_source_that_does_not_fit(more: dict[str, object]) -> None:
    """It is an error that names the field; nothing leaves."""
    with pytest.raises(EncodeError, match="source_addr"):
        one(account(source={"prefix": "10690000"}, **more), replace(leaving(1), source="1252013800138000"))


@pytest.mark.parametrize(
    ("validity", "age", "period", "seconds"),
    [
        (0, 0, "", None),
        (1, 0, "000000000001000R", 1),
        (0.5, 0, "000000000001000R", 1),
        (3661, 0, "000000010101000R", 3661),
        (A_DAY, 0, "000001000000000R", A_DAY),
        (30 * A_DAY, 0, "000003000000000R", SMS_LIFE),
        (A_DAY, SMS_LIFE - 90, "000000000130000R", 90),
        (A_DAY, SMS_LIFE + 5, "000000000001000R", 1),
    ],
)
def test_validity(validity: float, age: int, period: str, seconds: int | None) -> None:
    """Relative, never longer than the SMS has left in the gateway, and at least a second; data_sm has it as
    a TLV."""
    now_ms = START_MS + 1000 * age
    for conventions in (account(validity=validity), link(validity=validity)):
        pdu = one(conventions, leaving(1), now_ms=now_ms)
        assert isinstance(pdu, DeliverSm | SubmitSm)
        assert pdu.validity_period == period
    data = one(link(validity=validity, message="data_sm"), leaving(1), now_ms=now_ms)
    assert data.tlvs.get(QOS_TIME_TO_LIVE) == seconds


def test_vendor_tlvs() -> None:
    """All SMS have those of the account; a reply has those of its cause that the account passes, which count
    more than the account's own."""
    came = encode_tlvs({VENDOR: b"cause", OTHER: b"other", 0x1403: b"not passed"})
    reply = replace(leaving(1), tlvs=came)
    conventions = account(tlvs={VENDOR: "0a0B", 0x1404: ""}, pass_tlvs=[VENDOR, OTHER])
    assert one(conventions, leaving(2)).tlvs == {VENDOR: b"\x0a\x0b", 0x1404: b""}
    assert one(conventions, reply).tlvs == {VENDOR: b"cause", OTHER: b"other", 0x1404: b""}
    assert one(conventions, reply, version=0x33).tlvs == {}
    assert one(account(), reply).tlvs == {}  # it has moved to an account that passes none


def test_a_receipt() -> None:
    """It says what it is, carries its own TLVs and nothing that the account wants in SMS, and asks for no
    receipt."""
    own: dict[int, TlvValue] = {0x001E: "00000000deadbeef", 0x0427: 2}
    receipt = replace(leaving(1, text="id:1 stat:DELIVRD"), kind=Kind.RECEIPT, tlvs=encode_tlvs(own))
    for wants in ({}, {"message": "data_sm"}, {"tlvs": {VENDOR: "0A"}, "pass_tlvs": [OTHER]}):
        pdu = one(account(receipts={"ask": "always"}, **wants), replace(receipt))
        assert isinstance(pdu, DeliverSm | DataSm)
        assert (pdu.esm_class, pdu.registered_delivery) == (4, 0)
        assert {tag: pdu.tlvs[tag] for tag in own} == own
        assert VENDOR not in pdu.tlvs
    old = one(account(), replace(receipt), version=0x33)
    assert isinstance(old, DeliverSm)
    assert (old.esm_class, old.short_message, old.tlvs) == (4, b"id:1 stat:DELIVRD", {})


@pytest.mark.parametrize(
    ("values", "text", "needs", "limit"),
    [
        ({"parts": 2}, "a" * 307, 3, 2),
        ({"parts": 1, "long": "udh16"}, "飞" * 71, 2, 1),
        ({"parts": 3, "long": "sar"}, "飞" * 199, 4, 3),
        ({"parts": 2, "long": "payload"}, "飞" * 135, 3, 2),
        ({}, "a" * 39_016, 256, 255),
    ],
)
def test_more_parts_than_the_account_takes(
    values: dict[str, object], text: str, needs: int, limit: int
) -> None:
    """The reason names the setting; one character less is taken."""
    composition = Composition.of(account(**values))
    with pytest.raises(CannotSend) as caught:
        composed(leaving(1, text=text), composition)
    assert str(caught.value) == (
        f"the text needs {needs} segments, the limit is {limit} (`parts` of smsc in the section smpp)"
    )
    whole = values.get("long") == "payload"
    assert composed(leaving(1, text=text[:-1]), composition).parts == (1 if whole else limit)


def test_a_payload_that_is_too_long_for_a_peer_without_tlvs() -> None:
    """An octet string of up to 65,535 octets has room for more than 255 parts: it fails, and says why."""
    composition = Composition(GSM, "payload")
    writer = writer_of(DeliverSm, Manner(), composition, lambda: START_MS)
    sms = composed(leaving(1, text="a" * 40_000), composition)
    with pytest.raises(CannotSend, match="needs 262 segments, the limit is 255"):
        writer.write(session_of(DeliverSm, 0x33), sms, 1.0)
    assert shown(written(writer, session_of(DeliverSm), sms)) == "a" * 40_000
