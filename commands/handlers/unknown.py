"""Texts that are no instruction: the sentence that helps most."""

from collections.abc import Collection

from commands.handlers.people import open_customer, refused
from commands.model import Misunderstood, Outcome, Reply, Result, World


def explain(world: World, understood: Misunderstood, for_everyone: Collection[str], not_open: str) -> Outcome:
    """What was wrong with the text; whoever has not opened hears first of all how to open.

    for_everyone: sentences that help him too. not_open: the sentence that names KTFX.
    """
    sender, reason = understood.sender, understood.reason
    if reason not in for_everyone and open_customer(world, sender) is None:
        if understood.result is Result.USAGE:
            return refused(sender, not_open)
        return Outcome(understood.result, [Reply(sender, not_open)])
    values = {"word": understood.suggestion} if understood.suggestion else None
    return Outcome(understood.result, [Reply(sender, reason, values)])
