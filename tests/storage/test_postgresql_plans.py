"""Which way the server looks for rows of tables that come and go: by an index, whatever the planner knows."""

import asyncio
from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import missing, schema_of, shared, url_of
from tests.storage.test_postgresql import PATIENCE
from tests.support import received

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

LOOKS = 30
"""More than the server needs until it keeps a plan."""


def scans(folder: Path, table: str) -> tuple[int, int]:
    """Of the whole table, and by an index, so far."""
    asked = (
        "SELECT seq_scan, idx_scan FROM pg_stat_user_tables"  # noqa: S608
        f" WHERE relname = '{table}' AND schemaname = '{schema_of(folder)}'"
    )
    [(whole, by_index)] = shared().execute(asked)
    return whole, by_index


async def test_equal_sms_are_looked_for_by_an_index(tmp_path: Path) -> None:
    """Nothing was known of the tables when the plan was made; with a batch in them it is the same way."""
    store = await asyncio.to_thread(PostgresStore.open, url_of(tmp_path), "east", 7)
    tables = ("answered", "candidate")
    before = {table: scans(tmp_path, table) for table in tables}
    messages = [received((store.node << 56) + n, digest=str(n).encode()) for n in range(1, 300)]
    await store.commit(Commit(messages=messages))
    digests = [m.digest for m in messages]
    for _ in range(LOOKS):
        await store.answered(digests)
        await store.candidates(digests, 0)
    async with asyncio.timeout(PATIENCE):  # the server counts a moment later
        while any(scans(tmp_path, table)[1] - before[table][1] < LOOKS for table in tables):
            await store.last_time()
            await asyncio.sleep(0.05)
    assert {table: scans(tmp_path, table)[0] for table in tables} == {
        table: whole for table, (whole, _) in before.items()
    }
    await store.close()
