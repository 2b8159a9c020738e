"""A conversation in which customers hear every sentence about chat, voice chat, suggestions and states."""

from commands.limits import ServiceLimits
from commands.model import NO_WORDS, CustomerState
from tests.commands.desk import LI, SUN, WANG, ZHAO, Desk, number_of_question
from tests.commands.said_buddies import Listed

FOREIGN, STRANGER = "13012345678", "13600136000"


def converse(desk: Desk) -> set[str]:
    """Three customers say what there is to say; the sentences they got."""
    for each in (LI, WANG, ZHAO):
        desk.open(each)
        desk.numbers.pop(0)
    desk.befriend(LI, WANG)
    _talk(desk)
    _call(desk)
    _meet_obstacles(desk)
    _be_misunderstood(desk)
    for word in ("FS", "YY"):
        desk.say(LI, f"BZ#{word}")
    return {reply.sentence for reply in desk.said}


def _talk(desk: Desk) -> None:
    """Chat that arrives, and chat that does not because of what it is."""
    for text, to in (("你好", WANG), (" ", WANG), ("字" * 181, WANG), ("你好", LI), ("你好", ZHAO)):
        desk.say(LI, text, f"12520{to}")
    for number in (FOREIGN, STRANGER, "999999999"):
        desk.say(LI, f"FS#{number}#你好")
    desk.words = Listed()
    desk.say(LI, "你好", f"12520{WANG}")
    desk.words = NO_WORDS
    desk.limits = ServiceLimits(sms_per_day=1)
    desk.say(LI, "你好", f"12520{WANG}")
    desk.limits = ServiceLimits(sms_per_month=1)
    desk.say(LI, "你好", f"12520{WANG}")
    desk.limits = ServiceLimits()


def _call(desk: Desk) -> None:
    """Invitations to talk, answered in every way."""
    for number in (FOREIGN, STRANGER, ZHAO, LI):
        desk.say(LI, f"YY#{number}")
    for answer in ("否", "是"):
        asked = number_of_question(desk.say(LI, f"YY#{WANG}"))
        desk.say(LI, f"YY#{WANG}")
        desk.say(WANG, answer, asked)
    asked = number_of_question(desk.say(LI, f"YY#{WANG}"))
    desk.say(WANG, f"SC#{LI}")
    desk.say(WANG, "是", asked)
    desk.befriend(LI, WANG)
    desk.say(ZHAO, f"HY#{WANG}")
    desk.limits = ServiceLimits(open_questions=1)
    desk.say(LI, f"YY#{WANG}")
    desk.limits = ServiceLimits()


def _meet_obstacles(desk: Desk) -> None:
    """The other, or the sender himself, in a state in which nothing goes through."""
    desk.say(WANG, "JS#1")
    desk.say(LI, "你好", f"12520{WANG}")
    desk.say(LI, f"YY#{WANG}")
    desk.say(WANG, f"HMD#{LI}")
    desk.say(LI, "你好", f"12520{WANG}")
    desk.say(WANG, "你好", f"12520{LI}")
    desk.say(WANG, f"JC#{LI}")
    for state in (CustomerState.SUSPENDED, CustomerState.CLOSED):
        desk.customers[WANG].state = state
        desk.say(LI, "你好", f"12520{WANG}")
        desk.say(WANG, "你好", f"12520{LI}")
    desk.customers[LI].protected = True
    desk.say(LI, "HYLB")
    desk.say(LI, "U")


def _be_misunderstood(desk: Desk) -> None:
    """Words with a slip: one that is offered, one that wants arguments."""
    desk.say(SUN, "KFTX")
    desk.say(SUN, "否")
    desk.say(SUN, "语音聊田")
