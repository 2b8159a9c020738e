"""Long SMS on links: in as deliver_sm over several links of one centre, out as submit_sm or data_sm."""

from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.long import Method
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS
from tests.channels.small_centre import Peer, SmallCentre
from tests.channels.test_links import dialling, link, told
from tests.channels.test_writing import VENDOR, WAYS, shown

ALICE, BOB = "13800138000", "13900139000"
TEXT = "飞" * 65 + "😀" * 40 + "a" * 30
"""Of three parts with surrogate pairs at their ends."""


def part(number: int, octets: bytes, *, sender: str = ALICE, sar: bool = False) -> DeliverSm:
    """A part of an SMS in three parts."""
    if sar:
        tlvs = {SAR_MSG_REF_NUM: 7, SAR_TOTAL_SEGMENTS: 3, SAR_SEGMENT_SEQNUM: number}
        return DeliverSm(source_addr=sender, destination_addr="161", short_message=octets, tlvs=tlvs)
    header = bytes((5, 0, 3, 7, 3, number))
    return DeliverSm(
        source_addr=sender, destination_addr="161", esm_class=0x40, short_message=header + octets
    )


async def takes(peer: Peer, *requests: DeliverSm) -> None:
    """Each is answered positively."""
    for request in requests:
        peer.send(request)
        assert (await peer.answer()).command_status == 0


async def friends(peer: Peer, transmitter: Peer | None = None) -> None:
    """Alice and Bob have Fetion and are buddies. transmitter: where SMS to them leave, if not on `peer`."""
    for sender, text in ((ALICE, "KTFX"), (BOB, "KTFX"), (ALICE, f"HY#{BOB}"), (BOB, "是")):
        octets = text.encode("utf-16-be")
        await takes(
            peer, DeliverSm(source_addr=sender, destination_addr="161", data_coding=8, short_message=octets)
        )
    for _ in range(6):
        await (transmitter or peer).submit()


def chat(**more: Any) -> DeliverSm:
    """A text from Alice to Bob, whole in message_payload."""
    tlvs = {MESSAGE_PAYLOAD: TEXT.encode("utf-16-be"), **more.pop("tlvs", {})}
    return DeliverSm(source_addr=ALICE, destination_addr=f"12520{BOB}", data_coding=8, tlvs=tlvs, **more)


async def test_parts_over_links_of_one_centre(tmp_path: Path) -> None:
    """In any order, one of them twice, in two spellings; a part of another way with the same reference is of
    another text. The reply leaves on the link of the last part."""
    async with SmallCentre() as one, SmallCentre() as two:
        links = (link(one, name="a", centre="north"), link(two, name="b", centre="north"))
        async with dialling(tmp_path, *links) as gateway:
            first, second = await one.bound(), await two.bound()
            await takes(first, part(3, b"X"), part(2, b"no", sar=True))
            await takes(second, part(1, b"C"), part(3, b"X"))
            await takes(second, part(2, b"XF", sender=f"86{ALICE}"))
            reply = await second.submit()
            assert reply.destination_addr == f"86{ALICE}"
            await gateway.settle()
            handled = [line for line in told(gateway, "sms.handled") if line["outcome"] != "part"]
            assert [(line["instruction"], line["parts"]) for line in handled] == [("service.state", 3)]
            assert first.submitted.empty()


@pytest.mark.parametrize("message", ["usual", "data_sm"])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_out(tmp_path: Path, way: Method, message: str) -> None:
    """A handset behind the centre shows the text; vendor TLVs, source and service_type are as the link
    wants."""
    wants = {
        "long": way,
        "message": message,
        "service_type": "FT",
        "tlvs": {VENDOR: "0A"},
        "source": {"prefix": "106", "ton": 3},
    }
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, **wants)):
        peer = await centre.bound()
        await friends(peer)
        await takes(peer, chat())
        came: list[Pdu] = [await peer.submit() for _ in range(1 if way == "payload" else 3)]
        assert shown(came) == TEXT
        for pdu in came:
            assert isinstance(pdu, DataSm if message == "data_sm" else SubmitSm)
            assert (pdu.service_type, pdu.source_addr, pdu.source_addr_ton) == (
                "FT",
                f"10612520{ALICE}",
                3,
            )
            assert pdu.tlvs[VENDOR] == b"\x0a"


@pytest.mark.parametrize("way", ["sar", "payload"])
async def test_a_centre_of_3_3(tmp_path: Path, way: Method) -> None:
    """It gets user data headers in submit_sm, and no TLV, whatever the link wants."""
    wants = {"long": way, "message": "data_sm", "tlvs": {VENDOR: "0A"}, "version": "3.3", "bind": "pair"}
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, **wants, validity=60)):
        binds = [await centre.bound(), await centre.bound()]
        peer, transmitter = sorted(binds, key=lambda each: each.bind is not None and each.bind.name)
        await friends(peer, transmitter)
        for number, octets in enumerate((TEXT[:60], TEXT[60:100], TEXT[100:]), 1):
            request = part(number, octets.encode("utf-16-be"))
            request.destination_addr, request.data_coding = f"12520{BOB}", 8
            await takes(peer, request)
        came: list[Pdu] = [await transmitter.submit() for _ in range(3)]
        assert shown(came) == TEXT
        for pdu in came:
            assert isinstance(pdu, SubmitSm)
            assert pdu.tlvs == {}
            assert pdu.validity_period == "000000000100000R"


async def test_tlvs_come_back_on_a_link(tmp_path: Path) -> None:
    """The reply has those of its cause that the link passes; the SMS to the buddy has none."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, pass_tlvs=[VENDOR])):
        peer = await centre.bound()
        await friends(peer)
        tlvs = {VENDOR: b"session 7", 0x1402: b"other"}
        query = DeliverSm(source_addr=ALICE, destination_addr="161", short_message=b"CXFX", tlvs=tlvs)
        await takes(peer, query)
        assert (await peer.submit()).tlvs == {VENDOR: b"session 7"}
        await takes(peer, chat(tlvs=tlvs))
        for _ in range(3):
            assert (await peer.submit()).tlvs == {}
