"""Goes backwards through the SMS of one direction, whichever node had them: newest first, a step at a time.

The numbers of each node grow with time, those of different nodes do not compare. So a step takes from each
node the SMS that are younger than the oldest one it looks at, and remembers how far it came at each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import orjson

from gateway.storage.postgresql.owner import range_of

Row = tuple[Any, ...]
Read = Callable[[str, Sequence[Any] | Mapping[str, Any]], list[Row]]
Table = Literal["journal", "outbox"]

_STEP: Final = """
SELECT node, min(number), min(at), count(*) FROM (
    SELECT p.node, x.number, x.at
    FROM json_to_recordset(%(ranges)s) AS p (node integer, low bigint, before bigint)
    CROSS JOIN LATERAL (
        SELECT number, at, min(at) OVER (ORDER BY number DESC) AS seen FROM (
            SELECT number, at FROM {table} WHERE number >= p.low AND number < p.before
            ORDER BY number DESC LIMIT %(rows)s) y) x
    ORDER BY x.seen DESC, p.node, x.number DESC LIMIT %(rows)s) z
GROUP BY node
"""


class Step:
    """What one step looked at. ranges: of numbers, from one on to before another. at: of the oldest SMS."""

    __slots__ = ("at", "before", "ranges", "rows")

    def __init__(self, ranges: list[tuple[int, int]], before: int, at: int, rows: int) -> None:
        self.ranges, self.before, self.at, self.rows = ranges, before, at, rows


class Backwards:
    """Where the last step through each table ended. A step that begins elsewhere begins there at every
    node."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ends: dict[Table, tuple[int, dict[int, int]]] = {}

    def step(self, table: Table, nodes: Iterable[int], before: int, rows: int) -> Step:
        """Look at the `rows` youngest SMS that are older than those of the step that gave `before`."""
        known, ends = self._ends.get(table, (0, dict[int, int]()))
        if before != known:
            ends = {node: min(before, range_of(node)[1]) for node in nodes}
        ranges = [{"node": node, "low": range_of(node)[0], "before": end} for node, end in ends.items()]
        values = {"ranges": orjson.dumps(ranges).decode(), "rows": rows}
        found = self._read(_STEP.format(table=table), values)
        if not found:
            return Step([], 0, 0, 0)
        looked = [(low, ends[node]) for node, low, _, _ in found]
        count = sum(row[3] for row in found)
        token = min(low for _, low, _, _ in found)
        self._ends[table] = token, {**ends, **{node: low for node, low, _, _ in found}}
        return Step(looked, token if count == rows else 0, min(row[2] for row in found), count)
