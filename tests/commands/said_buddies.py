"""A conversation in which customers hear every sentence about buddies and profiles."""

from commands.limits import ServiceLimits
from commands.model import CustomerState
from tests.commands.desk import LI, SUN, WANG, ZHAO, Desk, number_of_question

STRANGER = "13600136000"
SCRIPT = f"""
HYLB | HYLB#2 | ZXHY | CX#{WANG} | CX#{ZHAO} | CX#{STRANGER}
MC#{WANG}#老王 | HMD#{WANG} | HMD#{WANG} | ZXHY | HMD#{LI} | HMD#{STRANGER} | JC#{WANG} | JC#{WANG}
NC#小李 | QM#爬山 | CX#{LI} | YS#0 | CX#{LI} | YS#1 | JS | HF | HF | JS#1 | HF | U
YQ#{STRANGER} | YQ#{STRANGER} | YQ#{ZHAO} | YQ#13012345678
SC#{WANG} | SC#{WANG}
"""


class Listed:
    """A list on which every word stands."""

    def found(self, text: str) -> str | None:
        """All of it."""
        return text


def converse(desk: Desk) -> set[str]:
    """Four customers say what there is to say; the sentences they got."""
    for each in (LI, WANG, ZHAO, SUN):
        desk.open(each)
        desk.numbers.pop(0)
    desk.say(LI, "HYLB")
    desk.befriend(LI, WANG)
    for text in SCRIPT.replace("\n", "|").split("|"):
        if text.strip():
            desk.say(LI, text.strip())
    _with_many_buddies(desk)
    _with_obstacles(desk)
    for row in desk.commands.table.rows.values():
        if row.words:
            desk.say(LI, f"BZ#{row.words[0]}")
    clauses = {reply.clause for reply in desk.said if reply.clause}
    return clauses | {reply.sentence for reply in desk.said}


def _with_many_buddies(desk: Desk) -> None:
    """Lists of several pages; whoever hides the mobile and has no line."""
    for each in (ZHAO, SUN):
        desk.befriend(LI, each)
        desk.say(LI, f"MC#{each}#一二三四五六七八九十")
    desk.say(LI, f"MC#{WANG}#一二三四五六七八九十")
    desk.say(LI, "HYLB")
    desk.say(LI, "HF\nHYLB")
    desk.say(LI, "HMDLB")
    for word in ("HMD", "JC"):
        for each in (WANG, ZHAO, SUN):
            desk.say(LI, f"{word}#{each}")
        desk.say(LI, "HMDLB")
    desk.say(LI, "ZXHY")
    desk.say(LI, "ZXHY#2")
    desk.say(ZHAO, "YS#0")
    desk.say(LI, f"CX#{ZHAO}")
    desk.say(ZHAO, "QM#开会")
    desk.say(LI, f"CX#{ZHAO}")
    for each in (WANG, ZHAO, SUN):
        desk.say(LI, f"SC#{each}")


def _with_obstacles(desk: Desk) -> None:
    """Black lists, refusals, lines that are cut, limits, words that are not allowed."""
    desk.say(LI, f"CX#{ZHAO}")
    desk.say(LI, f"HMD#{ZHAO}")
    desk.say(LI, "HMDLB")
    desk.say(LI, f"HY#{ZHAO}")
    desk.say(ZHAO, f"HY#{LI}")
    desk.limits = ServiceLimits(buddies=1, open_questions=1)
    desk.say(LI, f"HMD#{WANG}")
    desk.say(SUN, f"YQ#{STRANGER}")
    desk.limits = ServiceLimits()
    desk.say(SUN, "JS#1")
    desk.say(LI, f"HY#{SUN}")
    question = number_of_question(desk.say(LI, "QXFX"))
    desk.say(LI, "JS")
    desk.say(LI, "否", question)
    desk.customers[SUN].state = CustomerState.SUSPENDED
    desk.say(LI, f"HY#{SUN}")
    desk.customers[LI].protected = True
    desk.say(LI, "U")
    for step in range(20):  # the five phrases
        desk.say(LI, f"YQ#136{step:08}")
    desk.words = Listed()
    desk.say(LI, "NC#小李")
