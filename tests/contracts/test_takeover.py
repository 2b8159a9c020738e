"""Every SharedStore: what becomes of the work of a node whose lease is over, and of the node itself."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from gateway.message import FIGURES, Commit, Delivery, StoredEvent, Uncertain, Watermark
from gateway.storage.contract import StoreFault
from gateway.storage.figures import Amount, FigureKey, Figures
from gateway.storage.nodes import Fenced, SharedStore, TakenOver
from gateway.storage.postgresql.link import Db
from gateway.storage.postgresql.store import PostgresStore
from gateway.testing import BadLink
from tests.contracts.nodes import (
    LEASE,
    UNTIL,
    end_lease,
    nodes,
    number_of,
    on_server,
    reading,
    replies,
    sms,
)
from tests.contracts.test_nodes import event, part
from tests.postgresql import missing, schema_of, shared, url_of
from tests.storage.test_postgresql import in_doubt, waits_for_a_lock
from tests.support import START_MS, attempt_of, leaving

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
PATIENCE = 20.0
T = TypeVar("T")


async def whole(store: SharedStore, limit: int = 100) -> list[TakenOver]:
    """Take over until there is no more."""
    found: list[TakenOver] = []
    while taken := await store.take_over(UNTIL, limit):
        found += taken
    return found


def digests_of(store: PostgresStore, *counters: int) -> list[bytes]:
    """Of SMS that tests.contracts.nodes.sms makes."""
    return [b"%d" % number_of(store, n) for n in counters]


async def told(store: PostgresStore) -> list[tuple[str, int]]:
    """Ids and versions of the events that a node has."""
    return [(each.event_id, each.version) for each in await store.events_after(0, 100)]


async def test_a_node_that_lives_keeps_its_work(tmp_path: Path) -> None:
    """Nothing is taken from a node whose lease is not over, nor from one without work."""
    async with nodes(tmp_path, "a", "b", "c") as (a, b, c):
        await a.commit(replies(a, 1))
        assert await whole(b) == []
        await a.commit(Commit())
        assert [each.live for each in await b.nodes()] == [False, True, True, True]
        end_lease(tmp_path, c.node)
        assert await whole(b) == []


async def test_a_lease_that_is_just_renewed(tmp_path: Path) -> None:
    """A node whose lease is over while its commit is on the way keeps its work, whoever looks meanwhile."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(replies(a, 1))
        end_lease(tmp_path, a.node)

        async def meanwhile(_: Db) -> None:
            assert await b.take_over(UNTIL, 9) == []

        await a._link.apart(meanwhile)
        assert await whole(b) == []
        await a.commit(Commit())
        assert [each.number for each in await a.waiting(-1, 9)] == [number_of(a, 1)]


async def test_everything_is_taken_over(tmp_path: Path) -> None:
    """SMS out that wait or are parked, parts, untold events, and answers that were not certain; in steps,
    however small, and nothing twice."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        out = replies(a, 1, 2, 3, 4).outgoing
        out[2].state, out[3].state = Delivery.PARKED, Delivery.SENT
        commit = sms(a, 5, 6, 7, 8)
        commit.outgoing, commit.parts = out, [part(number_of(a, 9)), part(number_of(a, 10))]
        commit.events = [event(n) for n in range(1, 6)]
        await a.commit(commit)
        await a.cursor("mqtt")
        first, *_, last = await a.events_after(0, 10)
        await a.move_cursor("mqtt", 2, [(first, "denied")])
        await a.commit(Commit(closed=[out[3]], changed=[out[2]], attempts=[attempt_of(out[2].number, 1)]))
        await a.commit(Commit(settled=Watermark(number_of(a, 5), START_MS)))
        await b.commit(Commit(events=[event(9)]))
        assert await whole(b) == []
        end_lease(tmp_path, a.node)
        taken = await whole(b, 2)
        total = [sum(each[n] for each in map(as_counts, taken)) for n in range(4)]
        assert total == [3, 2, 4, 3]
        assert {(each.number, each.name) for each in taken} == {(1, "a")}
        assert [each.number for each in await b.take_in(10)] == [out[0].number, out[1].number]
        parked = await b.parked(out[2].number)
        assert parked is not None
        assert (parked.node, parked.repeat) == (2, True)
        assert [each.number for each in await b.parts()] == [number_of(a, 9), number_of(a, 10)]
        assert [version for _, version in await told(b)] == [9, 1, 3, 4, 5]
        ids = [each for each, _ in await told(b)]
        assert (ids[1], ids[-1]) == (first.event_id, last.event_id)
        assert await b.answered(digests_of(a, 5, 6, 7, 8)) == []
        found = await b.candidates(digests_of(a, 5, 6, 7, 8), START_MS)
        assert [number for _, number in found] == [number_of(a, n) for n in (6, 7, 8)]
        assert b.last_event == 5
        await b.commit(Commit(events=[event(10)]))
        assert (await b.events_after(5, 9))[0].version == 10
        with pytest.raises(Fenced):
            await a.commit(Commit())


def as_counts(taken: TakenOver) -> tuple[int, int, int, int]:
    """SMS, parts, events, candidates."""
    return taken.sms, taken.parts, taken.events, taken.candidates


async def test_a_node_that_stopped_and_comes_back(tmp_path: Path) -> None:
    """The work of a node that stopped is taken over at once; when it comes back it has none of it, its events
    go on with new numbers, and nothing of it is in doubt again."""
    async with nodes(tmp_path, "b") as (b,):
        async with nodes(tmp_path, "a") as (a,):
            commit = sms(a, 1)
            commit.outgoing, commit.events = [leaving(number_of(a, 2))], [event(1), event(2)]
            await a.commit(commit)
            await a.cursor("mqtt")
            old = digests_of(a, 1)
        assert as_counts((await whole(b))[0]) == (1, 0, 2, 1)
        async with nodes(tmp_path, "a") as (a,):
            assert await a.waiting(-1, 9) == []
            assert await told(a) == []
            assert a.last_event == 2
            await a.commit(Commit(events=[event(3)]))
            assert [each.sequence for each in await a.events_after(2, 9)] == [3]
            assert (await a.expect(10)).ranges == 0
        assert len(await b.candidates(old, START_MS)) == 1
        assert len({each for each, _ in await told(b)}) == 2


async def test_doubts_of_a_dead_node(tmp_path: Path) -> None:
    """Ranges that the dead node had not worked off become candidates; until then its SMS are in doubt for
    all, also while it begins anew."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(sms(a, 1, 2, 3))
        low, high = number_of(a, 1), number_of(a, 2)
        await a.commit(Commit(uncertain=[Uncertain(0, low, high, UNTIL)], settled=Watermark(high, START_MS)))
        assert [each.doubted for each in await b.answered(digests_of(a, 1, 2, 3))] == [True, True, False]
        end_lease(tmp_path, a.node)
        again = PostgresStore.open(url_of(tmp_path), "a", LEASE)
        assert [each.doubted for each in await b.answered(digests_of(a, 1, 2, 3))] == [True] * 3
        await again.recover(UNTIL)
        assert [each.doubted for each in await b.answered(digests_of(a, 1, 2, 3))] == [True] * 3
        await again.close()
        assert len(await b.take_over(UNTIL, 1)) == 1
        left = await b.answered(digests_of(a, 1, 2, 3))
        assert [each.number for each in left] == [number_of(a, 2), number_of(a, 3)]
        assert all(each.doubted for each in left)
        await whole(b, 1)
        assert len(await b.candidates(digests_of(a, 1, 2, 3), START_MS)) == 3


async def test_what_comes_late_is_taken_too(tmp_path: Path) -> None:
    """A row that a third node writes for one whose work was taken over already is not left behind."""
    async with nodes(tmp_path, "a", "b", "c") as (a, b, c):
        end_lease(tmp_path, a.node)
        await c.commit(replies(c, 1, node=a.node))
        assert as_counts((await whole(b))[0])[0] == 1
        await c.commit(replies(c, 2, node=a.node))
        assert as_counts((await whole(b))[0])[0] == 1
        assert [(each.number, each.repeat) for each in await b.take_in(9)] == [
            (number_of(c, 1), False),
            (number_of(c, 2), False),
        ]


async def test_two_take_over_at_the_same_time(tmp_path: Path) -> None:
    """One of them gets each row, and neither waits for a deadlock."""
    async with nodes(tmp_path, "a", "b", "c") as (a, b, c):
        for n in range(5):
            commit = sms(a, n)
            commit.outgoing, commit.events = replies(a, *range(10 * n + 10, 10 * n + 20)).outgoing, [event(n)]
            await a.commit(commit)
        end_lease(tmp_path, a.node)
        async with asyncio.timeout(PATIENCE):
            taken = await asyncio.gather(whole(b, 3), whole(c, 3))
        assert sum(each.sms for one in taken for each in one) == 50
        assert sum(each.events for one in taken for each in one) == 5
        both = [each.number for store in (b, c) for each in await store.take_in(100)]
        assert len(both) == len(set(both)) == 50
        assert sorted(version for _, version in await told(b) + await told(c)) == list(range(5))


@pytest.fixture
async def link() -> AsyncIterator[BadLink]:
    """Between a node and the server."""
    async with BadLink("127.0.0.1", shared().port) as opened:
        yield opened


async def cut_off(link: BadLink, folder: Path) -> PostgresStore:
    """A node behind a link."""
    url = url_of(folder).replace(str(shared().port), str(link.port))
    store = await asyncio.to_thread(PostgresStore.open, url, "a", LEASE)
    await store.recover(UNTIL)
    return store


async def test_a_commit_in_doubt_and_a_takeover(link: BadLink, tmp_path: Path) -> None:
    """A node that is cut off while its commit is on the way does not know what became of it. If the server
    has it, it is taken over with the rest; the node is fenced as soon as it can ask."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await a.commit(replies(a, 1))
        with psycopg.connect(shared().url(schema_of(tmp_path))) as other:
            other.execute("LOCK TABLE journal IN SHARE MODE")
            commit = asyncio.create_task(a.commit(sms(a, 2)))
            await waits_for_a_lock(tmp_path)
            link.cut()
            link.stall()
            await in_doubt(a)
            assert not commit.done()
            other.rollback()
        await asyncio.to_thread(on_server, tmp_path, "SELECT FROM node FOR UPDATE")  # behind its end
        end_lease(tmp_path, a.node)
        taken = (await whole(b))[0]
        link.resume()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Fenced):
                await commit
        with pytest.raises(Fenced):
            await a.commit(Commit())
        await a.close()
        with reading(tmp_path) as reader:
            stored = [each.number for each in reader.journal()]
        assert as_counts(taken) == (1, 0, 0, len(stored))
        assert [number for _, number in await b.candidates(digests_of(a, 2), START_MS)] == stored


async def test_a_connection_that_stands_still(tmp_path: Path) -> None:
    """A node that is stopped in the middle of a transaction keeps its row locked: its connection is ended,
    and its work is taken over without what it had not committed."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        await a.commit(replies(a, 1))
        end_lease(tmp_path, a.node)

        async def stand_still(_: Db) -> list[TakenOver]:
            async with asyncio.timeout(PATIENCE):
                while not (taken := await b.take_over(UNTIL, 9)):  # noqa: ASYNC110 - so do gateways
                    await asyncio.sleep(0.05)
            assert as_counts(taken[0]) == (1, 0, 0, 0)
            return taken

        with pytest.raises(StoreFault):
            await a._link.apart(stand_still)
        with pytest.raises(Fenced):
            await a.commit(Commit())


async def test_what_a_gateway_without_a_name_left(tmp_path: Path) -> None:
    """The first node takes over the work of the gateway that had the store alone, which may then not come
    back beside it; what the nodes left is taken over by one that is alone again."""
    async with nodes(tmp_path, "") as (alone,):
        commit = sms(alone, 1, 2)
        commit.outgoing, commit.parts = [leaving(3)], [part(4)]
        commit.events, commit.settled = [event(1)], Watermark(number_of(alone, 1), START_MS)
        await alone.commit(commit)
        assert await alone.answered(digests_of(alone, 1, 2)) == []
    async with nodes(tmp_path, "a") as (a,):
        assert [(each.number, each.name, *as_counts(each)) for each in await whole(a)] == [
            (0, "", 1, 1, 1, 1)
        ]
        assert [each.number for each in await a.take_in(9)] == [3]
        assert len(await a.candidates(digests_of(alone, 1, 2), START_MS)) == 1
    async with nodes(tmp_path, "") as (alone,):
        assert [(each.number, each.sms, each.events) for each in await whole(alone)] == [(1, 1, 1)]


async def test_retention_at_all_nodes(tmp_path: Path) -> None:
    """A node deletes what is old of its own and of nodes that do not live, and keeps what each still
    needs."""
    late = START_MS + 90 * 86_400_000
    async with nodes(tmp_path, "a", "b", "c") as (a, b, c):
        for store in (a, b, c):
            commit = sms(store, 1, 3, 5)
            commit.outgoing = out = [leaving(number_of(store, n)) for n in (2, 4)]
            commit.settled = Watermark(number_of(store, 3), START_MS)
            await store.commit(commit)
            out[0].state, out[0].closed_at = Delivery.SENT, START_MS
            await store.commit(Commit(closed=out[:1]))
        end_lease(tmp_path, c.node)
        while await a.forget(late, 1):
            pass
        with reading(tmp_path) as reader:
            assert [each.number for each in reader.journal()] == [
                number_of(a, 5),
                *(number_of(b, n) for n in (1, 3, 5)),
                number_of(c, 5),
            ]
            assert [each.sms.number for each in reader.closed(0, late)] == [number_of(b, 2)]
            assert reader.count_waiting() == 3
        await whole(a)
        while await a.forget(late, 1):
            pass
        with reading(tmp_path) as reader:
            assert [each.number >> 56 for each in reader.journal()] == [1, 2, 2, 2]


async def test_candidates_are_forgotten_at_all_nodes(tmp_path: Path) -> None:
    """Candidates whose time is over go, whichever node's SMS they are, though those of another stay."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for store, until in ((a, UNTIL + 5), (b, UNTIL)):
            await store.commit(sms(store, 1, 2))
            low, high = number_of(store, 1), number_of(store, 2)
            await store.commit(Commit(uncertain=[Uncertain(0, low, high, until)]))
            await store.expect(9)
        assert await a.forget_candidates(UNTIL, 1) == 3
        assert await b.forget_candidates(UNTIL, 2) == 2
        assert await a.forget_candidates(UNTIL + 5, 2) == 0


@asynccontextmanager
async def unheard(link: BadLink, folder: Path, table: str) -> AsyncIterator[None]:
    """The next transaction that updates a table is stored, and its node does not hear of it."""
    for statement in (
        """CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM FROM fetion_store FOR SHARE; RETURN NULL; END $$""",
        f"""CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait()""",
    ):
        await asyncio.to_thread(on_server, folder, statement)
    with psycopg.connect(shared().url(schema_of(folder))) as other:
        other.execute("SELECT FROM fetion_store FOR UPDATE")
        yield
        await waits_for_a_lock(folder)
        link.cut()
        other.rollback()
    await asyncio.to_thread(on_server, folder, "SELECT FROM node FOR UPDATE")  # behind its end
    await asyncio.to_thread(on_server, folder, f"DROP TRIGGER wait ON {table}")


async def eventually(call: Callable[[], Awaitable[T]]) -> T:
    """What a call gives when the node has a connection again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await call()
            except StoreFault:
                await asyncio.sleep(0.01)


async def test_sms_that_were_taken_in_unheard(link: BadLink, tmp_path: Path) -> None:
    """The connection is lost while it is noted that moved SMS were taken in: they are given after all, once,
    and one that waits beside them too."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await b.commit(replies(b, 1, 2, node=a.node))
        async with unheard(link, tmp_path, "outbox"):
            taking = asyncio.create_task(a.take_in(9))
        with pytest.raises(StoreFault):
            await taking
        assert await asyncio.to_thread(on_server, tmp_path, "SELECT count(*) FROM outbox WHERE moved") == [
            (0,)
        ]
        await b.commit(replies(b, 3, node=a.node))
        taken = await eventually(lambda: a.take_in(9))
        assert [each.number for each in taken] == [number_of(b, n) for n in (1, 2, 3)]
        assert await a.take_in(9) == []
        await a.close()


async def test_sms_that_were_given_unheard(link: BadLink, tmp_path: Path) -> None:
    """The connection is lost while SMS are moved to another node: in the end it is known that they are."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await a.commit(replies(a, 1, 2))
        numbers = [number_of(a, 1), number_of(a, 2)]
        async with unheard(link, tmp_path, "outbox"):
            giving = asyncio.create_task(a.give(numbers, b.node))
        assert await giving == numbers
        assert [each.number for each in await b.take_in(9)] == numbers
        await a.close()


async def test_a_takeover_of_which_nobody_hears(link: BadLink, tmp_path: Path) -> None:
    """The connection is lost while a take-over is stored: the next call tells of it, so that the parts of
    long messages are read."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await b.commit(Commit(parts=[part(number_of(b, 9))]))
        end_lease(tmp_path, b.node)
        async with unheard(link, tmp_path, "part"):
            taking = asyncio.create_task(a.take_over(UNTIL, 9))
        with pytest.raises(StoreFault):
            await taking
        taken = await eventually(lambda: a.take_over(UNTIL, 9))
        assert as_counts(taken[0])[1] == 1
        assert len(await a.parts()) == 1
        assert await a.take_over(UNTIL, 9) == []
        await a.close()


async def test_the_number_of_a_node_is_freed(tmp_path: Path) -> None:
    """As docs/postgresql.md says: not while it lives or has something left, and then it is."""
    text = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text("utf-8")
    [found] = re.findall(r"\n    (DELETE FROM node n .*?);\n", text, re.DOTALL)
    statement = found.replace("bj1", "a") + " RETURNING number"
    async with nodes(tmp_path, "b") as (b,):
        async with nodes(tmp_path, "a") as (a,):
            await a.commit(replies(a, 1))
            assert on_server(tmp_path, statement) == []
        assert on_server(tmp_path, statement) == []
        await whole(b)
        assert on_server(tmp_path, statement) == [(a.node,)]
        assert [each.name for each in await b.nodes()] == ["", "b"]


def counted_as(n: int) -> StoredEvent:
    """What a commit adds to the figures."""
    return StoredEvent(START_MS, 0, "", "", "", FIGURES, "counted", 0, {"n": n})


def figures(times: int) -> Figures:
    """So many SMS."""
    return Figures({FigureKey("2007-03-01", "uplink", "100", "161", "", "done"): Amount(times, times)})


async def test_what_commits_add_to_the_figures_is_taken_over_once(tmp_path: Path) -> None:
    """In steps, behind what the node has itself; a node that folded a part has not that part taken; one that
    comes back counts on."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        for n in range(5):
            await a.commit(Commit(events=[counted_as(n)]))
        await b.commit(Commit(events=[counted_as(9)]))
        assert await a.fold("figures", 2, figures(2), 0)
        late = await a.counted_after(2, 9)
        end_lease(tmp_path, a.node)
        for _ in range(4):
            await b.take_over(UNTIL, 2)
        with pytest.raises(Fenced):
            await a.fold("figures", late[-1].sequence, figures(3), 2)
        taken = await b.counted_after(0, 9)
        assert [each.data["n"] for each in taken] == [9, 2, 3, 4]
        assert b.last_counted == taken[-1].sequence == 4
        assert await b.fold("figures", 4, figures(4), 0)
        async with nodes(tmp_path, "a") as (again,):
            await again.commit(Commit(events=[counted_as(7)]))
            [event] = await again.counted_after(await again.folded("figures"), 9)
            assert await again.fold("figures", event.sequence, figures(1), event.sequence - 1)
            assert again.last_counted == await again.folded("figures")
