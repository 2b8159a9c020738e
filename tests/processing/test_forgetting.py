"""Steps of forgetting fit their budget, and keep up with any rate that the gateway can do."""

from gateway.processing.forgetting import BUDGET, FORGOTTEN, MOST, PAUSE, Forgetting


def run(cost: float, arrivals: float, seconds: float, fixed: float = 0.0005) -> tuple[int, float]:
    """A gateway that makes a step whenever one is due: rows left at the end, and the longest late step.

    cost: seconds to delete a row; fixed: of a commit. arrivals: rows that become old in a second.
    """
    forgetting, now, left, longest = Forgetting(), 0.0, 0.0, 0.0
    forgetting.more = True
    while now < seconds:
        step = 0.0
        if forgetting.due(now):
            gone = min(int(left), forgetting.limit)
            step = fixed + gone * cost
            left -= gone
            forgetting.made(gone, now, now + step)
            forgetting.more = True  # as housekeeping asks for another one
            longest = max(longest, step) if now > 1 else 0.0
        now += step + 0.005
        left += arrivals * (step + 0.005)
    return int(left), longest


def test_it_keeps_up_with_any_rate() -> None:
    """At 1.2 microseconds a row, 40,000 SMS a second are forgotten as they come, in short steps."""
    left, longest = run(1.2e-6, 40_000, 10)
    assert left < 5_000
    assert longest < 1.3 * BUDGET


def test_steps_are_short_where_deleting_is_slow() -> None:
    """At ten times the cost a step becomes no larger than it was at first."""
    forgetting = Forgetting()
    for _ in range(50):
        forgetting.made(forgetting.limit, 0.0, forgetting.limit * 12e-6)
    assert forgetting.limit == FORGOTTEN


def test_it_grows_while_there_is_more_and_time_for_it() -> None:
    """Up to a limit; a step that found less than it might does not make the next one larger."""
    forgetting = Forgetting()
    forgetting.made(forgetting.limit - 1, 0.0, 0.0)
    assert (forgetting.limit, forgetting.more) == (FORGOTTEN, False)
    for _ in range(50):
        forgetting.made(forgetting.limit, 0.0, 0.0)
    assert forgetting.limit == MOST


def test_there_is_a_pause_between_steps() -> None:
    """The next one is due a while after the last, when there is more, and not after a failure."""
    forgetting = Forgetting()
    assert not forgetting.due(100.0)
    forgetting.made(FORGOTTEN, 100.0, 100.001)
    assert not forgetting.due(100.001 + PAUSE / 2)
    assert forgetting.due(100.002 + PAUSE)
    forgetting.failed()
    assert not forgetting.due(200.0)
