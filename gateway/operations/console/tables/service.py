"""What pages do with the tables: show those in force, see what a reload would change, and reload."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from commands.tables import InForce
from gateway.operations.console.refused import Refused
from gateway.operations.console.tables.views import ShownTable, shown_tables
from gateway.operations.control import CommandRefused, Item
from gateway.operations.tables import STOPPING, TableReloads

PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did, or would do.

    was, version: in force before, and of the files. changes: rows that differ, as TableReloads tells them.
    faults: why the files are refused; then version is "".
    """

    was: str
    version: str = ""
    applied: bool = False
    changes: Sequence[Item] = ()
    faults: Sequence[Mapping[str, Any]] = ()

    @property
    def count(self) -> int:
        """How many rows differ."""
        return sum(change.get("more", 1) for change in self.changes)


@dataclass(slots=True)
class TableService:
    """The tables of the gateway, for pages and API. Used in the event loop.

    patience: seconds that the files may take to be read.
    """

    in_force: InForce
    reloads: TableReloads
    patience: float = PATIENCE
    _shown: tuple[tuple[str, ...], Sequence[ShownTable]] = field(init=False, default=((), ()))
    _showing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _reloading: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def shown(self) -> Sequence[ShownTable]:
        """The tables in force as rows. They are made in a thread, once for each version."""
        async with self._showing:
            tables = self.in_force.tables
            state = (tables.version, *tables.digests.values())
            if self._shown[0] != state:
                self._shown = state, await asyncio.to_thread(shown_tables, tables)
            return self._shown[1]

    async def preview(self) -> Reloaded:
        """What a reload would change. Raises Refused: one is under way, or the disk does not answer."""
        return await self._read(apply=False)

    async def reload(self, was: str, version: str) -> Reloaded:
        """Put the files in force, if they are of this version, and `was` is still in force; else applied is
        False. Raises Refused as preview."""
        return await self._read(apply=True, expected=(was, version))

    async def _read(self, *, apply: bool, expected: tuple[str, str] | None = None) -> Reloaded:
        items: list[Item] = []
        try:
            async with (
                asyncio.timeout(self.patience),
                self._reloading,  # who comes second waits, and then sees what the first did
                aclosing(self.reloads.reading(apply=apply, expected=expected)) as lists,
            ):
                was = self.in_force.tables.version
                async for some in lists:
                    items += some
        except CommandRefused as refused:
            key = "tables.stopping" if str(refused) == STOPPING else "tables.under_way"
            raise Refused(HTTPStatus.CONFLICT, key) from refused
        except TimeoutError as error:
            seconds = f"{self.patience:g}"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "tables.no_disk", seconds=seconds) from error
        faults = [item["refused"] for item in items if "refused" in item]
        if faults:
            return Reloaded(was, faults=faults)
        head = next(item for item in items if "version" in item)
        changes = [item for item in items if "table" in item]
        return Reloaded(head["was"], head["version"], head["applied"], changes)
