"""The reply to a text that is not an instruction."""

from collections.abc import Collection

from commands.handlers.people import open_customer, refused
from commands.model import Misunderstood, Outcome, Reply, Result, World


def explain(world: World, understood: Misunderstood, for_everyone: Collection[str], not_open: str) -> Outcome:
    """Say what was wrong with the text. A sender without Fetion gets the sentence that names KTFX.

    Args:
        for_everyone: sentences that are sent to senders without Fetion too.
        not_open: the sentence that names KTFX.
    """
    sender, reason = understood.sender, understood.reason
    if reason not in for_everyone and open_customer(world, sender) is None:
        if understood.result is Result.USAGE:
            return refused(sender, not_open)
        return Outcome(understood.result, [Reply(sender, not_open)])
    values = {"word": understood.suggestion} if understood.suggestion else None
    return Outcome(understood.result, [Reply(sender, reason, values)])
