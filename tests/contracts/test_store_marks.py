"""Marks of days in every Store: which figures may not be complete, and when a day may be replaced."""

import asyncio
from contextlib import closing
from pathlib import Path
from random import Random

from gateway.message import FIGURES, Commit, StoredEvent
from gateway.storage.contract import Store
from gateway.storage.figures import STEP, Amount, Figures
from gateway.storage.reader import Reader
from tests.contracts.engines import Engine, opening, put
from tests.contracts.test_store_figures import DAY, FIRST, LAST, NEXT, drawn, of, uplink
from tests.support import ALICE

ONE = Figures({uplink(): Amount(1, 1)})


def counted(*days: str) -> StoredEvent:
    """What a commit adds to these days."""
    return StoredEvent(1, 0, "", "", "", FIGURES, "counted", 0, {"n": [[day, 1] for day in days]})


async def test_marks_outlive_the_process(engine: Engine, tmp_path: Path) -> None:
    """Each day once, in order."""
    async with opening(engine, tmp_path) as store:
        await store.mark_days([NEXT, DAY])
        await store.mark_days([DAY])
    async with opening(engine, tmp_path) as store:
        assert await store.marked_days() == [DAY, NEXT]
        with closing(engine.read(tmp_path)) as reader:
            assert reader.incomplete_days(FIRST, LAST) == [DAY, NEXT]
            assert reader.incomplete_days(NEXT, LAST) == [NEXT]


async def test_dropped_events_mark_their_days(store: Store, reader: Reader) -> None:
    """In the commit that drops them, as if they were folded; nothing dropped marks nothing."""
    await put(store, Commit(events=[counted(DAY), counted(NEXT), counted(NEXT)]))
    assert await store.drop_counted("figures", 1, [DAY]) == 1
    assert await store.drop_counted("figures", 1, [NEXT]) == 0
    assert [each.sequence for each in await store.counted_after(0, 9)] == [2, 3]
    assert await store.folded("figures") == 1
    assert reader.incomplete_days(FIRST, LAST) == [DAY]
    assert not await store.fold("figures", 1, ONE)


async def test_a_replaced_day_has_no_mark(store: Store) -> None:
    """That of another one stays."""
    await store.mark_days([DAY, NEXT])
    state = await store.day_state(DAY)
    assert await store.replace_day(DAY, ONE, state)
    assert await store.marked_days() == [NEXT]
    assert (await store.day_state(DAY)).mark == 0


async def test_a_day_that_changed_meanwhile_is_not_replaced(store: Store, reader: Reader) -> None:
    """By a fold, by events that wait, or by another mark; one of another day does not matter."""
    state = await store.day_state(DAY)
    await put(store, Commit(events=[counted(DAY), counted(NEXT)]))
    waiting = await store.day_state(DAY)
    assert (state.waits, waiting.waits) == (False, True)
    assert not await store.replace_day(DAY, Figures(), state)
    assert not await store.replace_day(DAY, Figures(), waiting)
    await store.fold("figures", 1, ONE)
    assert not await store.replace_day(DAY, Figures(), state)
    state = await store.day_state(DAY)
    await store.mark_days([DAY])
    assert not await store.replace_day(DAY, Figures(), state)
    state = await store.day_state(DAY)
    await store.fold("figures", 2, Figures({uplink(NEXT): Amount(1, 1)}))
    await store.mark_days([NEXT])
    assert of(reader, "uplink", "day", "period") == {(DAY,): (1, 1), (NEXT,): (1, 1)}
    assert await store.replace_day(DAY, Figures({uplink(): Amount(5, 5)}), state)
    assert of(reader, "uplink", "day", "period") == {(DAY,): (5, 5), (NEXT,): (1, 1)}


async def test_who_was_active_changes_a_day(store: Store) -> None:
    """As a figure does."""
    state = await store.day_state(DAY)
    await store.fold("figures", 1, Figures({}, {(DAY, ALICE): ("100", 1)}))
    assert not await store.replace_day(DAY, Figures(), state)


async def begun(store: Store, reader: Reader, figures: Figures) -> asyncio.Future[bool]:
    """A replacement of which something is committed, or that is over."""
    work = asyncio.ensure_future(store.replace_day(DAY, figures))
    while not work.done() and not reader.incomplete_days(FIRST, LAST):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return work


async def test_a_day_is_marked_while_it_is_replaced(store: Store, reader: Reader) -> None:
    """That takes several commits: who ends between them leaves the mark, and the next one does the rest."""
    figures = drawn(Random(1), DAY, range(13_900_000_000, 13_900_000_000 + 2 * STEP))
    work = await begun(store, reader, figures)
    if not work.done():  # a store in memory does it in one step
        work.cancel()
        await asyncio.wait((work,))
        assert reader.incomplete_days(FIRST, LAST) == [DAY]
    assert await store.replace_day(DAY, figures)
    assert reader.incomplete_days(FIRST, LAST) == []
    assert of(reader, "active", "day", "way")[("",)] == (2 * STEP, 0)


async def test_a_fold_while_a_day_is_replaced(store: Store, reader: Reader) -> None:
    """The day is marked still, and counted again it is right."""
    figures = drawn(Random(1), DAY, range(13_900_000_000, 13_900_000_000 + 2 * STEP))
    work = await begun(store, reader, figures)
    if not work.done():
        await store.fold("figures", 1, ONE)
        assert not await work
        assert await store.marked_days() == [DAY]
        assert await store.replace_day(DAY, ONE, await store.day_state(DAY))
        assert of(reader, "uplink") == {(): (1, 1)}


async def test_what_a_node_does_not_count(engine: Engine, tmp_path: Path) -> None:
    """Its days are not complete from the first on; they are marked when they are over, today when it counts
    again."""
    async with opening(engine, tmp_path) as store:
        await store.settle_uncounted("2007-02-28", counting=True)
        assert await store.marked_days() == []
        await store.note_uncounted("2007-02-27")
        await store.note_uncounted("2007-02-28")
    async with opening(engine, tmp_path) as store:
        with closing(engine.read(tmp_path)) as reader:
            assert reader.incomplete_days("2007-02-01", "2007-02-28") == ["2007-02-27", "2007-02-28"]
            assert reader.incomplete_days("2007-02-28", "2007-03-01") == ["2007-02-28", "2007-03-01"]
            await store.settle_uncounted("2007-03-01", counting=False)
            assert await store.marked_days() == ["2007-02-27", "2007-02-28"]
            assert await store.replace_day("2007-02-27", Figures(), await store.day_state("2007-02-27"))
            await store.settle_uncounted("2007-03-02", counting=False)
            assert await store.marked_days() == ["2007-02-28", "2007-03-01"]
            await store.settle_uncounted("2007-03-02", counting=True)
            assert await store.marked_days() == ["2007-02-28", "2007-03-01", "2007-03-02"]
            await store.settle_uncounted("2007-03-05", counting=True)
            assert reader.incomplete_days(FIRST, LAST)[-1] == "2007-03-02"


async def test_a_clock_that_was_put_back(store: Store) -> None:
    """The noted day is marked too, though it is to come."""
    await store.note_uncounted("2007-03-09")
    await store.settle_uncounted("2007-03-01", counting=True)
    assert "2007-03-01" in await store.marked_days()
    assert "2007-03-09" in await store.marked_days()
