"""Addresses that take no instruction: a province's own, and those without use."""

from commands.handlers.people import refused
from commands.model import Given, Instruction, Outcome, Result, World


def say(world: World, understood: Instruction, given: Given) -> Outcome:
    """Send the sentence of the address: voice, or without use."""
    del world, given
    return refused(understood.sender, f"place.{understood.id}")


def forward(world: World, understood: Instruction, given: Given) -> Outcome:
    """Give the SMS to the system of the province; send the sentence of the address where none is reached."""
    if given.provinces:
        return Outcome(Result.DONE, forwarded=True)
    return say(world, understood, given)
