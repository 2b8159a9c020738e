"""How an SMS, a part and a relation stand in rows of SQLite, and the way back. Customers:
gateway.storage.records."""

from typing import Any, Final

import orjson

from commands.model import Buddy
from gateway.message import Attempt, Delivery, JournalEntry, Kind, MobileTerminated, PartHeader, StoredPart

_DETAIL: Final = JournalEntry._fields.index("detail")


def journal_row(entry: JournalEntry) -> list[Any]:
    """The columns stand in the order of the fields. SQLite binds a list faster than a NamedTuple."""
    row: list[Any] = [*entry]
    if entry.detail is not None:
        row[_DETAIL] = orjson.dumps(entry.detail).decode()
    return row


def outbox_row(m: MobileTerminated) -> tuple[Any, ...]:
    return (
        m.number, m.cause, m.msisdn, m.account, m.source, m.destination, m.ton, m.npi,
        m.sealed if m.secret else m.text, int(m.secret), m.reference, m.at, m.expires_at, 0, m.parts,
        m.source_ton, m.source_npi,
    )  # fmt: skip


def marked_row(m: MobileTerminated) -> tuple[Any, ...]:
    return (int(m.kind), m.tlvs, m.number)


def closed_row(m: MobileTerminated) -> tuple[Any, ...]:
    parts = (m.parts, m.parts_done)
    return (int(m.state), m.closed_at, *parts, m.attempts, m.remote_id, m.error, m.session, m.number)


def changed_row(m: MobileTerminated) -> tuple[Any, ...]:
    """One that has been closed meanwhile still counts as waiting here: closing it is a row of its own."""
    state = m.state if m.state is Delivery.PARKED else Delivery.WAITING
    return (int(state), m.losses, m.attempts, m.parts, m.parts_done, m.error, int(m.repeat), m.number)


def attempt_row(a: Attempt) -> tuple[Any, ...]:
    return (a.number, a.place, *a[1:])


def buddy_of(row: tuple[int, int, str, int, int, int]) -> Buddy:
    owner, other, name, since, blocked, matched_at = row
    return Buddy(str(owner), str(other), name, since, bool(blocked), matched_at)


def part_row(p: StoredPart) -> tuple[Any, ...]:
    part = p.part
    return (
        p.number, p.account, p.source, p.destination, part.kind, part.reference, part.total, part.number,
        p.data_coding, p.octets, p.deadline, p.msisdn, p.ton, p.npi, p.at, p.digest, int(p.complete),
        p.registered,
    )  # fmt: skip


def stored_part(row: tuple[Any, ...]) -> StoredPart:
    number, account, source, destination, kind, reference, total, place, coding, octets, *rest = row
    deadline, msisdn, ton, npi, at, digest, complete, registered = rest
    return StoredPart(
        number, account, source, destination, PartHeader(kind, reference, total, place), coding, octets,
        deadline, msisdn, ton, npi, at, digest, bool(complete), registered,
    )  # fmt: skip


def waiting_sms(row: tuple[Any, ...]) -> MobileTerminated:
    """An SMS of an earlier run: it may have left already."""
    number, cause, msisdn, account, source, destination, ton, npi, text, secret, *rest = row
    reference, at, expires_at, parts, parts_done, attempts, losses, source_ton, source_npi, *marks = rest
    kind, tlvs = marks
    plain, sealed = ("", text) if secret else (text, b"")
    return MobileTerminated(
        number, cause, msisdn, account, 0, source, destination, ton, npi, plain, at, expires_at,
        bool(secret), sealed, reference, parts=parts, parts_done=parts_done, attempts=attempts, repeat=True,
        losses=losses, source_ton=source_ton, source_npi=source_npi, kind=Kind(kind), tlvs=tlvs,
    )  # fmt: skip
