"""Turns of threads are short while something computes beside the loop, and then as usual."""

import sys

import pytest

from gateway.operations.slices import SLICE, USUAL, Slices


def test_turns_are_short_until_the_last_one_leaves() -> None:
    """And as usual after a fault too."""
    slices = Slices()
    try:
        with slices.short():
            with slices.short():
                assert sys.getswitchinterval() == pytest.approx(SLICE)
            assert sys.getswitchinterval() == pytest.approx(SLICE)
            raise KeyError
    except KeyError:
        assert sys.getswitchinterval() == pytest.approx(USUAL)
