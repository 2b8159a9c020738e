"""What a store on PostgreSQL forgets when it is old, in steps so small that no batch waits for one.

Rows are taken from the low end of the range of a node: its numbers grow with time, so no step looks at more
rows than it may delete, but for SMS that are still parked. A node looks after its own range and after those
of nodes that do not live. What a resend may still refer to stays: SMS above the watermark
of certain answers, and whatever follows the first range of uncertain ones. So does every SMS that waits or
is parked. Autovacuum takes the space back.
"""

from gateway.storage.postgresql.candidates import one
from gateway.storage.postgresql.link import Db
from gateway.storage.postgresql.owner import FIRST_OF, LAST_OF, LIVE

_RANGES = f"""
SELECT {FIRST_OF}, {LAST_OF}, least(settled,
    (SELECT min(first) - 1 FROM uncertain u WHERE u.first BETWEEN {FIRST_OF} AND {LAST_OF}))
FROM node n
WHERE number = %(node)s OR NOT ({LIVE}) AND (
    EXISTS (SELECT FROM journal j WHERE j.number BETWEEN {FIRST_OF} AND {LAST_OF})
    OR EXISTS (SELECT FROM outbox o WHERE o.number BETWEEN {FIRST_OF} AND {LAST_OF}))
ORDER BY number
"""  # noqa: S608
# The end of a step is looked for first: a range that is known is deleted in one go.
_JOURNAL_END = """
SELECT max(number) FROM (
    SELECT number FROM journal WHERE number BETWEEN %(low)s AND %(certain)s ORDER BY number
    LIMIT %(limit)s) x
"""
_JOURNAL = "DELETE FROM journal WHERE number BETWEEN %(low)s AND %(end)s AND at < %(before)s"
_FIRST = """
SELECT coalesce((SELECT min(number) FROM journal WHERE number BETWEEN %(low)s AND %(high)s), %(certain)s + 1)
"""
# Numbers of replies follow those of their causes: below the first that is left, the causes are gone.
_OUTBOX_END = """
SELECT max(number) FROM (
    SELECT number FROM outbox WHERE number >= %(low)s AND number < %(first)s AND state IN (1, 2, 3, 5, 6)
        AND closed_at < %(before)s
    ORDER BY number LIMIT %(limit)s) x
"""
# Before their SMS go. The range alone bounds the search: few attempts are noted.
_ATTEMPTS = """
DELETE FROM attempt WHERE number BETWEEN %(low)s AND %(end)s AND number IN (
    SELECT number FROM outbox
    WHERE number BETWEEN %(low)s AND %(end)s AND state IN (1, 2, 3, 5, 6) AND closed_at < %(before)s)
"""
_RECEIPTS = _ATTEMPTS.replace("attempt", "receipt")
_OUTBOX = """
DELETE FROM outbox
WHERE number BETWEEN %(low)s AND %(end)s AND state IN (1, 2, 3, 5, 6) AND closed_at < %(before)s
"""
_PRODUCT_END = "SELECT max(id) FROM (SELECT id FROM product_record ORDER BY id LIMIT %(limit)s) x"
_PRODUCT = "DELETE FROM product_record WHERE id <= %(end)s AND at < %(before)s"

# Open ones stay, whatever their age: their customers have not been told yet.
_ASKED_END = """
SELECT max(at) FROM (SELECT at FROM province_asked WHERE at < %(before)s ORDER BY at LIMIT %(limit)s) x
"""
_ASKED = "DELETE FROM province_asked WHERE at <= %(end)s AND over_at > 0"
_POSTED_END = """
SELECT max(at) FROM (SELECT at FROM province_sent WHERE at < %(before)s ORDER BY at LIMIT %(limit)s) x
"""
_POSTED = "DELETE FROM province_sent WHERE at <= %(end)s"
_EARLY_END = """
SELECT max(at) FROM (SELECT at FROM early_receipt WHERE at < %(before)s ORDER BY at LIMIT %(limit)s) x
"""
_EARLY = "DELETE FROM early_receipt WHERE at <= %(end)s"
_ACTION_END = """
SELECT max(at) FROM (SELECT at FROM operator_action WHERE at < %(before)s ORDER BY at LIMIT %(limit)s) x
"""
_ACTION = "DELETE FROM operator_action WHERE at <= %(end)s"
_AUDIT_END = """
SELECT max(at) FROM (SELECT at FROM console_audit WHERE at < %(before)s ORDER BY at LIMIT %(limit)s) x
"""
_AUDIT = "DELETE FROM console_audit WHERE at <= %(end)s"


async def forget(db: Db, node: int, before: int, limit: int) -> int:
    """Delete at most `limit` rows of each kind, and node, that are older than `before`, in the caller's
    transaction.

    Gives how many went of the kind of which most did: `limit` or more when there may be more.
    """
    values: dict[str, int | None] = {"node": node, "before": before, "limit": limit}

    async def delete(end: str, rows: str, *theirs: str) -> int:
        values["end"] = await one(db, end, values)
        if values["end"] is None:  # an empty table
            return 0
        for each in theirs:
            await db.execute(each, values)
        return (await db.execute(rows, values)).rowcount

    gone = [await delete(_PRODUCT_END, _PRODUCT)]
    for low, high, certain in await (await db.execute(_RANGES, values)).fetchall():
        values |= {"low": low, "high": high, "certain": certain}
        gone.append(await delete(_JOURNAL_END, _JOURNAL))
        values["first"] = await one(db, _FIRST, values)
        gone.append(await delete(_OUTBOX_END, _OUTBOX, _ATTEMPTS, _RECEIPTS))
    gone += [await delete(_ASKED_END, _ASKED), await delete(_POSTED_END, _POSTED)]
    gone += [await delete(_EARLY_END, _EARLY), await delete(_ACTION_END, _ACTION)]
    gone += [await delete(_AUDIT_END, _AUDIT)]
    return max(gone)
