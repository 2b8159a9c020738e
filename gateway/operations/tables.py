"""Reloads the tables of a running gateway, and says which are in force."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Any, Final, TypeVar

from commands.tables import InForce, Tables
from gateway.operations.control import Command, CommandRefused, Item, Stream
from gateway.operations.logs import Log
from gateway.operations.slices import Slices
from gateway.tables.differences import Change, differences
from routing.tablefile import TableError

STOPPING: Final = "the gateway is stopping: its next start reads the tables"
AT_ONCE: Final = 200
"""Changes that are sent together."""

T = TypeVar("T")


class TableReloads:
    """Answers the commands about tables.

    stopping: whether the gateway stops. now_ms: the time, ms UTC. since_ms: since when the tables in force
    are so, as far as this run knows.
    """

    def __init__(
        self, in_force: InForce, log: Log, stopping: Callable[[], bool], now_ms: Callable[[], int]
    ) -> None:
        self._in_force = in_force
        self._logger = log.logger
        self._stopping = stopping
        self._now_ms = now_ms
        self.since_ms = now_ms()
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
        folder = None if tables.folder is None else str(tables.folder.resolve())
        return {"version": tables.version, "folder": folder, "digests": tables.digests}

    async def reload(self, dry_run: str) -> AsyncIterator[list[Item]]:
        """`fetion-gateway tables reload`: read and check the files, and put them in force, all or none.

        dry_run: "yes": only say what would change. First the versions, then the changes; of tables that
        are refused the faults. An SMS that was read before is handled with the tables of then. Who goes away
        while the files are read changes nothing.
        """
        async with aclosing(self.reading(apply=dry_run != "yes")) as lists:
            async for items in lists:
                yield items

    async def reading(
        self, *, apply: bool, expected: tuple[str, str] | None = None
    ) -> AsyncGenerator[list[Item], None]:
        """The work of reload.

        Args:
            apply: whether to put the tables in force.
            expected: the version in force and the version of the files that somebody has seen and wants; with
                others nothing is put in force. None: whatever the files are.
        """
        if self._stopping():
            raise CommandRefused(STOPPING)
        if self._reloading:
            raise CommandRefused(
                "another reload is under way: wait for its end; if it has none, the disk of the tables does"
                " not answer: restart the gateway when it does"
            )
        self._reloading = True
        try:
            yield [{"reading": True}]  # at once: the client need not wait in doubt
            old, began = self._in_force.tables, time.monotonic()
            try:
                with Slices().short():
                    new, changes = await _in_thread(lambda: _read(old))
            except TableError as error:
                if apply:
                    self._logger.error("tables.refused", version=old.version, reason=str(error))
                items: list[Item] = [{"refused": asdict(fault)} for fault in error.faults]
            else:
                yield []  # whoever has asked may be gone
                seconds = round(time.monotonic() - began, 3)
                wanted = apply and expected in (None, (self._in_force.tables.version, new.version))
                items = self._put_in_force(old, new, changes, seconds, apply=wanted)
        finally:
            self._reloading = False
        for begin in range(0, len(items), AT_ONCE):
            yield items[begin : begin + AT_ONCE]

    def _put_in_force(
        self, old: Tables, new: Tables, changes: list[Change], seconds: float, *, apply: bool
    ) -> list[Item]:
        """Swap the tables, unless it is only asked what would change. Says it."""
        if self._stopping():
            raise CommandRefused(STOPPING)
        applied = apply and new.version != old.version
        if applied:
            self._in_force.tables = new
            self.since_ms = self._now_ms()
        if apply:
            told = sum(change.more or 1 for change in changes)
            self._logger.info(
                "tables.loaded", version=new.version, was=old.version, changes=told, seconds=seconds
            )
        head = {"was": old.version, "version": new.version, "applied": applied, "seconds": seconds}
        return [head, *map(_told, changes)]


async def _in_thread(work: Callable[[], T]) -> T:
    """The result of work in a thread for which the end of the process does not wait: a disk that hangs must
    not keep a gateway from stopping."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[asyncio.Future[T]], None]) -> None:
        if not done.done():
            outcome(done)

    def run() -> None:
        outcome = _outcome(work)
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, name="tables", daemon=True).start()
    return await done


def _outcome(work: Callable[[], T]) -> Callable[[asyncio.Future[T]], None]:
    """Do work, and give what tells a future how it went."""
    try:
        found = work()
    except Exception as error:  # the boundary for bugs while tables are read: whoever asked gets it
        failed = error
        return lambda done: done.set_exception(failed)
    return lambda done: done.set_result(found)


def _read(old: Tables) -> tuple[Tables, list[Change]]:
    """The tables as their files are now, and what differs. In a thread. Raises TableError."""
    new = Tables.load(old.folder)
    return new, differences(old, new)


def _told(change: Change) -> Item:
    cells = {column: {"was": was, "is": is_now} for column, (was, is_now) in change.cells.items()}
    found: Item = {"table": change.table, "row": change.row, "kind": change.kind, "cells": cells}
    return found | ({"more": change.more} if change.more else {})
