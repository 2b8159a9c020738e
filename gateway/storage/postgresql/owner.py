"""The rows of `node`, one for each gateway that uses a store: who holds it, until when, and what it did last.

A gateway draws a name for each connection (`holder`). Every transaction that writes begins by claiming the
row of its node: that renews the lease, and fails where another name stands in the row, or none. So nobody
writes under a number that another gateway has or whose work was taken over, and what an earlier connection
left on the way to the server fails too. Each commit leaves its number in the row, so a connection that
follows a lost one finds out what became of the commit that was under way.
"""

import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from gateway.message import Watermark
from gateway.storage.contract import StorageError, StoreFault, StoreInUse, StoreUnusable
from gateway.storage.nodes import TRUST_MARGIN, Fenced
from gateway.storage.postgresql.place import Place

LOOKS: Final = 10
GLANCE: Final = 0.05
"""How often a store is looked at that is in use, and seconds between two looks."""
LEASE: Final = 30
"""Seconds for which a gateway without a name owns a store after its last transaction. An idle one has one
every 5 s."""
NODE_SHIFT: Final = 56
"""Bits of an SMS number behind those of its node (gateway.message.MessageNumbers)."""
NODES: Final = 127
"""Numbers of named nodes: 1 to this."""

LIVE: Final = "n.holder != '' AND n.until > clock_timestamp()"
"""Whether the lease of a row n is not over."""
GONE: Final = """
n.pid IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_stat_activity a WHERE a.pid = n.pid AND a.backend_start = n.started)
"""
"""Whether the connection of its owner is gone from the server."""
FIRST_OF: Final = f"(n.number::bigint << {NODE_SHIFT})"
LAST_OF: Final = f"((n.number::bigint << {NODE_SHIFT}) + {(1 << NODE_SHIFT) - 1})"
"""The range of SMS numbers of a row n."""

# NULL is no holder: the statement fails, and with it the transaction.
CLAIM: Final = """
UPDATE node SET holder = CASE WHEN holder = %(holder)s THEN holder END, batch = coalesce(%(batch)s, batch),
    until = clock_timestamp() + make_interval(secs => %(lease)s),
    settled = coalesce(%(settled)s, settled), settled_at = coalesce(%(settled_at)s, settled_at)
WHERE number = %(node)s
"""
_PATIENCE = "SET LOCAL lock_timeout = '1s'"
_STANDS: Final = "a gateway that has this store open stands still in the middle of a transaction: end it"
# Openings take turns: they give numbers, and compare all rows.
_TURN = "SELECT FROM fetion_store FOR UPDATE"
_LOOK = f"""
SELECT number, name, {LIVE} AND NOT ({GONE}), ceil(extract(epoch FROM until - clock_timestamp()))::integer
FROM node n ORDER BY number FOR UPDATE
"""  # noqa: S608
_LAST = "SELECT max(number) FROM journal WHERE number BETWEEN %s AND %s"
_NEW = "INSERT INTO node (number, name, settled) VALUES (%s, %s, %s)"
_TAKE = """
UPDATE node SET holder = %s, pid = NULL, started = NULL, recovered = FALSE, receivers = '{}',
    until = clock_timestamp() + make_interval(secs => %s)
WHERE number = %s RETURNING batch
"""
_RETAKE = """
UPDATE node SET holder = %s, pid = pg_backend_pid(), until = clock_timestamp() + make_interval(secs => %s),
    started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
WHERE number = %s AND holder = ANY(%s) RETURNING batch
"""
_LEAVE = "UPDATE node SET holder = '', until = 'epoch' WHERE number = %s AND holder = ANY(%s)"

_HOLDER = "holder"

Connection = psycopg.Connection[tuple[Any, ...]]


def draw() -> str:
    """A name that nobody else has."""
    return secrets.token_hex(8)


def range_of(node: int) -> tuple[int, int]:
    """The lowest and the highest number of an SMS of a node."""
    return node << NODE_SHIFT, ((node + 1) << NODE_SHIFT) - 1


@dataclass(slots=True)
class Owner:
    """A gateway as the owner of the row of its node.

    lease: seconds. holders: the names that may stand in the row, the last one is that of now. batch: number
    of the last commit. trusted_until: until when it may act on its lease (monotonic seconds).
    """

    node: int
    lease: int
    holders: list[str]
    batch: int
    trusted_until: float

    @property
    def shared(self) -> bool:
        """Whether there may be other nodes."""
        return self.node > 0

    def claim(self, batch: int | None = None, settled: Watermark | None = None) -> dict[str, Any]:
        """The values of CLAIM."""
        number, at = settled if settled is not None else (None, None)
        return {
            "holder": self.holders[-1], "batch": batch, "lease": self.lease, "settled": number,
            "settled_at": at, "node": self.node,
        }  # fmt: skip

    def renewed(self, asked_at: float) -> None:
        """The server has renewed the lease, for which it was asked at a time (monotonic seconds) or later."""
        self.trusted_until = max(self.trusted_until, asked_at + self.lease - TRUST_MARGIN)

    def lost(self, place: Place) -> StorageError:
        """What it means that another name stands in the row."""
        if self.shared:
            return Fenced(f"{place.name}: the lease of this node is over, and another node took its work")
        return StoreFault(f"{place.name}: another gateway has taken this store meanwhile: stop this one")


def take(db: Connection, place: Place, name: str = "", lease: int = 0) -> Owner:
    """Become the owner of the row of a node; without a name, of the whole store.

    A row is free when its owner left it, when the connection of its owner is gone from the server, or when
    its lease is over. The server needs a moment to see that a process is gone. Raises StoreInUse otherwise,
    and where a named node lives beside one without a name; StoreUnusable when no number is left for a new
    name.
    """
    lease = lease if name else LEASE
    for left in reversed(range(LOOKS)):
        with contextlib.suppress(psycopg.errors.LockNotAvailable), db.transaction():
            refused = _STANDS
            asked_at = time.monotonic()
            db.execute(_PATIENCE)
            db.execute(_TURN)
            rows = db.execute(_LOOK).fetchall()
            refused = _refused(rows, name)
            if not refused:
                node = _node(db, rows, name, place)
                owner = Owner(node, lease, [draw()], 0, 0.0)
                row = db.execute(_TAKE, (owner.holders[-1], lease, node)).fetchone()
                owner.batch = int(row[0]) if row else 0
                owner.renewed(asked_at)
                return owner
        if left:
            time.sleep(GLANCE)
    raise StoreInUse(f"{place.name}: {refused}")


def _refused(rows: list[tuple[Any, ...]], name: str) -> str:
    """Why a gateway cannot have the row of its node now; "" if it can."""
    for _, other, live, seconds in rows:
        if not live:
            continue
        ends = f"(if it is dead already, its claim ends in {seconds} s)"
        if other == name:
            who = f"node {name}" if name else "another gateway"
            setting = "node.name" if name else "storage.url"
            return f"{who} has this store open; stop it or set {setting} {ends}"
        if not other:
            return f"a gateway without node.name has this store open; stop it or give it a node.name {ends}"
        if not name:
            return f"node {other} has this store open; stop it or set node.name here too {ends}"
    return ""


def _node(db: Connection, rows: list[tuple[Any, ...]], name: str, place: Place) -> int:
    """The number of a node, which gets a row where it has none."""
    numbers = {str(row[1]): int(row[0]) for row in rows}
    if name in numbers:
        return numbers[name]
    free = min(set(range(1, NODES + 1)) - set(numbers.values()), default=0)
    if not free:
        raise StoreUnusable(
            f"{place.name}: {NODES} nodes have used this store, no number is left for {name}: set node.name"
            " to one of them, or delete the row of one that never comes back (docs/postgresql.md says how)"
        )
    first, last = range_of(free)
    row = db.execute(_LAST, (first, last)).fetchone()
    db.execute(_NEW, (free, name, row[0] if row and row[0] is not None else first))
    return free


async def retake(db: psycopg.AsyncConnection[Any], owner: Owner, place: Place) -> int:
    """Go on as the owner on a new connection; the last name of `holders` is new.

    Waits for the end of a transaction of an earlier connection. Gives the number of the last commit. Raises
    what Owner.lost gives where somebody else has the row meanwhile, or nobody.
    """
    asked_at = time.monotonic()
    values = (owner.holders[-1], owner.lease, owner.node, owner.holders)
    row = await (await db.execute(_RETAKE, values)).fetchone()
    if row is None:
        raise owner.lost(place)
    owner.renewed(asked_at)
    return int(row[0])


async def leave(db: psycopg.AsyncConnection[Any], owner: Owner) -> None:
    """Give the row back."""
    await db.execute(_LEAVE, (owner.node, owner.holders))


def is_taken(error: psycopg.Error) -> bool:
    """Whether a claim has failed."""
    return isinstance(error, psycopg.errors.NotNullViolation) and error.diag.column_name == _HOLDER
