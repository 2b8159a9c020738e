"""Records of a store as programs are shown them: ids and times as in the log."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from gateway.message import MASKED, Delivery, Kind, message_id
from gateway.storage.reader import DownlinkRecord, JournalRecord

_TIMES: Final = frozenset({"at", "expires_at", "closed_at", "repeated_at"})
_IDS: Final = {"number": "message_id", "cause": "cause_id"}
"""Fields shown as a message id under another name."""
_SECRET: Final = "<secret>"
"""Replaces the text of a mobile terminated SMS that holds a password."""


def shown(record: JournalRecord | DownlinkRecord) -> dict[str, Any]:
    """Convert a record for JSON: ids and times as in the log, flags as 0 and 1."""
    found: dict[str, Any] = {}
    for each in fields(record):
        key, value = each.name, getattr(record, each.name)
        if key in _IDS:
            found[_IDS[key]] = message_id(value)
        elif key in _TIMES:
            found[key] = utc(value) if value else None
        elif isinstance(value, Delivery):
            found[key] = state_of(value)
        elif isinstance(value, Kind):
            found[key] = value.name.lower()
        elif isinstance(value, bool):
            found[key] = int(value)
        elif isinstance(value, bytes):
            found[key] = value.hex()
        else:
            found[key] = value
    found["text"] = text_of(record)
    if "joined" in found.get("detail", ()):
        joined = [message_id(number) for number in found["detail"]["joined"]]
        found["detail"] = {**found["detail"], "joined": joined}
    return found


def text_of(record: JournalRecord | DownlinkRecord) -> str:
    """Return the text, or what replaces one that nobody may see."""
    if isinstance(record, DownlinkRecord):
        return _SECRET if record.secret else record.text
    return MASKED if record.hidden else record.text


def state_of(state: Delivery) -> str:
    """Return the word for a state: the same in commands, log and docs."""
    return state.name.lower()


def utc(ms: int) -> str:
    """Format a time for programs."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
