"""Curves of the overview as points of an SVG polyline."""

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 120
HEIGHT: Final = 32
EDGE: Final = 2
"""Units above and below a curve: a line has a width."""


def points(values: Sequence[float], most_points: int) -> str:
    """The polyline of values, the last one at the right edge; "" for fewer than two. It begins at 0.

    most_points: how many fill the width.
    """
    if len(values) < 2:
        return ""
    top, step = max(values) or 1.0, WIDTH / max(1, most_points - 1)
    left = WIDTH - step * (len(values) - 1)
    room = HEIGHT - 2 * EDGE
    return " ".join(
        f"{left + step * place:.1f},{HEIGHT - EDGE - room * value / top:.1f}"
        for place, value in enumerate(values)
    )
