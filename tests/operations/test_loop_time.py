"""How much of its time the event loop computes."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.loop_time import BUSY, TICKS, LoopTime


class Times:
    """Two clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = self.used = 0.0
        self.loop_time = LoopTime(lambda: self.now, lambda: self.used)

    def pass_by(self, seconds: float, used: float) -> None:
        """So many seconds, of which so many are computed; then a tick."""
        self.now += seconds
        self.used += used
        self.loop_time.tick()


def test_the_last_ticks_count() -> None:
    """A loop that has begun to compute is busy soon, and not any more soon after it."""
    times = Times()
    assert times.loop_time.ratio == 0.0
    for _ in range(TICKS):
        times.pass_by(0.1, 0.09)
    assert times.loop_time.busy
    for _ in range(TICKS - 1):
        times.pass_by(0.1, 0.01)
    assert round(times.loop_time.ratio, 3) == 0.1
    assert not times.loop_time.busy


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=20))
def test_it_is_always_a_part(passed: list[tuple[float, float]]) -> None:
    """Whatever the clocks say, which may stand or be of different minds."""
    times = Times()
    for seconds, used in passed:
        times.pass_by(seconds, used)
        assert 0.0 <= times.loop_time.ratio <= 1.0
        assert times.loop_time.busy == (times.loop_time.ratio >= BUSY)
