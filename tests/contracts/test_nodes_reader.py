"""Every SharedStore: what a reader finds of several nodes, whichever had it."""

from pathlib import Path
from random import Random

import pytest

from gateway.message import Commit, Delivery
from gateway.storage.postgresql.store import PostgresStore
from gateway.storage.reader import ENDLESS, Position, Wanted
from tests.contracts.nodes import nodes, number_of, reading
from tests.postgresql import missing
from tests.support import ALICE, BOB, START_MS, leaving, received

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


async def came(store: PostgresStore, counter: int, at: int, msisdn: str = ALICE) -> int:
    """An SMS in and its reply, so many ms after the start; the number of the first."""
    number = number_of(store, counter)
    sms = received(number, at=START_MS + at, source=msisdn, digest=b"%d" % number)
    reply = leaving(number + 1, msisdn)
    reply.at, reply.cause = START_MS + at, number
    await store.commit(Commit(messages=[sms], outgoing=[reply]))
    return number


async def test_the_last_sms_of_a_handset(tmp_path: Path) -> None:
    """The newest come first whichever node had them, in small steps or in one, in both directions."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        at = [(a, 0), (a, 10), (b, 11), (a, 12), (b, 13), (a, 30), (b, 31), (b, 32)]
        numbers = [
            await came(store, 10 * n, ms, (ALICE, BOB)[n % 4 == 3]) for n, (store, ms) in enumerate(at)
        ]
        theirs = [number for n, number in enumerate(numbers) if n % 4 != 3][::-1]
        with reading(tmp_path) as reader:
            for rows in (1, 3, 8):
                found, out, before, looked = list[int](), list[int](), ENDLESS, 0
                while before:
                    step = reader.of_handset(ALICE, before, rows)
                    found += [each.number for each in step.found]
                    before, looked = step.before, looked + step.rows
                before = ENDLESS
                while before:
                    there = reader.to_handset(ALICE, before, rows)
                    out += [each.number for each in there.found]
                    before = there.before
                assert found == theirs
                assert out == [number + 1 for number in theirs]
                assert looked == len(at)
            first = reader.of_handset(ALICE, ENDLESS, 3)
            assert (first.at, first.rows) == (START_MS + 30, 3)


async def test_no_sms_is_passed_over(tmp_path: Path) -> None:
    """Each is found once, however large the steps, also where clocks went back."""
    chance = Random(9)
    async with nodes(tmp_path, "a", "b") as both:
        numbers = [await came(chance.choice(both), 10 * n, chance.randrange(9)) for n in range(25)]
        with reading(tmp_path) as reader:
            for rows in range(1, 9):
                found, before = list[int](), ENDLESS
                while before:
                    step = reader.of_handset(ALICE, before, rows)
                    found += [each.number for each in step.found]
                    before = step.before
                assert sorted(found) == sorted(numbers)


async def test_a_search_over_all_nodes(tmp_path: Path) -> None:
    """Each SMS is found once, newest first, by any number of readers one after the other: the position says
    it all."""
    chance = Random(5)
    async with nodes(tmp_path, "a", "b") as both:
        numbers = [await came(chance.choice(both), 10 * n, 7 * n) for n in range(25)]
        for rows, limit in ((1, 1), (4, 3), (9, 2), (30, 40)):
            found, out, before = list[int](), list[int](), Position()
            while before or not found:
                with reading(tmp_path) as reader:
                    step = reader.search_in(Wanted(), before, rows, limit)
                found += [each.number for each in step.found]
                before = step.before
            while before or not out:
                with reading(tmp_path) as reader:
                    there = reader.search_out(Wanted(), before, rows, limit)
                out += [each.number for each in there.found]
                before = there.before
            assert found == numbers[::-1]
            assert out == [number + 1 for number in found]
        with reading(tmp_path) as reader:
            wanted = Wanted(since=START_MS + 14, until=START_MS + 70)
            assert [each.number for each in reader.search_in(wanted, (), 30, 30).found] == numbers[9:1:-1]


async def test_the_journal_comes_by_time(tmp_path: Path) -> None:
    """A replay gets the SMS of all nodes in the order in which they came; those of one node by number."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        at = [(a, 0), (b, 5), (a, 7), (a, 6), (b, 9)]
        numbers = [await came(store, 10 * n, ms) for n, (store, ms) in enumerate(at)]
        with reading(tmp_path) as reader:
            assert [each.number for each in reader.journal()] == numbers
            assert [each.number for each in reader.journal(START_MS + 6, START_MS + 8)] == numbers[2:4]


async def test_short_ids(tmp_path: Path) -> None:
    """The last digits of an id are looked for among the last SMS of each node."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        numbers = [await came(store, 0x120, ms) for store, ms in ((a, 9), (b, 5))]
        for n in range(3):
            await came(b, 0x200 + 16 * n, 20)
        with reading(tmp_path) as reader:
            assert reader.ending(0x120, 12, 4) == numbers
            assert reader.ending(0x121, 12, 4) == [number + 1 for number in numbers]
            assert reader.ending(0x120, 12, 3) == numbers[:1]


async def test_what_waits_at_all_nodes(tmp_path: Path) -> None:
    """Parked SMS come before those that wait, of all nodes, so many at most."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for store in (b, a):
            out = [leaving(number_of(store, n)) for n in (1, 2, 3)]
            await store.commit(Commit(outgoing=out))
            out[1].state = Delivery.PARKED
            await store.commit(Commit(changed=out[1:2]))
        with reading(tmp_path) as reader:
            found = [(each.number >> 56, each.number & 0xFF) for each in reader.waiting(5)]
            assert found == [(1, 2), (2, 2), (1, 1), (1, 3), (2, 1)]
            assert reader.count_waiting() == 6


async def test_a_part_that_another_node_joined(tmp_path: Path) -> None:
    """The rest of a long message is found at the node that took its parts over, where numbers are lower
    too."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        part = await came(b, 1, 5)
        await came(a, 1, 6)
        joined = received(number_of(a, 50), at=START_MS + 7)._replace(parts=2, detail={"joined": [part]})
        await a.commit(Commit(messages=[joined]))
        with reading(tmp_path) as reader:
            row = reader.journal_record(part)
            assert row is not None
            found = reader.joined_with(row)
            assert found is not None
            assert found.number == joined.number
