"""How SMS, parts and relations travel to the server, and how they come back as rows.

All rows of a statement travel as one JSON text, which json_to_recordset makes rows of: that costs least on
both sides (docs/decisions/015-postgresql.md). Octets are hexadecimal in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from commands.model import Buddy
from gateway.message import Attempt, Delivery, JournalEntry, Kind, MobileTerminated, PartHeader, StoredPart

_NUL: Final = "\0"
_INSTEAD: Final = "\ufdd0"
"""Stands for NUL, which PostgreSQL keeps in no text: a code point that is no character."""


def recordset(rows: Iterable[Mapping[str, Any]]) -> str:
    """The JSON of rows; each is a mapping of columns to values."""
    document = orjson.dumps(rows if isinstance(rows, list) else list(rows)).decode()
    if "\\u0000" in document:
        document = orjson.dumps([{k: kept(v) for k, v in row.items()} for row in rows]).decode()
    return document


def kept(value: Any) -> Any:
    """What is stored for a value."""
    return value.replace(_NUL, _INSTEAD) if isinstance(value, str) else value


def text_of(kept: str) -> str:
    """The text that was stored."""
    return kept.replace(_INSTEAD, _NUL)


def octets(value: bytes) -> str:
    """As a BYTEA is written."""
    return f"\\x{value.hex()}"


def journal_row(m: JournalEntry) -> dict[str, Any]:
    row = m._asdict()
    row["detail"] = None if m.detail is None else orjson.dumps(m.detail).decode()
    row["digest"] = octets(m.digest)
    return row


def outbox_row(m: MobileTerminated, node: int) -> dict[str, Any]:
    """node: of the gateway that writes it."""
    return {
        "number": m.number, "cause": m.cause, "msisdn": m.msisdn, "account": m.account, "source": m.source,
        "destination": m.destination, "ton": m.ton, "npi": m.npi, "text": "" if m.secret else m.text,
        "sealed": octets(m.sealed) if m.secret else None, "secret": m.secret, "reference": m.reference,
        "at": m.at, "expires_at": m.expires_at, "parts": m.parts, "source_ton": m.source_ton,
        "source_npi": m.source_npi, "node": m.node or node, "moved": m.node not in {0, node},
    }  # fmt: skip


def marked_row(m: MobileTerminated) -> dict[str, Any]:
    return {"number": m.number, "kind": m.kind.value, "tlvs": octets(m.tlvs)}


def closed_row(m: MobileTerminated) -> dict[str, Any]:
    return {
        "number": m.number, "state": m.state.value, "closed_at": m.closed_at, "parts": m.parts,
        "parts_done": m.parts_done, "attempts": m.attempts, "remote_id": m.remote_id, "error": m.error,
        "session": m.session,
    }  # fmt: skip


def changed_row(m: MobileTerminated) -> dict[str, Any]:
    """One that has been closed meanwhile still counts as waiting here: closing it is a row of its own."""
    state = m.state if m.state is Delivery.PARKED else Delivery.WAITING
    return {
        "number": m.number, "state": state.value, "losses": m.losses, "attempts": m.attempts,
        "parts": m.parts, "parts_done": m.parts_done, "error": m.error, "repeat": m.repeat,
    }  # fmt: skip


def attempt_row(a: Attempt) -> dict[str, Any]:
    return {**a._asdict(), "place": a.place}


def buddy_row(buddy: Buddy) -> dict[str, Any]:
    return {
        "owner": int(buddy.owner), "other": int(buddy.other), "name": buddy.name, "since": buddy.since,
        "blocked": buddy.blocked, "matched_at": buddy.matched_at,
    }  # fmt: skip


def buddy_of(row: tuple[Any, ...]) -> Buddy:
    owner, other, name, since, blocked, matched_at = row
    return Buddy(str(owner), str(other), text_of(name), since, blocked, matched_at)


def part_row(p: StoredPart, node: int) -> dict[str, Any]:
    part = p.part
    return {
        "number": p.number, "account": p.account, "source": p.source, "destination": p.destination,
        "kind": part.kind, "reference": part.reference, "total": part.total, "place": part.number,
        "data_coding": p.data_coding, "octets": octets(p.octets), "deadline": p.deadline, "msisdn": p.msisdn,
        "ton": p.ton, "npi": p.npi, "at": p.at, "digest": octets(p.digest), "complete": p.complete,
        "node": node, "registered": p.registered,
    }  # fmt: skip


def stored_part(row: tuple[Any, ...]) -> StoredPart:
    number, account, source, destination, kind, reference, total, place, coding, kept, *rest = row
    deadline, msisdn, ton, npi, at, digest, complete, registered = rest
    return StoredPart(
        number, account, source, destination, PartHeader(kind, reference, total, place), coding, kept,
        deadline, msisdn, ton, npi, at, digest, complete, registered,
    )  # fmt: skip


def waiting_sms(row: tuple[Any, ...]) -> MobileTerminated:
    """An SMS that waits or is parked."""
    number, cause, msisdn, account, source, destination, ton, npi, text, sealed, secret, *rest = row
    reference, at, expires_at, parts, parts_done, attempts, losses, *rest = rest
    source_ton, source_npi, repeat, node, kind, tlvs = rest
    return MobileTerminated(
        number, cause, msisdn, account, 0, source, destination, ton, npi, text_of(text), at, expires_at,
        secret, sealed or b"", reference, parts=parts, parts_done=parts_done, attempts=attempts,
        repeat=repeat, losses=losses, source_ton=source_ton, source_npi=source_npi, node=node,
        kind=Kind(kind), tlvs=bytes(tlvs),
    )  # fmt: skip
