"""A script that produces every sentence about buddies and profiles."""

from commands.limits import ServiceLimits
from commands.model import CustomerState
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question

STRANGER = "13600136000"
SCRIPT = f"""
HYLB | HYLB#2 | ZXHY | CX#{WANG} | CX#{ZHAO} | CX#{STRANGER}
MC#{WANG}#老王 | HMD#{WANG} | HMD#{WANG} | ZXHY | HMD#{LI} | HMD#{STRANGER} | JC#{WANG} | JC#{WANG}
NC#小李 | QM#爬山 | CX#{LI} | YS#0 | CX#{LI} | YS#1 | JS | HF | HF | JS#1 | HF | U
YQ#{STRANGER} | YQ#{STRANGER} | YQ#{ZHAO} | YQ#13012345678
SC#{WANG} | SC#{WANG}
"""


class AllWordsSensitive:
    """A list of sensitive words that contains every text."""

    def found(self, text: str) -> str | None:
        """The text itself."""
        return text


def play(service: InMemoryService) -> set[str]:
    """Run the script with four customers. Returns the sentences that were sent."""
    service.open(LI, WANG, ZHAO, SUN)
    service.receive(LI, "HYLB")
    service.befriend(LI, WANG)
    for text in SCRIPT.replace("\n", "|").split("|"):
        if text.strip():
            service.receive(LI, text.strip())
    _with_many_buddies(service)
    _with_obstacles(service)
    for row in service.commands.table.rows.values():
        if row.words:
            service.receive(LI, f"BZ#{row.words[0]}")
    clauses = {reply.clause for reply in service.replies if reply.clause}
    return clauses | {reply.sentence for reply in service.replies}


def _with_many_buddies(service: InMemoryService) -> None:
    """Lists of several pages, a buddy who hides the mobile, a buddy with a mood."""
    for each in (ZHAO, SUN):
        service.befriend(LI, each)
        service.receive(LI, f"MC#{each}#一二三四五六七八九十")
    service.receive(LI, f"MC#{WANG}#一二三四五六七八九十")
    service.receive(LI, "HYLB")
    service.receive(LI, "HF\nHYLB")
    service.receive(LI, "HMDLB")
    for word in ("HMD", "JC"):
        for each in (WANG, ZHAO, SUN):
            service.receive(LI, f"{word}#{each}")
        service.receive(LI, "HMDLB")
    service.receive(LI, "ZXHY")
    service.receive(LI, "ZXHY#2")
    service.receive(ZHAO, "YS#0")
    service.receive(LI, f"CX#{ZHAO}")
    service.receive(ZHAO, "QM#开会")
    service.receive(LI, f"CX#{ZHAO}")
    for each in (WANG, ZHAO, SUN):
        service.receive(LI, f"SC#{each}")


def _with_obstacles(service: InMemoryService) -> None:
    """Black lists, refused SMS, cut lines, limits, sensitive words."""
    service.receive(LI, f"CX#{ZHAO}")
    service.receive(LI, f"HMD#{ZHAO}")
    service.receive(LI, "HMDLB")
    service.receive(LI, f"HY#{ZHAO}")
    service.receive(ZHAO, f"HY#{LI}")
    service.limits = ServiceLimits(buddies=1, open_questions=1)
    service.receive(LI, f"HMD#{WANG}")
    service.receive(SUN, f"YQ#{STRANGER}")
    service.limits = ServiceLimits()
    service.receive(SUN, "JS#1")
    service.receive(LI, f"HY#{SUN}")
    question = number_of_question(service.receive(LI, "QXFX"))
    service.receive(LI, "JS")
    service.receive(LI, "否", question)
    service.customers[SUN].state = CustomerState.SUSPENDED
    service.receive(LI, f"HY#{SUN}")
    service.customers[LI].protected = True
    service.receive(LI, "U")
    for step in range(20):  # the five phrases
        service.receive(LI, f"YQ#136{step:08}")
    service.words = AllWordsSensitive()
    service.receive(LI, "NC#小李")
