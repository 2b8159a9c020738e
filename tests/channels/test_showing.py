"""What an operator sees of PDUs: everything but what nobody may see, and the octets likewise."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.tables import InForce
from gateway.channels.smpp import showing, watching
from gateway.channels.smpp.reading import reader_of
from gateway.channels.smpp.showing import Display
from gateway.channels.smpp.watching import Passed
from gateway.inbound import disclosure
from gateway.inbound.disclosure import Disclosure
from gateway.smpp import gsm
from gateway.smpp.codec import encode
from gateway.smpp.errors import EncodeError
from gateway.smpp.long import MESSAGE_PAYLOAD, Segment, segments
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    Outbind,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)
from gateway.smpp.tlvs import TAGS
from gateway.smpp.wire import SmeAddress
from tests.smpp.strategies import ANY_PDU
from tests.support import ALICE, GSM, tables

ALPHABETS = {"smsc": GSM}


@cache
def judge() -> Disclosure:
    """With the shipped tables."""
    return Disclosure(InForce(tables()))


def shown(
    pdu: Pdu | bytes, *, incoming: bool = True, account: str = "smsc", hidden: str = "", masked: bool = False
) -> dict[str, Any]:
    """How a PDU of an account is shown, with its octets."""
    octets = encode(pdu) if isinstance(pdu, Pdu) else pdu
    display = Display(ALPHABETS, judge().reason_to_hide, masked=masked)
    return display.shown(Passed(7, incoming, "10.0.0.1:2775", account, octets, hidden), octets=True)


def sms(to: str, text: str, data_coding: int = 0, **more: Any) -> SubmitSm:
    """From a handset."""
    octets = text.encode("utf-16-be") if data_coding == 8 else text.encode("ascii")
    return SubmitSm(
        source_addr=ALICE, destination_addr=to, data_coding=data_coding, short_message=octets, **more
    )


def test_an_ordinary_sms() -> None:
    """Header, addresses, text and octets; of the text's field the number of octets."""
    pdu = sms("161", "KTFX", sequence_number=9)
    seen = shown(pdu)
    assert seen["command"], seen["sequence_number"] == ("submit_sm", 9)
    assert (seen["direction"], seen["remote"], seen["account"]) == ("in", "10.0.0.1:2775", "smsc")
    assert seen["fields"]["source_addr"] == ALICE
    assert seen["fields"]["short_message"] == {"octets": 4}
    assert (seen["text"], seen["hidden"]) == ("KTFX", "")
    assert seen["hex"] == encode(pdu).hex()


def test_a_long_sms_in_one_piece() -> None:
    """Of a deliver_sm with message_payload that is shown; a data_sm to a handset is never shown."""
    payload = {MESSAGE_PAYLOAD: "密码123456".encode("utf-16-be")}
    seen = shown(DeliverSm(data_coding=8, tlvs=payload), incoming=False)
    assert (seen["text"], seen["hidden"]) == ("密码123456", "")
    for hidden in ("", "it holds a password"):
        seen = shown(DataSm(data_coding=8, tlvs=payload), incoming=False, hidden=hidden)
        assert seen["hidden"]
        assert "text" not in seen
        assert payload[MESSAGE_PAYLOAD].hex() not in str(seen)


def test_the_prefix_of_an_account() -> None:
    """Behind it stands the number that takes passwords: the text is not shown, and other texts are."""
    readers = {"smsc": reader_of("106", frozenset())}
    display = Display(ALPHABETS, judge().reason_to_hide, readers=readers)
    for to, text in (("10612520050", None), ("106161", "CXFX")):
        octets = encode(sms(to, "CXFX"))
        passed = Passed(7, incoming=True, peer="10.0.0.1:2775", account="smsc", octets=octets)
        assert display.shown(passed, octets=False).get("text") == text


def test_an_sms_to_a_handset() -> None:
    """A deliver_sm that the session knows as harmless is shown, one that it does not know is not."""
    pdu = DeliverSm(source_addr="161", destination_addr=ALICE, data_coding=8, short_message=b"\x4f\x60")
    assert shown(pdu, incoming=False)["text"] == "你"
    for reason in (watching.SECRET, watching.PART, watching.UNKNOWN):
        seen = shown(pdu, incoming=False, hidden=reason)
        assert "text" not in seen
        assert seen["hidden"] == reason
        assert seen["hex"].endswith("00" + "**" * 3)


@pytest.mark.parametrize(
    ("pdu", "reason"),
    [
        (sms("12520050", "hello"), disclosure.TO_PASSWORDS),
        (sms("12520", "P 123456"), disclosure.HIDDEN),
        (sms("99999", "KTFX"), disclosure.NOT_OURS),
        (sms("161", "KTFX", esm_class=4), "esm_class 0x04 is no plain message"),
        (sms("161", "\0KTFX", esm_class=0x40), showing.HEADER_BEFORE_TEXT),
        (sms("161", "KTFX", tlvs={TAGS["sar_total_segments"]: 1}), showing.HEADER_BEFORE_TEXT),
        (sms("161", "KTFX", tlvs={MESSAGE_PAYLOAD: b"P 123456"}), showing.TWO_TEXTS),
        (SubmitSm(destination_addr="161", data_coding=4, short_message=b"KTFX"), showing.NO_TEXT),
        (SubmitMulti(dest_addresses=(SmeAddress(0, 1, "161"),), short_message=b"KTFX"), showing.NOT_READ),
        (ReplaceSm(short_message=b"KTFX"), showing.NOT_READ),
        (DeliverSm(short_message=b"KTFX"), showing.NOT_READ),
    ],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_what_is_hidden_says_why(pdu: Pdu, reason: str) -> None:
    """Neither text nor octets of what is masked, of parts, or of what no parser has read."""
    seen = shown(pdu)
    assert seen["hidden"] == reason
    assert "text" not in seen
    assert b"KTFX".hex() not in seen["hex"]
    assert seen["hex"].endswith("**")


@pytest.mark.parametrize("data_coding", [0, 1, 3, 8, 15])
@pytest.mark.parametrize("codec", ["ascii", "utf-16-be", "utf-16-le", "packed"])
@pytest.mark.parametrize("text", ["MM#abc12345", "MM abc12345", "XGMM abc12345", "P abc12345"])
def test_a_password_under_a_wrong_data_coding(text: str, codec: str, data_coding: int) -> None:
    """The fault that an operator may be looking for: the password is legible in the octets all the same."""
    octets = gsm.pack(text.encode()) if codec == "packed" else text.encode(codec)
    seen = shown(SubmitSm(destination_addr="161", data_coding=data_coding, short_message=octets))
    assert seen["hidden"]
    assert "text" not in seen
    assert seen["hex"].endswith("**" * len(octets))


@pytest.mark.parametrize("text", ["今天晚上一起吃饭吗?", "收到", "HY#13900000002"])
@pytest.mark.parametrize(("codec", "data_coding"), [("utf-16-be", 8), ("gb18030", 15)])
def test_an_ordinary_chinese_sms_is_shown(text: str, codec: str, data_coding: int) -> None:
    """That it could be other octets' text is no reason to hide it."""
    pdu = SubmitSm(destination_addr="161", data_coding=data_coding, short_message=text.encode(codec))
    assert shown(pdu)["text"] == text


@pytest.mark.parametrize(
    "more",
    [
        b"\x14\x01\0\x08P 123456",  # of a vendor
        b"\x04\x24\0\x04KTFX\x04\x24\0\x08P 123456",  # the second one does not count
        b"\x03\x81\0\x08P 123456",
    ],
)
def test_octets_that_nobody_has_read(more: bytes) -> None:
    """Beside a text that may be shown, TLVs may hold another: their octets are not."""
    text = b"" if b"KTFX" in more else b"KTFX"
    frame = encode(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=text)) + more
    seen = shown(len(frame).to_bytes(4, "big") + frame[4:])
    assert (seen["text"], seen["hidden"]) == ("KTFX", "")
    assert b"123456".hex() not in seen["hex"]
    assert "123456" not in json.dumps(seen)
    assert ALICE.encode().hex() in seen["hex"]


def test_before_a_bind_nothing_is_shown() -> None:
    """No account, no alphabet: nobody knows what a text is."""
    assert shown(sms("161", "KTFX"), account="")["hidden"] == showing.NOT_BOUND


def test_numbers_masked() -> None:
    """With logging.mask_msisdn neither texts nor octets are shown: numbers stand in both."""
    seen = shown(sms("161", f"HY#{ALICE}"), masked=True)
    assert seen["hidden"] == showing.NUMBERS_MASKED
    assert ALICE.encode().hex() not in seen["hex"]
    assert ALICE.encode().hex() not in shown(AlertNotification(source_addr=ALICE), masked=True)["hex"]
    told = DeliverSmResp(tlvs={TAGS["additional_status_info_text"]: f"absent: {ALICE}"})
    assert ALICE not in json.dumps(shown(told, masked=True))


@pytest.mark.parametrize(
    "pdu", [BindReceiver(system_id="smsc", password="pass1234"), Outbind(password="pass1234")]
)
def test_the_password_of_a_bind_is_never_shown(pdu: Pdu) -> None:
    """Not in a field, not in octets."""
    told = json.dumps(shown(pdu, account=""))
    assert "pass1234" not in told
    assert b"pass1234".hex() not in told
    assert '"password": "<secret>"' in told


def test_a_broken_pdu_says_why() -> None:
    """Header and reason; its body is hidden, for nobody knows what it holds."""
    frame = b"\0\0\0\x18\0\0\0\x04\0\0\0\0\0\0\0\x05P 123456"
    seen = shown(frame)
    assert seen["broken"] == "service_type: no NUL"
    assert (seen["command"], seen["sequence_number"]) == ("submit_sm", 5)
    assert seen["hex"] == frame[:16].hex() + "**" * 8
    unknown = shown(b"\0\0\0\x10\0\0\x09\x99\0\0\0\0\0\0\0\x05")
    assert (unknown["command"], unknown["broken"]) == ("0x00000999", "command_id: 0x00000999 is unknown")


def test_an_answer_has_a_status() -> None:
    """By its name, and what was irregular in it."""
    seen = shown(DeliverSmResp(command_status=0x14, message_id="7"))
    assert (seen["command_status"], seen["fields"]) == ("ESME_RMSGQFUL", {"message_id": "7"})


SECRETS = st.from_regex(r"[a-z][0-9]{2}[a-z]{2}[0-9]", fullmatch=True)
SAYINGS = ("P {}", "p{}", "MM {}", "mima {}", "我的密码是{}", "密码{}", "{}", " {} ", "P\n{}", "P {} 谢谢")
PLACES = ("161", "12520", "12520050", "125200100")


@st.composite
def pieces(draw: st.DrawFn) -> tuple[str, list[Pdu]]:
    """A secret, and the PDUs in which a handset sends it: plain, as payload, or in parts."""
    secret, place = draw(SECRETS), draw(st.sampled_from(PLACES))
    text = draw(st.sampled_from(SAYINGS)).format(secret)
    method = draw(st.sampled_from(("plain", "payload", "data_sm", "udh8", "udh16", "sar")))
    addresses: dict[str, Any] = {"source_addr": ALICE, "destination_addr": place}
    if method in ("udh8", "udh16", "sar"):
        found = segments(text + "\n" + "长" * 140, GSM, draw(st.integers(0, 255)), method)  # type: ignore[arg-type]
    else:
        data_coding = draw(st.sampled_from((0, 8))) if text.isascii() else 8
        found = [Segment(GSM.encode(text)[1] if not data_coding else text.encode("utf-16-be"), data_coding)]
    made: list[Pdu] = []
    for each in found:
        fields = addresses | {"data_coding": each.data_coding, "esm_class": each.esm_class}
        if method in ("payload", "data_sm"):
            kind = DataSm if method == "data_sm" else SubmitSm
            made.append(kind(**fields, tlvs={MESSAGE_PAYLOAD: each.octets}))
        else:
            made.append(SubmitSm(**fields, short_message=each.octets, tlvs=each.tlvs))
    return secret, made


@given(pieces())
def test_a_password_is_never_shown(case: tuple[str, list[Pdu]]) -> None:
    """However a handset sends a password, and to whichever number: not as text, not as octets."""
    secret, pdus = case
    for pdu in pdus:
        told = json.dumps(shown(pdu), ensure_ascii=False)
        for spelled in (secret, secret.encode().hex(), secret.encode("utf-16-be").hex()):
            assert spelled not in told


@given(ANY_PDU, st.booleans(), st.sampled_from(("", "smsc")))
def test_every_pdu_can_be_shown(pdu: Pdu, incoming: bool, account: str) -> None:
    """Any PDU becomes plain values; where a reason to hide it is given, no octet of a text is in it."""
    try:
        octets = encode(pdu)
    except EncodeError:
        return
    seen = shown(octets, incoming=incoming, account=account)
    json.dumps(seen)
    content = getattr(pdu, "short_message", b"")
    if seen["hidden"] and len(content) > 3:
        assert "text" not in seen
        assert seen["hex"].endswith("**" * len(content))
    assert len(seen["hex"]) == 2 * len(octets)


@given(st.binary(min_size=16, max_size=80))
def test_any_octets_can_be_shown(octets: bytes) -> None:
    """Whatever a peer sends as one frame: shown, or said to be broken."""
    frame = len(octets).to_bytes(4, "big") + octets[4:]
    seen = shown(frame, account="")
    json.dumps(seen)
    assert "broken" in seen or "fields" in seen
