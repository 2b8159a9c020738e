"""Reads what a province's system sends: bytes become items, or reasons why they do not. Pure.

One item that is wrong refuses itself only; a payload that is no JSON array of 1 to 50 items is refused whole.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from gateway.events.payloads import ITEMS_MOST, ProvinceMt, RefusedItem

FIELDS_MOST: Final = 20
"""Fields of an item that are looked at: to say of 20,000 unknown ones that they are takes 0.1 s."""
_NAME: Final = re.compile("[A-Za-z_]{1,20}")
"""Names of unknown fields that a reason repeats."""
_CONTROL: Final = frozenset({"Cc", "Cs"})
_ALLOWED: Final = frozenset("\n\r")
_NONCHARACTERS: Final = range(0xFDD0, 0xFDF0)

_FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "schema": 'must be "fetion.province_mt/1", or left out',
        "id": "must be a text of 1 to 64 visible characters of ASCII",
        "to": "must be a mobile of 11 digits, as a text",
        "text": "must be a text that is not empty",
        "cause_id": "must be the message_id of an SMS: 16 characters, 0 to 9 and a to f",
        "source": "must be a number of 1 to 20 digits, as a text",
        "expires_in": "must be a whole number of seconds, 1 to 259200",
        "at": "must be a time such as 2026-11-27T08:00:00Z",
        "event_id": "must be a text",
        "node": "must be a text",
    }
)
"""What is said of a field that is not what it has to be."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that came. mid: by which it is acknowledged; 0: it came with QoS 0, and is not."""

    topic: str
    payload: bytes
    mid: int


@dataclass(frozen=True, slots=True)
class Item:
    """One SMS that a province wants to send. cause: number of the SMS that it answers, 0: none. source: "":
    not said. until: when it expires (ms), 0: not said."""

    topic: str
    event_id: str
    position: int
    id: str
    to: str
    text: str
    cause: int = 0
    source: str = ""
    until: int = 0

    def refused(self, reason: str) -> RefusedItem:
        """Why it is not sent."""
        return RefusedItem(self.topic, self.event_id, self.position, self.id, reason)


@dataclass(slots=True)
class Read:
    """What is in one payload."""

    items: list[Item] = field(default_factory=list)
    refused: list[RefusedItem] = field(default_factory=list)


def read(topic: str, payload: bytes, now_ms: int) -> Read:
    """Read a payload. What is refused has the same event_id when the same payload comes again."""
    mark = blake2b(topic.encode("utf-8", "replace") + b"\0" + payload, digest_size=8).hexdigest()
    found = Read()
    values = _array(payload)
    if isinstance(values, str):
        found.refused.append(RefusedItem(topic, mark, None, None, values))
        return found
    known: dict[str, tuple[str, str]] = {}
    for position, value in enumerate(values):
        item = _item(topic, f"{mark}-{position}", position, value, now_ms)
        if isinstance(item, RefusedItem):
            found.refused.append(item)
        elif item.id not in known:
            known[item.id] = (item.to, item.text)
            found.items.append(item)
        elif known[item.id] != (item.to, item.text):
            found.refused.append(item.refused("id: another item of this array has it already"))
    return found


def _array(payload: bytes) -> list[Any] | str:
    """The items, or why there are none."""
    try:
        values = json.loads(payload.decode())
    except UnicodeDecodeError:
        return "the payload is not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"the payload is not JSON: {str(error)[:100]}"
    if not isinstance(values, list):
        return "the payload must be a JSON array"
    if not 1 <= len(values) <= ITEMS_MOST:
        return f"the array has {len(values)} items, not 1 to {ITEMS_MOST}"
    return values


def _item(topic: str, event_id: str, position: int, value: object, now_ms: int) -> Item | RefusedItem:
    """One item, or why it is none."""

    def refused(reason: str, its: str | None) -> RefusedItem:
        return RefusedItem(topic, event_id, position, its, reason)

    if not isinstance(value, dict):
        return refused("must be an object", None)
    if len(value) > FIELDS_MOST:
        return refused(f"has {len(value)} fields, see fetion-gateway schema province_mt", _id_of(value))
    try:
        model = ProvinceMt.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = list(dict.fromkeys(_reason(each["loc"], each["type"]) for each in details))
        return refused("; ".join(reasons[:5]), _id_of(value))
    if reason := _unsendable(model.text):
        return refused(reason, model.id)
    until = _until(model, now_ms)
    if isinstance(until, str):
        return refused(until, model.id)
    cause = int(model.cause_id, 16) if model.cause_id else 0
    return Item(topic, event_id, position, model.id, model.to, model.text, cause, model.source or "", until)


def _reason(loc: Sequence[int | str], kind: str) -> str:
    name = str(loc[0]) if loc else ""
    if kind == "extra_forbidden":
        told = name if _NAME.fullmatch(name) else "?"  # it is logged: no text that slipped there
        return f"{told}: there is no such field, see fetion-gateway schema province_mt"
    return f"{name}: is missing" if kind == "missing" else f"{name}: {_FORMS.get(name, 'is not in order')}"


def _id_of(value: Mapping[str, object]) -> str | None:
    """The id of an item with a fault, where it has one."""
    its = value.get("id")
    fits = isinstance(its, str) and 0 < len(its) <= 64 and its.isascii() and its.isprintable()
    return its if fits and isinstance(its, str) else None


def _unsendable(text: str) -> str:
    """Why a text cannot be sent; "": it can."""
    if not text.strip():
        return "text: is empty"
    for character in text:
        bad = unicodedata.category(character) in _CONTROL and character not in _ALLOWED
        if bad or ord(character) in _NONCHARACTERS:
            return f"text: has U+{ord(character):04X}, which no SMS can carry"
    return ""


def _until(model: ProvinceMt, now_ms: int) -> int | str:
    """When it expires, or why that cannot be said or is over."""
    begins = now_ms
    if model.at is not None:
        try:
            at = datetime.fromisoformat(model.at)
            begins = min(int(at.timestamp() * 1000), now_ms)
        except (ValueError, OverflowError):
            return f"at: {_FORMS['at']}"
        if at.tzinfo is None:
            return "at: needs a time zone, such as Z"
    if model.expires_in is None:
        return 0
    until = begins + model.expires_in * 1000
    return until if until > now_ms else "expires_in: is over since it was written"
