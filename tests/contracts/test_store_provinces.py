"""SMS to and from provinces in every Store."""

from pathlib import Path

import pytest

from gateway.message import Asked, AskedOver, Commit, Posted
from gateway.storage.contract import Conflict, Store
from tests.contracts.engines import Engine, opening, put
from tests.support import ALICE, BOB, START_MS, leaving, received


def asked(number: int, reply_by: int, province: str = "200", at: int = START_MS) -> Asked:
    """An SMS to a province."""
    return Asked(number, at, province, ALICE, "1612008", reply_by)


async def test_what_was_asked_comes_back(engine: Engine, tmp_path: Path) -> None:
    """Whole, by number, also after another opening; the oldest deadline first where time is up."""
    late, soon, other = asked(1, START_MS + 900), asked(2, START_MS + 500), asked(3, START_MS + 501, "100")
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(messages=[received(1), received(2)], asked=[late, soon]))
        await put(store, Commit(messages=[received(3)], asked=[other]))
    async with opening(engine, tmp_path) as store:
        assert await store.asked([3, 1, 99]) == [late, other]
        assert await store.asked([]) == []
        assert await store.overdue(START_MS + 499, 10) == []
        assert await store.overdue(START_MS + 501, 10) == [soon, other]
        assert await store.overdue(START_MS + 1000, 2) == [soon, other]


async def test_what_is_over_stays_over(store: Store) -> None:
    """Once, at the first time that is told; it is overdue no more, whatever comes later."""
    await put(store, Commit(messages=[received(1)], asked=[asked(1, START_MS + 5), asked(2, START_MS + 6)]))
    await put(store, Commit(asked_over=[AskedOver(START_MS + 7, 1)]))
    await put(store, Commit(asked_over=[AskedOver(START_MS + 8, 1), AskedOver(START_MS, 77)]))
    await put(store, Commit(overdue=[AskedOver(START_MS, 1)]))
    assert [each.number for each in await store.overdue(START_MS + 100, 10)] == [2]
    assert (await store.asked([1]))[0] == asked(1, START_MS + 5)._replace(over_at=START_MS + 7)


async def test_time_may_be_up_early(store: Store) -> None:
    """A deadline is moved forward, never back."""
    await put(store, Commit(messages=[received(1)], asked=[asked(1, START_MS + 500)]))
    await put(store, Commit(overdue=[AskedOver(START_MS + 3, 1)]))
    await put(store, Commit(overdue=[AskedOver(START_MS + 9, 1)]))
    assert await store.overdue(START_MS + 3, 10) == [asked(1, START_MS + 3)]


async def test_an_id_of_a_province_is_stored_once(engine: Engine, tmp_path: Path) -> None:
    """Known after another opening; again it is a Conflict, nothing is stored; each province has its own."""
    first = Posted("200", "a", START_MS, 5)
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(outgoing=[leaving(5)], posted=[first]))
        with pytest.raises(Conflict):
            await put(store, Commit(outgoing=[leaving(6)], posted=[first._replace(number=6)]))
        await put(store, Commit(outgoing=[leaving(7)], posted=[Posted("100", "a", START_MS + 1, 7)]))
    async with opening(engine, tmp_path) as store:
        assert [each.number for each in await store.waiting(0, 10)] == [5, 7]
        assert await store.posted([("200", "a"), ("200", "b"), ("100", "a")]) == {("200", "a"), ("100", "a")}
        assert await store.posted([]) == set()
        many = [("200", f"id{n}") for n in range(1000)]
        assert await store.posted([*many, ("200", "a")]) == {("200", "a")}
        assert await store.posted_since(START_MS) == {"200": 1, "100": 1}
        assert await store.posted_since(START_MS + 1) == {"100": 1}


async def test_old_ones_are_forgotten(store: Store) -> None:
    """In steps; an SMS that is not over stays, however old."""
    many = [asked(n, START_MS + 5, at=START_MS - 1 + n) for n in range(1, 6)]
    over = [AskedOver(START_MS + 7, n) for n in (1, 2, 4)]
    posted = [Posted("200", f"{n}", START_MS + n, n) for n in range(5)]
    await put(store, Commit(messages=[received(1)], asked=many, asked_over=over, posted=posted))
    assert await store.forget(START_MS, 2) == 0
    assert await store.forget(START_MS + 4, 2) == 2
    await store.forget(START_MS + 4, 2)
    assert [each.number for each in await store.asked(range(1, 6))] == [3, 5]
    assert await store.posted_since(0) == {"200": 1}
    assert BOB not in {each.msisdn for each in await store.asked([3, 5])}
