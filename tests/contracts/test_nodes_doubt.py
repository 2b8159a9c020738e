"""What a node moves while its connection is lost: the server has stored it, and the node does not hear so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from gateway.storage.contract import StoreFault
from gateway.testing import BadLink
from tests.contracts.nodes import nodes, number_of, on_server, replies
from tests.contracts.test_takeover import PATIENCE, cut_off
from tests.postgresql import missing, schema_of, shared
from tests.storage.test_postgresql import waits_for_a_lock

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

T = TypeVar("T")
HELD_UP = (
    "CREATE TABLE held AS SELECT 1 AS it",
    "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM FROM held FOR SHARE; RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER held_up AFTER UPDATE ON outbox DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION hold_up()",
)
"""A COMMIT that changes the outbox waits at the server."""


@pytest.fixture
async def link() -> AsyncIterator[BadLink]:
    """Between a node and the server."""
    async with BadLink("127.0.0.1", shared().port) as opened:
        yield opened


async def unheard(call: Awaitable[object], link: BadLink, folder: Path) -> None:
    """Cut the connection while its COMMIT is at work at the server, which then stores it."""
    for statement in HELD_UP:
        on_server(folder, statement)
    with psycopg.connect(shared().url(schema_of(folder))) as other:
        other.execute("SELECT FROM held FOR UPDATE")
        task = asyncio.ensure_future(call)
        await waits_for_a_lock(folder)
        link.cut()
        with pytest.raises(StoreFault):
            await task
    await asyncio.to_thread(on_server, folder, "SELECT FROM node FOR UPDATE")  # behind its end
    on_server(folder, "DROP TRIGGER held_up ON outbox")


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """Call it until there is a connection."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await call()
            except StoreFault:
                await asyncio.sleep(0.01)


async def test_what_may_be_taken_in_is_given_by_the_next_call(link: BadLink, tmp_path: Path) -> None:
    """Else nobody would send it until that node begins anew: no look finds it any more."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await b.commit(replies(b, 1, 2, node=a.node))
        await unheard(a.take_in(9), link, tmp_path)
        assert on_server(tmp_path, "SELECT count(*) FROM outbox WHERE moved") == [(0,)]
        assert [each.number for each in await again(lambda: a.take_in(9))] == [
            number_of(b, 1),
            number_of(b, 2),
        ]
        assert await a.take_in(9) == []
        await a.close()


async def test_what_may_be_given_is_said_by_the_next_call(link: BadLink, tmp_path: Path) -> None:
    """Else both nodes would send it."""
    async with nodes(tmp_path, "b") as (b,):
        a = await cut_off(link, tmp_path)
        await a.commit(replies(a, 1, 2))
        await unheard(a.give([number_of(a, 1)], b.node), link, tmp_path)
        assert await again(lambda: a.give([number_of(a, 1)], b.node)) == [number_of(a, 1)]
        assert [each.number for each in await b.take_in(9)] == [number_of(a, 1)]
        assert await b.take_in(9) == []
        assert await a.give([number_of(a, 2)], 9) == []
        await a.close()
