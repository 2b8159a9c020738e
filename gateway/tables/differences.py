"""What differs between two versions of the tables, row by row."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from commands.tables import NAMES, Tables
from gateway.tables.rows import Row, csv_row, rows_of

Kind = Literal["added", "removed", "changed"]

SHOWN: Final = 1000
"""Rows of one table that are told one by one; of the others, how many there are."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs. cells: by column the old and the new text, "" where there is none.

    more: so many further rows of the table differ, which are not told.
    """

    table: str
    row: str
    kind: Kind
    cells: Mapping[str, tuple[str, str]]
    more: int = 0


def differences(old: Tables, new: Tables) -> list[Change]:
    """Every row that differs, table by table, at most SHOWN of each; the last of them tells how many more."""
    return [change for name in NAMES for change in _limited(name, old.content(name), new.content(name))]


def _limited(name: str, old: bytes, new: bytes) -> Iterator[Change]:
    if old == new:
        return
    rows = _csv_differing(old, new) if name.endswith(".csv") else (rows_of(name, old), rows_of(name, new))
    found = list(compared(name, *rows))
    yield from found[:SHOWN]
    if more := len(found) - SHOWN if len(found) > SHOWN else 0:
        yield Change(name, "", "changed", {}, more)


def _csv_differing(old: bytes, new: bytes) -> tuple[list[Row], list[Row]]:
    """The rows of lines that only one of two CSV tables has: there may be a million lines, and few differ."""
    first, second = old.decode("utf-8-sig").splitlines(), new.decode("utf-8-sig").splitlines()
    alike = set(first) & set(second)
    return _some(first, alike), _some(second, alike)


def _some(lines: list[str], alike: set[str]) -> list[Row]:
    header = next((line.split(",") for line in lines if not line.startswith("#")), [])
    return [csv_row(header, line) for line in lines if line not in alike and not line.startswith("#")]


def compared(table: str, old: list[Row], new: list[Row]) -> Iterator[Change]:
    """The changes from one list of rows to another. Rows of one name are told apart by their order."""
    before, after = _named(old), _named(new)
    for name, cells in after.items():
        was = before.get(name)
        if was is None:
            yield Change(table, name, "added", {column: ("", text) for column, text in cells.items()})
        elif was != cells:
            columns = dict.fromkeys((*was, *cells))
            pairs = {column: (was.get(column, ""), cells.get(column, "")) for column in columns}
            changed = {column: pair for column, pair in pairs.items() if pair[0] != pair[1]}
            yield Change(table, name, "changed", changed)
    for name, cells in before.items():
        if name not in after:
            yield Change(table, name, "removed", {column: (text, "") for column, text in cells.items()})


def _named(rows: list[Row]) -> dict[str, Mapping[str, str]]:
    seen: Counter[str] = Counter()
    found = {}
    for row in rows:
        name = row.name
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = row.cells
    return found
