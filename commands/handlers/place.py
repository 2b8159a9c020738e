"""Numbers that take no instruction: one sentence, nothing stored for later."""

from commands.handlers.people import refused
from commands.model import Given, Instruction, Outcome, World


def say(world: World, understood: Instruction, given: Given) -> Outcome:
    """The sentence of the place: a provincial company's number (none is connected), voice, or no use."""
    del world, given
    return refused(understood.sender, f"place.{understood.id}")
