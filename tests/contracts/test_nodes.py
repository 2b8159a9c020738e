"""Every SharedStore: two nodes on one store. Leases, fencing, what each sees of the other, what it takes
over."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from commands.model import Buddy, LoadKeys, World
from gateway.message import (
    Certain,
    Commit,
    Delivery,
    PartHeader,
    PartReceipt,
    Retransmission,
    StoredEvent,
    StoredPart,
    Uncertain,
    Watermark,
)
from gateway.storage.contract import StoreInUse, StoreUnusable
from gateway.storage.nodes import TRUST_MARGIN, Equal, Fenced, Stale
from gateway.storage.postgresql.store import PostgresStore
from tests.contracts.nodes import (
    LEASE,
    UNTIL,
    changing,
    end_lease,
    is_shared,
    loaded,
    nodes,
    number_of,
    on_server,
    replies,
    sms,
)
from tests.postgresql import missing, url_of
from tests.support import ALICE, BOB, SESSIONS, START_MS, leaving, received

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
CAROL = "13700137000"


def event(version: int) -> StoredEvent:
    """One that is to be committed."""
    return StoredEvent(START_MS, 7, ALICE, "400000001", "100", "buddy", "added", version)


def part(number: int) -> StoredPart:
    """A part that waits."""
    header = PartHeader("udh8", 7, 3, 2)
    return StoredPart(number, "smsc", ALICE, "161", header, 8, b"\0\xff", UNTIL, ALICE, 1, 2, START_MS, b"d")


# Names, numbers, leases


async def test_nodes_get_numbers(tmp_path: Path) -> None:
    """Each name has a number of its own, which it keeps; runs are never the same at two nodes."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        assert is_shared(a).node == 1
        assert b.node == 2
        assert a.run != b.run
        assert [(each.number, each.name, each.live) for each in await a.nodes()] == [
            (0, "", False),
            (1, "a", True),
            (2, "b", True),
        ]
    async with nodes(tmp_path, "c", "b") as (c, b):
        assert (c.node, b.node) == (3, 2)


async def test_the_same_name_twice(tmp_path: Path) -> None:
    """A node that lives is refused to a second gateway; a connection that is gone leaves its row at once."""
    async with nodes(tmp_path, "a", "b") as (a, _):
        await a.commit(Commit())
        with pytest.raises(StoreInUse, match=r"node a has this store open; stop it or set node.name"):
            PostgresStore.open(url_of(tmp_path), "a", LEASE)
        on_server(tmp_path, "SELECT pg_terminate_backend(pid, 5000) FROM node WHERE number = 1")
        again = PostgresStore.open(url_of(tmp_path), "a", LEASE)
        assert again.node == 1
        for _ in range(2):
            with pytest.raises(Fenced, match="the lease of this node is over"):
                await a.commit(Commit())
        await again.close()


async def test_with_and_without_a_name(tmp_path: Path) -> None:
    """A gateway without a name wants the store alone, and nodes do not begin beside one."""
    async with nodes(tmp_path, "a"):
        with pytest.raises(StoreInUse, match=r"node a has this store open; stop it or set node.name here"):
            PostgresStore.open(url_of(tmp_path))
    async with nodes(tmp_path, ""):
        with pytest.raises(StoreInUse, match=r"without node.name has this store open; stop it or give it"):
            PostgresStore.open(url_of(tmp_path), "a", LEASE)


async def test_all_numbers_are_used(tmp_path: Path) -> None:
    """A name that is new finds no number when 127 have been given, and is told what to do."""
    async with nodes(tmp_path, "a"):
        on_server(
            tmp_path,
            "INSERT INTO node (number, name, settled) SELECT n, 'n' || n, 0 FROM generate_series(2, 127) n",
        )
        with pytest.raises(
            StoreUnusable, match=r"127 nodes have used this store, no number is left for b: set"
        ):
            PostgresStore.open(url_of(tmp_path), "b", LEASE)
        async with nodes(tmp_path, "n127") as (last,):
            await last.commit(sms(last, 1))
            assert len(await last.recent(0, 10)) == 1


async def test_a_lease_is_renewed_and_trusted(tmp_path: Path) -> None:
    """Every commit, an empty one too, renews the lease and is counted, and is trusted a little less long than
    the server does; the count goes on after a restart."""
    async with nodes(tmp_path, "a") as (a,):
        for count in (1, 2):
            before = time.monotonic()
            await a.commit(Commit())
            assert before + LEASE - TRUST_MARGIN <= a.trusted_until <= time.monotonic() + LEASE - TRUST_MARGIN
            [_, me] = await a.nodes()
            assert (me.batch, me.live) == (count, True)
            assert LEASE - 10 < me.left_s <= LEASE
        await a.forget(0, 10)
        assert (await a.nodes())[1].batch == 2, "what stores no batch is not counted"
    async with nodes(tmp_path, "a") as (a,):
        await a.commit(Commit())
        assert (await a.nodes())[1].batch == 3


async def test_what_receivers_a_node_has(tmp_path: Path) -> None:
    """Each node reads which binds the others have; a new gateway has none."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.tell_receivers({"smsc": ["138*", ""], "other": []})
        assert [each.receivers for each in await b.nodes()] == [{}, {"smsc": ["138*", ""], "other": []}, {}]
    async with nodes(tmp_path, "a") as (a,):
        assert [each.receivers for each in await a.nodes()] == [{}] * 3


# What two nodes change


async def test_a_customer_that_has_changed_is_stale(tmp_path: Path) -> None:
    """Of two batches that read the same customer and change it, the second is not stored, and is when it is
    run again; nothing of either is lost."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for change in ("nickname", "mood"):
            worlds = [await loaded(store, ALICE) for store in (a, b)]
            for store, world, value in zip((a, b), worlds, ("one", "other"), strict=True):
                commit = changing(world, lambda w, v=value: setattr(w.edit(ALICE), change, v))  # type: ignore[misc]  # noqa: B023
                if store is a:
                    await store.commit(commit)
                else:
                    commit.messages = sms(b, 1).messages
                    with pytest.raises(Stale):
                        await store.commit(commit)
        found = (await loaded(b, ALICE)).customers[ALICE]
        assert found is not None
        assert (found.nickname, found.mood) == ("one", "one")
        assert await b.recent(0, 10) == []
        await b.commit(changing(await loaded(b, ALICE), lambda w: setattr(w.edit(ALICE), "mood", "b")))


async def test_what_was_read_only_is_checked(tmp_path: Path) -> None:
    """A batch that only read a customer is stale as well when another node has changed or made it; one that
    read what nobody changed is not."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for _ in range(2):
            world = await loaded(b, ALICE, BOB)
            await a.commit(changing(await loaded(a, ALICE), lambda w: setattr(w.edit(ALICE), "mood", "m")))
            with pytest.raises(Stale):
                await b.commit(changing(world, lambda w: setattr(w.edit(BOB), "mood", "m")))
        world = await loaded(b, ALICE, BOB)
        await a.commit(changing(await loaded(a, CAROL), lambda w: setattr(w.edit(CAROL), "mood", "m")))
        await b.commit(changing(world, lambda w: setattr(w.edit(BOB), "mood", "m")))


async def test_a_list_of_buddies_is_its_owners(tmp_path: Path) -> None:
    """Who has read a relation or a list is stale when another node has changed that list."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(changing(await loaded(a, ALICE), lambda w: setattr(w.edit(ALICE), "mood", "m")))
        for keys in (LoadKeys(buddies={(ALICE, BOB)}), LoadKeys(lists={ALICE}), LoadKeys({ALICE})):
            await b.load(keys, world := World())
            await a.commit(Commit(buddies={(ALICE, BOB): Buddy(ALICE, BOB, "b", 1)}))
            with pytest.raises(Stale):
                await b.commit(Commit(messages=sms(b, 1).messages, revisions=world.revisions))
            await b.load(keys, world := World())
            await a.commit(Commit(buddies={(ALICE, BOB): None}))
            with pytest.raises(Stale):
                await b.commit(Commit(revisions=world.revisions))


async def test_an_equal_sms_meanwhile_is_stale(tmp_path: Path) -> None:
    """An SMS that equals one that another node has stored since it was asked for is not stored; with the
    ordinal that follows it is."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        assert await b.answered([b"same"]) == []
        await a.commit(first := sms(a, 1, digest=b"same"))
        commit = sms(b, 1, digest=b"same")
        with pytest.raises(Stale):
            await b.commit(commit)
        assert await b.answered([b"same", b"x"]) == [Equal(b"same", first.messages[0].number, 1, 0, 1)]
        commit.ordinals = {commit.messages[0].number: 1}
        await b.commit(commit)
        assert [(each.node, each.ordinal) for each in await a.answered([b"same"])] == [(1, 0), (2, 1)]


async def test_what_is_certain_is_no_longer_answered(tmp_path: Path) -> None:
    """The watermark takes out digests of its node only, and not those in doubt, until they are candidates."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await b.commit(sms(b, 1))
        await a.commit(sms(a, 1, 2, 3))
        digests = [b"%d" % number_of(store, n) for store in (a, b) for n in (1, 2, 3)]
        await a.commit(Commit(uncertain=[Uncertain(0, number_of(a, 2), number_of(a, 2), UNTIL)]))
        await a.commit(Commit(settled=Watermark(number_of(a, 2), START_MS)))
        assert await a.settled() == (number_of(a, 2), START_MS)
        found = {each.number: each.doubted for each in await b.answered(digests)}
        assert found == {number_of(a, 2): True, number_of(a, 3): False, number_of(b, 1): False}
        assert (await a.expect(10)).candidates == 1
        assert {each.number for each in await b.answered(digests)} == {number_of(a, 3), number_of(b, 1)}
        assert [number for _, number in await b.candidates(digests, START_MS)] == [number_of(a, 2)]


async def test_a_candidate_is_used_at_one_node(tmp_path: Path) -> None:
    """Two nodes that get a resend of the same SMS: the second that uses the candidate is stale. What a node
    used and did not hear of is a candidate again when it begins anew, and only that."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(sms(a, 1, 2))
        await a.commit(Commit(uncertain=[Uncertain(0, number_of(a, 1), number_of(a, 2), UNTIL)]))
        await a.expect(10)
        use = Commit(repeats=[Retransmission(number_of(a, 1), SESSIONS, START_MS + 5)])
        await b.commit(use)
        with pytest.raises(Stale):
            await a.commit(use)
        await a.commit(Commit(repeats=[Retransmission(number_of(a, 2), SESSIONS + 1, START_MS + 5)]))
        digests = [b"%d" % number_of(a, n) for n in (1, 2)]
        assert await b.candidates(digests, START_MS) == []
        await b.recover(UNTIL)
        assert [number for _, number in await a.candidates(digests, START_MS)] == [number_of(a, 1)]
        await b.commit(Commit(certain=[Certain(SESSIONS, number_of(a, 1), number_of(a, 2))]))


# What each node has for itself


async def test_each_node_has_its_own(tmp_path: Path) -> None:
    """What waits, parts, events, cursors, the watermark and the last time of one node are not those of
    another."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for store, at in ((a, START_MS + 9), (b, START_MS)):
            number = number_of(store, 1)
            await store.commit(
                Commit(
                    messages=[received(number, at=at, digest=b"%d" % store.node)],
                    outgoing=[leaving(number)],
                    parts=[part(number)],
                    events=[event(1), event(2)],
                )
            )
            await store.cursor("mqtt")
        assert await a.move_cursor("mqtt", 1, [((await a.events_after(0, 1))[0], "denied")]) == 0
        for store, cursor, at in ((a, 1, START_MS + 9), (b, 0, START_MS)):
            number = number_of(store, 1)
            assert [each.number for each in await store.waiting(-1, 10)] == [number]
            assert [each.number for each in await store.parts()] == [number]
            assert len(await store.recent(0, 10)) == 1
            assert (await store.cursor("mqtt")).sequence == cursor
            assert len(await store.parked_events("mqtt", 10)) == cursor
            assert (store.last_event, await store.last_time()) == (2, at)
        assert (await a.forget_events(0, 100, 100)).gone == 1
        assert (await b.forget_events(0, 100, 100)).gone == 0
        assert len(await b.events_after(0, 10)) == 2


async def test_an_sms_for_another_node(tmp_path: Path) -> None:
    """A row that is written for another node, or given to it, is taken in there once, and is that node's; who
    gave it can no longer close it."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(replies(a, 1, node=2))
        await a.commit(own := replies(a, 2, 3))
        assert [each.number for each in await a.waiting(-1, 9)] == [number_of(a, 2), number_of(a, 3)]
        assert await b.waiting(-1, 9) == []
        assert await a.give([number_of(a, 3), number_of(a, 1), 77], 2) == [number_of(a, 1), number_of(a, 3)]
        assert await a.give([number_of(a, 2)], 9) == []
        taken = await b.take_in(1) + await b.take_in(9)
        assert [(each.number, each.repeat) for each in taken] == [
            (number_of(a, 1), False),
            (number_of(a, 3), False),
        ]
        assert await b.take_in(9) == []
        for each in own.outgoing:
            each.state, each.closed_at = Delivery.SENT, START_MS
        await a.commit(Commit(closed=own.outgoing))
        assert [each.number for each in await b.waiting(-1, 9)] == [number_of(a, 1), number_of(a, 3)]
        assert await a.waiting(-1, 9) == []
        parked = leaving(number_of(a, 1))
        parked.state = Delivery.PARKED
        await b.commit(Commit(changed=[parked]))
        seen = await a.parked(parked.number)
        assert seen is not None
        assert seen.node == 2


async def test_a_task_for_one_node(tmp_path: Path) -> None:
    """A task is held by one node until its lease is over or it stops."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        assert await a.hold("province/100")
        assert not await b.hold("province/100")
        assert await a.hold("province/100")
        assert await b.hold("province/200")
        end_lease(tmp_path, 1)
        assert await b.hold("province/100")
        assert not await a.hold("province/100")
    async with nodes(tmp_path, "c") as (c,):
        assert await c.hold("province/100")


async def test_the_task_of_a_node_whose_row_is_deleted(tmp_path: Path) -> None:
    """It is free: an operator has deleted a node that never comes back (docs/postgresql.md)."""
    async with nodes(tmp_path, "a"), nodes(tmp_path, "b") as (b,):
        on_server(tmp_path, "INSERT INTO holding VALUES ('province/100', 127)")
        assert await b.hold("province/100")


async def test_a_stale_commit_says_nothing_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault: neither the library nor anybody else complains of it."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for n in range(8):
            await a.commit(sms(a, n, digest=b"%d" % n))
            with pytest.raises(Stale):
                await b.commit(sms(b, n, digest=b"%d" % n))
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == []


async def test_nodes_at_work_at_the_same_time(tmp_path: Path) -> None:
    """Three nodes change, read and connect the same few customers: every change counts. Where two of them
    wait for each other the server ends one, which runs again."""
    people = [f"1380013800{digit}" for digit in range(5)]

    async def work(store: PostgresStore, chance: Random) -> Counter[str]:
        done = Counter[str]()
        for n in range(15):
            changed, read = chance.sample(people, 2), chance.sample(people, 2)
            pair = (people[n % 5], chance.choice(people))
            while True:
                await store.load(LoadKeys({*changed, *read}, buddies={pair}), world := World())
                for who in changed:
                    world.edit(who).version += 1
                world.accept()
                commit = Commit(sms(store, n).messages, world.changed_customers.values())
                commit.buddies, commit.revisions = {pair: Buddy(*pair, "", n)}, world.revisions
                try:
                    await store.commit(commit)
                    break
                except Stale:
                    done["stale"] += 1
            done.update(changed)
        return done

    async with nodes(tmp_path, "a", "b", "c") as all_of_them:
        counts = await asyncio.gather(*(work(each, Random(n)) for n, each in enumerate(all_of_them)))
        total = sum(counts, Counter[str]())
        world = await loaded(all_of_them[0], *people)
        assert {who: each.version for who, each in world.customers.items() if each} == {
            who: total[who] for who in people
        }
        assert total["stale"] > 0, "they never met"


async def test_the_receipts_of_one_long_sms(tmp_path: Path) -> None:
    """Two nodes that each write the receipt of another part have not seen that the SMS is complete: the
    second one has to look again."""
    async with nodes(tmp_path, "one", "two") as (one, two):
        long = leaving(1)
        long.parts = 2
        parts = [PartReceipt(1, n, 2, ALICE, "smsc", f"{n}", START_MS) for n in (1, 2)]
        await one.commit(Commit(outgoing=[long], receipts=parts, receipts_seen={1: 0}))
        done = [each._replace(state=Delivery.DELIVERED) for each in parts]
        await one.commit(Commit(receipts=done[:1], receipts_seen={1: 0}))
        with pytest.raises(Stale):
            await two.commit(Commit(receipts=done[1:], receipts_seen={1: 0}))
        assert [each.state for each in await two.receipts_of([1])] == [Delivery.DELIVERED, Delivery.SENT]
        await two.commit(Commit(receipts=done[1:], receipts_seen={1: 1}))
        assert await one.receipts_of([1]) == done
