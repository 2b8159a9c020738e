"""What a stall of the store, or of the pipeline itself, must not lead to."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import pytest

from gateway.inbound.hashing import HASHES_PER_MINUTE
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import Commit
from gateway.processing.pipeline import PAUSE_FIRST, Pipeline
from gateway.secrets import Hasher
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import Conflict, StoreFault
from gateway.storage.sqlite.store import SqliteStore
from tests.processing.machine_service import QUERY, LiveGateway, live_gateway, opened
from tests.proofs.served import accepted, bind, delivered, sms, until
from tests.support import ALICE, BOB, MovedClock, part_of_many


def stall(live: LiveGateway, monkeypatch: pytest.MonkeyPatch, seconds: float, count: int = 2) -> None:
    """Let so much time pass between the arrival of the next SMS and its batch of so many."""
    queue = live.gateway.queue
    take = queue.take

    def late(most: int, held_back: Collection[str]) -> list[MobileOriginated]:
        if len(queue) < count:
            return []
        live.clock.ahead += seconds
        monkeypatch.undo()
        return take(most, held_back)

    monkeypatch.setattr(queue, "take", late)


Later = Callable[[int, float], Awaitable[None]]


def waits(live: LiveGateway, monkeypatch: pytest.MonkeyPatch) -> Later:
    """No batch is begun until go_on(). The function waits until so many SMS are there, and puts the clock
    forward."""
    queue = live.gateway.queue
    monkeypatch.setattr(queue, "take", lambda _most, _held_back: [])

    async def later(count: int, seconds: float) -> None:
        await until(lambda: len(queue) == count, f"{count} SMS")
        live.clock.ahead += seconds

    return later


def go_on(live: LiveGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is begun."""
    monkeypatch.undo()
    live.gateway.pipeline.wake()


@pytest.mark.parametrize(("pause", "executed"), [(5.0, 1), (1.0, 2)])
async def test_the_same_sms_twice_in_one_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: float, executed: int
) -> None:
    """A batch that comes late may hold an SMS and its retransmission, which came 5 s after it or more: it
    runs once, both get the same message id. Two equal SMS within a second are two, however late the batch
    is."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        later = waits(live, monkeypatch)
        one = asyncio.create_task(accepted(esme, sms(ALICE, "161", QUERY)))
        await later(1, pause)
        two = asyncio.create_task(accepted(esme, sms(ALICE, "161", QUERY)))
        await later(2, 6.0)
        go_on(live, monkeypatch)
        assert len({await one, await two}) == executed
        for _ in range(executed):
            assert (await delivered(esme)).destination_addr == ALICE
        assert len(live.journal()) == executed


async def test_two_equal_sms_in_a_batch_in_time(tmp_path: Path) -> None:
    """In a batch that is not late two equal SMS are two."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        ids = await asyncio.gather(*(accepted(esme, sms(ALICE, "161", QUERY)) for _ in range(2)))
        assert len(set(ids)) == 2


async def test_retransmissions_that_stall_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is late; so are those to two retransmissions, which share a batch; and there is a third. The
    SMS runs once, all get its message id. What comes when that was answered in time is an SMS of its own."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        asked = []
        for count in (1, 2):
            later = waits(live, monkeypatch)
            for number in range(count):
                asked.append(asyncio.create_task(accepted(esme, sms(ALICE, "161", QUERY))))
                await later(number + 1, 6.0)
            go_on(live, monkeypatch)
            ids = [await each for each in asked]
        ids.append(await accepted(esme, sms(ALICE, "161", QUERY)))
        assert ids == ids[:1] * 4
        assert len(live.journal()) == 1
        assert await accepted(esme, sms(ALICE, "161", QUERY)) not in ids


async def test_the_watermark_waits_for_a_batch_that_is_taken_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P was overtaken while it was hashed; its batch meets a Conflict and is worked SMS by SMS, a second
    later. The process dies then: P is still known to have been answered a moment ago, and is recognised when
    it comes again."""
    go, hashed = asyncio.Event(), Hasher.hash

    async def wait(self: Hasher, password: str) -> str:
        await go.wait()
        return await hashed(self, password)

    clock = MovedClock()
    async with (
        live_gateway(tmp_path / "a", clock) as live,
        await bind(live.port, "transmitter") as esme,
    ):
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        with monkeypatch.context() as patch:
            patch.setattr(Hasher, "hash", wait)
            password = asyncio.create_task(accepted(esme, sms(ALICE, "161", "P")))
            await until(lambda: live.gateway.pipeline._hashing.waiting, "the hash")
            await accepted(esme, sms(BOB, "161", QUERY))
            clock.ahead += 70
            later = waits(live, patch)
            other = asyncio.create_task(accepted(esme, sms(BOB, "161", QUERY)))
            await later(1, 0)
            go.set()
            await later(2, 0)
        store = live.gateway.store
        assert isinstance(store, SqliteStore)
        write = store.write

        def conflict(commit: Commit) -> None:
            if len(commit.messages) > 1:
                clock.ahead += 1.1
                raise Conflict("one of them")
            write(commit)

        monkeypatch.setattr(store, "write", conflict)
        live.gateway.pipeline.wake()
        number, _ = await password, await other
        monkeypatch.undo()
        # As kill -9 leaves it.
        shutil.copytree(tmp_path / "a", tmp_path / "dead", ignore=shutil.ignore_patterns("*.control"))
    async with (
        live_gateway(tmp_path / "dead", clock) as live,
        await bind(live.port, "transmitter") as esme,
    ):
        assert await accepted(esme, sms(ALICE, "161", "P")) == number


async def test_a_password_instruction_in_parts(tmp_path: Path) -> None:
    """P cut into two parts comes too late to be hashed: it is explained, and is no failure of ours."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        await accepted(esme, part_of_many(3, 2, 1, b"P"))
        await accepted(esme, part_of_many(3, 2, 2, b" "))
        assert (await delivered(esme)).destination_addr == ALICE
        assert live.journal("password.random") == []
        [row] = live.journal("misunderstood")
        assert row["outcome"] == "usage"


async def test_a_password_that_could_not_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store fails again and again, and the centre sends P again and again: what we refused does not count
    against the handset. It gets its password, and is not told to ask less often."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        pipeline = live.gateway.pipeline
        for _ in range(HASHES_PER_MINUTE + 1):
            with monkeypatch.context() as broken:
                broken.setattr(live.gateway.store, "sync", _fail(live))
                refused = await esme.submit(sms(ALICE, "12520", "P"))
            assert refused.command_status == CommandStatus.RSYSERR
            live.clock.ahead += pipeline._pause
            await until(lambda: pipeline.idle, "the end of the pause")
        await accepted(esme, sms(ALICE, "12520", "P"))
        assert [row["outcome"] for row in live.journal("password.random")] == ["done"]


async def test_the_pause_after_faults_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store fails, each pause is twice the one before; the commits of nothing in between do not
    begin the count anew."""
    pauses: list[float] = []

    def note(pipeline: Pipeline) -> None:
        pauses.append(pipeline._pause)

    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        pipeline = live.gateway.pipeline
        for _ in range(3):
            with monkeypatch.context() as broken:
                broken.setattr(live.gateway.store, "sync", _fail(live))
                await esme.submit(sms(ALICE, "161", QUERY))
            note(pipeline)
            live.clock.ahead += 60
            await until(lambda: pipeline.idle, "the end of the pause")
    assert pauses == [PAUSE_FIRST, 2 * PAUSE_FIRST, 4 * PAUSE_FIRST]


def _fail(live: LiveGateway) -> Callable[[], None]:
    store = live.gateway.store
    assert isinstance(store, SqliteStore)

    def sync() -> None:
        store._roll_back()
        raise StoreFault("disk: I/O error")

    return sync
