"""Reloads the tables of a running gateway, and says which are in force."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

from commands.tables import InForce, Tables
from gateway.operations.control import Command, CommandRefused, Item, Stream
from gateway.operations.logs import Log
from gateway.tables.differences import Change, differences
from routing.tablefile import TableError

SLICE: Final = 0.0001
"""Seconds after which the thread that reads tables lets the loop go on. With the usual 5 ms each statement of
the store, which lets other threads run, would cost the loop as much."""
AT_ONCE: Final = 200
"""Changes that are sent together."""


class TableReloads:
    """Answers the commands about tables. stopping: whether the gateway stops."""

    def __init__(self, in_force: InForce, log: Log, stopping: Callable[[], bool]) -> None:
        self._in_force = in_force
        self._logger = log.logger
        self._stopping = stopping
        self._reloading = False

    @property
    def commands(self) -> Mapping[str, Command]:
        """Return the commands by the names that the control socket uses."""
        return {"tables": self.report}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Return the streams by name: reading and comparing may take longer than a command, and tell more."""
        return {"tables reload": self.reload}

    async def report(self) -> dict[str, Any]:
        """Which tables are in force."""
        tables = self._in_force.tables
        folder = None if tables.folder is None else str(tables.folder)
        return {"version": tables.version, "folder": folder, "digests": tables.digests}

    async def reload(self, dry_run: str) -> AsyncIterator[list[Item]]:
        """`fetion-gateway tables reload`: read and check the files, and put them in force, all or none.

        dry_run: "yes": only say what would change. First the versions, then the changes; of tables that
        are refused the faults. An SMS that was read before is handled with the tables of then.
        """
        if self._stopping():
            raise CommandRefused("the gateway is stopping: its next start reads the tables")
        if self._reloading:
            raise CommandRefused("another reload is under way: wait for its end")
        self._reloading = True
        try:
            yield [{"reading": True}]  # at once: the client need not wait in doubt
            items = await self._reload(apply=dry_run != "yes")
        finally:
            self._reloading = False
        for begin in range(0, len(items), AT_ONCE):
            yield items[begin : begin + AT_ONCE]

    async def _reload(self, *, apply: bool) -> list[Item]:
        old, began = self._in_force.tables, time.monotonic()
        try:
            with _sliced():
                new, changes = await asyncio.to_thread(_read, old)
        except TableError as error:
            if apply:
                self._logger.error("tables.refused", version=old.version, reason=str(error))
            return [{"refused": asdict(fault)} for fault in error.faults]
        seconds = round(time.monotonic() - began, 3)
        if self._stopping():
            raise CommandRefused("the gateway is stopping: its next start reads the tables")
        applied = apply and new.version != old.version
        if applied:
            self._in_force.tables = new
        if apply:
            told = sum(change.more or 1 for change in changes)
            self._logger.info(
                "tables.loaded", version=new.version, was=old.version, changes=told, seconds=seconds
            )
        head = {"was": old.version, "version": new.version, "applied": applied, "seconds": seconds}
        return [head, *map(_told, changes)]


def _read(old: Tables) -> tuple[Tables, list[Change]]:
    """The tables as their files are now, and what differs. In a thread. Raises TableError."""
    new = Tables.load(old.folder)
    return new, differences(old, new)


def _told(change: Change) -> Item:
    cells = {column: {"was": was, "is": is_now} for column, (was, is_now) in change.cells.items()}
    found: Item = {"table": change.table, "row": change.row, "kind": change.kind, "cells": cells}
    return found | ({"more": change.more} if change.more else {})


@contextmanager
def _sliced() -> Iterator[None]:
    """Let threads take turns after SLICE seconds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SLICE)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
