"""The words for SMS on pages: times, provinces, instructions, events and results in a visitor's language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from commands.tables import Tables
from gateway.message import message_id, short_id
from gateway.operations.console.masks import masking
from gateway.operations.console.messages.searching import Hit
from gateway.operations.console.messages.showing import TIMES, ShownSms


class Text(Protocol):
    """Gives a text of the console (gateway.operations.console.page.Visit.text). Raises KeyError."""

    def __call__(self, key: str, **values: object) -> str: ...


class Wording:
    """zone: name of the time zone. instructions: by id, the word that customers write, with the id."""

    def __init__(self, text: Text, language: str, zone: ZoneInfo, tables: Tables) -> None:
        self.zone = zone.key
        self.instructions: Mapping[str, str] = {
            name: f"{row.words[0]} ({name})" if row.words else _without_word(text, name)
            for name, row in tables.commands.table.rows.items()
        }
        self._text = text
        self._language = language
        self._zone = zone
        self._provinces = tables.routing.provinces

    def word(self, group: str, code: str) -> str:
        """The word for an event, a result and so on; the code itself where there is none."""
        try:
            return self._text(f"messages.{group}_{code}")
        except KeyError:
            return code

    def short(self, name: str) -> str:
        """The end of a message id, as `trace` and `tail` show it."""
        return short_id(name)

    def time(self, ms: int) -> str:
        """A time in the zone, with milliseconds; "" for one that has not come."""
        if not ms:
            return ""
        return f"{datetime.fromtimestamp(ms / 1000, self._zone):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"

    def province(self, code: str) -> str:
        """The name of a province; the code of one that the tables do not have."""
        province = self._provinces.get(code)
        if province is None:
            return code
        return province.zh if self._language == "zh" else province.en

    def row(self, hit: Hit) -> dict[str, str]:
        """A row of a search."""
        mask = masking()
        return {
            "id": message_id(hit.number),
            "at": self.time(hit.at),
            "from": mask(hit.source),
            "to": mask(hit.destination),
            "instruction": self.instructions.get(hit.instruction, hit.instruction),
            "result": self.word("result", hit.result),
            "province": self.province(hit.home),
        }

    def facts(self, sms: ShownSms) -> dict[str, str]:
        """What is known of an SMS, without what is not."""
        return {name: shown for name, value in sms.facts.items() if (shown := self._fact(name, value))}

    def _fact(self, name: str, value: Any) -> str:
        if name in TIMES:
            return self.time(value)
        if name in {"home_province", "number_province"}:
            return self.province(value)
        if name in {"result", "direction", "kind"}:
            return self.word(name, value)
        return self.instructions.get(value, value) if name == "instruction" else str(value)


def _without_word(text: Text, name: str) -> str:
    """What an instruction is that no customer writes as a word; its id where there are no words for it."""
    try:
        return text(f"statistics.instruction_{name}")
    except KeyError:
        return name
