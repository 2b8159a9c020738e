"""What a visitor asks for: the fields of the form and of the API, checked. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from commands.model import Result
from commands.tables import Tables
from gateway.message import PART, Delivery, message_id, number_of
from gateway.operations.timeline.records import state_of
from gateway.storage.reader import ENDLESS, Position, Wanted

IN: Final = "in"
OUT: Final = "out"
FIELDS: Final = ("handset", "from", "to", "instruction", "result", "direction")
"""What a search is asked with; `before` says where it goes on."""
OUTCOMES: Final = (*(each.value for each in Result), PART)
STATES: Final[Mapping[str, Delivery]] = {state_of(each): each for each in Delivery}

_NODES: Final = 128
"""Numbers that a position has at most: there are no more nodes (gateway.message_numbers)."""
_PREFIX: Final = re.compile(r"[0-9]{1,3}")
"""What a masked number shows of its beginning (gateway.operations.console.masks): a search by more digits
would tell the masked ones, one after the other."""
_INSTRUCTION: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_LONGEST: Final = 100
"""Characters of a value that a sentence repeats."""


class Unclear(ValueError):
    """A field that cannot be understood. key: of the sentence that says why. value: what was given."""

    def __init__(self, field: str, key: str, value: str) -> None:
        super().__init__(f"{field}: {key}")
        self.field = field
        self.key = key
        self.value = value[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Query:
    """A search. direction: IN or OUT. before: where it goes on, (): at the newest."""

    direction: str
    wanted: Wanted
    before: Position

    @property
    def whole_number(self) -> str:
        """The mobile that is asked for; "": none, or only how it begins."""
        return "" if _PREFIX.fullmatch(self.wanted.handset) else self.wanted.handset


def query_of(given: Mapping[str, str], tables: Tables, zone: ZoneInfo) -> Query:
    """Read the fields; those that are absent or empty are not asked for. Raises Unclear."""
    field = {name: given.get(name, "").strip() for name in (*FIELDS, "before")}
    direction = field["direction"] or IN
    if direction not in {IN, OUT}:
        raise Unclear("direction", "bad_direction", direction)
    since, until = _time(field, "from", zone, 0), _time(field, "to", zone, ENDLESS)
    if until <= since:
        raise Unclear("to", "bad_span", field["to"])
    instruction, result = field["instruction"], field["result"]
    if instruction and not _INSTRUCTION.fullmatch(instruction):
        raise Unclear("instruction", "bad_instruction", instruction)
    if result and result not in (OUTCOMES if direction == IN else STATES):
        raise Unclear("result", f"bad_result_{direction}", result)
    wanted = Wanted(
        _handset(field["handset"], tables),
        since,
        until,
        instruction,
        result if direction == IN else "",
        STATES[result] if result and direction == OUT else None,
    )
    return Query(direction, wanted, position_of(field["before"]))


def position_of(text: str) -> Position:
    """Read a position: message ids with - between them. Raises Unclear."""
    if not text:
        return ()
    ids = text.split("-", _NODES)
    if len(ids) > _NODES:
        raise Unclear("before", "bad_before", text)
    try:
        return tuple(map(number_of, ids))
    except ValueError as error:
        raise Unclear("before", "bad_before", text) from error


def written(position: Position) -> str:
    """Write a position as position_of reads it."""
    return "-".join(map(message_id, position))


def _handset(text: str, tables: Tables) -> str:
    """A whole number in any form becomes its 11 digits, a second one the main one; the first three stay."""
    mobile = tables.msisdn(text) if text else None
    if mobile:
        main = tables.main_number(mobile) if tables.main_number else mobile
        return main or mobile
    if text and not _PREFIX.fullmatch(text):
        raise Unclear("handset", "bad_handset", text)
    return text


def _time(field: Mapping[str, str], name: str, zone: ZoneInfo, absent: int) -> int:
    """Milliseconds of a date and time, which is local where it names no offset."""
    text = field[name]
    if not text:
        return absent
    try:
        at = datetime.fromisoformat(text)
        local = at if at.tzinfo else at.replace(tzinfo=zone)
        return round(local.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Unclear(name, "bad_time", text) from error
