"""Sets of mobiles, against the set that a loop makes."""

from hypothesis import given
from hypothesis import strategies as st

from routing.ranges import MobileRanges

LOWEST = 13900000000
PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=6)


@given(PAIRS, st.integers(-3, 80))
def test_ranges(pairs: list[tuple[int, int]], asked: int) -> None:
    """They hold what lies in any of them, count it once, and give it in order."""
    ranges = MobileRanges(f"{LOWEST + first}-{LOWEST + first + more}" for first, more in pairs)
    brute = {str(LOWEST + first + each) for first, more in pairs for each in range(more + 1)}
    assert (str(LOWEST + asked) in ranges) is (str(LOWEST + asked) in brute)
    assert list(ranges) == sorted(brute)
    assert len(ranges) == len(brute)


def test_no_mobile() -> None:
    """What is no mobile of 11 ASCII digits is in no range."""
    ranges = MobileRanges(["13900000000", "13900000001-13900000009"])
    assert "13900000005" in ranges
    for each in ("", "161", "8613900000005", "１３９００００００５", "+1390000000", 13900000005, None):
        assert each not in ranges


def test_none() -> None:
    """Without ranges there is nothing, and that is false."""
    assert not MobileRanges([])
    assert "13900000000" not in MobileRanges([])
