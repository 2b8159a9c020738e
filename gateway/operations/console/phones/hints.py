"""What can be written: the instructions of the table in force, with what they do."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from commands.glosses import FILE, Glosses
from commands.table import Row
from commands.tables import Tables, path_of
from routing.model import Accepts
from routing.tablefile import TableError

_BASE: Final = Accepts.BASE.value


@dataclass(frozen=True, slots=True)
class Hint:
    """One instruction. words: the first is the one that sentences name. does: by language."""

    words: tuple[str, ...]
    does: dict[str, str]


@dataclass(slots=True)
class Hints:
    """Keeps those of the tables that were asked for last: reading the glosses takes 50 ms."""

    _of: str = ""
    _hints: list[Hint] = field(default_factory=list)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, tables: Tables) -> list[Hint]:
        """Those of some tables."""
        async with self._reading:
            if tables.version != self._of:
                self._hints = await asyncio.to_thread(hints_of, tables)
                self._of = tables.version
        return self._hints


def hints_of(tables: Tables) -> list[Hint]:
    """The instructions that have a word at 161 and 12520, in the order of the table."""
    try:
        glosses = Glosses.load(tables.commands, path_of(FILE, tables.folder))
    except TableError:  # an operator changes tables and glosses: what is in force stays usable
        glosses = None
    rows = tables.commands.table.rows.values()
    return [_hint(tables, row, glosses) for row in rows if row.words and _BASE in row.where]


def _hint(tables: Tables, row: Row, glosses: Glosses | None) -> Hint:
    does = tables.commands.sentences.render(row.usage)
    gloss = None if glosses is None else glosses.of_row(row.id)
    return Hint(row.words, {"zh": does, "en": gloss or does})
