"""The tile grid of the provinces: a value and a colour for each, roughly where it lies. Drawn by
templates/tiles.html."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pydantic import Field

from routing.model import Province
from routing.tablefile import Closed, shipped

HEATS: Final = 5
"""The hottest class of colour; 0: no value, or nothing happened."""


class Place(Closed):
    """Where a province stands, and its short names."""

    row: int = Field(ge=1)
    column: int = Field(ge=1)
    zh: str
    en: str


class Places(Closed):
    """tiles.yaml."""

    columns: int
    rows: int
    places: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Tile:
    """A province in the grid. code: of the province. row, column: from 1; 0 for one without a place.

    heat: 0 to HEATS. value: as it is shown in little room. full: the whole value. link: where it leads, ""
    for nowhere.
    """

    code: str
    name: str
    short: str
    row: int
    column: int
    heat: int
    value: str
    full: str
    link: str = ""


def load_places() -> Places:
    """The shipped places."""
    file = resources.files("gateway.operations.console") / "tiles.yaml"
    return Places.model_validate(shipped(file.read_text("utf-8")))


def no_link(code: str) -> str:
    """Of tiles that lead nowhere."""
    del code
    return ""


class TileGrid:
    """Makes tiles. Immutable."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places = load_places().places

    def tiles(
        self,
        provinces: Mapping[str, Province],
        values: Mapping[str, float | None],
        language: str,
        link: Callable[[str], str] = no_link,
    ) -> list[Tile]:
        """A tile for each province; None or absent: it has no value, which is shown as "-"."""
        most = max((value for value in values.values() if value is not None), default=0)
        return [
            self._tile(province, values.get(code), most, language, link(code))
            for code, province in provinces.items()
        ]

    def _tile(self, province: Province, value: float | None, most: float, language: str, link: str) -> Tile:
        place = self._places.get(province.code)
        name = province.zh if language == "zh" else province.en
        short = name if place is None else (place.zh if language == "zh" else place.en)
        row, column = (0, 0) if place is None else (place.row, place.column)
        shown = (short_number(value, language), long_number(value))
        return Tile(province.code, name, short, row, column, heat_of(value, most), *shown, link)


def heat_of(value: float | None, most: float) -> int:
    """The class of colour of a value, by its share of the greatest one."""
    if value is None or value <= 0 or most <= 0:
        return 0
    return min(HEATS, 1 + int(HEATS * value / most))


def long_number(value: float | None) -> str:
    """12,345; "-" for no value. A fraction keeps two digits."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


_UNITS: Final = {
    "zh": ((100_000_000, "亿"), (10_000, "万")),
    "en": ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")),
}


def short_number(value: float | None, language: str) -> str:
    """A number in at most five characters, such as 9999, 12.3k or 1.2万; "-" for no value."""
    if value is None:
        return "-"
    if abs(value) < 10_000:
        return f"{value}" if isinstance(value, int) else f"{value:.2f}"
    for unit, name in _UNITS[language]:
        if abs(value) >= unit:
            scaled = value / unit
            return f"{scaled:.0f}{name}" if abs(scaled) >= 100 else f"{scaled:.1f}{name}"
    return f"{value:.0f}"
