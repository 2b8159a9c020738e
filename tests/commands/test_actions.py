"""What an operator may do for a customer: for which states, what it changes, and what it says."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.actions import ACTIONS, draws_of, instruction_of, why_not
from commands.codes import Code
from commands.model import Customer, CustomerState, Given, Misunderstood, Result, World
from commands.sentences import parts_of
from commands.service import Commands
from routing.table import Routing

LI = "13500000001"
ELSEWHERE = "13000000001"


def world_with(customer: Customer | None, msisdn: str = LI) -> World:
    """All that any action asks for."""
    world = World()
    world.customers[msisdn] = customer
    world.holders["888888888"] = None
    world.lists[msisdn] = ()
    return world


GIVEN = Given(1_000, "0" * 16, ("888888888",), "pw123456", "hash")


@pytest.mark.parametrize(("action", "state"), list(itertools.product(ACTIONS, CustomerState)), ids=str)
def test_an_action_and_a_state(
    commands: Commands, routing: Routing, action: str, state: CustomerState
) -> None:
    """Where it makes sense it is done, with one sentence that fits one SMS; else nothing changes."""
    opened = state in {CustomerState.OPEN, CustomerState.SUSPENDED}
    customer = Customer(LI, state, "777777777" if opened else "", protected=action == "unlock")
    world = world_with(customer)
    understood = instruction_of(action, LI, routing.resolve("12520"))
    outcome = commands.act(world, understood, GIVEN)
    world.accept()
    senseful = why_not(ACTIONS[action], customer, foreign=False) is None
    assert senseful == (state in ACTIONS[action].states)
    assert (outcome.result, len(outcome.replies)) == ((Result.DONE, 1) if senseful else (Result.REFUSED, 0))
    assert bool(world.changed_customers) == (senseful and action != "resend_notice")
    for reply in outcome.replies:
        assert reply.to == LI
        assert reply.sentence in ACTIONS[action].sentences
        assert parts_of(commands.render(reply)) == 1
        assert reply.secret == (action == "reset_password")


def test_a_customer_whom_nobody_knows(commands: Commands, routing: Routing) -> None:
    """Fetion can be opened for him, nothing else; and not on a mobile of another operator."""
    for action in ACTIONS:
        for msisdn in (LI, ELSEWHERE):
            world = world_with(None, msisdn)
            outcome = commands.act(world, instruction_of(action, msisdn, routing.resolve("12520")), GIVEN)
            done = action == "open" and msisdn == LI
            assert (outcome.result is Result.DONE) == done, (action, msisdn)
    assert outcome.code == Code.NOT_OPENED


def test_a_password_too_many(commands: Commands, routing: Routing) -> None:
    """Who hashes passwords says so with another meaning of the SMS."""
    too_often = Misunderstood("misunderstood", LI, routing.resolve("12520"), "", "")
    outcome = commands.act(world_with(Customer(LI, CustomerState.OPEN)), too_often, GIVEN)
    assert (outcome.result, outcome.code, outcome.replies) == (Result.REFUSED, Code.TRY_LATER, [])


def test_what_is_drawn(commands: Commands, routing: Routing) -> None:
    """As for the instruction with the same handler, where the table has one."""
    for name, action in ACTIONS.items():
        drawn = commands.draws(instruction_of(name, LI, routing.resolve("12520")))
        assert draws_of(action.instruction) <= drawn
        assert commands.lacks(name) == []
    with pytest.raises(KeyError):
        draws_of("help")


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12))
def test_pausing_loses_nothing(commands: Commands, routing: Routing, names: list[str]) -> None:
    """Whatever is done meanwhile: a customer who is resumed is as he was when he was suspended."""
    world = world_with(Customer(LI, CustomerState.OPEN, "777777777", 5, nickname="x", password="p"))
    before: Customer | None = None
    for name in names:
        now = world.customers[LI]
        assert now is not None
        outcome = commands.act(world, instruction_of(name, LI, routing.resolve("12520")), GIVEN)
        world.accept()
        if outcome.result is Result.DONE and name == "suspend":
            before = now.copy()
        elif outcome.result is Result.DONE and name == "resume":
            assert world.customers[LI] == before
