"""Receipts that peers ask of us."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway.inbound.reassembly import KEPT_MS
from gateway.message import Kind
from gateway.processing.reports import kinds_of
from gateway.simulator.esme import Esme
from gateway.smpp.pdus import BindReceiver, BindTransmitter, DeliverSm, SubmitSmResp
from gateway.smpp.receipts import Outcome, Receipt, read_receipt
from tests.processing.machine_service import live_gateway
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    bind,
    delivered,
    handle_with,
    lines,
    rows,
    sms,
    text_of,
    until,
)
from tests.support import ALICE, MovedClock, Wire, part_of_many, store_of

SMS, RECEIPT, ACKNOWLEDGED = 0x00, 0x04, 0x08


async def of_types(esme: Esme, *types: int) -> list[DeliverSm]:
    """The next deliveries, which have these types in whatever order, in the order of the types."""
    found = {each.esm_class & 0x3C: each for each in [await delivered(esme) for _ in types]}
    assert set(found) == set(types)
    return [found[each] for each in types]


def said(delivery: DeliverSm) -> Receipt:
    """What a receipt says; its text and its TLVs say the same."""
    found = read_receipt(delivery.short_message, delivery.data_coding, delivery.tlvs)
    assert found.tlv_id == found.text_id
    assert read_receipt(b"", 0, delivery.tlvs).outcome is found.outcome
    return found


async def test_a_receipt_and_an_acknowledgement(tmp_path: Path) -> None:
    """Beside the reply, on the same bind, addresses swapped; with our name of the SMS, nothing of its text.

    What is asked for is given: a receipt of a centre, word of the receiver, both; else nothing.
    """
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        id_ = await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=0x05))
        _, receipt, acknowledgement = await of_types(esme, SMS, RECEIPT, ACKNOWLEDGED)
        for each in (receipt, acknowledgement):
            assert (each.source_addr, each.destination_addr) == ("161", ALICE)
            assert each.registered_delivery == 0
            found = said(each)
            assert (found.tlv_id, found.said, found.error) == (id_, "DELIVRD", "000")
            assert b"CXFX" not in each.short_message
        await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=0x08))
        await of_types(esme, SMS, ACKNOWLEDGED)
        for nothing in (0x00, 0x02, 0x10):
            await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=nothing))
            assert (await delivered(esme)).esm_class == SMS
        kept = rows(store_of(tmp_path), "SELECT kind, msisdn, cause FROM outbox WHERE kind > 0")
        assert sorted(row["kind"] for row in kept) == [1, 2, 2]
        assert {row["msisdn"] for row in kept} == {""}
        log = tmp_path / "gateway.log"
        await until(lambda: sum(e["event"] == "receipt.sent" for e in lines(log)) == 3, "three receipts")


async def test_of_an_instruction_that_met_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt of failure alone comes then, and one of success alone does not."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    handle_with(monkeypatch, "service.state", fails)  # type: ignore[arg-type]
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=2))
        _, receipt = await of_types(esme, SMS, RECEIPT)
        assert (said(receipt).said, said(receipt).outcome) == ("UNDELIV", Outcome.UNDELIVERED)
        await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=3))
        assert (await delivered(esme)).esm_class == SMS
        await accepted(esme, sms(ALICE, "161", "CXFX"))
        assert (await delivered(esme)).esm_class == SMS


async def test_every_part_that_asked_has_its_own(tmp_path: Path) -> None:
    """When the message is complete, over a restart; a part that did not ask has none."""
    parts = [part_of_many(7, 3, number, octets) for number, octets in enumerate((b"CX", b"F", b"X"), start=1)]
    parts[0].registered_delivery = parts[2].registered_delivery = 1
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        first = await accepted(esme, parts[0])
        await accepted(esme, parts[1])
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        last = await accepted(esme, parts[2])
        came = [await delivered(esme) for _ in range(3)]
        receipts = [each for each in came if each.esm_class == RECEIPT]
        assert {said(each).tlv_id for each in receipts} == {first, last}
        assert [each.esm_class for each in came if each.esm_class != RECEIPT] == [SMS]


async def test_a_part_that_never_became_a_message(tmp_path: Path) -> None:
    """At the deadline its sender hears one sentence, and the receipts that were asked for."""
    clock = MovedClock()
    part = part_of_many(7, 3, 1, b"CX")
    part.registered_delivery = 1
    async with live_gateway(tmp_path, clock) as live, await bind(live.port) as esme:
        id_ = await accepted(esme, part)
        clock.ahead += KEPT_MS / 1000 + 1
        await live.gateway.tick(housekeeping=True)
        _, receipt = await of_types(esme, SMS, RECEIPT)
        assert (said(receipt).tlv_id, said(receipt).said) == (id_, "UNDELIV")
        assert (receipt.source_addr, receipt.destination_addr) == ("161", ALICE)


async def test_a_lost_part_of_a_peer_with_short_ids(tmp_path: Path) -> None:
    """SMPP 3.3: the receipt has the id that the response had, also when the peer has bound anew since."""
    clock = MovedClock()
    who: Any = {"system_id": SYSTEM_ID, "password": PASSWORD, "interface_version": 0x33, "sequence_number": 1}
    part = part_of_many(7, 3, 1, b"CX")
    part.registered_delivery, part.sequence_number = 1, 2
    async with live_gateway(tmp_path, clock) as live, Wire.to(live.port) as wire:
        await wire.bind(BindTransmitter(**who))
        wire.send(part)
        id_ = (await wire.reads(SubmitSmResp)).message_id
    clock.ahead += KEPT_MS / 1000 + 1
    async with live_gateway(tmp_path, clock) as live, Wire.to(live.port) as wire:
        await wire.bind(BindReceiver(**who))
        await live.gateway.tick(housekeeping=True)
        came = [await wire.reads(DeliverSm) for _ in range(2)]
        [receipt] = [each for each in came if each.esm_class == RECEIPT]
        found = read_receipt(receipt.short_message, receipt.data_coding, receipt.tlvs)
        assert (len(id_), found.text_id, found.tlv_id) == (8, id_, "")


async def test_a_receipt_outlives_its_bind(tmp_path: Path) -> None:
    """It leaves on any receiver of the account, whatever that asks for; it expires after a day."""
    clock = MovedClock()
    async with live_gateway(tmp_path, clock) as live:
        async with await bind(live.port, "transmitter") as esme:
            id_ = await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=1))
            gone = await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=1))
        assert gone != id_
    with sqlite3.connect(store_of(tmp_path)) as db:
        db.execute("UPDATE outbox SET expires_at = 1 WHERE kind = 1 AND cause = ?", (int(gone, 16),))
    async with live_gateway(tmp_path, clock) as live, await bind(live.port, address_range="139") as other:
        receipt = await delivered(other)
        assert said(receipt).tlv_id == id_
        states = "SELECT state FROM outbox WHERE kind = 1 ORDER BY number"
        await until(
            lambda: [row["state"] for row in rows(store_of(tmp_path), states)] == [1, 3], "sent and expired"
        )


async def test_a_receipt_of_an_account_that_is_gone(tmp_path: Path) -> None:
    """It is given up at the start: no other account has asked for it. An SMS goes elsewhere."""
    async with live_gateway(tmp_path) as live, await bind(live.port, "transmitter") as esme:
        await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=1))
    other = {"accounts": [{"system_id": "other", "password": "fetion16", "default": True}]}
    async with live_gateway(tmp_path, smpp=other):
        states = "SELECT kind, state FROM outbox ORDER BY kind"
        await until(
            lambda: [tuple(row.values()) for row in rows(store_of(tmp_path), states)] == [(0, 0), (1, 2)],
            "the end of the receipt",
        )


async def test_many_receipts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """They are for no handset: as many are under way as the window has room for."""
    count = 20
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        ids = {await accepted(esme, sms(ALICE, "161", "CXFX", registered_delivery=1)) for _ in range(count)}
        came = [await delivered(esme) for _ in range(2 * count)]
        assert {said(each).tlv_id for each in came if each.esm_class == RECEIPT} == ids
        assert all(text_of(each) for each in came if each.esm_class == SMS)


@pytest.mark.parametrize("registered", range(32))
def test_all_values(registered: int) -> None:
    """By bits: 1 always, 2 of failure, 3 of success; 4 and 8 the receiver's word; 16 nothing."""
    for delivered_ in (True, False):
        centre = {0: False, 1: True, 2: not delivered_, 3: delivered_}[registered & 3]
        expected = [Kind.RECEIPT] * centre + [Kind.ACKNOWLEDGEMENT] * bool(registered & 12)
        assert list(kinds_of(registered, dialled=False, delivered=delivered_)) == expected
        assert Kind.RECEIPT not in kinds_of(registered, dialled=True, delivered=delivered_)
