"""SMS that wait for their time."""

from hypothesis import given, strategies

from gateway.outbound.pauses import SPARE, Pauses
from tests.support import leaving

steps = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["add", "cancel", "take"]),
        strategies.integers(0, 4),
        strategies.integers(0, 3),
    )
)


@given(steps)
def test_it_is_a_table_of_times(steps: list[tuple[str, int, int]]) -> None:
    """Whatever begins and ends: what it holds, and what it gives first, is what a table says."""
    pauses, table = Pauses(), dict[int, float]()
    several = [leaving(number) for number in range(5)]
    for what, number, time in steps:
        sms = several[number]
        if what == "add" and number not in table:
            pauses.add(float(time), sms)
            table[number] = float(time)
        elif what == "cancel":
            assert pauses.cancel(sms) is (table.pop(number, None) is not None)
        elif what == "take":
            due = sorted((due, each) for each, due in table.items() if due <= time)
            taken = pauses.take(float(time))
            assert (None if taken is None else taken.number) == (due[0][1] if due else None)
            if due:
                del table[due[0][1]]
        assert sorted(sms.number for sms in pauses) == sorted(table)
        assert (len(pauses), pauses.next()) == (len(table), min(table.values(), default=None))


def test_pauses_that_end_early_leave_nothing_behind() -> None:
    """However often one begins anew."""
    pauses, sms = Pauses(), leaving(1)
    for time in range(10 * SPARE):
        pauses.add(float(time + 1000), sms)
        pauses.cancel(sms)
    assert len(pauses._heap) <= SPARE + 1
