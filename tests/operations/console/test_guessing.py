"""Limits on guessing passwords."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.guessing import MOST, REMEMBERED, RULES, Guesses
from tests.operations.console.test_pace import Time

HERE, THERE = "198.51.100.7", "203.0.113.9"


def test_pauses_double() -> None:
    """From the fifth failure on; up to 15 minutes; a success at that address forgets them."""
    time = Time()
    guesses = Guesses(time)
    pauses = []
    for _ in range(20):
        guesses.failed("ada", HERE)
        pauses.append(guesses.pause("ada", HERE))
        time.now += pauses[-1]
    assert pauses[:8] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert max(pauses) == 900
    guesses.failed("ada", HERE)
    guesses.succeeded("ada", HERE)
    assert guesses.pause("ada", HERE) == 0


def test_the_owner_comes_from_elsewhere() -> None:
    """What one address fails at an account does not keep its owner out, up to a bound for the account."""
    time = Time()
    guesses = Guesses(time)
    for _ in range(10):
        guesses.failed("ada", HERE)
    assert guesses.pause("ada", HERE) > 0
    assert guesses.pause("ada", THERE) == 0
    for n in range(100):
        guesses.failed("ada", f"10.0.0.{n}")
    assert 0 < guesses.pause("ada", THERE) <= RULES["account"].longest


def test_one_address_guesses_many_names() -> None:
    """That is limited too."""
    guesses = Guesses(Time())
    for n in range(40):
        guesses.failed(f"name{n}", HERE)
    assert guesses.pause("another", HERE) > 0


def test_what_nobody_looked_at_is_no_failure() -> None:
    """While too many log in, or the store cannot be used, nobody is shut out by trying again."""
    guesses = Guesses(Time())
    for _ in range(100):
        guesses.failed("ada", HERE)
        guesses.taken_back("ada", HERE)
    assert guesses.pause("ada", HERE) == 0
    for _ in range(6):
        guesses.failed("ada", HERE)
    guesses.taken_back("ada", HERE)
    assert guesses.pause("ada", HERE) > 0


def test_they_are_forgotten() -> None:
    """After an hour without a failure."""
    time = Time()
    guesses = Guesses(time)
    for _ in range(30):
        guesses.failed("ada", HERE)
    time.now += REMEMBERED + 1
    guesses.failed("ada", HERE)
    assert guesses.pause("ada", HERE) == 0


def test_few_are_remembered() -> None:
    """The table does not grow without bound."""
    guesses = Guesses(Time())
    for n in range(MOST):
        guesses.failed(f"name{n}", HERE)
    assert len(guesses._known) <= MOST


@given(st.text(), st.text())
def test_any_name_and_address(name: str, remote: str) -> None:
    """Whatever somebody sends is counted."""
    guesses = Guesses(Time())
    for _ in range(5):
        guesses.failed(name, remote)
    assert guesses.pause(name, remote) > 0
