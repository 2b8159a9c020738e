"""Short turns for threads: what computes beside the event loop gives way to it soon."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SLICE: Final = 0.0001
"""Seconds after which a thread gives way to one that waits, while something computes beside the loop. With
the usual 5 ms each statement of the store, which lets other threads run, would cost the loop as much."""
USUAL: Final = 0.005
"""Seconds otherwise: as CPython has it."""


class Slices:
    """Keeps turns short while somebody is within. It is used in any thread.

    Where a process has two of these, the one that is left first ends the short turns of the other.
    """

    def __init__(self) -> None:
        self._within = 0
        self._lock = threading.Lock()

    @contextmanager
    def short(self) -> Iterator[None]:
        """Let threads take turns after SLICE seconds. The last one that leaves ends that."""
        with self._lock:
            self._within += 1
            sys.setswitchinterval(SLICE)
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    sys.setswitchinterval(USUAL)
