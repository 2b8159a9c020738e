"""Fetion numbers come in blocks of neighbours, in no order that can be guessed, each once."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.processing.fetion_numbers import BLOCK, CROWDED, FETION_NUMBERS, FetionNumbers
from gateway.testing import running_gateway
from tests.proofs.served import accepted, bind, delivered, rows, sms


@given(
    seed=st.integers(0, 1 << 32),
    first=st.integers(400_000_000, 999_000_000),
    count=st.integers(1, 300),
    block=st.integers(1, 64),
)
def test_each_number_comes_once(seed: int, first: int, count: int, block: int) -> None:
    """Whatever the range and the blocks: all numbers of the range, no other, each once; then all again."""
    numbers = range(first, first + count)
    drawn = FetionNumbers(Random(seed), numbers, block)
    for _ in range(2):
        assert sorted(drawn.draw() for _ in numbers) == list(numbers)


@given(seed=st.integers(0, 1 << 32))
def test_neighbours_are_drawn_in_no_order(seed: int) -> None:
    """A block is used up before the next one, not from one end to the other; the next one is elsewhere."""
    drawn = FetionNumbers(Random(seed))
    blocks = [[drawn.draw() for _ in range(BLOCK)] for _ in range(2)]
    for block in blocks:
        assert max(block) - min(block) < BLOCK
        assert block not in (sorted(block), sorted(block, reverse=True))
        steps = [after - before for before, after in pairwise(block)]
        assert sum(abs(step) == 1 for step in steps) < BLOCK // 32
    assert not set(blocks[0]) & set(blocks[1])
    assert all(number in FETION_NUMBERS for block in blocks for number in block)


@pytest.mark.parametrize("free", [1, 7])
def test_where_nearly_all_are_held_the_free_ones_are_found(free: int) -> None:
    """Held numbers are skipped, crowded blocks are left, and every free number is found in the end."""
    numbers = range(400_000_000, 400_000_512)
    left = set(Random(1).sample(numbers, free))
    drawn = FetionNumbers(Random(2), numbers, 64)
    for _ in range(free):
        number = drawn.draw()
        tries = 0
        while number not in left:
            number = drawn.draw_instead()
            tries += 1
            assert tries < 100_000
        left.remove(number)
    assert not left


def test_a_full_block_is_left_soon() -> None:
    """After a few held numbers of a block the next one is drawn from."""
    drawn = FetionNumbers(Random(3))
    first = drawn.draw()
    others = [drawn.draw_instead() for _ in range(CROWDED)]
    assert all(abs(number - first) < BLOCK for number in others[:-1])
    assert abs(others[-1] - first) >= BLOCK


async def test_customers_get_neighbours(tmp_path: Path) -> None:
    """Who opens an account gets a number of the block, and nobody else's."""
    async with running_gateway(tmp_path) as gateway, await bind(gateway.account.port) as esme:
        for number in range(20):
            await accepted(esme, sms(f"139000000{number:02}", "161", "KTFX"))
            await delivered(esme)
        await gateway.settle()
        found = [row["n"] for row in rows(tmp_path / "fetion.db", "SELECT fetion_number AS n FROM customer")]
    assert len(set(found)) == 20
    assert max(found) - min(found) < BLOCK
