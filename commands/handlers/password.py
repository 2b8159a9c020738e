"""Passwords: a drawn one sent by SMS, or the customer's own. Only the hash is stored."""

from commands.model import Given, Instruction, Outcome, Reply, Result, ServiceEvent, World


def random(world: World, understood: Instruction, given: Given) -> Outcome:
    """P: send the password that was drawn beforehand, in a secret reply."""
    _store(world, understood, given)
    reply = Reply(understood.sender, "password.random", {"password": given.password}, secret=True)
    return Outcome(Result.DONE, [reply], [_changed(understood)])


def set_password(world: World, understood: Instruction, given: Given) -> Outcome:
    """Set the text sent to the password number, hashed beforehand. The reply does not repeat it."""
    _store(world, understood, given)
    return Outcome(Result.DONE, [Reply(understood.sender, "password.set")], [_changed(understood)])


def _store(world: World, understood: Instruction, given: Given) -> None:
    if not given.password_hash:
        raise ValueError(f"{understood.id} needs a password hash and none was given")
    world.edit(understood.sender).password = given.password_hash


def _changed(understood: Instruction) -> ServiceEvent:
    return ServiceEvent("password", "changed", understood.sender)
