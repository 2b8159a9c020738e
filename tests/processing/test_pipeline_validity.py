"""SMS that may not be executed any more when their turn comes, in a running gateway."""

import asyncio
import time
from pathlib import Path

import pytest

from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, TAGS
from tests.processing.machine_service import (
    QUERY,
    drained,
    live_gateway,
    opened,
    status,
    stays_silent,
)
from tests.processing.test_pipeline_again import cut
from tests.processing.test_pipeline_stalls import go_on, waits
from tests.proofs.served import accepted, bind, delivered, lines, sms, text_of
from tests.support import ALICE, MovedClock, part_of_many

MINUTE, HOUR = "000000000100000R", "000000010000000R"


def query(validity: str) -> SubmitSm:
    """An instruction with a validity."""
    return sms(ALICE, "161", QUERY, validity_period=validity)


def data(seconds: int) -> DataSm:
    """The same in a data_sm."""
    tlvs: dict[int, int | bytes] = {MESSAGE_PAYLOAD: QUERY.encode(), TAGS["qos_time_to_live"]: seconds}
    return DataSm(source_addr=ALICE, destination_addr="161", data_coding=1, tlvs=tlvs)


@pytest.mark.parametrize(
    ("request_", "executed"),
    [(query(MINUTE), 0), (query(HOUR), 1), (query(""), 1), (data(60), 0), (data(3600), 1), (data(0), 1)],
    ids=["minute", "hour", "none", "qos minute", "qos hour", "qos none"],
)
async def test_over_when_the_batch_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: SubmitSm | DataSm, executed: int
) -> None:
    """An SMS whose validity ends while it waits is not executed: it is refused, and the log says so. A longer
    one, none and one of 0 are."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        later = waits(live, monkeypatch)
        answer = asyncio.create_task(status(esme, request_))
        await later(1, 90.0)
        go_on(live, monkeypatch)
        assert await answer == (CommandStatus.ROK if executed else CommandStatus.RINVEXPIRY)
        assert len(live.journal()) == executed
        assert len(await drained(esme)) == executed
    refused = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.rejected"]
    assert [(line["reason"], line["command_status"]) for line in refused] == (
        [] if executed else [("the validity is over", "ESME_RINVEXPIRY")]
    )


async def test_an_executed_sms_comes_again_behind_its_end(tmp_path: Path) -> None:
    """The response was lost, and the validity ends before the SMS comes again: it was executed, so it gets
    ROK and its id."""
    clock = MovedClock()
    async with live_gateway(tmp_path, clock) as live:
        first = await bind(live.port)
        moment = clock.now_ms() // 1000 + 30
        validity = f"{_utc(moment)}000+"
        number = await accepted(first, query(validity))
        await delivered(first)
        await cut(live, first)
        clock.ahead += 40
        async with await bind(live.port) as second:
            assert await accepted(second, query(validity)) == number
            assert await status(second, query(validity)) == CommandStatus.RINVEXPIRY
            assert len(live.journal()) == 1


def _utc(seconds: int) -> str:
    """YYMMDDhhmmss."""
    return time.strftime("%y%m%d%H%M%S", time.gmtime(seconds))


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_earliest_end_of_the_parts_counts(tmp_path: Path, *, restarts: bool) -> None:
    """The second part may come for an hour, the first one for a minute only: the message is given up after
    that, its sender is told, and the third part completes nothing; over a restart too."""
    parts = [part_of_many(7, 3, number, octets) for number, octets in enumerate((b"C", b"XF", b"X"), 1)]
    parts[0].validity_period = MINUTE
    parts[1].validity_period = HOUR
    clock = MovedClock()
    async with live_gateway(tmp_path, clock) as live, await bind(live.port) as esme:
        await accepted(esme, parts[1])
        await accepted(esme, parts[0])
        if not restarts:
            clock.ahead += 61
            live.gateway.pipeline.housekeep()
            assert "没有收全" in text_of(await delivered(esme))
        else:
            assert live.count("part") == 2
    async with live_gateway(tmp_path, clock) as live, await bind(live.port) as esme:
        if restarts:
            clock.ahead += 61
            live.gateway.pipeline.housekeep()
            assert "没有收全" in text_of(await delivered(esme))
        assert live.count("part") == 0
        await accepted(esme, parts[2])
        assert live.count("part") == 1
        assert live.journal() == []


async def test_a_message_within_the_validity_of_its_parts(tmp_path: Path) -> None:
    """Parts that come in time are joined and executed."""
    parts = [part_of_many(7, 2, number, octets) for number, octets in enumerate((b"CX", b"FX"), 1)]
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        for part in parts:
            part.validity_period = MINUTE
            await accepted(esme, part)
        await delivered(esme)
        assert len(live.journal()) == 1


async def test_a_clock_that_is_put_back(tmp_path: Path) -> None:
    """The time of day goes back by an hour: a span that has begun does not become longer than it was by more
    than that, and the gateway goes on."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        live.clock.wall -= 3600
        await accepted(esme, query(MINUTE))
        await delivered(esme)
        await stays_silent(esme)
