"""Receipts of the SMS that left: a peer, over a real socket, names the parts and tells later."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import STORE_DOWN
from gateway.outbound.receipts import EARLY_MS
from gateway.smpp.codec import encode
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindTransceiver, DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.receipts import Report
from gateway.smpp.status import CommandStatus
from tests.processing.machine_service import LiveGateway, accounts, live_gateway
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    frame,
    lines,
    rows,
    serving,
    sms,
    until,
    write_config,
)
from tests.support import ALICE, MovedClock, store_of


class Centre:
    """A peer that is asked for receipts: it answers when the test says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sequence = 100
        self._early: list[Pdu] = []

    def send(self, pdu: Pdu) -> None:
        """Write a PDU; a request gets the next number."""
        self._sequence += 1
        pdu.sequence_number = pdu.sequence_number or self._sequence
        self._writer.write(encode(pdu))

    async def next(self, kind: type[Pdu]) -> Any:
        """The next PDU of this class; others wait."""
        for each in self._early:
            if type(each) is kind:
                self._early.remove(each)
                return each
        while type(pdu := await frame(self._reader)) is not kind:
            self._early.append(pdu)
        return pdu

    async def takes(self, remote_id: str) -> DeliverSm:
        """Take the next part of an SMS, and name it."""
        part: DeliverSm = await self.next(DeliverSm)
        self.send(part.response(sequence_number=part.sequence_number, message_id=remote_id))
        return part

    def asks(self, text: str = "CXFX") -> None:
        """A handset asks for something, which is answered with an SMS."""
        self.send(sms(ALICE, "161", text))

    async def tells(self, remote_id: str, said: str = "DELIVRD", status: int = 0, **more: Any) -> None:
        """Send a receipt, and wait for its answer."""
        text = Report(remote_id, said, "0703151200", "0703151201").octets
        self.send(
            SubmitSm(source_addr=ALICE, destination_addr="161", esm_class=4, short_message=text, **more)
        )
        while (answer := await self.next(SubmitSmResp)).message_id:
            pass  # of a handset's SMS
        assert answer.command_status == status, f"0x{answer.command_status:X}"


@contextlib.asynccontextmanager
async def centre(port: int) -> AsyncIterator[Centre]:
    """Bind."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encode(BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1)))
    assert (await frame(reader)).command_status == 0
    try:
        yield Centre(reader, writer)
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def asking(
    folder: Path, clock: MovedClock | None = None, ask: str = "always", **receipts: Any
) -> AsyncIterator[LiveGateway]:
    """A gateway whose account is asked for receipts."""
    async with live_gateway(folder, clock, smpp=accounts(receipts={"ask": ask, **receipts})) as live:
        yield live


def state(folder: Path) -> list[int]:
    """The states of all SMS out."""
    return [row["state"] for row in rows(store_of(folder), "SELECT state FROM outbox ORDER BY number")]


def parts(folder: Path) -> list[dict[str, Any]]:
    """All rows of parts."""
    return rows(store_of(folder), "SELECT * FROM receipt ORDER BY number, part")


def told(folder: Path, event: str) -> list[dict[str, Any]]:
    """The lines of the log of that event."""
    return [line for line in lines(folder / "gateway.log") if line["event"] == event]


async def test_delivered(tmp_path: Path) -> None:
    """It was asked for; states on the way are noted, the final one counts, a repeat changes nothing, and a
    second final one neither."""
    async with asking(tmp_path) as live, centre(live.port) as peer:
        peer.asks()
        assert (await peer.takes("00Ab")).registered_delivery == 1
        await until(lambda: state(tmp_path) == [1], "sent")
        await peer.tells("ab", "ENROUTE")
        assert [(row["state"], row["said"]) for row in parts(tmp_path)] == [(1, "ENROUTE")]
        await peer.tells("AB", "DELIVRD")
        assert state(tmp_path) == [5]
        await peer.tells("ab", "DELIVRD")
        await peer.tells("ab", "ACCEPTD")
        await peer.tells("ab", "UNDELIV")
        assert state(tmp_path) == [5]
        [row] = parts(tmp_path)
        assert (row["remote_id"], row["key"], row["state"], row["said"], row["until"]) == (
            "00Ab", "ab", 5, "DELIVRD", 0,
        )  # fmt: skip
        assert row["receipted_at"] >= row["at"]
    assert [line["outcome"] for line in told(tmp_path, "sms.receipted")] == ["under way", "delivered"]
    assert [line["said"] for line in told(tmp_path, "receipt.contradicts")] == ["UNDELIV"]
    assert told(tmp_path, "receipt.unmatched") == []


async def test_parts_are_rolled_up(tmp_path: Path) -> None:
    """A long SMS is delivered when all parts are; one part that failed, whichever, makes it undelivered, when
    the peer has taken them all."""
    async with asking(tmp_path) as live, centre(live.port) as peer:
        peer.asks("HELP")
        first = await peer.next(DeliverSm)
        count = first.short_message[4]
        assert first.esm_class == 0x40
        peer.send(first.response(sequence_number=first.sequence_number, message_id="1"))
        for place in range(2, count + 1):
            await peer.tells(f"{place - 1}", "DELIVRD")
            assert 5 not in state(tmp_path)
            await peer.takes(f"{place}")
        await until(lambda: len(parts(tmp_path)) == count, "all parts")
        number = parts(tmp_path)[0]["number"]
        await peer.tells(f"{count}", "UNDELIV")
        [row] = rows(store_of(tmp_path), "SELECT state FROM outbox WHERE number = ?", number)
        assert row["state"] == 6
        assert [each["state"] for each in parts(tmp_path)] == [5] * (count - 1) + [6]


async def test_before_the_response(tmp_path: Path) -> None:
    """It is kept, answered, survives a restart of the process, and is claimed when the response comes."""
    async with asking(tmp_path) as live, centre(live.port) as peer:
        peer.asks()
        part = await peer.next(DeliverSm)
        await peer.tells("0B", "DELIVRD")
        assert [row["key"] for row in rows(store_of(tmp_path), "SELECT * FROM early_receipt")] == ["b"]
        peer.send(part.response(sequence_number=part.sequence_number, message_id="b"))
        await until(lambda: state(tmp_path) == [5], "delivered")
        assert rows(store_of(tmp_path), "SELECT * FROM early_receipt") == []
        peer.asks()
        await peer.next(DeliverSm)
        await peer.tells("0C", "UNDELIV")
    async with asking(tmp_path) as live, centre(live.port) as peer:
        await peer.takes("c")
        await until(lambda: state(tmp_path) == [5, 6], "undelivered")


@pytest.mark.long
async def test_a_kill_between_receipt_and_response(tmp_path: Path) -> None:
    """kill -9: the receipt was answered, so it is there; the part leaves again, its response claims it."""
    config = write_config(tmp_path, smpp=accounts(receipts={"ask": "always"}))
    async with serving(config) as served, centre(served.port) as peer:
        peer.asks()
        await peer.next(DeliverSm)
        await peer.tells("0C", "DELIVRD")
        await served.kill()
    async with serving(config) as served, centre(served.port) as peer:
        await peer.takes("c")
        await until(lambda: state(tmp_path) == [5], "delivered")
        [row] = parts(tmp_path)
        assert (row["remote_id"], row["said"]) == ("c", "DELIVRD")


async def test_of_nobody(tmp_path: Path) -> None:
    """Answered as any other, reported once after a minute, kept; so is one that may be of several
    parts, at once."""
    clock = MovedClock()
    async with asking(tmp_path, clock) as live, centre(live.port) as peer:
        await peer.tells("77", "DELIVRD")
        await peer.tells("77", "DELIVRD")
        for _ in range(2):
            peer.asks()
            await peer.takes("88")
        await until(lambda: state(tmp_path) == [1, 1], "both sent")
        await peer.tells("88", "DELIVRD")
        assert state(tmp_path) == [1, 1]
        await until(lambda: told(tmp_path, "receipt.unmatched"), "a line")
        assert [line["remote_id"] for line in told(tmp_path, "receipt.unmatched")] == ["88"]
        clock.ahead += EARLY_MS / 1000 + 1
        for _ in range(3):
            await live.gateway.tick(housekeeping=True)
            await live.gateway.drained()
        await until(lambda: len(told(tmp_path, "receipt.unmatched")) == 2, "both lines")
        unmatched = told(tmp_path, "receipt.unmatched")
        assert [(line["remote_id"], line["said"]) for line in unmatched] == [
            ("88", "DELIVRD"),
            ("77", "DELIVRD"),
        ]
        kept = rows(store_of(tmp_path), "SELECT remote_id, reported FROM early_receipt ORDER BY key")
        assert [tuple(row.values()) for row in kept] == [("77", 1), ("88", 1)]


async def test_ids_in_two_forms(tmp_path: Path) -> None:
    """The response in hexadecimal digits, the receipt in decimal ones: never the part with an equal id."""
    async with asking(tmp_path, id="hex") as live, centre(live.port) as peer:
        for remote_id in ("0000000A", "00000010"):
            peer.asks()
            await peer.takes(remote_id)
        await until(lambda: state(tmp_path) == [1, 1], "both sent")
        await peer.tells("10", "DELIVRD")
        assert state(tmp_path) == [5, 1]
        await peer.tells("0000000016", "UNDELIV")
        assert state(tmp_path) == [5, 6]


async def test_none_comes(tmp_path: Path) -> None:
    """After `wait` it is reported, once, over a restart; one that comes even later counts. Where
    only failures are told, nothing is missed."""
    clock = MovedClock()
    async with asking(tmp_path, clock, wait=600) as live, centre(live.port) as peer:
        peer.asks()
        await peer.takes("5")
        await until(lambda: state(tmp_path) == [1], "sent")
    clock.ahead += 601
    async with asking(tmp_path, clock, wait=600) as live, centre(live.port) as peer:
        for _ in range(2):
            await live.gateway.tick(housekeeping=True)
            await live.gateway.drained()
        await until(lambda: told(tmp_path, "sms.receipted"), "a line")
        assert [line["outcome"] for line in told(tmp_path, "sms.receipted")] == ["unknown"]
        assert [(row["until"], row["error"]) for row in parts(tmp_path)] == [(0, "no final receipt in time")]
        await peer.tells("5", "EXPIRED")
        assert state(tmp_path) == [6]
    async with asking(tmp_path, clock, ask="failure") as live, centre(live.port) as peer:
        peer.asks("cxfx")  # the same text would be a retransmission of what the lost session had
        assert (await peer.takes("6")).registered_delivery == 2
        await until(lambda: state(tmp_path)[1] == 1, "sent")
        assert parts(tmp_path)[1]["until"] == 0


async def test_who_is_not_asked(tmp_path: Path) -> None:
    """Nothing is written, and what looks like a receipt is refused as before."""
    async with live_gateway(tmp_path) as live, centre(live.port) as peer:
        peer.asks()
        assert (await peer.takes("5")).registered_delivery == 0
        await until(lambda: state(tmp_path) == [1], "sent")
        await peer.tells("5", "DELIVRD", status=CommandStatus.RINVESMCLASS)
        assert parts(tmp_path) == []


async def test_a_store_that_fails(tmp_path: Path) -> None:
    """A receipt is refused, for a while; the peer tells it again."""
    async with asking(tmp_path) as live, centre(live.port) as peer:
        peer.asks()
        await peer.takes("5")
        await until(lambda: state(tmp_path) == [1], "sent")
        live.gateway.queue.pause(live.clock.monotonic() + 60, STORE_DOWN)
        await peer.tells("5", "DELIVRD", status=CommandStatus.RSYSERR)
        live.gateway.queue.pause(0.0, STORE_DOWN)
        await peer.tells("5", "DELIVRD")
        assert state(tmp_path) == [5]
