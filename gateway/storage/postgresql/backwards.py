"""Goes backwards through the SMS of one direction, whichever node had them: newest first, a step at a time.

The numbers of each node grow with time, those of different nodes do not compare. So a step takes from each
node the SMS that are younger than the oldest one it looks at, and remembers how far it came at each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from gateway.storage.bisection import first_behind
from gateway.storage.postgresql.owner import range_of
from gateway.storage.reader import ENDLESS, SLACK_MS

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
_FROM: Final = "SELECT number, at FROM {table} WHERE number BETWEEN %s AND %s ORDER BY number LIMIT 1"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step looked at.

    ranges: of numbers, from one on to before another. ends: below which numbers the next step goes on, by
    node. at: of the oldest SMS (ms), 0: there was none. rows: how many.
    """

    ranges: list[tuple[int, int]]
    ends: dict[int, int]
    at: int
    rows: int


def look_back(read: Read, table: Table, ends: Mapping[int, int], rows: int) -> Step:
    """Look at the `rows` youngest SMS below these numbers (by node)."""
    ranges = [{"node": node, "low": range_of(node)[0], "before": end} for node, end in ends.items()]
    values = {"ranges": orjson.dumps(ranges).decode(), "rows": rows}
    found = read(_STEP.format(table=table), values)
    looked = [(low, ends[node]) for node, low, _, _ in found]
    count, at = sum(row[3] for row in found), min((row[2] for row in found), default=0)
    return Step(looked, {**ends, **{node: low for node, low, _, _ in found}}, at, count)


def places_of(read: Read, table: Table, nodes: Iterable[int], until: int) -> dict[int, int]:
    """Find the number, at each node, below which all SMS before a time (ms) are."""
    statement = _FROM.format(table=table)
    found = {}
    for node in nodes:
        first, last = range_of(node)

        def probe(number: int, last: int = last) -> tuple[int, int] | None:
            rows = read(statement, (number, last))
            return (rows[0][0], rows[0][1]) if rows else None

        found[node] = last if until == ENDLESS else first_behind(probe, first, last, until + SLACK_MS)
    return found


class Backwards:
    """Where the last step through each table ended. A step that begins elsewhere begins there at every
    node."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ends: dict[Table, tuple[int, dict[int, int]]] = {}

    def step(self, table: Table, nodes: Iterable[int], before: int, rows: int) -> tuple[Step, int]:
        """Look at the `rows` youngest SMS that are older than those of the step that gave `before`.

        Gives the step, and what the next one begins with; 0: everything has been looked at.
        """
        known, ends = self._ends.get(table, (0, dict[int, int]()))
        if before != known:
            ends = {node: min(before, range_of(node)[1]) for node in nodes}
        step = look_back(self._read, table, ends, rows)
        token = min((low for low, _ in step.ranges), default=0)
        self._ends[table] = token, step.ends
        return step, token if step.rows == rows else 0
