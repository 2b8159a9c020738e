"""Whatever two or three nodes do at a time: no open SMS out belongs to nobody or to two, nothing is lost."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.message import Commit, Delivery, MobileTerminated
from gateway.storage.nodes import Fenced, Stale
from gateway.storage.postgresql.store import PostgresStore
from tests.contracts.nodes import LEASE, UNTIL, changing, loaded, number_of, sms
from tests.contracts.test_nodes import event
from tests.postgresql import missing, url_of
from tests.support import ALICE, START_MS, leaving

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
NAMES = ("a", "b", "c")
WHO = st.sampled_from(NAMES)
STEPS = 100


class Node:
    """A gateway as far as it matters here: what it holds in memory."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.waiting: dict[int, MobileTerminated] = {}


class Nodes(RuleBasedStateMachine):
    """The rules are what gateways do; `expected` is what must be there of everything that was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.home = TemporaryDirectory()
        self.folder = Path(self.home.name)
        self.nodes = {name: self.loop.run_until_complete(self.begin(name)) for name in NAMES}
        self.db = psycopg.connect(url_of(self.folder), autocommit=True)
        self.counter = 100
        self.open: set[int] = set()
        self.closed: set[int] = set()
        self.changes = 0
        self.events: set[int] = set()
        self.told: set[int] = set()
        self.uncertain: dict[int, bytes] = {}

    async def begin(self, name: str) -> Node:
        """A gateway starts, or begins anew."""
        node = Node(PostgresStore.open(url_of(self.folder), name, LEASE))
        await node.store.recover(UNTIL)
        await node.store.cursor("mqtt")
        while (await node.store.expect(100)).ranges:
            pass
        node.waiting = {each.number: each for each in await node.store.waiting(-1, 1000)}
        return node

    def teardown(self) -> None:
        """All of it is closed."""
        for node in self.nodes.values():
            self.loop.run_until_complete(node.store.close())
        self.db.close()
        self.loop.close()
        self.home.cleanup()

    def look(self, statement: str) -> list[tuple[Any, ...]]:
        """What is in the store."""
        return self.db.execute(statement.encode()).fetchall()

    def end_lease(self, name: str) -> None:
        """It is over."""
        over = "UPDATE node SET until = clock_timestamp() - interval '1 ms' WHERE name = "
        self.look(f"{over}'{name}' RETURNING number")

    async def commit(self, name: str, commit: Commit) -> bool:
        """Whether it is stored. A node that is fenced begins anew."""
        try:
            await self.nodes[name].store.commit(commit)
        except Stale:
            return False
        except Fenced:
            await self.nodes[name].store.close()
            self.nodes[name] = await self.begin(name)
            return False
        return True

    @rule(name=WHO, to=WHO, copies=st.integers(1, 3))
    def works(self, name: str, to: str, copies: int) -> None:
        """A batch: SMS in, a change of a customer, SMS out for some node, an event."""
        node, target = self.nodes[name].store, self.nodes[to].store.node
        self.counter += 10
        commit = sms(node, self.counter)
        commit.outgoing = [leaving(number_of(node, self.counter + 1 + n)) for n in range(copies)]
        for each in commit.outgoing:
            each.node = target
        commit.events = [event(self.counter)]

        async def run() -> bool:
            world = await loaded(node, ALICE)
            change = changing(world, lambda w: setattr(w.edit(ALICE), "version", w.edit(ALICE).version + 1))
            commit.customers, commit.revisions = change.customers, change.revisions
            return await self.commit(name, commit)

        numbers = [each.number for each in commit.outgoing]
        if self.loop.run_until_complete(run()):
            self.open.update(numbers)
            self.changes += 1
            self.events.add(self.counter)
            self.uncertain[commit.messages[0].number] = commit.messages[0].digest
            if to == name:
                self.nodes[name].waiting |= {each.number: each for each in commit.outgoing}

    @rule(one=WHO, other=WHO)
    def meet(self, one: str, other: str) -> None:
        """Two nodes change the same customer from what both have read: one succeeds, and the other one after
        it has read again."""
        if one == other:
            return

        async def run() -> int:
            worlds = [await loaded(self.nodes[name].store, ALICE) for name in (one, other)]
            commits = [
                changing(w, lambda w: setattr(w.edit(ALICE), "version", w.edit(ALICE).version + 1))
                for w in worlds
            ]
            return sum(
                await asyncio.gather(
                    *(self.commit(*each) for each in zip((one, other), commits, strict=True))
                )
            )

        done = self.loop.run_until_complete(run())
        assert done <= 1
        self.changes += done

    @rule(name=WHO, count=st.integers(1, 3))
    def sends(self, name: str, count: int) -> None:
        """SMS out were answered."""
        node = self.nodes[name]
        gone = [node.waiting[number] for number in sorted(node.waiting)[:count]]
        for each in gone:
            each.state, each.closed_at = Delivery.SENT, START_MS
        if self.loop.run_until_complete(self.commit(name, Commit(closed=gone))):
            for each in gone:
                node.waiting.pop(each.number, None)
                self.open.discard(each.number)
                self.closed.add(each.number)

    @rule(name=WHO, limit=st.integers(1, 3))
    def takes_in(self, name: str, limit: int) -> None:
        """A node gets what others have moved to it."""

        async def run() -> None:
            try:
                taken = await self.nodes[name].store.take_in(limit)
            except Fenced:
                await self.commit(name, Commit())
            else:
                assert not {each.number for each in taken} & self.nodes[name].waiting.keys()
                self.nodes[name].waiting |= {each.number: each for each in taken}

        self.loop.run_until_complete(run())

    @rule(name=WHO, count=st.integers(1, 3))
    def tells(self, name: str, count: int) -> None:
        """Events have left over MQTT."""
        store = self.nodes[name].store

        async def run() -> None:
            cursor = await store.cursor("mqtt")
            events = await store.events_after(cursor.sequence, count)
            try:
                await store.move_cursor("mqtt", max((each.sequence for each in events), default=0))
            except Fenced:
                await self.commit(name, Commit())
            else:
                self.told |= {each.version for each in events}

        self.loop.run_until_complete(run())

    @rule(name=WHO, to=WHO)
    def gives(self, name: str, to: str) -> None:
        """A node gives one of its SMS to another one."""
        node, target = self.nodes[name], self.nodes[to]
        if name == to or not node.waiting:
            return

        async def run() -> None:
            try:
                for number in await node.store.give([min(node.waiting)], target.store.node):
                    del node.waiting[number]
            except Fenced:
                await self.commit(name, Commit())

        self.loop.run_until_complete(run())

    @rule(name=WHO)
    def is_silent(self, name: str) -> None:
        """The lease of a node is over."""
        self.end_lease(name)

    @rule(name=WHO, limit=st.integers(1, 5))
    def takes_over(self, name: str, limit: int) -> None:
        """A step of taking over, by a node that may itself be over."""

        async def run() -> None:
            try:
                await self.nodes[name].store.take_over(UNTIL, limit)
            except Fenced:
                await self.commit(name, Commit())

        self.loop.run_until_complete(run())

    @rule(name=WHO)
    def restarts(self, name: str) -> None:
        """A node stops in order, and starts again."""
        self.loop.run_until_complete(self.nodes[name].store.close())
        self.nodes[name] = self.loop.run_until_complete(self.begin(name))

    @rule(name=WHO)
    @precondition(lambda self: self.uncertain)
    def is_killed(self, name: str) -> None:
        """A process ends, and its connection with it; it starts again."""
        store = self.nodes[name].store
        self.look(
            f"SELECT pg_terminate_backend(pid, 5000) FROM node WHERE number = {store.node}",  # noqa: S608
        )
        self.end_lease(name)
        self.nodes[name] = self.loop.run_until_complete(self.begin(name))
        self.loop.run_until_complete(store.close())

    def end(self) -> None:
        """With two nodes that live on everything leaves, of whichever node it was."""
        self.is_silent("c")
        for _ in range(40):
            for name in NAMES[:2]:
                self.takes_over(name, 5)
                self.takes_in(name, 9)
                self.sends(name, 9)
                self.tells(name, 9)
        assert self.open == set()
        assert self.events == self.told

    @invariant()
    def every_open_sms_has_one_node(self) -> None:
        """The store knows those that are open, and whose they are; what a gateway holds is open, and its own
        or no longer its own because it is fenced."""
        rows = self.look("SELECT number, node FROM outbox WHERE state = 0")
        assert {number for number, _ in rows} == self.open
        owners = dict(rows)
        assert set(owners.values()) <= {node.store.node for node in self.nodes.values()}
        held = [
            number
            for node in self.nodes.values()
            for number in node.waiting
            if owners.get(number) == node.store.node
        ]
        assert len(held) == len(set(held))

    @invariant()
    def nothing_is_lost(self) -> None:
        """No change of the customer, no event, no SMS whose answer is not certain."""
        [(version,)] = self.look("SELECT coalesce(max((doc::json->>'version')::integer), 0) FROM customer")
        assert version == self.changes
        assert {version for (version,) in self.look("SELECT version FROM event")} >= self.events - self.told
        found = self.look("SELECT number FROM answered UNION SELECT number FROM candidate")
        assert {number for (number,) in found} == self.uncertain.keys()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_many_steps(seed: int) -> None:
    """A long walk through the rules, the same each time: what matters needs several in a row."""
    chance, machine = Random(seed), Nodes()
    rules: dict[Callable[..., None], tuple[int, ...]] = {
        machine.works: (0, 0, 3),
        machine.meet: (0, 0),
        machine.sends: (0, 3),
        machine.takes_in: (0, 3),
        machine.tells: (0, 3),
        machine.gives: (0, 0),
        machine.is_silent: (0,),
        machine.takes_over: (0, 5),
        machine.restarts: (0,),
    }
    try:
        for _ in range(STEPS):
            step = chance.choice([*rules, machine.works, machine.takes_over, machine.takes_over])
            step(*(chance.randint(1, most) if most else chance.choice(NAMES) for most in rules[step]))
            machine.every_open_sms_has_one_node()
            machine.nothing_is_lost()
        machine.end()
    finally:
        machine.teardown()


@pytest.mark.long
def test_any_steps() -> None:
    """The same rules in any order, and the shortest way to a fault."""
    run_state_machine_as_test(
        Nodes, settings=settings(max_examples=20, stateful_step_count=50, deadline=None)
    )
