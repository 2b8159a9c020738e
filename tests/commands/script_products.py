"""A script that produces every sentence about products, and its steps."""

from commands.model import Outcome
from tests.commands.in_memory import LI, SUN, InMemoryService, number_of_question


def open_all(service: InMemoryService, *senders: str) -> None:
    """Open Fetion and matching for each sender."""
    for sender in senders:
        service.open(sender)
        order(service, sender)


def order(service: InMemoryService, sender: str) -> Outcome:
    """Order matching: KTFXJY, and 是 to its question."""
    return service.receive(sender, "是", number_of_question(service.receive(sender, "KTFXJY", "10086")))


def give_up(service: InMemoryService, sender: str) -> Outcome:
    """Cancel matching: QXFXJY, and 是 to its question."""
    return service.receive(sender, "是", number_of_question(service.receive(sender, "QXFXJY", "10086")))


def play(service: InMemoryService) -> set[str]:
    """Run the script, with customers of every state. Returns the sentences that were sent."""
    service.receive(SUN, "0000", "10086")
    service.receive(SUN, "2", "10086")
    service.receive(SUN, "BZ#KTFXJY")
    for word in ("QXFXJY", "SP", "0000", "00000"):
        service.receive(SUN, f"BZ#{word}")
    service.open(SUN)
    service.receive(SUN, "QXFXJY")
    service.receive(SUN, "SP")
    service.receive(SUN, "0000", "10086")
    service.receive(SUN, "否", number_of_question(service.receive(SUN, "KTFXJY")))
    order(service, SUN)
    service.receive(SUN, "KTFXJY")
    service.receive(SUN, "SP")
    service.receive(SUN, "否", number_of_question(service.receive(SUN, "QXFXJY")))
    give_up(service, SUN)
    order(service, SUN)
    service.receive(SUN, "0000", "10086")
    service.receive(SUN, "3", "10086")
    service.receive(SUN, "2", "10086")
    open_all(service, SUN, LI)
    service.receive(SUN, "CXFX")
    service.receive(SUN, "SP")
    service.receive(SUN, "否", number_of_question(service.receive(SUN, "00000")))
    service.receive(SUN, "是", number_of_question(service.receive(SUN, "00000")))
    return {reply.sentence for reply in service.replies}
