"""What an SQLite store forgets when it is old, in steps so small that no batch waits for one.

Rows are taken from the low end of their tables: numbers grow with time, so no step looks at more rows than it
may delete, but for SMS that are still parked. What a resend may still refer to stays: SMS above the watermark
of certain answers, and whatever follows the first range of uncertain ones. So does every SMS that waits or
is parked.
"""

import sqlite3

_CERTAIN = """
SELECT min(coalesce((SELECT value FROM meta WHERE key = 'settled'), 0),
    coalesce((SELECT min(first) - 1 FROM uncertain), 9223372036854775807))
"""
_JOURNAL = """
DELETE FROM journal WHERE number IN (
    SELECT number FROM (SELECT number, at FROM journal ORDER BY number LIMIT :limit)
    WHERE at < :before AND number <= :certain)
"""
_FIRST = "SELECT coalesce((SELECT min(number) FROM journal), :certain + 1)"
# Numbers of replies follow those of their causes: below the first that is left, the causes are gone.
_OUTBOX = """
DELETE FROM outbox WHERE number IN (
    SELECT number FROM outbox WHERE number < :first AND state IN (1, 2, 3) AND closed_at < :before
    ORDER BY number LIMIT :limit)
"""
_PRODUCT = """
DELETE FROM product_record WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, at FROM product_record ORDER BY rowid LIMIT :limit) WHERE at < :before)
"""


def forget(db: sqlite3.Connection, before: int, limit: int) -> int:
    """Delete at most `limit` rows of each kind that are older than `before`, in one transaction.

    Gives how many went of the kind of which most did: `limit` when there may be more. Raises sqlite3.Error;
    the caller rolls back.
    """
    db.execute("BEGIN IMMEDIATE")
    values = {"before": before, "limit": limit, "certain": db.execute(_CERTAIN).fetchone()[0]}
    gone = [db.execute(_JOURNAL, values).rowcount]
    values["first"] = db.execute(_FIRST, values).fetchone()[0]
    gone += [db.execute(statement, values).rowcount for statement in (_OUTBOX, _PRODUCT)]
    db.execute("COMMIT")
    return max(gone)
