"""Draws Fetion numbers: at random, but many from one block of neighbours before the next one.

Neighbours stand on the same page of the store's index; numbers drawn one by one from all of them would make a
page dirty each. Which block comes next, and the order within it, are random: who knows some numbers does not
know the next.
"""

from random import Random
from typing import Final

FETION_NUMBERS: Final = range(400_000_000, 1_000_000_000)
"""As the operator gives them: 9 digits, the first 4 to 9."""
BLOCK: Final = 1_024
"""Neighbours: some four pages of the index."""
CROWDED: Final = 8
"""Held numbers met in a block that end it: the store would be asked for each of the rest."""


class FetionNumbers:
    """An endless series of numbers; none comes twice before every block had its turn. The caller finds out
    which of them are held."""

    def __init__(self, random: Random, numbers: range = FETION_NUMBERS, block: int = BLOCK) -> None:
        self._random = random
        self._numbers = numbers
        self._block = block
        self._used: set[int] = set()  # blocks
        self._left: list[int] = []  # of the last block
        self._held = 0

    def draw(self) -> int:
        """The next number."""
        if not self._left:
            self._open_block()
        return self._left.pop()

    def draw_instead(self) -> int:
        """The next number, because the last one is somebody's."""
        self._held += 1
        if self._held >= CROWDED:
            self._left = []
        return self.draw()

    def _open_block(self) -> None:
        """A block that was not used yet; when all were, they begin anew."""
        count = -(-len(self._numbers) // self._block)
        if len(self._used) == count:
            self._used.clear()
        place = self._random.randrange(count)
        while place in self._used:
            place = (place + 1) % count
        self._used.add(place)
        self._left = list(self._numbers[place * self._block : (place + 1) * self._block])
        self._random.shuffle(self._left)
        self._held = 0
