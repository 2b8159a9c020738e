"""What differs between two versions of the tables, row by row."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from commands.tables import HANDLING, Tables
from gateway.tables.rows import Row, csv_row, rows_of

Kind = Literal["added", "removed", "changed"]

SHOWN: Final = 1000
"""Rows of one table that are told one by one; of the others, how many there are."""

PARTS: Final = 1024


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
    return [change for name in HANDLING for change in _limited(name, old.content(name), new.content(name))]


def _limited(name: str, old: bytes, new: bytes) -> Iterator[Change]:
    if old == new:
        return
    if name.endswith(".csv"):
        before, after, more = _csv_differing(old, new)
    else:
        before, after, more = rows_of(name, old), rows_of(name, new), 0
    found = list(compared(name, before, after))
    yield from found[:SHOWN]
    if more := more + max(0, len(found) - SHOWN):
        yield Change(name, "", "changed", {}, more)


def _csv_differing(old: bytes, new: bytes) -> tuple[list[Row], list[Row], int]:
    """The rows of lines that only one of two CSV tables has, by their first cell; how many more there are.

    There may be a million lines, and few differ, or all: then only the first become rows.
    """
    lines = _unlike(old, new)
    names = sorted({line.partition(b",")[0] for each in lines for line in each})
    shown = frozenset(names[:SHOWN])
    before, after = (
        [csv_row(header, line.decode()) for line in sorted(each) if line.partition(b",")[0] in shown]
        for each, header in zip(lines, (_header(old), _header(new)), strict=True)
    )
    return before, after, len(names) - len(shown)


def _unlike(old: bytes, new: bytes) -> tuple[list[bytes], list[bytes]]:
    """The lines that only one of two CSV tables has. They are compared part by part: one set of a million
    lines takes long to free, and nothing else runs meanwhile."""
    parts: list[tuple[set[bytes], set[bytes]]] = [(set(), set()) for _ in range(PARTS)]
    for place, octets in enumerate((old, new)):
        for line in _lines(octets):
            parts[hash(line) % PARTS][place].add(line)
    unlike: tuple[list[bytes], list[bytes]] = ([], [])
    while parts:
        before, after = parts.pop()
        unlike[0].extend(before - after)
        unlike[1].extend(after - before)
    return unlike


def _lines(octets: bytes) -> Iterator[bytes]:
    """The lines behind the header, without comments and empty ones."""
    behind = False
    for line in map(bytes.strip, io.BytesIO(octets.removeprefix(codecs.BOM_UTF8))):
        if line and not line.startswith(b"#"):
            if behind:
                yield line
            behind = True


def _header(octets: bytes) -> list[str]:
    lines = (line.decode("utf-8-sig").strip() for line in io.BytesIO(octets))
    return next((line.split(",") for line in lines if line and not line.startswith("#")), [])


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
