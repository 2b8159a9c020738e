"""Addresses that take no instruction: one sentence, and nothing is stored."""

from commands.handlers.people import refused
from commands.model import Given, Instruction, Outcome, World


def say(world: World, understood: Instruction, given: Given) -> Outcome:
    """Send the sentence of the address: a provincial company's (none is connected), voice, or without use."""
    del world, given
    return refused(understood.sender, f"place.{understood.id}")
