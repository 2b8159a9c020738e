"""A table as rows of values, each with its provenance. Pure."""

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from commands.tables import EVERY, HANDLING, Tables, path_of
from gateway.tables.rows import COMMENT, ENTRY, LISTED, SECTION, Row, count_of, csv_row, rows_of
from routing.ported import FILE as PORTED

MOST_ROWS: Final = 10_000
"""Rows of a table that are kept for showing; of a longer one its first."""
SHIPPED: Final = ("attested", "standard", "reconstructed")
"""What a provenance may be, from the surest to the least sure."""
UNSTATED: Final = "unstated"
"""The provenance of a value that states none."""
PROVENANCES: Final = (*SHIPPED, UNSTATED)
_PARTS: Final = ("provenance", "source", "ground")
_OF_FILE: Final = re.compile(r"provenance: (attested|standard|reconstructed), (source|ground): (.+)")
"""The line of a CSV table's comment that gives the provenance of all its rows."""
_NO_ANCHOR: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values come from: provenance (one of PROVENANCES), and the source or the ground that is named."""

    provenance: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row. anchor: its id in a page. values: those of one origin together: column and text.

    words: everything in it, in small letters.
    """

    anchor: str
    section: str
    name: str
    values: Mapping[Origin, Sequence[tuple[str, str]]]
    words: str


@dataclass(frozen=True, slots=True)
class ShownTable:
    """One table of a version.

    name: its file. key: its name in addresses. path: the file. count: its rows, of which `rows` may be only
    the first. head: what the file says of itself in its first lines. totals: values by provenance.
    """

    name: str
    key: str
    path: Path
    shipped: bool
    digest: str
    count: int
    head: str
    rows: Sequence[ShownRow]
    totals: Mapping[str, int]

    @property
    def private(self) -> bool:
        """Whether its rows are numbers of customers, which are not listed."""
        return self.name == PORTED


def key_of(name: str) -> str:
    """The name in addresses of a file of EVERY: appendix7, zh."""
    return Path(name).stem


KEYS: Final = tuple(key_of(name) for name in EVERY)


def shown_tables(tables: Tables) -> list[ShownTable]:
    """Every table of a version that is there."""
    return [_shown(tables, name) for name in HANDLING if name in tables.digests]


def _shown(tables: Tables, name: str) -> ShownTable:
    octets, path = tables.content(name), path_of(name, tables.folder)
    count = count_of(name, octets)
    rows = [] if name == PORTED else list(_rows(name, octets))
    comments = [row.cells.get(ENTRY, "") for row in rows if row.section == COMMENT]
    head = "\n".join(comments) if name.endswith(".csv") else _head(octets)
    origins = _shared_origins(rows, comments)
    shown = _with_anchors(row for row in rows if row.section not in {COMMENT, "provenance"})
    found = [_row(anchor, row, origins) for anchor, row in shown]
    totals: Counter[str] = Counter()
    for each in found:
        for origin, values in each.values.items():
            totals[origin.provenance] += len(values)
    is_shipped = tables.folder is None or not path.is_relative_to(tables.folder)
    return ShownTable(
        name, key_of(name), path, is_shipped, tables.digests[name], count, head, found, dict(totals)
    )


def _rows(name: str, octets: bytes) -> Iterator[Row]:
    """The rows of a table, MOST_ROWS of a CSV table: it may have a million."""
    if not name.endswith(".csv"):
        yield from rows_of(name, octets)
        return
    header: list[str] = []
    count = 0
    for octet_line in io.BytesIO(octets.removeprefix(codecs.BOM_UTF8)):
        line = octet_line.decode().strip()
        if line.startswith("#"):
            if not header:
                yield Row(COMMENT, LISTED, {ENTRY: line.removeprefix("#").strip()})
        elif line and not header:
            header = line.split(",")
        elif line:
            yield csv_row(header, line)
            count += 1
            if count == MOST_ROWS:
                return


def _head(octets: bytes) -> str:
    """The comment at the top of a YAML file."""
    found = []
    for line in octets.decode("utf-8-sig").splitlines():
        if not line.startswith("#"):
            break
        found.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(found)


def _shared_origins(rows: Iterable[Row], comments: Iterable[str]) -> Mapping[str, Origin]:
    """Origins that hold for a column of all rows of lists, or under "" for all their columns."""
    found = {}
    for comment in comments:
        if match := _OF_FILE.fullmatch(comment):
            found[""] = Origin(match[1], match[3])
    for row in rows:
        if row.section == "provenance":
            columns = {column.rpartition(".")[0] for column in row.cells}
            found |= {column: _origin(row.cells, column) for column in columns}
    return found


def _origin(cells: Mapping[str, str], column: str) -> Origin:
    """The origin that stands beside a value."""
    provenance, source, ground = (cells.get(f"{column}.{part}" if column else part, "") for part in _PARTS)
    return Origin(provenance or UNSTATED, "; ".join(filter(None, (source, ground))))


def _with_anchors(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    seen: Counter[str] = Counter()
    for row in rows:
        anchor = f"row-{_NO_ANCHOR.sub('-', row.name)}"
        seen[anchor] += 1
        yield (anchor if seen[anchor] == 1 else f"{anchor}--{seen[anchor]}"), row


def _row(anchor: str, row: Row, shared: Mapping[str, Origin]) -> ShownRow:
    values: dict[Origin, list[tuple[str, str]]] = {}
    for column, text in row.cells.items():
        head, _, last = column.rpartition(".")
        if last in _PARTS and (head in row.cells or (not head and "value" in row.cells)):
            continue  # it says where another value comes from
        origin = _origin(row.cells, "" if column == "value" else column)
        if origin.provenance == UNSTATED and row.key == LISTED:
            origin = shared.get(column, shared.get("", origin))
        values.setdefault(origin, []).append((column, text))
    ordered = sorted(values.items(), key=lambda item: PROVENANCES.index(item[0].provenance))
    words = " ".join((row.name, *row.cells.values())).lower()
    return ShownRow(anchor, row.section, row.name, dict(ordered), words)


def matching(table: ShownTable, find: str, provenance: str) -> list[ShownRow]:
    """The rows that hold a text and have a value of a provenance; "": any. Only its values of that
    provenance are kept."""
    wanted = find.strip().lower()
    found = []
    for row in table.rows:
        if wanted and wanted not in row.words:
            continue
        if not provenance:
            found.append(row)
        elif kept := {key: each for key, each in row.values.items() if key.provenance == provenance}:
            found.append(ShownRow(row.anchor, row.section, row.name, kept, row.words))
    return found


def row_value(row: ShownRow) -> dict[str, Any]:
    """A row for the API."""
    values = [
        {"column": column, "value": text, "provenance": origin.provenance, "reason": origin.reason}
        for origin, pairs in row.values.items()
        for column, text in pairs
    ]
    return {SECTION: row.section, "row": row.name, "values": values}


def table_value(table: ShownTable) -> dict[str, Any]:
    """A table for the API, without its rows."""
    return {
        "table": table.key,
        "file": table.name,
        "shipped": table.shipped,
        "rows": table.count,
        "digest": table.digest,
        "values": {each: table.totals.get(each, 0) for each in PROVENANCES},
    }
