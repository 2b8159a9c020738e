"""The one row that says which gateway owns a store, and which of its commits was the last one.

A gateway draws a name for each connection (`holder`). Every transaction that writes begins by claiming: that
renews the ownership, and fails where another name stands in the row. So nobody writes beside the owner,
and what an earlier connection left on the way to the server fails too. Each commit leaves its number in the
row, so a connection that follows a lost one finds out what became of the commit that was under way.
"""

import secrets
import time
from typing import Any, Final

import psycopg

from gateway.storage.contract import StoreFault, StoreInUse
from gateway.storage.postgresql.place import Place

LOOKS: Final = 10
GLANCE: Final = 0.05
"""How often a store is looked at that is in use, and seconds between two looks."""
LEASE: Final = 30
"""Seconds for which a gateway owns a store after its last transaction. An idle one has one every 5 s."""

# NULL is no holder: the statement fails, and with it the transaction.
CLAIM: Final = f"""
UPDATE fetion_store SET holder = CASE WHEN holder = %s THEN holder END, batch = coalesce(%s, batch),
    until = clock_timestamp() + interval '{LEASE} s'
WHERE one = 1
"""  # noqa: S608
_LOOK = """
SELECT holder = '' OR until < clock_timestamp() OR (pid IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_stat_activity a WHERE a.pid = s.pid AND a.backend_start = s.started)),
    ceil(extract(epoch FROM until - clock_timestamp()))::integer
FROM fetion_store s FOR UPDATE
"""
_TAKE = f"""
UPDATE fetion_store SET holder = %s, batch = 0, pid = NULL, started = NULL,
    until = clock_timestamp() + interval '{LEASE} s'
"""  # noqa: S608
_RETAKE = f"""
UPDATE fetion_store SET holder = %s, pid = pg_backend_pid(), until = clock_timestamp() + interval '{LEASE} s',
    started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
WHERE holder = ANY(%s) RETURNING batch
"""  # noqa: S608
_LEAVE = "UPDATE fetion_store SET holder = '', until = 'epoch' WHERE holder = ANY(%s)"

_HOLDER = "holder"


def draw() -> str:
    """A name that nobody else has."""
    return secrets.token_hex(8)


def take(db: psycopg.Connection[tuple[Any, ...]], place: Place) -> str:
    """Become the owner, under the name that is given back.

    The store is free when its owner left it, when the connection of its owner is gone from the server, or
    when the owner has not written for LEASE seconds. The server needs a moment to see that a process is gone.
    Raises StoreInUse otherwise.
    """
    for left in reversed(range(LOOKS)):
        with db.transaction():
            row = db.execute(_LOOK).fetchone()
            if row is not None and row[0]:
                holder = draw()
                db.execute(_TAKE, (holder,))
                return holder
        if left:
            time.sleep(GLANCE)
    raise StoreInUse(
        f"{place.name}: another gateway has this store open; stop it or set storage.url"
        f" (if it is dead already, its claim ends in {row[1] if row else LEASE} s)"
    )


async def retake(db: psycopg.AsyncConnection[Any], holders: list[str], place: Place) -> int:
    """Go on as the owner on a new connection. holders: the names that may stand in the row; the last is new.

    Waits for the end of a transaction of an earlier connection. Gives the number of the last commit. Raises
    StoreFault where somebody else has taken the store meanwhile.
    """
    cursor = await db.execute(_RETAKE, (holders[-1], holders))
    row = await cursor.fetchone()
    if row is None:
        raise StoreFault(f"{place.name}: {TAKEN}")
    return int(row[0])


async def leave(db: psycopg.AsyncConnection[Any], holders: list[str]) -> None:
    """Own the store no longer."""
    await db.execute(_LEAVE, (holders,))


TAKEN: Final = "another gateway has taken this store meanwhile: stop this one"


def is_taken(error: psycopg.Error) -> bool:
    """Whether a claim has failed."""
    return isinstance(error, psycopg.errors.NotNullViolation) and error.diag.column_name == _HOLDER
