"""SMS to handsets over real connections, as each account wants them."""

from pathlib import Path
from typing import Any

import pytest

from gateway.channels.smpp.writing import QOS_TIME_TO_LIVE
from gateway.simulator.esme import Esme
from gateway.smpp.long import Method
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindReceiver, BindTransceiver, DataSm, DeliverSm, SubmitSm
from tests.channels.test_writing import OTHER, VENDOR, WAYS, shown
from tests.processing.machine_service import accounts, drained, live_gateway, opened
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    bind,
    lines,
    rows,
    sms,
    text_of,
    until,
)
from tests.support import ALICE, BOB, Wire, store_of

TO_BOB = f"12520{BOB}"
TEXTS = ("a" * 150 + "€[é@" * 7, "飞" * 65 + "😀" * 40 + "a" * 30)
"""Of up to 180 characters: in GSM 7-bit with escape pairs, and in UTF-16 with surrogate pairs."""


async def friends(esme: Esme) -> None:
    """Alice and Bob have Fetion and are buddies."""
    await opened(esme, ALICE, BOB)
    await accepted(esme, sms(ALICE, "161", f"HY#{BOB}"))
    await accepted(esme, sms(BOB, "161", "是", 8))
    await drained(esme)


def chat(text: str, **more: Any) -> SubmitSm:
    """A text from Alice to Bob, whole in message_payload."""
    return SubmitSm(
        source_addr=ALICE,
        destination_addr=TO_BOB,
        data_coding=8,
        tlvs={0x0424: text.encode("utf-16-be")},
        **more,
    )


async def arrived(esme: Esme, count: int) -> list[Pdu]:
    """The next PDUs on a bind, which leave one after another."""
    found: list[Pdu] = []
    while len(found) < count:
        await until(lambda: not esme.inbox.empty(), "a part")
        found.append(esme.inbox.get_nowait())
    return found


@pytest.mark.parametrize("message", ["usual", "data_sm"])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_out(tmp_path: Path, way: Method, message: str) -> None:
    """A handset shows the text that another one wrote, whatever the account wants."""
    smpp = accounts(long=way, message=message)
    parts = 1 if way == "payload" else 2
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await friends(esme)
    async with live_gateway(tmp_path, smpp=smpp) as live, await bind(live.port) as esme:
        for text, more in zip(TEXTS, (0, 1), strict=True):
            await accepted(esme, chat(text))
            came = await arrived(esme, parts + more * (parts > 1))
            assert {type(each) for each in came} == {DataSm if message == "data_sm" else DeliverSm}
            assert shown(came) == text
        await until(lambda: not live.gateway.outbox.depth, "the end of all SMS")
    sent = rows(store_of(tmp_path), "SELECT state FROM outbox WHERE msisdn = ? AND length(text) > 120", BOB)
    assert [row["state"] for row in sent] == [1, 1]


async def test_a_bind_of_3_3(tmp_path: Path) -> None:
    """It takes an SMS that was composed for TLVs, and data_sm, as deliver_sm with user data headers; a bind
    of 3.4 of the same account gets them as the account wants."""
    smpp = accounts(long="sar", message="data_sm", tlvs={VENDOR: "0A"}, validity=60)
    async with live_gateway(tmp_path, smpp=accounts()) as live, await bind(live.port) as esme:
        await friends(esme)
    async with (
        live_gateway(tmp_path, smpp=smpp) as live,
        await bind(live.port, "transmitter") as esme,
        Wire.to(live.port) as old,
    ):
        await old.bind(
            BindReceiver(system_id=SYSTEM_ID, password=PASSWORD, interface_version=0x33, sequence_number=1)
        )
        await accepted(esme, chat(TEXTS[1]))
        came: list[Pdu] = []
        for _ in range(3):
            part = await old.reads(DeliverSm)
            assert part.tlvs == {}
            assert part.validity_period == "000000000100000R"
            old.send(part.response(sequence_number=part.sequence_number))
            came.append(part)
        assert shown(came) == TEXTS[1]
        async with await bind(live.port, "receiver", address_range=BOB) as new:
            await accepted(esme, chat(TEXTS[0]))
            came = await arrived(new, 2)
            assert shown(came) == TEXTS[0]
            assert all(each.tlvs[VENDOR] == b"\x0a" for each in came)
            assert all(each.tlvs[QOS_TIME_TO_LIVE] == 60 for each in came)


async def test_a_cut_between_parts(tmp_path: Path) -> None:
    """The first of three SAR parts was taken by a bind of 3.4 that is gone then: a bind of 3.3 gets the whole
    text, and the gateway says that it is a repeat."""
    async with live_gateway(tmp_path, smpp=accounts(long="sar")) as live, await bind(live.port) as esme:
        await friends(esme)
        await esme.close()
        async with await bind(live.port, "transmitter") as sender, Wire.to(live.port) as first:
            await first.bind(BindReceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1))
            await accepted(sender, chat(TEXTS[1]))
            part = await first.reads(DeliverSm)
            first.send(part.response(sequence_number=part.sequence_number))
            second = await first.reads(DeliverSm)
            assert second.tlvs[0x020F] == 2
            first.close()
            await until(lambda: len(live.gateway.binds.all()) == 1, "the loss of the receiver")
            async with Wire.to(live.port) as old:
                request = BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, interface_version=0x33)
                request.sequence_number = 1
                await old.bind(request)
                came: list[Pdu] = []
                for _ in range(3):
                    part = await old.reads(DeliverSm)
                    old.send(part.response(sequence_number=part.sequence_number))
                    came.append(part)
                assert shown(came) == TEXTS[1]
                await until(lambda: not live.gateway.outbox.depth, "the end of all SMS")
    [line] = [
        line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.sent" and line["parts"] > 1
    ]
    assert (line["parts"], line["repeat"]) == (3, True)


async def test_tlvs_come_back_to_the_sender(tmp_path: Path) -> None:
    """A reply has those of its cause that the account passes, the SMS to another handset none; what is longer
    than a reply takes over is left off."""
    smpp = accounts(pass_tlvs=[VENDOR])
    async with live_gateway(tmp_path, smpp=smpp) as live, await bind(live.port) as esme:
        await friends(esme)
        tlvs = {VENDOR: b"session 7", OTHER: b"other"}
        await accepted(esme, sms(ALICE, "161", "CXFX", tlvs=tlvs))
        [reply] = await arrived(esme, 1)
        assert reply.tlvs == {VENDOR: b"session 7"}
        await accepted(esme, sms(ALICE, TO_BOB, "hello", tlvs=tlvs))
        [told] = await arrived(esme, 1)
        assert isinstance(told, DeliverSm)
        assert (told.destination_addr, told.tlvs) == (BOB, {})
        for size, passed in ((1020, {VENDOR: b"x" * 1020}), (1021, {})):
            await accepted(esme, sms(ALICE, "161", "CXFX", tlvs={VENDOR: b"x" * size}))
            [reply] = await arrived(esme, 1)
            assert reply.tlvs == passed
        await accepted(esme, sms(ALICE, "161", "CXFX"))
        [reply] = await arrived(esme, 1)
        assert reply.tlvs == {}


async def test_numbers_of_the_service_with_a_prefix(tmp_path: Path) -> None:
    """The peer writes 106161 for 161, and gets it so in every SMS; it may write 161 too."""
    smpp = accounts(source={"prefix": "106", "ton": 3, "npi": 9})
    async with live_gateway(tmp_path, smpp=smpp) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        for written in ("106161", "161"):
            await accepted(esme, sms(ALICE, written, "CXFX", dest_addr_ton=6))
            [reply] = await arrived(esme, 1)
            assert isinstance(reply, DeliverSm)
            assert (reply.source_addr, reply.source_addr_ton, reply.source_addr_npi) == ("106161", 3, 9)
    found = rows(store_of(tmp_path), "SELECT DISTINCT destination FROM journal")
    assert [row["destination"] for row in found] == ["161"]


async def test_what_every_sms_has(tmp_path: Path) -> None:
    """service_type, priority, registered_delivery and validity as the account says."""
    smpp = accounts(service_type="FT", priority=3, validity=90, receipts={"ask": "always"})
    async with live_gateway(tmp_path, smpp=smpp) as live, await bind(live.port) as esme:
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        [reply] = await arrived(esme, 1)
        assert isinstance(reply, DeliverSm)
        assert (reply.service_type, reply.priority_flag, reply.registered_delivery) == ("FT", 3, 1)
        assert reply.validity_period in ("000000000130000R", "000000000129000R")


async def test_a_text_that_becomes_too_many_parts(tmp_path: Path) -> None:
    """Its writer is told that it failed, and the log names the setting; nothing leaves to the receiver."""
    async with (
        live_gateway(tmp_path, smpp=accounts(parts=1)) as live,
        await bind(live.port) as esme,
    ):
        await friends(esme)
        await accepted(esme, chat(TEXTS[1]))
        [told] = await arrived(esme, 1)
        assert isinstance(told, DeliverSm)
        assert told.destination_addr == ALICE
        assert "没有处理成功" in text_of(told)
        await accepted(esme, chat("飞信"))
        [told] = await arrived(esme, 1)
        assert shown([told]) == "飞信"
    [line] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.failed"]
    reason = "the text needs 3 segments, the limit is 1 (`parts` of smsc in the section smpp)"
    assert line["reason"] == reason
    [row] = rows(store_of(tmp_path), "SELECT detail FROM journal WHERE outcome = 'failed'")
    assert reason in row["detail"]
