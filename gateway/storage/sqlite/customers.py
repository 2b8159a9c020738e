"""Customers on SQLite: rows of `customer`, and what instructions ask for beside them.

Who writes is nearly always known already, and keeps his Fetion number: his row alone is written then. A
statement that names the columns of an index writes the index too, though nothing in it changes, and with
millions of customers each of its pages is another one.
"""

import sqlite3
from collections.abc import Iterable

import orjson

from commands.model import Customer, LoadKeys, World
from gateway.storage.records import customer_of, customer_row
from gateway.storage.sqlite.rows import buddy_of

_PUT = """
INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (msisdn) DO UPDATE SET fetion_number = excluded.fetion_number, state = excluded.state,
    account = excluded.account, spelling = excluded.spelling, ton = excluded.ton, npi = excluded.npi,
    doc = excluded.doc, matching = excluded.matching
"""
_UPDATE = """
UPDATE customer SET state = ?, account = ?, spelling = ?, ton = ?, npi = ?, doc = ? WHERE msisdn = ?
"""
_CUSTOMERS = "SELECT * FROM customer WHERE msisdn IN (SELECT value FROM json_each(?))"
_HOLDERS = """
SELECT fetion_number, msisdn FROM customer WHERE fetion_number IN (SELECT value FROM json_each(?))
"""
_BUDDY = "SELECT owner, other, name, since, blocked, matched_at FROM buddy WHERE owner = ? AND other = ?"
_BUDDIES = "SELECT owner, other, name, since, blocked, matched_at FROM buddy WHERE owner = ?"


class Customers:
    """The tables `customer` and `buddy` of one connection. `write` runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._indexed: dict[int, tuple[int | None, int]] = {}

    def load(self, keys: LoadKeys, world: World) -> None:
        """See Store.load: one statement per kind of key."""
        execute = self._db.execute
        if keys.customers:
            indexed = self._indexed
            for msisdn in keys.customers:
                world.customers[msisdn] = None
            for row in execute(_CUSTOMERS, (_json(keys.customers),)):
                customer = customer_of(row)
                world.customers[customer.msisdn] = customer
                indexed[row[0]] = (row[1], row[8])
        if keys.holders:
            for number in keys.holders:
                world.holders[number] = None
            for number, msisdn in execute(_HOLDERS, (_json(keys.holders),)):
                world.holders[str(number)] = str(msisdn)
        for owner, other in keys.buddies:
            row = execute(_BUDDY, (int(owner), int(other))).fetchone()
            world.buddies[(owner, other)] = buddy_of(row) if row else None
        for owner in keys.lists:
            world.lists[owner] = tuple(buddy_of(row) for row in execute(_BUDDIES, (int(owner),)))

    def write(self, customers: Iterable[Customer]) -> None:
        """Those whose columns in an index are as they were loaded, then all others."""
        known, others = [], []
        indexed = self._indexed
        for row in map(customer_row, customers):
            if indexed.get(row[0]) == (row[1], row[8]):
                known.append((*row[2:8], row[0]))
            else:
                others.append(row)
        if known:
            self._db.executemany(_UPDATE, known)
        if others:
            self._db.executemany(_PUT, others)

    def reload(self) -> None:
        """A transaction has ended: what was noted of the tables may not be true any more."""
        self._indexed.clear()


def _json(numbers: Iterable[str]) -> str:
    return orjson.dumps([int(number) for number in numbers]).decode()
