"""Help: all instructions, or one of them."""

from commands.model import Given, Instruction, Outcome, Reply, Result, World


def explain(world: World, understood: Instruction, given: Given) -> Outcome:
    """BZ, or BZ#word: the parser has found the sentence that explains that word."""
    del world, given
    return Outcome(Result.DONE, [Reply(understood.sender, understood.arguments.get("topic", "help"))])
