"""Figures of nodes that share a store: a day that another node still counts is not replaced."""

from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.storage.figures import STEP, Amount, Figures
from tests.contracts.nodes import end_lease, nodes, reading
from tests.contracts.test_store_figures import DAY, FIRST, LAST, NEXT, of, uplink
from tests.contracts.test_store_marks import ONE, counted
from tests.postgresql import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "")


async def test_what_another_node_has_not_folded(tmp_path: Path) -> None:
    """Its commits of a day wait, and its fold changes the day; of another day they do not matter."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        before = await b.day_state(DAY)
        await a.commit(Commit(events=[counted(DAY)]))
        assert (await b.day_state(DAY)).waits
        assert not (await b.day_state(NEXT)).waits
        assert not await b.replace_day(DAY, Figures(), before)
        await a.fold("figures", 1, ONE)
        assert not await b.replace_day(DAY, Figures(), before)
        with reading(tmp_path) as reader:
            assert of(reader, "uplink") == {(): (1, 1)}
        assert await b.replace_day(DAY, Figures({uplink(): Amount(2, 2)}), await b.day_state(DAY))
        with reading(tmp_path) as reader:
            assert of(reader, "uplink") == {(): (2, 2)}


async def test_what_a_node_left_waits_until_it_is_taken_over(tmp_path: Path) -> None:
    """And is folded by who took it."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(Commit(events=[counted(DAY)]))
        end_lease(tmp_path, a.node)
        assert (await b.day_state(DAY)).waits
        await b.take_over(1, 10)
        assert (await b.day_state(DAY)).waits
        assert await b.fold("figures", b.last_counted, ONE)
        assert not (await b.day_state(DAY)).waits


async def test_two_nodes_that_replace_a_day(tmp_path: Path) -> None:
    """The one that began first stops; what the other one says stands."""
    figures = Figures({uplink(what=f"w{n}"): Amount(1, 1) for n in range(3 * STEP)})
    async with nodes(tmp_path, "a", "b") as (a, b):
        in_turn, done = a._in_turn, []

        async def after_some(work):  # type: ignore[no-untyped-def]
            result = await in_turn(work)
            done.append(result)
            if len(done) == 2:
                assert await b.replace_day(DAY, Figures({uplink(): Amount(5, 5)}))
            return result

        a._in_turn = after_some  # type: ignore[method-assign]
        assert not await a.replace_day(DAY, figures)
        with reading(tmp_path) as reader:
            assert of(reader, "uplink", "day", "what") == {("service.open",): (5, 5)}


async def test_a_node_that_does_not_count(tmp_path: Path) -> None:
    """Its days are not complete, whatever the others count, until it counts again or gives its work back."""
    async with nodes(tmp_path, "a", "b", "c") as (a, b, c):
        await a.note_uncounted(DAY)
        await c.note_uncounted(NEXT)
        await b.settle_uncounted(NEXT, counting=True)
        assert await b.marked_days() == [DAY]
        with reading(tmp_path) as reader:
            assert reader.incomplete_days(FIRST, NEXT) == [DAY, NEXT]
        await a.settle_uncounted(NEXT, counting=True)
        assert await b.marked_days() == [DAY, NEXT]
        await b.replace_day(NEXT, Figures(), await b.day_state(NEXT))
        end_lease(tmp_path, c.node)
        await b.settle_uncounted(NEXT, counting=True)
        assert await b.marked_days() == [DAY]  # nobody has taken its work yet
        await b.take_over(1, 10)
        await b.settle_uncounted("2007-03-02", counting=True)
        assert await b.marked_days() == [DAY, NEXT, "2007-03-02"]
        with reading(tmp_path) as reader:
            assert reader.incomplete_days(NEXT, LAST) == [NEXT, "2007-03-02"]
