"""SMS that are not answered, on real sockets: a gateway that times out, is left in silence, is killed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.message import Delivery
from gateway.smpp.long import UDHI
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, EnquireLinkResp, SubmitSmResp
from tests.proofs.served import inside, lines, rows, serving, sms, until, write_config
from tests.support import ALICE, Wire, store_of

RESPONSE = 0.7
"""The response timer of these gateways, in seconds."""


def config_of(folder: Path) -> Path:
    """A gateway with a short response timer."""
    timers = {"response": RESPONSE}
    return write_config(
        folder,
        smpp={"listen": {"port": 0}, "timers": timers},
        storage={"url": "sqlite:///var/fetion.db", "key_file": "var/fetion.key"},
    )


def row_of(folder: Path) -> dict[str, Any]:
    """The first SMS that left."""
    return rows(store_of(folder), "SELECT * FROM outbox ORDER BY number")[0]


def acknowledge(wire: Wire, delivery: DeliverSm) -> None:
    """The positive answer to a delivery."""
    wire.send(DeliverSmResp(sequence_number=delivery.sequence_number))


async def submitted(wire: Wire, text: str, sequence: int) -> DeliverSm:
    """A handset sends a text; the first PDU of the answer."""
    request = sms(ALICE, "161", text)
    request.sequence_number = sequence
    wire.send(request)
    assert (await wire.reads(SubmitSmResp)).command_status == 0
    return await wire.reads(DeliverSm)


async def trace(config: Path, number: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What `trace` says of an SMS."""
    assert await asyncio.to_thread(main, ["trace", f"{number:016x}", "--config", str(config)]) == 0
    return capsys.readouterr().out


async def test_one_lost_response_silences_no_handset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On its only bind: a delivery whose response is lost leaves again after a pause, is answered, and the
    next question of the handset is answered too. Log and trace say that it left twice."""
    config = config_of(tmp_path)
    async with inside(config) as gateway, Wire.to(gateway.port) as wire:
        await wire.bind()
        first = await submitted(wire, "KTFX", 2)
        question = await wire.reads(EnquireLink)
        wire.send(EnquireLinkResp(sequence_number=question.sequence_number))
        again = await wire.reads(DeliverSm)
        assert again.short_message == first.short_message
        assert again.sequence_number > question.sequence_number
        acknowledge(wire, again)
        await until(lambda: row_of(tmp_path)["closed_at"], "the end of the first SMS")
        acknowledge(wire, await submitted(wire, "161", 3))
    row = row_of(tmp_path)
    assert (row["state"], row["attempts"], row["losses"]) == (Delivery.SENT, 2, 1)
    assert "sent, 2 attempts, perhaps delivered before\n" in await trace(config, row["number"], capsys)
    sent = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.sent"]
    assert [(line["attempts"], line["repeat"]) for line in sent][:1] == [(2, True)]
    assert row_of(tmp_path)["error"] == ""


async def test_a_peer_that_answers_nothing(tmp_path: Path) -> None:
    """Neither the delivery nor the question whether it lives is answered: the session ends, nothing counts
    against the SMS, and the next bind has it."""
    async with inside(config_of(tmp_path)) as gateway:
        async with Wire.to(gateway.port) as wire:
            await wire.bind()
            first = await submitted(wire, "KTFX", 2)
            await wire.reads(EnquireLink)
            assert await wire.read() is None
        async with Wire.to(gateway.port) as wire:
            await wire.bind()
            again = await wire.reads(DeliverSm)
            assert again.short_message == first.short_message
            await until(lambda: row_of(tmp_path)["attempts"] == 1, "the commit of what is known")
            await until(lambda: gateway.pipeline.idle, "the end of that commit")  # the stop is not behind it
    assert (row_of(tmp_path)["losses"], row_of(tmp_path)["state"]) == (0, Delivery.WAITING)
    closed = [line["reason"] for line in lines(tmp_path / "gateway.log") if line["event"] == "bind.closed"]
    assert closed[0] == "enquire_link not answered"


async def test_acknowledged_parts_do_not_leave_again_after_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 between the parts of a long SMS: after the restart it goes on behind the part that was
    acknowledged, under the same reference; trace tells how far it is and how often it left."""
    config = config_of(tmp_path)
    async with serving(config) as served, Wire.to(served.port) as wire:
        await wire.bind()
        one = await submitted(wire, "BZ", 2)
        total = one.short_message[4]
        assert (one.esm_class & UDHI, one.short_message[5]) == (UDHI, 1)
        acknowledge(wire, one)
        two = await wire.reads(DeliverSm)
        await until(lambda: row_of(tmp_path)["parts_done"] == 1, "the commit of the first part")
        await served.kill()
    assert f"1 of {total} acknowledged" in await trace(config, row_of(tmp_path)["number"], capsys)
    async with serving(config) as served, Wire.to(served.port) as wire:
        await wire.bind()
        places = []
        for _ in range(total - 1):
            part = await wire.reads(DeliverSm)
            places.append(part.short_message[5])
            assert part.short_message[3] == two.short_message[3]
            acknowledge(wire, part)
        assert places == list(range(2, total + 1))
        await until(lambda: row_of(tmp_path)["closed_at"], "the end of the SMS")
        assert await served.stop() == 0
    row = row_of(tmp_path)
    assert (row["state"], row["parts_done"]) == (Delivery.SENT, total)
