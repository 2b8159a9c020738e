"""The overview for one visitor: texts, curves, rows and tiles, each under the name by which page and script
find it. The page shows it, and the stream sends it again each second: both have it from here."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.operations.console.overview.curves import points
from gateway.operations.console.tiles import Tile
from gateway.operations.metrics.samples import Interval
from gateway.operations.metrics.snapshot import POINTS, Snapshot

Text = Callable[..., str]
"""Gives a text of texts/overview.yaml by its key, with values."""
GOOD, BAD, WARN, PLAIN = "good", "bad", "warn", ""
"""Classes of colour. A word says the same."""
LEAST_SPAN: Final = 1.0
"""Seconds over which a rate is told at least."""


@dataclass(slots=True)
class Board:
    """texts: what stands where. tones: the class of colour of a text, where it has one. curves: points of
    polylines. rows: cells of the rows of each table, each a text and its class. tiles: of provinces."""

    texts: dict[str, str] = field(default_factory=dict)
    tones: dict[str, str] = field(default_factory=dict)
    curves: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[list[tuple[str, str]]]] = field(default_factory=dict)
    tiles: Sequence[Tile] = ()

    def say(self, name: str, text: str, tone: str = PLAIN) -> None:
        """Put a text."""
        self.texts[name], self.tones[name] = text, tone

    def as_event(self) -> dict[str, Any]:
        """What the stream sends."""
        return {
            "texts": self.texts,
            "tones": self.tones,
            "curves": self.curves,
            "rows": self.rows,
            "tiles": {tile.code: [tile.value, tile.heat, f"{tile.name}: {tile.full}"] for tile in self.tiles},
        }


def cells(*texts: str) -> list[tuple[str, str]]:
    """A row without colours."""
    return [(text, PLAIN) for text in texts]


def put_counts(board: Board, snapshot: Snapshot, text: Text, sees: Callable[[str], bool]) -> None:
    """SMS of the last minute by purpose, and their rates, of the provinces that the visitor sees."""
    came = {key: count for key, count in snapshot.came.items() if sees(key[2])}
    left = {key: count for key, count in snapshot.left.items() if sees(key[2])}
    span = max(LEAST_SPAN, snapshot.over_s)
    board.say("span", text("over", seconds=f"{snapshot.over_s:.0f}"))
    board.say("came", f"{sum(came.values()):,}")
    board.say("left", f"{sum(left.values()):,}")
    board.say("minute-in", text("per_s", rate=f"{sum(came.values()) / span:,.1f}"))
    board.say("minute-out", text("per_s", rate=f"{sum(left.values()) / span:,.1f}"))
    board.rows["purposes"] = _by(came, 0, lambda name: text(f"purpose_{name}"))
    board.rows["outcomes"] = _by(came, 1, lambda name: text(f"outcome_{name}"))


def _by(counts: Mapping[tuple[str, str, str], int], place: int, name: Text) -> list[list[tuple[str, str]]]:
    sums: Counter[str] = Counter()
    for key, count in counts.items():
        sums[key[place]] += count
    return [cells(name(each), f"{count:,}") for each, count in sums.most_common()]


def by_province(snapshot: Snapshot) -> dict[str, float | None]:
    """SMS that came in the last minute, by province."""
    sums: dict[str, float | None] = {}
    for (_, _, province), count in snapshot.came.items():
        sums[province] = (sums.get(province) or 0) + count
    return sums


def put_rates(board: Board, snapshot: Snapshot, text: Text) -> None:
    """What the whole gateway does: rates and round trips, with their curves."""
    recent, curve = snapshot.recent, snapshot.curve
    board.say("rate-in", text("per_s", rate=f"{recent.came:,.1f}"))
    board.say("rate-out", text("per_s", rate=f"{recent.left:,.1f}"))
    board.say("p50", duration(recent.median))
    board.say("p99", duration(recent.p99))
    shapes: dict[str, Callable[[Interval], float]] = {
        "rate-in": lambda each: each.came,
        "rate-out": lambda each: each.left,
        "p50": lambda each: each.median,
        "p99": lambda each: each.p99,
    }
    for name, shape in shapes.items():
        board.curves[name] = points([shape(each) for each in curve], POINTS)


def duration(seconds: float) -> str:
    """0.8 ms, 12 ms, 1.2 s, 3 min; "-" for none."""
    if seconds <= 0:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
