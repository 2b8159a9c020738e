"""A disk whose commits are slow, so that they are made in a thread: who may use the store meanwhile, and what
an orderly stop does."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.app import Environment, Gateway
from gateway.operations.logs import open_log
from gateway.processing import pipeline
from gateway.secrets import Hasher
from gateway.simulator.errors import NotConnectedError
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import InDoubt
from gateway.testing import CHEAP
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    serving,
    settings_of,
    sms,
    texts,
    until,
    write_config,
)
from tests.proofs.test_store_faults import TriedStore
from tests.support import Wire, store_of

ONE, OTHER = "13800138000", "13800138001"
SHORT = {"shutdown": {"deadline": 0.3}}


def slow_store(folder: Path) -> TriedStore:
    """A store that waits in a commit with SMS while `held` is not set."""
    return TriedStore.of(store_of(folder))


async def idle(gateway: Gateway) -> None:
    """Wait until nothing is to be done."""
    await until(lambda: gateway.pipeline.idle, "the end of what came before")


async def test_a_row_that_is_not_committed_is_no_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P waits for its hash while a later SMS is answered; its commit is under way when the session is lost,
    and fails. P was never taken: sent again it is executed, not answered as a retransmission."""
    gate, hashed = asyncio.Event(), Hasher.hash

    async def wait(self: Hasher, password: str) -> str:
        await gate.wait()
        return await hashed(self, password)

    store = slow_store(tmp_path)
    async with inside(write_config(tmp_path), open_store=lambda _: store) as gateway:
        first = await bind(gateway.port)
        await accepted(first, sms(ONE, "161", "KTFX"))
        await delivered(first)
        monkeypatch.setattr(Hasher, "hash", wait)
        asked = asyncio.create_task(first.submit(sms(ONE, "161", "P")))
        await until(lambda: gateway.pipeline._hashing.waiting, "the SMS")
        await accepted(first, sms(OTHER, "161", "CXFX"))
        await delivered(first)
        store.slow = True
        store.waits.clear()
        store.held.clear()
        gate.set()
        await until(store.waits.is_set, "the commit")
        await first.abort()
        with pytest.raises(NotConnectedError):
            await asked
        await until(lambda: not gateway.binds.all(), "the loss")
        store.broken = True
        store.held.set()
        await until(lambda: gateway.pipeline._failures, "the failure")
        store.broken = False
        await idle(gateway)
        async with await bind(gateway.port) as second:
            await accepted(second, sms(ONE, "161", "P"))
            assert "密码是" in "".join(text for _, text in await texts(second, 1))
    found = rows(store_of(tmp_path), "SELECT 1 FROM journal WHERE instruction = 'password.random'")
    assert len(found) == 1


async def test_nobody_looks_at_the_store_during_a_commit(tmp_path: Path) -> None:
    """What an operator asks waits for the end of the commit, and sees its outcome."""
    store = slow_store(tmp_path)
    config = write_config(tmp_path)
    async with inside(config, open_store=lambda _: store) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, sms(ONE, "161", "KTFX"))
        await delivered(esme)
        await idle(gateway)
        store.slow = True
        store.waits.clear()
        store.held.clear()
        asked = asyncio.create_task(esme.submit(sms(ONE, "161", "CXFX")))
        await until(store.waits.is_set, "the commit")
        looking = asyncio.create_task(store.recent(0, 10))
        looked, _ = await asyncio.wait((looking,), timeout=0.05)
        assert not looked
        store.held.set()
        assert len(await looking) == 2
        assert (await asked).command_status == 0


@asynccontextmanager
async def opened(config: Path, store: TriedStore) -> AsyncIterator[Gateway]:
    """A gateway that the test stops itself."""
    log = open_log(settings_of(config).logging)
    try:
        gateway = Gateway(settings_of(config), log, Environment(hash_cost=CHEAP, open_store=lambda _: store))
        yield await gateway.__aenter__()
    finally:
        log.close()


async def delivery_on(wire: Wire, request: SubmitSm) -> DeliverSm:
    """Submit; the SMS that comes, which is not acknowledged yet."""
    wire.send(request)
    while not isinstance(pdu := await wire.read(), DeliverSm):
        assert pdu is not None
    return pdu


@pytest.mark.parametrize("fails", [False, True])
async def test_a_commit_outlasts_the_deadline_of_a_stop(tmp_path: Path, fails: bool) -> None:
    """The stop waits for the commit that is under way, and says so. What was delivered meanwhile is stored
    behind it, and does not leave a second time; where it cannot be, the stop says what is lost."""
    store = slow_store(tmp_path)
    log = tmp_path / "gateway.log"
    async with opened(write_config(tmp_path, **SHORT), store) as gateway, Wire.to(gateway.port) as wire:
        await wire.bind()
        delivery = await delivery_on(wire, sms(ONE, "161", "KTFX", sequence_number=2))
        await idle(gateway)
        store.slow = True
        store.waits.clear()
        store.held.clear()
        wire.send(sms(ONE, "161", "CXFX", sequence_number=3))
        await until(store.waits.is_set, "the commit")
        wire.send(DeliverSmResp(sequence_number=delivery.sequence_number))
        await until(lambda: gateway.outbox.to_store, "the delivery")
        stopping = asyncio.create_task(gateway.__aexit__(None, None, None))
        lasts = "gateway.commit_outlasts_deadline"
        await until(lambda: lasts in [line["event"] for line in lines(log)], lasts)
        assert not stopping.done()
        store.broken = fails
        store.held.set()
        await stopping
        assert gateway.stored is not fails
    states = [row["state"] for row in rows(store_of(tmp_path), "SELECT state FROM outbox ORDER BY number")]
    assert states == ([0] if fails else [1, 0])
    assert len(rows(store_of(tmp_path), "SELECT 1 FROM journal")) == (1 if fails else 2)
    lost = [line for line in lines(log) if line["event"] == "storage.lost"]
    assert [line["closed"] for line in lost] == ([1] if fails else [])


async def test_a_disk_that_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes meanwhile is refused, what is in hand is not; when the disk works again, so does all."""
    monkeypatch.setattr(pipeline, "STALLED", 0.2)
    store = slow_store(tmp_path)
    config = write_config(tmp_path)
    async with inside(config, open_store=lambda _: store) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, sms(ONE, "161", "KTFX"))
        await delivered(esme)
        await idle(gateway)
        store.slow = True
        store.waits.clear()
        store.held.clear()
        asked = asyncio.create_task(esme.submit(sms(ONE, "161", "CXFX")))
        await until(store.waits.is_set, "the commit")
        waits = asyncio.create_task(esme.submit(sms(OTHER, "161", "KTFX")))
        assert (await waits).command_status == CommandStatus.RSYSERR
        assert gateway.pipeline.failures == 1
        assert not asked.done()
        store.held.set()
        assert (await asked).command_status == 0
        await accepted(esme, sms(OTHER, "161", "KTFX"))
        assert gateway.pipeline.failures == 0


async def test_it_will_never_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot say whether it has an SMS: its session is closed, and it is neither accepted nor
    refused. The gateway goes on, and at its stop says that something is unknown."""
    store = slow_store(tmp_path)
    async with opened(write_config(tmp_path, **SHORT), store) as gateway:
        async with await bind(gateway.port) as other:
            first = await bind(gateway.port)
            await accepted(other, sms(ONE, "161", "KTFX"))
            await idle(gateway)
            with monkeypatch.context() as patched:

                async def unknown(_: object) -> None:
                    raise InDoubt("somebody else has it")

                patched.setattr(store, "commit", unknown)
                with pytest.raises(NotConnectedError):
                    await first.submit(sms(ONE, "161", "CXFX"))
            await until(lambda: not gateway.queue.closed(gateway._clock.monotonic()), "the end of the pause")
            await accepted(other, sms(OTHER, "161", "KTFX"))
        await gateway.__aexit__(None, None, None)
        assert not gateway.stored
    assert [
        line["sms"] for line in lines(tmp_path / "gateway.log") if line["event"] == "storage.in_doubt"
    ] == [1]


async def test_serve_says_that_it_could_not_store(tmp_path: Path) -> None:
    """The disk takes nothing more when an SMS is acknowledged, and SIGTERM comes: exit 1, and the SMS leaves
    again after the next start, for nobody knows of its delivery."""
    config = write_config(tmp_path, shutdown={"deadline": 2})
    async with serving(config) as gateway, Wire.to(gateway.port) as wire:
        await wire.bind()
        delivery = await delivery_on(wire, sms(ONE, "161", "KTFX", sequence_number=2))
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        wire.send(DeliverSmResp(sequence_number=delivery.sequence_number))
        assert await gateway.stop() == 1
    states = rows(store_of(tmp_path), "SELECT state FROM outbox")
    assert [row["state"] for row in states] == [0]
