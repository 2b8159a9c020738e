"""What instructions ask for: customers, holders of Fetion numbers, relations."""

from typing import Any, Final

from commands.model import Buddy, LoadKeys, World
from gateway.storage.postgresql.link import Db, Statement
from gateway.storage.postgresql.rows import buddy_of, recordset
from gateway.storage.records import customer_of

CUSTOMER_COLUMNS: Final = "msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching"
_CUSTOMERS: Final = f"SELECT {CUSTOMER_COLUMNS} FROM customer WHERE msisdn = ANY(%s::bigint[])"  # noqa: S608
_HOLDERS: Final = "SELECT fetion_number, msisdn FROM customer WHERE fetion_number = ANY(%s::bigint[])"
_BUDDY: Final = "SELECT b.owner, b.other, name, since, blocked, matched_at FROM buddy b"
_PAIRS: Final = f"""
{_BUDDY} JOIN json_to_recordset(%s) AS x (owner bigint, other bigint)
    ON b.owner = x.owner AND b.other = x.other
"""
_LISTS: Final = f"{_BUDDY} WHERE owner = ANY(%s::bigint[]) ORDER BY owner, other"


async def load(db: Db, keys: LoadKeys, world: World) -> None:
    """See Store.load: one statement per kind of key, all in one round trip."""
    pairs = [{"owner": int(owner), "other": int(other)} for owner, other in keys.buddies]
    wanted: tuple[tuple[bool, Statement], ...] = (
        (bool(keys.customers), (_CUSTOMERS, ([int(each) for each in keys.customers],))),
        (bool(keys.holders), (_HOLDERS, ([int(each) for each in keys.holders],))),
        (bool(pairs), (_PAIRS, (recordset(pairs),))),
        (bool(keys.lists), (_LISTS, ([int(each) for each in keys.lists],))),
    )
    async with db.pipeline():
        cursors = [await db.execute(*statement) if asked else None for asked, statement in wanted]
    customers, holders, buddies, lists = [await each.fetchall() if each else [] for each in cursors]
    _fill(keys, world, customers, holders)
    world.buddies.update(dict.fromkeys(keys.buddies))
    for buddy in map(buddy_of, buddies):
        world.buddies[(buddy.owner, buddy.other)] = buddy
    known: dict[str, list[Buddy]] = {owner: [] for owner in keys.lists}
    for buddy in map(buddy_of, lists):
        known[buddy.owner].append(buddy)
    world.lists.update({owner: tuple(found) for owner, found in known.items()})


def _fill(
    keys: LoadKeys, world: World, customers: list[tuple[Any, ...]], holders: list[tuple[Any, ...]]
) -> None:
    world.customers.update(dict.fromkeys(keys.customers))
    for msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching in customers:
        row = (msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching)
        world.customers[str(msisdn)] = customer_of(row)
    world.holders.update(dict.fromkeys(keys.holders))
    world.holders.update({str(number): str(msisdn) for number, msisdn in holders})
