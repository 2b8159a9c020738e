"""Reads the store for pages and draws them, in threads: a few at a time, and a bounded number that wait."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from typing import Final, TypeVar

from gateway.operations.console.budget import Budget
from gateway.operations.console.refused import Refused
from gateway.operations.slices import Slices
from gateway.storage.contract import StoreUnusable
from gateway.storage.reader import Reader

T = TypeVar("T")

THREADS: Final = 2
"""Readings and drawings at a time: more would take the processor from SMS."""
WAITING: Final = 16
"""How many of them wait for one of these threads at most."""
OF_ACCOUNT: Final = 6
"""Paced ones of one account that are there at a time."""
OF_STRANGERS: Final = 2
"""The same of all who are not logged in: what they ask for keeps nobody else waiting for long."""
PACED: Final = 14
"""Paced ones at a time: the other places are for those that are soon over."""


class Reading:
    """Runs functions with a Reader of their own. It is used in the event loop. busy: whether that is."""

    def __init__(
        self,
        open_reader: Callable[[], Reader],
        busy: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_reader = open_reader
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="console-read")
        self._lock = threading.Lock()
        self._there = 0
        self._budget = Budget(now, busy)
        self._paced: Counter[str] = Counter()  # by account
        self._slices = Slices()

    async def read(self, function: Callable[[Reader], T], *, paced: bool = False, account: str = "") -> T:
        """Return what a function gives for a Reader, which is opened for it, in a thread, and then closed.

        paced: it may compute for long: it waits while such work has taken more than its share. account: who
        asks for it, "": a stranger.
        Raises Refused 503 if too many wait, and if the store cannot be read now.
        """

        def reading() -> T:
            with closing(self._open_reader()) as reader:
                return function(reader)

        try:
            return await self.compute(reading, paced=paced, account=account)
        except StoreUnusable as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "base.not_readable") from error

    async def compute(self, function: Callable[[], T], *, paced: bool = True, account: str = "") -> T:
        """Return what a function gives, in one of these threads. paced, account: as of read.

        Raises Refused 503 if too many wait.
        """
        if not self._enter(account, paced):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "base.too_many_read")
        try:
            if paced:
                await self._budget.turn()
            job = self._executor.submit(self._run, function, paced)
        except asyncio.CancelledError:
            self._leave(account, paced)
            raise
        except RuntimeError as error:  # closed
            self._leave(account, paced)
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "base.stopping") from error
        # A visitor who goes away frees the place only when his reading has ended.
        job.add_done_callback(lambda _: self._leave(account, paced))
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "base.stopping") from None  # close() took it

    def _enter(self, account: str, paced: bool) -> bool:
        """Take a place. Gives whether there is one."""
        with self._lock:
            most = OF_ACCOUNT if account else OF_STRANGERS
            full = self._paced[account] >= most or self._paced.total() >= PACED
            if (paced and full) or self._there >= THREADS + WAITING:
                return False
            self._there += 1
            if paced:
                self._paced[account] += 1
            return True

    def _leave(self, account: str, paced: bool) -> None:
        """Free a place. In any thread."""
        with self._lock:
            self._there -= 1
            if paced:
                self._paced[account] -= 1
                self._paced += Counter()  # forgets who has none

    def close(self) -> None:
        """Begin no reading any more; what is being read ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, function: Callable[[], T], paced: bool) -> T:
        began = time.thread_time()
        try:
            with self._slices.short():
                return function()
        finally:
            if paced:
                self._budget.spend(time.thread_time() - began)
