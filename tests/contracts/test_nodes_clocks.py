"""Nodes whose clocks differ."""

from pathlib import Path

import pytest

from gateway.inbound.retransmissions import Retransmissions
from gateway.message import Commit
from gateway.storage.postgresql.store import PostgresStore
from tests.contracts.nodes import nodes, number_of, sms
from tests.postgresql import missing
from tests.support import SESSIONS, START_MS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

MINUTE_MS = 60_000


async def at_node(store: PostgresStore, ahead_ms: int) -> Retransmissions:
    """What a node knows of its answers whose clock is so much ahead."""
    windows = {"smsc": 5 * MINUTE_MS}
    made = Retransmissions(store, windows, MINUTE_MS, START_MS + ahead_ms, 100.0, shared=True)
    await made.recover(100.0)
    return made


@pytest.mark.parametrize("ahead_ms", [10 * MINUTE_MS, -10 * MINUTE_MS])
async def test_a_resend_at_a_node_with_another_clock(tmp_path: Path, ahead_ms: int) -> None:
    """It is looked for as long as its account says, by the clock of the server."""
    async with nodes(tmp_path, "a", "b") as (a, b):
        one, other = await at_node(a, 0), await at_node(b, ahead_ms)
        number = number_of(a, 1)
        await a.commit(sms(a, 1, digest=b"it"))
        one.unanswered(SESSIONS + 1, "smsc", number, number, 101.0)
        one.hand_in(commit := Commit())
        await a.commit(commit)
        await one.expect()
        await other.forget(101.0, 10)
        assert (await other.find([b"it"], 101.0)).has(b"it")
        assert not (await other.find([b"it"], 402.0)).has(b"it")
