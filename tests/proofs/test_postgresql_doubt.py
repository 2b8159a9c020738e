"""The connection to PostgreSQL is lost during a commit and does not come back for a while: who is answered
what, how a stop ends, and that what comes again is recognised."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from gateway.operations.status import RECENT
from gateway.processing import pipeline
from gateway.simulator.errors import NotConnectedError
from gateway.simulator.esme import Esme
from gateway.smpp.pdu import Response
from gateway.smpp.pdus import SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.storage.engines import open_store
from gateway.testing import BadLink
from tests.postgresql import missing, schema_of, shared, url_of
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    events,
    inside,
    lines,
    serving,
    settings_of,
    sms,
    until,
    write_config,
)
from tests.storage.test_postgresql import waits_for_a_lock

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ONE, OTHER = "13800138000", "13800138001"
RESPONSE = 1.0
"""Seconds of smpp.timers.response."""


@pytest.fixture
async def link() -> AsyncIterator[BadLink]:
    """Between gateway and server."""
    async with BadLink("127.0.0.1", shared().port) as opened:
        yield opened
        opened.resume()


def config_of(folder: Path, link: BadLink, deadline: float = 5) -> Path:
    """A gateway whose store is behind the link."""
    url = url_of(folder).replace(str(shared().port), str(link.port)) + "&connect_timeout=2"
    return write_config(
        folder,
        storage={"url": url, "key_file": str(folder / "fetion.key")},
        smpp={"timers": {"response": RESPONSE}},
        shutdown={"deadline": deadline},
    )


def journal(folder: Path) -> list[str]:
    """The instructions that were executed."""
    found = shared().execute("SELECT instruction FROM journal ORDER BY number", schema_of(folder))
    return [instruction for (instruction,) in found]


@asynccontextmanager
async def lost_within_commit(
    folder: Path, link: BadLink, esme: Esme, request: SubmitSm
) -> AsyncIterator["asyncio.Task[Response]"]:
    """Submit; the server has the whole commit and stores it, while nobody reaches the server. Gives the
    answer that is waited for."""
    before = len(journal(folder))
    with psycopg.connect(shared().url(schema_of(folder))) as other:
        other.execute("LOCK TABLE journal IN SHARE MODE")
        answer = asyncio.create_task(esme.submit(request))
        await waits_for_a_lock(folder)
        link.stall()
        link.cut()
        other.rollback()
    await until(lambda: len(journal(folder)) > before, "the commit")
    yield answer


async def test_past_the_response_timer(
    tmp_path: Path, link: BadLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the SMS is stored. Its session is closed unanswered once its centre has waited
    for long enough; whatever else comes is refused at once, on another session too. When the server says
    that it is stored, what comes again is answered as a retransmission, and executed once."""
    monkeypatch.setattr(pipeline, "STALLED", 0.5)
    config, request = config_of(tmp_path, link), sms(ONE, "161", "CXFX")
    store = await asyncio.to_thread(open_store, settings_of(config).storage.url)
    async with (
        inside(config, open_store=lambda *_: store) as gateway,
        await bind(gateway.port) as first,
        await bind(gateway.port) as other,
    ):
        await accepted(first, sms(ONE, "161", "KTFX"))
        await delivered(first)
        async with lost_within_commit(tmp_path, link, first, request) as answer:
            await until(lambda: gateway.pipeline.failures, "the failure")
            assert not answer.done()
            response = await other.submit(sms(OTHER, "161", "KTFX"))
            assert response.command_status == CommandStatus.RSYSERR
            with pytest.raises(NotConnectedError):
                await answer
            refused = await other.submit(request)
            assert refused.command_status == CommandStatus.RSYSERR
            assert gateway.pipeline.failing_s[1] < RECENT
        link.resume()
        await until(lambda: not gateway.pipeline.failures, "the recovery")
        await accepted(other, request)
        await accepted(other, sms(OTHER, "161", "KTFX"))
    assert journal(tmp_path) == ["service.open", "service.state", "service.open"]
    told = events(tmp_path / "gateway.log")
    assert "storage.recovered" in told
    assert told.count("sms.duplicate") == 1


async def test_a_stop_in_doubt(tmp_path: Path, link: BadLink) -> None:
    """SIGTERM while nobody knows: it ends soon after its deadline with exit code 1 and says what is
    unknown. The next start recognises what was stored."""
    config, request = config_of(tmp_path, link, 0.3), sms(ONE, "161", "CXFX")
    async with serving(config) as gateway:
        first = await bind(gateway.port)
        await accepted(first, sms(ONE, "161", "KTFX"))
        await delivered(first)
        async with lost_within_commit(tmp_path, link, first, request) as answer:
            assert await gateway.stop() == 1
            with pytest.raises(NotConnectedError):
                await answer
    [said] = [line for line in lines(gateway.log) if line["event"] == "storage.in_doubt"]
    assert said["sms"] == 1
    assert "the next start recognises those that are stored" in said["consequence"]
    link.resume()
    async with serving(config) as gateway, await bind(gateway.port) as second:
        await accepted(second, request)
        assert await gateway.stop() == 0
    assert journal(tmp_path) == ["service.open", "service.state"]
    assert events(gateway.log).count("sms.duplicate") == 1
