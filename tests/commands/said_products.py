"""Conversations that order and cancel products, and one that says every sentence about them."""

from commands.model import Outcome
from tests.commands.desk import LI, SUN, Desk, number_of_question


def open_all(desk: Desk, *senders: str) -> None:
    """Open Fetion and matching for these."""
    for sender in senders:
        desk.numbers = [
            n for n in desk.numbers if n not in {c.fetion_number for c in desk.customers.values()}
        ]
        desk.open(sender)
        order(desk, sender)


def order(desk: Desk, sender: str) -> Outcome:
    """KTFXJY, and 是 to its question."""
    return desk.say(sender, "是", number_of_question(desk.say(sender, "KTFXJY", "10086")))


def give_up(desk: Desk, sender: str) -> Outcome:
    """QXFXJY, and 是 to its question."""
    return desk.say(sender, "是", number_of_question(desk.say(sender, "QXFXJY", "10086")))


def converse(desk: Desk) -> set[str]:
    """The sentences said in a conversation of strangers and customers that has all of the family."""
    desk.say(SUN, "0000", "10086")
    desk.say(SUN, "2", "10086")
    desk.say(SUN, "BZ#KTFXJY")
    for word in ("QXFXJY", "SP", "0000", "00000"):
        desk.say(SUN, f"BZ#{word}")
    desk.open(SUN)
    desk.say(SUN, "QXFXJY")
    desk.say(SUN, "SP")
    desk.say(SUN, "0000", "10086")
    desk.say(SUN, "否", number_of_question(desk.say(SUN, "KTFXJY")))
    order(desk, SUN)
    desk.say(SUN, "KTFXJY")
    desk.say(SUN, "SP")
    desk.say(SUN, "否", number_of_question(desk.say(SUN, "QXFXJY")))
    give_up(desk, SUN)
    order(desk, SUN)
    desk.say(SUN, "0000", "10086")
    desk.say(SUN, "3", "10086")
    desk.say(SUN, "2", "10086")
    open_all(desk, SUN, LI)
    desk.say(SUN, "CXFX")
    desk.say(SUN, "SP")
    desk.say(SUN, "否", number_of_question(desk.say(SUN, "00000")))
    desk.say(SUN, "是", number_of_question(desk.say(SUN, "00000")))
    return {reply.sentence for reply in desk.said}
