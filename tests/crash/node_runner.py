"""`python -m tests.crash.node_runner WHAT --config FILE`: `serve` as a node without a safeguard.

WHAT: `blind` does not look for SMS that other nodes have stored; `unfenced` trusts its lease for ever, and
writes whoever holds its row.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.cli.serve import new_event_loop, serve
from gateway.message import Commit
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.storage.nodes import Equal
from gateway.storage.postgresql import link, owner
from gateway.storage.postgresql.store import PostgresStore


def blind() -> None:
    """Nobody's SMS equals another one: what the look-up in `answered` is for."""
    commit = PostgresStore.commit

    async def answered(_: PostgresStore, __: Sequence[bytes]) -> list[Equal]:
        return []

    async def commit_apart(self: PostgresStore, batch: Commit) -> None:
        batch.ordinals = {entry.number: entry.number & 0x3FFFFFFF for entry in batch.messages}
        await commit(self, batch)

    PostgresStore.answered = answered  # type: ignore[method-assign]
    PostgresStore.commit = commit_apart  # type: ignore[method-assign]


def unfenced() -> None:
    """A row is everybody's, and its lease is never over."""
    claim = owner.CLAIM.replace("CASE WHEN holder = %(holder)s THEN holder END", "%(holder)s")
    retake = owner._RETAKE.replace("AND holder = ANY(%s)", "AND %s::text[] IS NOT NULL")
    assert claim != owner.CLAIM
    assert retake != owner._RETAKE
    values: dict[str, Any] = {"CLAIM": claim, "_RETAKE": retake}
    for name, value in values.items():
        setattr(owner, name, value)
    link.CLAIM = claim  # type: ignore[misc]
    PostgresStore.trusted_until = property(lambda _: time.monotonic() + 1)  # type: ignore[misc, assignment]


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("blind", "unfenced"))
    parser.add_argument("--config", type=Path, required=True)
    args = parser.parse_args()
    {"blind": blind, "unfenced": unfenced}[args.what]()
    settings = load(args.config, os.environ)
    log = open_log(settings.logging)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        code = runner.run(serve(settings, log))
    log.close()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
