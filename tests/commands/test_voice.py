"""Voice chat: who may be invited, what the answers do, and which call is asked for."""

from dataclasses import replace

import pytest

from commands.codes import Code
from commands.handlers.questions import HOUR
from commands.limits import ServiceLimits
from commands.model import Buddy, CustomerState, Result, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.desk import LI, WANG, ZHAO, Desk, number_of_question
from tests.commands.said_chat import FOREIGN, STRANGER


@pytest.fixture
def desk(commands: Commands, routing: Routing) -> Desk:
    """Li and Wang are buddies, Zhao has opened."""
    desk = Desk(commands, routing)
    for each in (LI, WANG, ZHAO):
        desk.open(each)
        desk.numbers.pop(0)
    desk.befriend(LI, WANG)
    return desk


def test_accepted(desk: Desk) -> None:
    """是 asks for one call with both parties, and both are told that the voice number will ring."""
    asked = desk.say(LI, f"YY#{WANG}")
    assert asked.result is Result.ASKED
    assert [(reply.to, reply.sentence, reply.source) for reply in asked.replies] == [
        (LI, "voice.asked", Source.REPLY),
        (WANG, "voice.question", Source.QUESTION),
    ]
    answered = desk.say(WANG, "是", number_of_question(asked))
    assert answered.result is Result.DONE
    assert [(reply.to, reply.sentence) for reply in answered.replies] == [
        (WANG, "voice.calling"),
        (LI, "voice.accepted"),
    ]
    assert all("125862" in text for text in desk.texts(answered))
    (event,) = answered.events
    assert (event.family, event.name, event.msisdn) == ("voice", "call_requested", LI)
    assert event.data == {"caller": LI, "callee": WANG}


def test_declined(desk: Desk) -> None:
    """否 tells both and asks for no call."""
    address = number_of_question(desk.say(LI, f"YY#{WANG}"))
    answered = desk.say(WANG, "否", address)
    assert [(reply.to, reply.sentence) for reply in answered.replies] == [
        (WANG, "voice.declined.thanks"),
        (LI, "voice.declined"),
    ]
    assert [event.name for event in answered.events] == ["declined"]


def test_late_and_repeated_answers(desk: Desk) -> None:
    """An invitation is answered once and in time; nobody is called otherwise."""
    address = number_of_question(desk.say(LI, f"YY#{WANG}"))
    desk.now = desk.customers[WANG].questions[-1].deadline
    late = desk.say(WANG, "是", address)
    assert ([reply.sentence for reply in late.replies], late.events) == (["answer.late"], [])
    address = number_of_question(desk.say(LI, f"YY#{WANG}"))
    desk.say(WANG, "是", address)
    again = desk.say(WANG, "是", address)
    assert ([reply.sentence for reply in again.replies], again.events) == (["answer.repeated"], [])


def test_nobody_is_invited_twice(desk: Desk) -> None:
    """While an invitation is open the same one is not asked again; the other direction is another one."""
    desk.say(LI, f"YY#{WANG}")
    again = desk.say(LI, f"YY{desk.customers[WANG].fetion_number}")
    assert [(reply.to, reply.sentence) for reply in again.replies] == [(LI, "voice.asked.already")]
    assert desk.say(WANG, f"YY#{LI}").result is Result.ASKED
    desk.pass_hours(ServiceLimits().question_hours)
    assert desk.say(LI, f"语音聊天 {WANG}").result is Result.ASKED


@pytest.mark.parametrize(
    ("obstacle", "code", "sentence"),
    [
        ("no buddy", 401, "voice.not_buddy"),
        ("matched only", 401, "voice.not_buddy"),
        ("has blocked", 401, "voice.unreachable"),
        ("refuses", 405, "voice.unreachable"),
        ("suspended", 488, "voice.unreachable"),
        ("closed", 422, "voice.not_open"),
        ("unknown handset", 422, "voice.not_open"),
        ("unknown Fetion number", 404, "voice.not_open"),
        ("another operator", 403, "voice.foreign"),
        ("oneself", 400, "voice.oneself"),
        ("busy", 486, "voice.busy"),
    ],
)
def test_who_cannot_be_invited(desk: Desk, obstacle: str, code: int, sentence: str) -> None:
    """Buddies only, and only those who can be reached: one sentence, nobody is asked."""
    to, wang = WANG, desk.customers[WANG]
    if obstacle == "matched only":
        desk.buddies[(LI, ZHAO)] = Buddy(LI, ZHAO, "", 0, matched_at=desk.now)
        to = desk.customers[ZHAO].fetion_number
    elif obstacle == "has blocked":
        desk.buddies[(WANG, LI)] = replace(desk.buddies[(WANG, LI)], blocked=True)
    elif obstacle == "refuses":
        wang.refuse_until = desk.now + HOUR
    elif obstacle in {"suspended", "closed"}:
        wang.state = CustomerState(obstacle)
    elif obstacle == "busy":
        desk.say(ZHAO, f"HY#{WANG}")
        desk.limits = ServiceLimits(open_questions=1)
    else:
        others = {
            "no buddy": ZHAO,
            "unknown handset": STRANGER,
            "unknown Fetion number": "999999999",
            "another operator": FOREIGN,
        }
        to = others.get(obstacle, LI)
    outcome = desk.say(LI, f"YY#{to}")
    assert (outcome.result, outcome.code) == (Result.REFUSED, Code(code))
    assert [(reply.to, reply.sentence) for reply in outcome.replies] == [(LI, sentence)]


@pytest.mark.parametrize("end", ["parted", "cancelled"])
def test_an_invitation_that_came_to_nothing(desk: Desk, end: str) -> None:
    """When they are no buddies any more, or the inviter has cancelled, 是 calls nobody."""
    address = number_of_question(desk.say(LI, f"YY#{WANG}"))
    if end == "parted":
        desk.say(LI, f"SC#{WANG}")
    else:
        desk.say(LI, "是", number_of_question(desk.say(LI, "QXFX")))
    outcome = desk.say(WANG, "是", address)
    assert ([reply.sentence for reply in outcome.replies], outcome.events) == (["voice.gone"], [])
