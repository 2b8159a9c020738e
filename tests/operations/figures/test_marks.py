"""Days whose figures are not complete: marked, told, and counted again by the gateway itself."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.message import Commit, Delivery, Watermark
from gateway.observer import Observer
from gateway.operations.figures.building import recall
from gateway.operations.figures.mending import Mending
from gateway.operations.figures.rebuild import NotRebuilt, Rebuilding
from gateway.storage.engines import open_reader
from gateway.storage.figures import PeriodKind
from gateway.testing import RunningGateway, running_gateway
from tests.operations.figures.counts import stored
from tests.operations.figures.test_gateway import ALICE, BOB, check, folded
from tests.operations.figures.test_history import MOBILES, PLACE, TEST_PHONE, History
from tests.support import leaving, received

OFF = {"statistics": {"enabled": False}}
NOON = round(datetime(2007, 3, 1, 4, tzinfo=UTC).timestamp()) * 1000
DAY_MS = 86_400_000


async def history_of_days(count: int) -> History:
    """An SMS at noon of each of these days, from 1 March 2007 on; none is folded."""
    history = History("Asia/Shanghai")
    await history.switch(counts=True)
    for number in range(1, count + 1):
        at = NOON + (number - 1) * DAY_MS
        commit = Commit(messages=[received(number, source=MOBILES[number % 5], at=at)])
        history.counting.note(commit, at)
        await history.store.commit(commit)
    return history


def uplinks(history: History) -> dict[str, int]:
    """SMS from customers by day."""
    found = stored(history.stores.open_reader(PLACE), PeriodKind.DAY)
    return {key[1]: times for key, (times, _) in found.items() if key[0] == "uplink"}


async def test_commits_beyond_the_bound_are_mended() -> None:
    """Their days are marked and told, and rebuilt when the others are folded; then nothing is marked."""
    history = await history_of_days(4)
    told: list[tuple[int, list[str]]] = []
    history.most = 1
    history.restart()
    history.consumer._incomplete = lambda *each: told.append(each)
    while await history.consumer._drop_some():
        pass
    assert told == [(3, ["2007-03-01", "2007-03-02", "2007-03-03"])]
    await history.consumer.catch_up()
    assert uplinks(history) == {"2007-03-04": 1}
    assert await history.store.marked_days() == told[0][1]
    history.restart()  # another process does it
    await history.consumer.catch_up()
    assert await history.mend() == told[0][1]
    assert uplinks(history) == {f"2007-03-0{n}": 1 for n in range(1, 5)}
    assert await history.store.marked_days() == []
    assert await history.mend() == []


async def test_a_rebuild_by_hand_takes_the_mark_away() -> None:
    """Of its days, not of others."""
    history = await history_of_days(3)
    await history.consumer.catch_up()
    await history.store.mark_days(["2007-03-02", "2007-03-03"])
    async for _ in history.rebuilding().run("2007-03-02", "2007-03-02"):
        pass
    assert await history.store.marked_days() == ["2007-03-03"]


async def test_a_day_without_records_stays_marked() -> None:
    """Nobody can count it again; it is not tried twice."""
    history = await history_of_days(3)
    await history.consumer.catch_up()
    await history.store.mark_days(["2007-03-01", "2007-03-02"])
    await history.store.commit(Commit(settled=Watermark(3, NOON)))
    await history.store.forget(NOON + 1, 100)
    assert await history.mend() == []
    assert await history.store.marked_days() == ["2007-03-01", "2007-03-02"]


async def test_a_day_waits_until_its_commits_are_folded() -> None:
    """A rebuild of a day of which something waits replaces nothing, however often it looks."""
    history = await history_of_days(2)
    await history.store.mark_days(["2007-03-01"])
    history.consumer.place = 2  # as if what waits were another node's
    days = Rebuilding(
        history.store,
        history._reader,
        history._recounting,
        history.settings,
        lambda: date(2007, 3, 5),
        history.consumer,
        looks=1,
    ).run("2007-03-01", "2007-03-01")
    with pytest.raises(NotRebuilt, match="2007-03-01: commits of that day are not in the figures yet"):
        await anext(each async for each in days if {"never": True} in each)
    assert uplinks(history) == {}
    assert await history.store.marked_days() == ["2007-03-01"]


def mending_of(history: History, today: date, told: list[str]) -> Mending:
    """On such a day, of an event loop that is not busy."""
    rebuilding = history.rebuilding()
    return Mending(
        history.store,
        rebuilding,
        history.consumer,
        lambda: today,
        lambda day, _: told.append(day),
        Observer(),
        lambda: False,
    )


async def test_a_day_whose_commits_wait_holds_nobody_up() -> None:
    """Those of a node that is away may wait for days: other rebuilds have their turn."""
    history = await history_of_days(2)
    history.consumer.place = 2  # as if what waits were another node's
    told = list[str]()
    mending = mending_of(history, date(2007, 3, 5), told)
    async with asyncio.timeout(2):
        await mending._rebuild("2007-03-01")
    assert told == []
    await history.consumer.catch_up()
    await mending._rebuild("2007-03-01")
    assert told == ["2007-03-01"]


async def test_a_day_that_seemed_to_be_gone_is_tried_again() -> None:
    """A clock that is a year ahead for a moment has all records gone; behind it the day is rebuilt."""
    history = await history_of_days(2)
    await history.consumer.catch_up()
    await history.store.mark_days(["2007-03-01"])
    told = list[str]()
    mending = mending_of(history, date(2008, 3, 5), told)
    assert await mending._days() == ["2007-03-01"]
    mending._gone.add("2007-03-01")  # as _rebuild does
    assert await mending._days() == []
    mending._today = lambda: date(2007, 3, 5)
    assert await mending._days() == ["2007-03-01"]
    assert await mending._days() == ["2007-03-01"]


async def test_a_look_while_the_loop_is_busy_rebuilds_nothing() -> None:
    """SMS come first; later it does."""
    history = await history_of_days(1)
    await history.store.commit(Commit())
    await history.consumer.catch_up()
    await history.store.mark_days(["2007-03-01"])
    busy, told = [True], list[str]()
    mending = Mending(
        history.store,
        history.rebuilding(),
        history.consumer,
        lambda: date(2007, 3, 2),
        lambda day, _: told.append(day),
        Observer(),
        lambda: busy[0],
    )
    await mending.look()
    assert told == []
    busy[0] = False
    mending._today = lambda: date(2007, 3, 1)  # the day is not over for long enough
    await mending.look()
    assert told == []
    mending._today = lambda: date(2007, 3, 2)
    for day in await mending._days():
        await mending._rebuild(day)
    assert told == ["2007-03-01"]


async def test_counting_that_was_switched_off(tmp_path: Path) -> None:
    """A customer who opens meanwhile is in the figures, and among the registered ones, as soon as the days
    are over; a page says before that they are not complete."""
    async with running_gateway(tmp_path) as gateway:
        await (await gateway.handset(ALICE)).send("KTFX", "161")
        await folded(gateway)
        await gateway.advance(days=1)
    begun = gateway.app._clock.now_ms()
    async with running_gateway(tmp_path, OFF) as gateway:
        await gateway.advance(seconds=(begun - gateway.app._clock.now_ms()) / 1000)
        await (await gateway.handset(BOB)).send("KTFX", "161")
        await gateway.settle()
        assert incomplete(tmp_path)[0] == "2007-06-02"
    async with running_gateway(tmp_path) as gateway:
        await gateway.advance(days=2)
        await folded(gateway)
        mending = gateway.app.figures.mending
        assert mending is not None
        for day in await mending._days():  # as look() does, without its pauses
            await mending._rebuild(day)
        assert incomplete(tmp_path) == []
        found = await check(gateway, tmp_path)
        assert sum(times for key, (times, _) in found.items() if key[4] == "service/opened") == 2


def incomplete(folder: Path) -> list[str]:
    """What a page would say."""
    with closing(open_reader(folder / "fetion.db")) as reader:
        return reader.incomplete_days("2007-01-01", "2007-12-31")


async def told_to_bob(gateway: RunningGateway) -> None:
    """The test number asks Bob to be his buddy."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", "161")
    await alice.send(f"HY#{BOB}", "161")
    await gateway.settle()


async def test_what_a_test_number_causes_counts_in_nothing(tmp_path: Path) -> None:
    """The SMS that asks a customer to be its buddy, too; in a rebuild as in the batch."""
    phones = {"console": {"phones": [ALICE]}}
    async with running_gateway(tmp_path, phones) as gateway:
        bob = await gateway.handset(BOB)
        await bob.send("KTFX", "161")
        await folded(gateway)
        before = figures_of(tmp_path)
        await told_to_bob(gateway)
        assert sent_to(BOB, tmp_path) > 1
        await folded(gateway)
        assert figures_of(tmp_path) == before
        await gateway.advance(days=1)
        async for _ in gateway.app.figures.rebuilding.run("2007-06-01", "2007-06-01"):
            pass
        assert figures_of(tmp_path) == before


async def test_a_rebuild_of_the_day_after_its_cause() -> None:
    """The SMS of a test number came before midnight; what it led to was over behind it."""
    history = await history_of_days(3)
    await history.consumer.catch_up()
    cause = received(100, source=TEST_PHONE, at=NOON)
    sms = replace(leaving(101, MOBILES[1]), cause=100)
    await history.store.commit(Commit(messages=[cause], outgoing=[replace(sms)]))
    sms.state, sms.closed_at, sms.parts_done = Delivery.SENT, NOON + DAY_MS, 1
    await history.store.commit(Commit(closed=[sms]))
    async for _ in history.rebuilding().run("2007-03-02", "2007-03-02"):
        pass
    found = stored(history.stores.open_reader(PLACE), PeriodKind.DAY)
    assert {key[0] for key in found if key[1] == "2007-03-02"} == {"uplink", "active"}


async def test_what_a_test_number_caused_before_a_restart() -> None:
    """An SMS that waited for its handset meanwhile counts in nothing; one that a customer caused does."""
    history = History("Asia/Shanghai")
    causes = [received(n, source=each, at=NOON) for n, each in ((1, TEST_PHONE), (2, MOBILES[0]))]
    outgoing = [replace(leaving(n + 10, MOBILES[1]), cause=n) for n in (1, 2)]
    await history.store.commit(Commit(messages=causes, outgoing=[replace(sms) for sms in outgoing]))
    await recall(history.store, history.counting)
    for sms in outgoing:
        sms.state, sms.closed_at, sms.parts_done = Delivery.SENT, NOON, 1
    commit = Commit(closed=outgoing)
    history.counting.note(commit, NOON)
    [event] = commit.events
    assert [row[-2:] for row in cast(Any, event.data["n"])] == [[1, 1]]


def sent_to(msisdn: str, folder: Path) -> int:
    """SMS that were sent to a customer."""
    with closing(open_reader(folder / "fetion.db")) as reader:
        return sum(closed.sms.msisdn == msisdn for closed in reader.closed(0, 1 << 60))


def figures_of(folder: Path) -> dict[tuple[str, ...], tuple[int, int]]:
    """Of days."""
    with closing(open_reader(folder / "fetion.db")) as reader:
        return stored(reader, PeriodKind.DAY)
