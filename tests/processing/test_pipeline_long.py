"""Long messages on their way into a running gateway."""

import asyncio
from pathlib import Path

import pytest

from gateway.inbound.reassembly import KEPT_MS, OCTETS_PER_HANDSET, SETS_PER_HANDSET
from gateway.message import number_of
from gateway.smpp.pdus import SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS
from tests.processing.machine_service import drained, live_gateway, opened, status, stays_silent
from tests.processing.test_pipeline_stalls import go_on, waits
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    sms,
    text_of,
    until,
    write_config,
)
from tests.proofs.test_store_faults import TriedStore
from tests.support import ALICE, BOB, MovedClock, part_of_many, store_of


async def test_parts_over_two_binds(tmp_path: Path) -> None:
    """The parts of one message come on two binds of the account, the last first and one of them twice: it
    runs once, and the reply goes where the completing part came from."""
    parts = {
        number: part_of_many(7, 3, number, octets) for number, octets in enumerate((b"C", b"XF", b"X"), 1)
    }
    async with (
        live_gateway(tmp_path) as live,
        await bind(live.port) as one,
        await bind(live.port) as two,
    ):
        for esme, number in ((one, 3), (two, 1), (one, 1), (two, 2)):
            await accepted(esme, parts[number])
        reply = await delivered(two)
        assert reply.destination_addr == ALICE
        [row] = live.journal()
        assert (row["parts"], row["outcome"]) == (3, "done")
        assert live.count("part") == 0
        await stays_silent(one)


@pytest.mark.parametrize("kind", ["udh8", "sar"])
async def test_a_restart_in_the_middle_of_a_long_message(tmp_path: Path, kind: str) -> None:
    """Parts that were acknowledged survive a restart; the text is what was sent, though a character was
    cut."""
    octets = f"HY#{BOB}#小爱".encode("utf-16-be")
    pieces = [octets[:21], octets[21:40], octets[40:]]

    def part(number: int) -> SubmitSm:
        if kind == "udh8":
            return part_of_many(9, 3, number, pieces[number - 1], data_coding=8)
        numbering = {SAR_MSG_REF_NUM: 9, SAR_TOTAL_SEGMENTS: 3, SAR_SEGMENT_SEQNUM: number}
        return SubmitSm(
            source_addr=ALICE,
            destination_addr="161",
            data_coding=8,
            short_message=pieces[number - 1],
            tlvs=numbering,
        )

    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE, BOB)
        await accepted(esme, part(3))
        await accepted(esme, part(1))
        assert live.count("part") == 2
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await accepted(esme, part(2))
        replies = {d.destination_addr: text_of(d) for d in await drained(esme)}
        assert "小爱" in replies[BOB]
        assert live.count("part") == 0


async def test_a_part_that_comes_again_after_a_cut(tmp_path: Path) -> None:
    """All parts are resent after the message was executed and the session cut: nothing runs a second time."""
    parts = [part_of_many(7, 2, 1, b"CX"), part_of_many(7, 2, 2, b"FX")]
    async with live_gateway(tmp_path) as live:
        first = await bind(live.port)
        numbers = [await accepted(first, part) for part in parts]
        await delivered(first)
        await live.closed(1)
        await first.abort()
        await until(lambda: not live.gateway.binds.all(), "the end of the bind")
        async with await bind(live.port) as second:
            assert [await accepted(second, part) for part in parts] == numbers
            assert len(live.journal()) == 1
            await stays_silent(second)


async def test_too_many_long_messages(tmp_path: Path) -> None:
    """The 17th unfinished message of a handset, and more than 40 KiB of them, get RMSGQFUL; others go on."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        for reference in range(SETS_PER_HANDSET):
            await accepted(esme, part_of_many(reference, 2, 1, b"x"))
        assert await status(esme, part_of_many(99, 2, 1, b"x")) == CommandStatus.RMSGQFUL
        await accepted(esme, part_of_many(99, 2, 1, b"x", sender=BOB))
        big = b"x" * (OCTETS_PER_HANDSET // 2)
        numbering = {SAR_MSG_REF_NUM: 1, SAR_TOTAL_SEGMENTS: 3}
        answers = [
            await status(
                esme,
                SubmitSm(
                    source_addr="13700137000",
                    destination_addr="161",
                    tlvs={**numbering, SAR_SEGMENT_SEQNUM: number, MESSAGE_PAYLOAD: big},
                ),
            )
            for number in (1, 2, 3)
        ]
        assert answers == [0, 0, CommandStatus.RMSGQFUL]
        assert live.count("part") == SETS_PER_HANDSET + 3


async def test_a_long_message_is_given_up(tmp_path: Path) -> None:
    """At its deadline its parts leave the store, its sender gets one sentence from the number that he wrote
    to, in his own spelling, and the log says so; the late part begins another message."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        first = part_of_many(7, 3, 1, b"CX", sender=f"86{ALICE}")
        first.source_addr_ton = 1
        number = await accepted(esme, first)
        await accepted(esme, part_of_many(7, 3, 2, b"FX"))
        live.clock.ahead += KEPT_MS / 1000
        live.gateway.pipeline.housekeep()
        told = await delivered(esme)
        assert (told.source_addr, told.destination_addr, told.dest_addr_ton) == ("161", f"86{ALICE}", 1)
        assert "没有收全" in text_of(told)
        assert live.count("part") == 0
        await accepted(esme, part_of_many(7, 3, 3, b"!"))
        assert live.count("part") == 1
        await stays_silent(esme)
        [row] = rows(store_of(tmp_path), "SELECT cause FROM outbox WHERE text LIKE '%没有收全%'")
        assert row["cause"] == number_of(number)
    [line] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.incomplete"]
    assert line["parts"] == 2


async def test_one_reference_again(tmp_path: Path) -> None:
    """A part of a message that is complete comes again, then the next message of the same reference: the
    buddy gets both as they were written, and nothing of one in the other."""
    to = f"12520{BOB}"

    def part(number: int, octets: bytes) -> SubmitSm:
        return SubmitSm(
            source_addr=ALICE,
            destination_addr=to,
            esm_class=0x40,
            short_message=bytes((6, 8, 4, 0, 9, 2, number)) + octets,
        )

    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE, BOB)
        await accepted(esme, sms(ALICE, "161", f"HY#{BOB}"))
        await accepted(esme, sms(BOB, "161", "是", 8))
        await drained(esme)
        for number, octets in ((1, b"A"), (2, b"B"), (2, b"B"), (1, b"C"), (2, b"D")):
            await accepted(esme, part(number, octets))
        assert [text_of(each) for each in await drained(esme)] == ["AB", "CD"]
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        for number, octets in ((2, b"D"), (1, b"E"), (2, b"F")):
            await accepted(esme, part(number, octets))
        assert [text_of(each) for each in await drained(esme)] == ["EF"]


async def test_no_room_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for which there is no room, and its retransmission in the same late batch: both are refused, for
    nothing was stored."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        for reference in range(SETS_PER_HANDSET):
            await accepted(esme, part_of_many(reference, 2, 1, b"x"))
        later = waits(live, monkeypatch)
        first = asyncio.create_task(status(esme, part_of_many(99, 2, 1, b"y")))
        await later(1, 5.0)
        second = asyncio.create_task(status(esme, part_of_many(99, 2, 1, b"y")))
        await later(2, 6.0)
        go_on(live, monkeypatch)
        assert [await first, await second] == [CommandStatus.RMSGQFUL] * 2


async def test_given_up_while_the_store_fails_and_stopped(tmp_path: Path) -> None:
    """The sender is told after the next start at the latest, for the parts go with the sentence and not
    before."""
    clock = MovedClock()
    store = TriedStore.of(store_of(tmp_path))
    async with inside(write_config(tmp_path), clock=clock, open_store=lambda _: store) as gateway:
        async with await bind(gateway.port) as esme:
            await accepted(esme, part_of_many(7, 2, 1, b"lost"))
        await until(lambda: gateway.pipeline.idle, "the end of what came before")
        clock.ahead += KEPT_MS / 1000 + 1
        store.broken = True
        gateway.pipeline.housekeep()
        await until(lambda: gateway.pipeline._failures, "the failure")
        store.broken = False
    async with inside(write_config(tmp_path), clock=clock) as gateway, await bind(gateway.port) as esme:
        gateway.pipeline.housekeep()
        assert "没有收全" in text_of(await delivered(esme))
    assert rows(store_of(tmp_path), "SELECT 1 FROM part") == []


async def test_parts_whose_key_is_lost(tmp_path: Path) -> None:
    """They can never be joined: their sender is told after the start with the new key, and they are gone."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, part_of_many(7, 3, 1, b"one"))
        await accepted(esme, part_of_many(7, 3, 2, b"two"))
    store_of(tmp_path).with_suffix(".key").unlink()
    async with inside(config, new_key=True) as gateway, await bind(gateway.port) as esme:
        gateway.pipeline.housekeep()
        assert "没有收全" in text_of(await delivered(esme))
    assert rows(store_of(tmp_path), "SELECT 1 FROM part") == []
