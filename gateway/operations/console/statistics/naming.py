"""What provinces, ways, instructions and periods are called in a visitor's language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from commands.tables import Tables
from gateway.operations.console.rights import HEADQUARTERS
from gateway.operations.console.statistics.counting import Value
from gateway.operations.console.tiles import long_number
from gateway.operations.figures.table import spans_of
from gateway.storage.figures import SERVICE, WAYS

DAYS_SHOWN: Final = 10
"""Times of days without complete figures that a page names."""


@dataclass(frozen=True, slots=True)
class Names:
    """say: gives a text of texts/statistics.yaml by its key."""

    tables: Tables
    language: str
    say: Callable[..., str]

    def province(self, code: str) -> str:
        """A home; 000 is that of customers whose home is unknown."""
        if code == HEADQUARTERS:
            return self.say("home_unknown")
        found = self.tables.routing.provinces.get(code)
        if found is None:
            return code
        return found.zh if self.language == "zh" else found.en

    def days(self, days: Sequence[str]) -> str:
        """Days in order, successive ones as one span; of many spans the last ones."""
        spans = spans_of(days)
        shown = self.say("days_between").join(spans[-DAYS_SHOWN:])
        if len(spans) > DAYS_SHOWN:
            return self.say("days_and_more", days=shown, more=len(spans) - DAYS_SHOWN)
        return shown

    def way(self, way: str) -> str:
        """A way of access."""
        if way in {"161", "12520", "10086"} or way not in {*WAYS, SERVICE}:
            return way
        return self.say(f"way_{way}")

    def instruction(self, name: str) -> str:
        """An instruction: its first word, and the name of its row in appendix 8."""
        if not name:
            return self.say("not_understood")
        row = self.tables.commands.table.rows.get(name)
        if row is not None and row.words:
            return f"{row.words[0]} ({name})"
        try:
            return self.say(f"instruction_{name}")
        except KeyError:
            return name

    def part(self, dimension: str, code: str) -> str:
        """A value of a dimension: province, way or instruction."""
        if dimension == "province":
            return self.province(code)
        return self.way(code) if dimension == "way" else self.instruction(code)


def signed(value: Value) -> str:
    """+12, -3, 0; "-" for no value."""
    if value is None:
        return "-"
    return f"+{long_number(value)}" if value > 0 else long_number(value)


def percent(value: float | None) -> str:
    """+12.3%; "-" for no value."""
    if value is None:
        return "-"
    return f"{value:+,.1f}%"
