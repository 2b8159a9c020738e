"""A bounded number of something at one time."""

import contextlib
from collections import Counter
from collections.abc import Iterator


class Places:
    """Counts who holds a place. most: how many there are. share: how many of them one holder may have."""

    def __init__(self, most: int, share: int) -> None:
        self.most = most
        self.share = share
        self.taken = 0
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def one(self, holder: str) -> Iterator[bool]:
        """Hold a place meanwhile, if there is one. Gives whether there was."""
        if self.taken >= self.most or self._held[holder] >= self.share:
            yield False
            return
        self.taken += 1
        self._held[holder] += 1
        try:
            yield True
        finally:
            self.taken -= 1
            self._held[holder] -= 1
            self._held += Counter()  # forgets who has none
