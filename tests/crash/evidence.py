"""What a store holds, read beside the gateway or without it: nothing here changes it."""

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg

from gateway.message import Delivery

SECRET = "<secret>"
PASSWORD = re.compile(r"密码是([a-z0-9]{8})")

Sms = tuple[str, str, str]
"""An SMS to a handset: to, from, text, with SECRET for a text that has a password in it."""


def sms_of(to: str, source: str, text: str) -> Sms:
    """The SMS as ledger and store both know it."""
    return to, source, SECRET if PASSWORD.search(text) else text


@dataclass(frozen=True, slots=True)
class Executed:
    """A journal row."""

    instruction: str
    outcome: str
    source: str
    destination: str
    text: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Journal by number, outbox rows as (number of the cause, sms, state), hashes by msisdn, buddies."""

    journal: dict[int, Executed]
    outbox: list[tuple[int, Sms, Delivery]]
    passwords: dict[str, str]
    buddies: set[tuple[str, str]]


class Evidence(Protocol):
    """A store whose gateway is dead or has stopped."""

    @property
    def url(self) -> str:
        """As storage.url has it."""

    def look(self) -> closing[Any]:
        """A connection of its engine's library."""


@dataclass(frozen=True, slots=True)
class InFile:
    """One on SQLite, read from a copy of its files: opening it after a crash repairs it, and that is left to
    the gateway."""

    path: Path
    copy_to: Path

    @property
    def url(self) -> str:
        """As storage.url has it."""
        return f"sqlite:///{self.path}"

    def look(self) -> closing[Any]:
        """Of the copy."""
        return closing(_copy(self.path, self.copy_to))


@dataclass(frozen=True, slots=True)
class OnServer:
    """One on PostgreSQL."""

    url: str

    def look(self) -> closing[Any]:
        """Behind the end of a commit that a dead gateway left on the server."""
        db = psycopg.connect(self.url)
        db.execute("SELECT FROM node FOR UPDATE")
        return closing(db)


def read_store(evidence: Evidence) -> Stored:
    """Everything that the ledger is compared with."""
    with evidence.look() as db:
        journal = db.execute("SELECT number, instruction, outcome, source, destination, text FROM journal")
        outbox = db.execute("SELECT cause, destination, source, text, secret, state FROM outbox")
        customers = db.execute("SELECT msisdn, doc FROM customer WHERE doc IS NOT NULL")
        documents = {str(msisdn): orjson.loads(doc) for msisdn, doc in customers}
        return Stored(
            {number: Executed(*row) for number, *row in journal},
            [
                (cause, (to, source, SECRET if secret else text), Delivery(state))
                for cause, to, source, text, secret, state in outbox
            ],
            {msisdn: doc["password"] for msisdn, doc in documents.items() if "password" in doc},
            {(str(owner), str(other)) for owner, other in db.execute("SELECT owner, other FROM buddy")},
        )


def waiting_in(evidence: Evidence) -> set[Sms]:
    """The SMS that are not closed: those a gateway that starts now sends (again)."""
    with evidence.look() as db:
        rows = db.execute("SELECT destination, source, text, secret FROM outbox WHERE state = 0")
        return {(to, source, SECRET if secret else text) for to, source, text, secret in rows}


def _copy(path: Path, folder: Path) -> sqlite3.Connection:
    folder.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        file = path.with_name(path.name + suffix)
        (folder / file.name).unlink(missing_ok=True)
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    return sqlite3.connect(folder / path.name)
