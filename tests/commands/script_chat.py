"""A script that produces every sentence about chat, voice chat, suggestions and states."""

from commands.limits import ServiceLimits
from commands.model import NO_WORDS, CustomerState
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question
from tests.commands.script_buddies import AllWordsSensitive

FOREIGN, STRANGER = "13012345678", "13600136000"


def play(service: InMemoryService) -> set[str]:
    """Run the script with three customers. Returns the sentences that were sent."""
    service.open(LI, WANG, ZHAO)
    service.befriend(LI, WANG)
    _talk(service)
    _call(service)
    _meet_obstacles(service)
    _be_misunderstood(service)
    for word in ("FS", "YY"):
        service.receive(LI, f"BZ#{word}")
    return {reply.sentence for reply in service.replies}


def _talk(service: InMemoryService) -> None:
    """Chat that is delivered, and chat that is not because of its text or receiver."""
    for text, to in (("你好", WANG), (" ", WANG), ("字" * 181, WANG), ("你好", LI), ("你好", ZHAO)):
        service.receive(LI, text, f"12520{to}")
    for number in (FOREIGN, STRANGER, "999999999"):
        service.receive(LI, f"FS#{number}#你好")
    service.words = AllWordsSensitive()
    service.receive(LI, "你好", f"12520{WANG}")
    service.words = NO_WORDS
    service.limits = ServiceLimits(sms_per_day=1)
    service.receive(LI, "你好", f"12520{WANG}")
    service.limits = ServiceLimits(sms_per_month=1)
    service.receive(LI, "你好", f"12520{WANG}")
    service.limits = ServiceLimits()


def _call(service: InMemoryService) -> None:
    """Invitations to voice chat, with every answer."""
    for number in (FOREIGN, STRANGER, ZHAO, LI):
        service.receive(LI, f"YY#{number}")
    for answer in ("否", "是"):
        asked = number_of_question(service.receive(LI, f"YY#{WANG}"))
        service.receive(LI, f"YY#{WANG}")
        service.receive(WANG, answer, asked)
    asked = number_of_question(service.receive(LI, f"YY#{WANG}"))
    service.receive(WANG, f"SC#{LI}")
    service.receive(WANG, "是", asked)
    service.befriend(LI, WANG)
    service.receive(ZHAO, f"HY#{WANG}")
    service.limits = ServiceLimits(open_questions=1)
    service.receive(LI, f"YY#{WANG}")
    service.limits = ServiceLimits()


def _meet_obstacles(service: InMemoryService) -> None:
    """Chat and invitations when one of the two is in a state that prevents them."""
    service.receive(WANG, "JS#1")
    service.receive(LI, "你好", f"12520{WANG}")
    service.receive(LI, f"YY#{WANG}")
    service.receive(WANG, f"HMD#{LI}")
    service.receive(LI, "你好", f"12520{WANG}")
    service.receive(WANG, "你好", f"12520{LI}")
    service.receive(WANG, f"JC#{LI}")
    for state in (CustomerState.SUSPENDED, CustomerState.CLOSED):
        service.customers[WANG].state = state
        service.receive(LI, "你好", f"12520{WANG}")
        service.receive(WANG, "你好", f"12520{LI}")
    service.customers[LI].protected = True
    service.receive(LI, "HYLB")
    service.receive(LI, "U")


def _be_misunderstood(service: InMemoryService) -> None:
    """Misspelt words: one that is suggested, one that needs arguments."""
    service.receive(SUN, "KFTX")
    service.receive(SUN, "否")
    service.receive(SUN, "语音聊田")
