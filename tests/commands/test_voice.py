"""Voice chat: who may be invited, what the answers do, and which call is requested."""

from dataclasses import replace

import pytest

from commands.codes import Code
from commands.handlers.questions import HOUR
from commands.limits import ServiceLimits
from commands.model import Buddy, CustomerState, Result, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, ZHAO, InMemoryService, number_of_question, sentences
from tests.commands.script_chat import FOREIGN, STRANGER


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Li and Wang are buddies, Zhao has opened."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG, ZHAO)
    service.befriend(LI, WANG)
    return service


def test_accepted(service: InMemoryService) -> None:
    """是 requests one call with both, and both are told that the voice number will call."""
    asked = service.receive(LI, f"YY#{WANG}")
    assert asked.result is Result.ASKED
    assert [(reply.to, reply.sentence, reply.source) for reply in asked.replies] == [
        (LI, "voice.asked", Source.REPLY),
        (WANG, "voice.question", Source.QUESTION),
    ]
    answered = service.receive(WANG, "是", number_of_question(asked))
    assert answered.result is Result.DONE
    assert [(reply.to, reply.sentence) for reply in answered.replies] == [
        (WANG, "voice.calling"),
        (LI, "voice.accepted"),
    ]
    assert all("125862" in text for text in service.texts(answered))
    (event,) = answered.events
    assert (event.family, event.name, event.msisdn) == ("voice", "call_requested", LI)
    assert event.data == {"caller": LI, "callee": WANG}


def test_declined(service: InMemoryService) -> None:
    """否 tells both and requests no call."""
    address = number_of_question(service.receive(LI, f"YY#{WANG}"))
    answered = service.receive(WANG, "否", address)
    assert [(reply.to, reply.sentence) for reply in answered.replies] == [
        (WANG, "voice.declined.thanks"),
        (LI, "voice.declined"),
    ]
    assert [event.name for event in answered.events] == ["declined"]


def test_late_and_repeated_answers(service: InMemoryService) -> None:
    """An invitation is answered once and in time; else no call is requested."""
    address = number_of_question(service.receive(LI, f"YY#{WANG}"))
    service.now = service.customers[WANG].questions[-1].deadline
    late = service.receive(WANG, "是", address)
    assert (sentences(late), late.events) == (["answer.late"], [])
    address = number_of_question(service.receive(LI, f"YY#{WANG}"))
    service.receive(WANG, "是", address)
    again = service.receive(WANG, "是", address)
    assert (sentences(again), again.events) == (["answer.repeated"], [])


def test_nobody_is_invited_twice(service: InMemoryService) -> None:
    """An open invitation is not repeated; one in the other direction is allowed."""
    service.receive(LI, f"YY#{WANG}")
    again = service.receive(LI, f"YY{service.customers[WANG].fetion_number}")
    assert [(reply.to, reply.sentence) for reply in again.replies] == [(LI, "voice.asked.already")]
    assert service.receive(WANG, f"YY#{LI}").result is Result.ASKED
    service.pass_hours(ServiceLimits().question_hours)
    assert service.receive(LI, f"语音聊天 {WANG}").result is Result.ASKED


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
def test_who_cannot_be_invited(service: InMemoryService, obstacle: str, code: int, sentence: str) -> None:
    """Buddies only, and only those who can be reached: one sentence, nobody is asked."""
    to, wang = WANG, service.customers[WANG]
    if obstacle == "matched only":
        service.buddies[(LI, ZHAO)] = Buddy(LI, ZHAO, "", 0, matched_at=service.now)
        to = service.customers[ZHAO].fetion_number
    elif obstacle == "has blocked":
        service.buddies[(WANG, LI)] = replace(service.buddies[(WANG, LI)], blocked=True)
    elif obstacle == "refuses":
        wang.refuse_until = service.now + HOUR
    elif obstacle in {"suspended", "closed"}:
        wang.state = CustomerState(obstacle)
    elif obstacle == "busy":
        service.receive(ZHAO, f"HY#{WANG}")
        service.limits = ServiceLimits(open_questions=1)
    else:
        others = {
            "no buddy": ZHAO,
            "unknown handset": STRANGER,
            "unknown Fetion number": "999999999",
            "another operator": FOREIGN,
        }
        to = others.get(obstacle, LI)
    outcome = service.receive(LI, f"YY#{to}")
    assert (outcome.result, outcome.code) == (Result.REFUSED, Code(code))
    assert [(reply.to, reply.sentence) for reply in outcome.replies] == [(LI, sentence)]


@pytest.mark.parametrize("end", ["parted", "cancelled"])
def test_an_invitation_that_came_to_nothing(service: InMemoryService, end: str) -> None:
    """是 requests no call when the two are no buddies any more or the inviter has cancelled."""
    address = number_of_question(service.receive(LI, f"YY#{WANG}"))
    if end == "parted":
        service.receive(LI, f"SC#{WANG}")
    else:
        service.receive(LI, "是", number_of_question(service.receive(LI, "QXFX")))
    outcome = service.receive(WANG, "是", address)
    assert (sentences(outcome), outcome.events) == (["voice.gone"], [])
