"""What instructions ask for: customers, holders of Fetion numbers, relations; and what they change of it.

Where several nodes change customers, each customer has a revision. What a batch has loaded comes with it, and
its commit checks that it is still the same: first it locks all these customers, in the order of their keys,
as every node does. A changed list of buddies counts as a change of its owner.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from commands.model import Buddy, LoadKeys, World
from gateway.message import Commit
from gateway.storage.postgresql.link import Db, Statement
from gateway.storage.postgresql.rows import buddy_of, buddy_row, recordset
from gateway.storage.records import CustomerRow, customer_of, customer_row

CUSTOMER_COLUMNS: Final = "msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching"
_CUSTOMERS: Final = f"""
SELECT {CUSTOMER_COLUMNS}, revision FROM customer WHERE msisdn = ANY(%s::bigint[])
"""  # noqa: S608
_HOLDERS: Final = """
SELECT fetion_number, msisdn, revision FROM customer WHERE fetion_number = ANY(%s::bigint[])
"""
_REVISIONS: Final = "SELECT msisdn, revision FROM customer WHERE msisdn = ANY(%s::bigint[])"
_BUDDY: Final = "SELECT b.owner, b.other, name, since, blocked, matched_at FROM buddy b"
_PAIRS: Final = f"""
{_BUDDY} JOIN json_to_recordset(%s) AS x (owner bigint, other bigint)
    ON b.owner = x.owner AND b.other = x.other
"""
_LISTS: Final = f"{_BUDDY} WHERE owner = ANY(%s::bigint[]) ORDER BY owner, other"

# Division by zero: one of them is not as it was read (gateway.storage.postgresql.place).
_UNCHANGED: Final = """
WITH c AS (
    SELECT msisdn, revision FROM customer WHERE msisdn = ANY(%s::bigint[]) ORDER BY msisdn FOR NO KEY UPDATE)
SELECT 1 / ((SELECT count(*) FROM c) >= 0 AND NOT EXISTS (
    SELECT FROM json_to_recordset(%s) AS x (msisdn bigint, revision bigint) LEFT JOIN c USING (msisdn)
    WHERE coalesce(c.revision, 0) != x.revision))::integer
"""
_COLUMNS: Final = (*CUSTOMER_COLUMNS.split(", "), "revision")
_WRITE: Final = """
INSERT INTO customer AS c (msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching, revision)
SELECT msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching, revision
FROM json_to_recordset(%s) AS x (msisdn bigint, fetion_number bigint, state text, account text, spelling text,
    ton integer, npi integer, doc text, matching integer, revision bigint)
ON CONFLICT (msisdn) DO UPDATE SET fetion_number = excluded.fetion_number, state = excluded.state,
    account = excluded.account, spelling = excluded.spelling, ton = excluded.ton, npi = excluded.npi,
    doc = excluded.doc, matching = excluded.matching, revision = c.revision + 1
"""
# One that was not there when it was read could not be locked: another node may have made it meanwhile.
_WRITE_UNCHANGED: Final = f"""
WITH written AS ({_WRITE} WHERE c.revision = excluded.revision - 1 RETURNING 1)
SELECT 1 / (count(*) = %s)::integer FROM written
"""  # noqa: S608
_TOUCH: Final = "UPDATE customer SET revision = revision + 1 WHERE msisdn = ANY(%s::bigint[])"
_BUDDIES: Final = """
INSERT INTO buddy (owner, other, name, since, blocked, matched_at)
SELECT owner, other, name, since, blocked, matched_at FROM json_to_recordset(%s) AS x (owner bigint,
    other bigint, name text, since bigint, blocked boolean, matched_at bigint)
ON CONFLICT (owner, other) DO UPDATE SET name = excluded.name, since = excluded.since,
    blocked = excluded.blocked, matched_at = excluded.matched_at
"""
_NO_BUDDIES: Final = """
DELETE FROM buddy b USING json_to_recordset(%s) AS x (owner bigint, other bigint)
WHERE b.owner = x.owner AND b.other = x.other
"""


async def load(db: Db, keys: LoadKeys, world: World, *, shared: bool) -> None:
    """See Store.load: one statement per kind of key, all in one round trip.

    shared: other nodes may change what is loaded, so revisions are noted, before what they stand for is read.
    """
    pairs = [{"owner": int(owner), "other": int(other)} for owner, other in keys.buddies]
    owners = {owner for owner, _ in keys.buddies}.union(keys.lists) if shared else set[str]()
    wanted: tuple[tuple[bool, Statement], ...] = (
        (bool(owners), (_REVISIONS, ([int(each) for each in owners],))),
        (bool(keys.customers), (_CUSTOMERS, ([int(each) for each in keys.customers],))),
        (bool(keys.holders), (_HOLDERS, ([int(each) for each in keys.holders],))),
        (bool(pairs), (_PAIRS, (recordset(pairs),))),
        (bool(keys.lists), (_LISTS, ([int(each) for each in keys.lists],))),
    )
    async with db.pipeline():
        cursors = [await db.execute(*statement) if asked else None for asked, statement in wanted]
    found = [await each.fetchall() if each else [] for each in cursors]
    revisions, customers, holders, buddies, lists = found
    if shared:
        revisions += [(row[0], row[-1]) for row in customers] + [row[1:] for row in holders]
        _note(world, owners.union(keys.customers), revisions)
    world.customers.update(dict.fromkeys(keys.customers))
    for msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching, _ in customers:
        row = (msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching)
        world.customers[str(msisdn)] = customer_of(row)
    world.holders.update(dict.fromkeys(keys.holders))
    world.holders.update({str(number): str(msisdn) for number, msisdn, _ in holders})
    world.buddies.update(dict.fromkeys(keys.buddies))
    for buddy in map(buddy_of, buddies):
        world.buddies[(buddy.owner, buddy.other)] = buddy
    known: dict[str, list[Buddy]] = {owner: [] for owner in keys.lists}
    for buddy in map(buddy_of, lists):
        known[buddy.owner].append(buddy)
    world.lists.update({owner: tuple(found) for owner, found in known.items()})


def _note(world: World, asked: set[str], found: Iterable[tuple[Any, ...]]) -> None:
    """Note revisions. The one that was read first stays: what was read with it is in the world."""
    for msisdn, revision in found:
        world.revisions.setdefault(str(msisdn), revision)
    for each in asked:
        world.revisions.setdefault(each, 0)


def statements(commit: Commit, *, shared: bool) -> Iterator[Statement]:
    """What a commit changes of customers and relations."""
    written = {row[0]: row for row in map(customer_row, commit.customers)}
    pairs = sorted(commit.buddies)
    owners = {int(owner) for owner, _ in pairs}.difference(written) if shared else set[int]()
    revisions = {int(msisdn): revision for msisdn, revision in commit.revisions.items()} if shared else {}
    if owners or not revisions.keys() <= written.keys():  # else the rows are checked as they are written
        keys = sorted(owners.union(revisions, written))
        seen = [{"msisdn": msisdn, "revision": revision} for msisdn, revision in revisions.items()]
        yield _UNCHANGED, (keys, recordset(seen))
    if checked := [written[key] for key in sorted(written) if key in revisions]:
        yield _WRITE_UNCHANGED, (recordset([_named(row, revisions[row[0]]) for row in checked]), len(checked))
    if others := [written[key] for key in sorted(written) if key not in revisions]:
        yield _WRITE, (recordset([_named(row, 0) for row in others]),)
    if owners:
        yield _TOUCH, (sorted(owners),)
    if known := [buddy_row(buddy) for pair in pairs if (buddy := commit.buddies[pair]) is not None]:
        yield _BUDDIES, (recordset(known),)
    if gone := [{"owner": int(pair[0]), "other": int(pair[1])} for pair in pairs if not commit.buddies[pair]]:
        yield _NO_BUDDIES, (recordset(gone),)


def _named(row: CustomerRow, revision: int) -> Mapping[str, Any]:
    return dict(zip(_COLUMNS, (*row, revision + 1), strict=True))
