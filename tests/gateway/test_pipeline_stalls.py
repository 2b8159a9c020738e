"""What a stall of the store, or of the pipeline itself, must not lead to."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.hashing import HASHES_PER_MINUTE
from gateway.model import MobileOriginated
from gateway.pipeline import PAUSE_FIRST, Pipeline
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite import SqliteStore
from tests.gateway.house import QUERY, House, house, opened
from tests.gateway.support import ALICE, part_of_many
from tests.proofs.served import accepted, bind, delivered, sms, until


def stall(home: House, monkeypatch: pytest.MonkeyPatch, seconds: float, count: int = 2) -> None:
    """Let so much time pass between the arrival of the next SMS and its batch of so many."""
    pipeline = home.gateway.pipeline
    take = pipeline._take

    def late() -> list[MobileOriginated]:
        if len(pipeline._queue) < count:
            return []
        home.clock.ahead += seconds
        monkeypatch.undo()
        return take()

    monkeypatch.setattr(pipeline, "_take", late)


@pytest.mark.parametrize(("seconds", "executed"), [(6.0, 1), (0.0, 2)])
async def test_the_same_sms_twice_in_one_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, executed: int
) -> None:
    """A batch that comes 6 s late may hold an SMS and its resend: it runs once, both get the same message id.
    In a batch that is not late two equal SMS are two."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        stall(home, monkeypatch, seconds)
        ids = await asyncio.gather(*(accepted(esme, sms(ALICE, "161", QUERY)) for _ in range(2)))
        assert len(set(ids)) == executed
        for _ in range(executed):
            assert (await delivered(esme)).destination_addr == ALICE
        assert len(home.journal()) == executed


async def test_retransmissions_that_stall_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is late; so are those to two retransmissions, which share a batch; and there is a third. The
    SMS runs once, all get its message id. What comes when that was answered in time is an SMS of its own."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        ids = []
        for count in (1, 2):
            stall(home, monkeypatch, 6.0, count)
            ids += await asyncio.gather(*(accepted(esme, sms(ALICE, "161", QUERY)) for _ in range(count)))
        ids.append(await accepted(esme, sms(ALICE, "161", QUERY)))
        assert ids == ids[:1] * 4
        assert len(home.journal()) == 1
        assert await accepted(esme, sms(ALICE, "161", QUERY)) not in ids


async def test_a_password_instruction_in_parts(tmp_path: Path) -> None:
    """P cut into two parts comes too late to be hashed: it is explained, and is no failure of ours."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        await opened(esme, ALICE)
        await accepted(esme, part_of_many(3, 2, 1, b"P"))
        await accepted(esme, part_of_many(3, 2, 2, b" "))
        assert (await delivered(esme)).destination_addr == ALICE
        assert home.journal("password.random") == []
        [row] = home.journal("misunderstood")
        assert row["outcome"] == "usage"


async def test_a_password_that_could_not_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store fails again and again, and the centre sends P again and again: what we refused does not count
    against the handset. It gets its password, and is not told to ask less often."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        await opened(esme, ALICE)
        pipeline = home.gateway.pipeline
        for _ in range(HASHES_PER_MINUTE + 1):
            with monkeypatch.context() as broken:
                broken.setattr(home.gateway.store, "sync", _fail(home))
                refused = await esme.submit(sms(ALICE, "12520", "P"))
            assert refused.command_status == CommandStatus.RSYSERR
            home.clock.ahead += pipeline._pause
            await until(lambda: pipeline.idle, "the end of the pause")
        await accepted(esme, sms(ALICE, "12520", "P"))
        assert [row["outcome"] for row in home.journal("password.random")] == ["done"]


async def test_the_pause_after_faults_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store fails, each pause is twice the one before; the commits of nothing in between do not
    begin the count anew."""
    pauses: list[float] = []

    def note(pipeline: Pipeline) -> None:
        pauses.append(pipeline._pause)

    async with house(tmp_path) as home, await bind(home.port) as esme:
        pipeline = home.gateway.pipeline
        for _ in range(3):
            with monkeypatch.context() as broken:
                broken.setattr(home.gateway.store, "sync", _fail(home))
                await esme.submit(sms(ALICE, "161", QUERY))
            note(pipeline)
            home.clock.ahead += 60
            await until(lambda: pipeline.idle, "the end of the pause")
    assert pauses == [PAUSE_FIRST, 2 * PAUSE_FIRST, 4 * PAUSE_FIRST]


def _fail(home: House) -> Callable[[], None]:
    store = home.gateway.store
    assert isinstance(store, SqliteStore)

    def sync() -> None:
        store._roll_back()
        raise StoreFault("disk: I/O error")

    return sync
