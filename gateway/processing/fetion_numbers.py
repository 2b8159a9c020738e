"""Draws Fetion numbers at random, but a whole block of neighbours before the next block.

Neighbours share a page of the store's index; numbers drawn from the whole range would each make another page
dirty. The order of the blocks, and the order within a block, are random: known numbers do not reveal the next
one.
"""

from random import Random
from typing import Final

FETION_NUMBERS: Final = range(400_000_000, 1_000_000_000)
"""Numbers as the operator assigns them: 9 digits, the first 4 to 9."""
BLOCK: Final = 1_024
"""Numbers per block: about four pages of the index."""
CROWDED: Final = 8
"""After this many numbers in use, a block is left: the store would have to be asked for each further one."""


class FetionNumbers:
    """An endless series of numbers; none comes twice before every block was used. The caller checks which are
    in use."""

    def __init__(self, random: Random, numbers: range = FETION_NUMBERS, block: int = BLOCK) -> None:
        self._random = random
        self._numbers = numbers
        self._block = block
        self._used: set[int] = set()  # blocks
        self._left: list[int] = []  # of the last block
        self._held = 0

    def draw(self) -> int:
        """Return the next number."""
        if not self._left:
            self._open_block()
        return self._left.pop()

    def draw_instead(self) -> int:
        """Return the next number, because the last one is in use."""
        self._held += 1
        if self._held >= CROWDED:
            self._left = []
        return self.draw()

    def _open_block(self) -> None:
        """Open a block that was not used yet; when all were, begin again."""
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
