"""The trend of some columns as a drawing, in a box of WIDTH by HEIGHT: templates/charts.html writes it as
SVG. The labels stand beside it as text, so that they are readable in any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.operations.console.statistics.counting import Value
from gateway.operations.console.tiles import short_number

WIDTH: Final = 600.0
HEIGHT: Final = 200.0
MOST_BARS: Final = 130


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Series:
    """One column: lines through its values, interrupted where there is none; or bars."""

    title: str
    lines: list[str]
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """scale: labels of the vertical axis, from top to bottom. times: labels of some periods, from left to
    right. zero: the height of the value 0."""

    series: list[Series]
    scale: list[str]
    times: list[str]
    zero: float
    width: float = WIDTH
    height: float = HEIGHT


def chart(
    titles: Sequence[str],
    values: Sequence[Sequence[Value]],
    labels: Sequence[str],
    language: str,
    *,
    bars: bool,
) -> Chart:
    """Draw.

    titles: of the series. values: for each series its values by period. labels: of the periods. bars: where
    they are few enough.
    """
    given = [value for each in values for value in each if value is not None]
    top = nice(max([0, *given]))
    bottom = -nice(-min([0, *given])) if min([0, *given]) < 0 else 0.0
    axis = _Axis(len(labels), top, bottom)
    bars = bars and len(labels) * len(values) <= MOST_BARS
    series = [
        Series(
            title,
            [] if bars else list(axis.lines(each)),
            list(axis.bars(each, place, len(values))) if bars else [],
        )
        for place, (title, each) in enumerate(zip(titles, values, strict=True))
    ]
    scale = [short_number(_plain(value), language) for value in (top, (top + bottom) / 2, bottom)]
    middle = labels[len(labels) // 2]
    times = [labels[0], middle, labels[-1]] if len(labels) > 4 else list(labels)
    return Chart(series, scale, times, axis.y(0))


def nice(value: float) -> float:
    """The least of 1, 2, 5, 10, 20, 50 ... that is not below a value."""
    size = 1.0
    while True:
        for step in (1, 2, 5):
            if step * size >= value:
                return step * size
        size *= 10


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


class _Axis:
    """Turns values into places."""

    def __init__(self, periods: int, top: float, bottom: float) -> None:
        self._step = WIDTH / periods
        self._top = top
        self._scale = HEIGHT / (top - bottom)

    def y(self, value: float) -> float:
        return round((self._top - value) * self._scale, 2)

    def x(self, place: int) -> float:
        return round((place + 0.5) * self._step, 2)

    def lines(self, values: Sequence[Value]) -> Iterator[str]:
        """The points of each line; a value that stands alone becomes a short line."""
        points: list[tuple[float, float]] = []
        for place, value in enumerate([*values, None]):
            if value is not None:
                points.append((self.x(place), self.y(value)))
            elif points:
                if len(points) == 1:
                    ((x, y),) = points
                    points = [(x - 2, y), (x + 2, y)]
                yield " ".join(f"{x:g},{y:g}" for x, y in points)
                points = []

    def bars(self, values: Sequence[Value], place: int, beside: int) -> Iterator[Bar]:
        """A bar for each value; the series stand side by side."""
        width = self._step * 0.8 / beside
        for index, value in enumerate(values):
            if value is not None:
                left = self._step * (index + 0.1) + place * width
                upper, lower = sorted((self.y(value), self.y(0)))
                yield Bar(round(left, 2), upper, round(width * 0.92, 2), round(lower - upper, 2))
