"""`python -m tests.crash.node_runner WHAT --config FILE`: `serve` as a node that can die between COMMIT and
the answers: at its next commit of SMS once a file `die` stands beside its configuration.

WHAT: `honest`; `blind` does not look for SMS that other nodes have stored; `unfenced` trusts its lease for
ever, and writes whoever holds its row.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.serve import new_event_loop, serve
from gateway.message import Commit
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.storage.nodes import Equal
from gateway.storage.postgresql import link, owner
from gateway.storage.postgresql.store import PostgresStore
from tests.crash.stores import die


def replace(place: object, **values: object) -> None:
    """Put other things in the place of some."""
    for name, value in values.items():
        setattr(place, name, value)


def mortal(wish: Path) -> None:
    """Stored, and nobody is answered."""
    commit = PostgresStore.commit

    async def commit_and_die(self: PostgresStore, batch: Commit) -> None:
        await commit(self, batch)
        if batch.messages and os.access(wish, os.F_OK):
            die()

    replace(PostgresStore, commit=commit_and_die)


def honest() -> None:
    """Nothing is changed."""


def blind() -> None:
    """Nobody's SMS equals another one: what the look-up in `answered` is for."""
    commit = PostgresStore.commit

    async def answered(_: PostgresStore, __: Sequence[bytes]) -> list[Equal]:
        return []

    async def commit_apart(self: PostgresStore, batch: Commit) -> None:
        batch.ordinals = {entry.number: entry.number & 0x3FFFFFFF for entry in batch.messages}
        await commit(self, batch)

    replace(PostgresStore, answered=answered, commit=commit_apart)


def unfenced() -> None:
    """A row is everybody's, and its lease is never over."""
    claim = owner.CLAIM.replace("CASE WHEN holder = %(holder)s THEN holder END", "%(holder)s")
    retake = owner._RETAKE.replace("AND holder = ANY(%s)", "AND %s::text[] IS NOT NULL")
    assert claim != owner.CLAIM
    assert retake != owner._RETAKE
    replace(owner, CLAIM=claim, _RETAKE=retake)
    replace(link, CLAIM=claim)
    replace(PostgresStore, trusted_until=property(lambda _: time.monotonic() + 1))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    whats = {each.__name__: each for each in (honest, blind, unfenced)}
    parser.add_argument("what", choices=whats)
    parser.add_argument("--config", type=Path, required=True)
    args = parser.parse_args()
    whats[args.what]()
    mortal(args.config.parent / "die")
    settings = load(args.config, os.environ)
    log = open_log(settings.logging)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        code = runner.run(serve(settings, log))
    log.close()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
