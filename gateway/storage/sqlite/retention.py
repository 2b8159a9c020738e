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
# The end of a step is looked for first: a range that is known is deleted in one go.
_JOURNAL_END = """
SELECT max(number) FROM (SELECT number FROM journal WHERE number <= :certain ORDER BY number LIMIT :limit)
"""
_JOURNAL = "DELETE FROM journal WHERE number <= :end AND at < :before"
_FIRST = "SELECT coalesce((SELECT min(number) FROM journal), :certain + 1)"
# Numbers of replies follow those of their causes: below the first that is left, the causes are gone.
_OUTBOX_END = """
SELECT max(number) FROM (
    SELECT number FROM outbox WHERE number < :first AND state IN (1, 2, 3, 5, 6) AND closed_at < :before
    ORDER BY number LIMIT :limit)
"""
# Before their SMS go. `number <= :end` alone bounds the search: few attempts are noted.
_ATTEMPTS = """
DELETE FROM attempt WHERE number <= :end AND number IN (
    SELECT number FROM outbox WHERE number <= :end AND state IN (1, 2, 3, 5, 6) AND closed_at < :before)
"""
_RECEIPTS = _ATTEMPTS.replace("attempt", "receipt")
_OUTBOX = "DELETE FROM outbox WHERE number <= :end AND state IN (1, 2, 3, 5, 6) AND closed_at < :before"
_PRODUCT_END = "SELECT max(rowid) FROM (SELECT rowid FROM product_record ORDER BY rowid LIMIT :limit)"
_PRODUCT = "DELETE FROM product_record WHERE rowid <= :end AND at < :before"

# Open ones stay, whatever their age: their customers have not been told yet.
_ASKED_END = """
SELECT max(at) FROM (SELECT at FROM province_asked WHERE at < :before ORDER BY at LIMIT :limit)
"""
_ASKED = "DELETE FROM province_asked WHERE at <= :end AND over_at > 0"
_POSTED_END = """
SELECT max(at) FROM (SELECT at FROM province_sent WHERE at < :before ORDER BY at LIMIT :limit)
"""
_POSTED = "DELETE FROM province_sent WHERE at <= :end"
_EARLY_END = """
SELECT max(at) FROM (SELECT at FROM early_receipt WHERE at < :before ORDER BY at LIMIT :limit)
"""
_EARLY = "DELETE FROM early_receipt WHERE at <= :end"
_ACTION_END = """
SELECT max(at) FROM (SELECT at FROM operator_action WHERE at < :before ORDER BY at LIMIT :limit)
"""
_ACTION = "DELETE FROM operator_action WHERE at <= :end"
_AUDIT_END = """
SELECT max(at) FROM (SELECT at FROM console_audit WHERE at < :before ORDER BY at LIMIT :limit)
"""
_AUDIT = "DELETE FROM console_audit WHERE at <= :end"


def forget(db: sqlite3.Connection, before: int, limit: int) -> int:
    """Delete at most `limit` rows of each kind that are older than `before`, in one transaction.

    Gives how many went of the kind of which most did: `limit` when there may be more. Raises sqlite3.Error;
    the caller rolls back.
    """
    values = {"before": before, "limit": limit}

    def delete(end: str, rows: str, *theirs: str) -> int:
        values["end"] = db.execute(end, values).fetchone()[0]  # None, and nothing to delete: an empty table
        for each in theirs:
            db.execute(each, values)
        return db.execute(rows, values).rowcount

    db.execute("BEGIN IMMEDIATE")
    values["certain"] = db.execute(_CERTAIN).fetchone()[0]
    gone = [delete(_JOURNAL_END, _JOURNAL)]
    values["first"] = db.execute(_FIRST, values).fetchone()[0]
    gone += [delete(_OUTBOX_END, _OUTBOX, _ATTEMPTS, _RECEIPTS), delete(_PRODUCT_END, _PRODUCT)]
    gone += [delete(_ASKED_END, _ASKED), delete(_POSTED_END, _POSTED)]
    gone += [delete(_EARLY_END, _EARLY), delete(_ACTION_END, _ACTION)]
    gone += [delete(_AUDIT_END, _AUDIT)]
    db.execute("COMMIT")
    return max(gone)
