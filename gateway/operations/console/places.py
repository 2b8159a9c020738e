"""A bounded number of something at one time."""

import contextlib
from collections.abc import Iterator


class Places:
    """Counts who holds a place. most: how many there are."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[bool]:
        """Hold a place meanwhile, if there is one. Gives whether there was."""
        if self.taken >= self.most:
            yield False
            return
        self.taken += 1
        try:
            yield True
        finally:
            self.taken -= 1
