"""A table file as rows of text cells, and back: what a sheet shows, and what two versions are compared by.

A row belongs to a `section`, the key at the top of the file. `key` says which entry of it: a name in a
mapping, LISTED for an item of a list, "" where the section is one record. The other columns are paths in the
entry: `prefix` and `prefix.provenance` of a value with its provenance, `codes[2]` of the second item of a
list, ENTRY where the entry is nothing but a text.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

SECTION: Final = "section"
KEY: Final = "key"
ENTRY: Final = "entry"
LISTED: Final = "-"
COMMENT: Final = "comment"
"""The section of the lines that stand before the header of a CSV table."""
ROWS: Final = "rows"

_ORIGIN: Final = frozenset({"provenance", "source", "ground"})
_NUMBERS: Final = frozenset({"sms", "times", "digits", "shortest", "longest"})
_FEES: Final = "tariffs.yaml"
"""Its values are numbers."""
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([1-9][0-9]{0,3})\]")
_NAMES_IT: Final = ("id", "code", "first", "first7", "value", "reply", ENTRY)
"""Columns that name a row of a list; the first that a row has does."""


class NoPath(ValueError):
    """A column that is no path in an entry."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. cells: text by column, without the empty ones."""

    section: str
    key: str
    cells: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the row is called where versions are compared."""
        if self.key != LISTED:
            return " ".join(filter(None, (self.section, self.key)))
        codes = [text for column, text in self.cells.items() if re.fullmatch(r"codes\[\d+\]", column)]
        column = next((each for each in _NAMES_IT if each in self.cells), next(iter(self.cells), ""))
        named = [*codes, self.cells["prefix"]] if "prefix" in self.cells else [self.cells.get(column, "")]
        return f"{self.section} {' '.join(named)}"


def rows_of(name: str, octets: bytes) -> list[Row]:
    """The rows of a valid table file; none of one that is not there."""
    if not octets:
        return []
    text = octets.decode("utf-8-sig")
    if name.endswith(".csv"):
        return list(_csv_rows(text.splitlines()))
    document = yaml.load(text, Loader=_LOADER)
    return [row for section, value in document.items() for row in _section(section, value)]


def count_of(name: str, octets: bytes) -> int:
    """How many rows a valid table file has. A CSV table may have a million."""
    if not name.endswith(".csv"):
        return len(rows_of(name, octets))
    lines = (line.strip() for line in io.BytesIO(octets.removeprefix(codecs.BOM_UTF8)))
    return sum(bool(line) and not line.startswith(b"#") for line in lines) - 1


def octets_of(name: str, rows: Sequence[Row]) -> bytes:
    """The table file of rows. Raises NoPath."""
    return (_csv_of(rows) if name.endswith(".csv") else _yaml_of(name, rows)).encode()


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


# From a file


def _csv_rows(lines: Sequence[str]) -> Iterator[Row]:
    header: list[str] = []
    for line in lines:
        if not header and line.startswith("#"):
            yield Row(COMMENT, LISTED, {ENTRY: line.removeprefix("#").strip()})
        elif not header:
            header = line.strip().split(",")
        elif line.strip() and not line.startswith("#"):
            yield csv_row(header, line)


def csv_row(header: Sequence[str], line: str) -> Row:
    """The row of a line of a CSV table."""
    return Row(ROWS, LISTED, dict(zip(header, map(str.strip, line.split(",")), strict=False)))


def _section(section: str, value: Any) -> Iterator[Row]:
    if isinstance(value, list):
        for item in value:
            yield Row(section, LISTED, dict(_cells("", item)))
    elif not isinstance(value, dict) or _is_one_record(value):
        yield Row(section, "", dict(_cells("", value)))
    else:
        for key, item in value.items():
            yield Row(section, str(key), dict(_cells("", item)))


def _is_one_record(value: Mapping[str, Any]) -> bool:
    return bool({"value", "code"} & value.keys()) or any(isinstance(each, list) for each in value.values())


def _cells(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Column and text of every value below `path`."""
    if isinstance(value, dict):
        sourced = path and "value" in value and value.keys() - {"value"} <= _ORIGIN
        for key, item in value.items():
            below = path if sourced and key == "value" else f"{path}.{key}" if path else str(key)
            yield from _cells(below, item)
    elif isinstance(value, list):
        for place, item in enumerate(value, 1):
            yield from _cells(f"{path}[{place}]", item)
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield path or ENTRY, text


# To a file


def _csv_of(rows: Sequence[Row]) -> str:
    lines = [f"# {row.cells.get(ENTRY, '')}".rstrip() for row in rows if row.section == COMMENT]
    data = [row.cells for row in rows if row.section != COMMENT]
    header = list(data[0]) if data else []
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows([header, *([cells.get(column, "") for column in header] for cells in data)])
    return "\n".join([*lines, written.getvalue()])


def _yaml_of(name: str, rows: Sequence[Row]) -> str:
    document: dict[str, Any] = {}
    for row in rows:
        entry = _entry(name, row.cells)
        if row.key == LISTED:
            document.setdefault(row.section, []).append(entry)
        elif row.key:
            document.setdefault(row.section, {})[row.key] = entry
        else:
            document[row.section] = entry
    return yaml.dump(document, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=110)


def _entry(name: str, cells: Mapping[str, str]) -> Any:
    """The value of an entry. Raises NoPath."""
    root = _Node()
    for column, text in cells.items():
        node = root
        for step in () if column == ENTRY else steps(column):
            node = node.below.setdefault(step, _Node())
        node.text = text
    return root.value(name, "")


def steps(column: str) -> list[str | int]:
    """The names and places of a path. Raises NoPath."""
    found: list[str | int] = []
    at = 0
    while at < len(column):
        dot = found and column[at] == "."
        match = _STEP.match(column, at + bool(dot))
        if match is None or (match[1] is not None and bool(found) is not bool(dot)):
            raise NoPath(f"{column!r} is no column")
        found.append(match[1] if match[2] is None else int(match[2]))
        at = match.end()
    return found


class _Node:
    """A value under construction: a text, and what stands below its path."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.below: dict[str | int, _Node] = {}

    def value(self, name: str, column: str) -> Any:
        if not self.below:
            return None if self.text is None else _typed(name, column, self.text)
        places = {step for step in self.below if isinstance(step, int)}
        if places and (len(places) < len(self.below) or self.text is not None):
            raise NoPath(f"{column!r} has both items and names")
        if places:  # a cell in the middle may have been emptied: the items behind it move up
            return [self.below[place].value(name, column) for place in sorted(places)]
        found = {str(step): node.value(name, str(step)) for step, node in self.below.items()}
        return found if self.text is None else {"value": _typed(name, column, self.text), **found}


def _typed(name: str, column: str, text: str) -> Any:
    """A flag, a number where the schema has one, else the text."""
    if text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    wanted = column in _NUMBERS or (name == _FEES and column in {"", "value"})
    return int(text) if wanted and text.isascii() and text.isdecimal() else text
