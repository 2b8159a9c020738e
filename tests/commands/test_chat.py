"""Chat: who may write to whom, how long and how often, forbidden words, and the reply to each failure."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commands.codes import Code
from commands.handlers import chat, people, voice
from commands.limits import ServiceLimits
from commands.model import Buddy, CustomerState, Outcome, Result, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands import script_chat
from tests.commands.in_memory import LI, WANG, ZHAO, InMemoryService, number_of_question
from tests.commands.script_buddies import AllWordsSensitive

DAY = 24 * 3_600_000


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Li and Wang are buddies, Zhao has opened."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG, ZHAO)
    service.befriend(LI, WANG)
    return service


def write(service: InMemoryService, to: str = WANG, text: str = "你好", sender: str = LI) -> Outcome:
    """Send a chat message to a person's number."""
    return service.receive(sender, text, f"12520{to}")


def refusal(outcome: Outcome) -> tuple[int, str, Source]:
    """Code, sentence and source of a chat message that was not delivered: one SMS, to the sender."""
    assert outcome.result is Result.REFUSED
    (reply,) = outcome.replies
    assert reply.to == LI
    return outcome.code, reply.sentence, reply.source


@pytest.mark.parametrize("way", ["to the number", "FS"])
@pytest.mark.parametrize("by", ["mobile", "Fetion number"])
def test_a_text_reaches_a_buddy(service: InMemoryService, way: str, by: str) -> None:
    """By either way the text arrives unchanged, from a number that can be answered; the sender gets no
    SMS."""
    number = WANG if by == "mobile" else service.customers[WANG].fetion_number
    text = "  你好，王！\n#1 KTFX "
    outcome = (
        write(service, number, text) if way == "to the number" else service.receive(LI, f"FS#{number}#{text}")
    )
    assert (outcome.result, outcome.code) == (Result.CHAT, Code.OK)
    (message,) = outcome.replies
    assert (message.to, message.source, message.detail) == (WANG, Source.CHAT, LI)
    assert message.values == {"text": text if way == "to the number" else text.lstrip(" ")}


def test_a_hidden_mobile_stays_hidden(service: InMemoryService) -> None:
    """A sender who hides the mobile is shown by Fetion number, and an answer to it arrives."""
    service.receive(LI, "YS#0")
    (message,) = write(service).replies
    assert message.detail == service.customers[LI].fetion_number
    assert LI not in repr(message)
    assert write(service, message.detail, sender=WANG).replies[0].to == LI


def blocks(service: InMemoryService, owner: str, other: str) -> None:
    """Put a customer on a black list."""
    service.buddies[(owner, other)] = replace(service.buddies[(owner, other)], blocked=True)


@pytest.mark.parametrize("way", ["to the number", "FS"])
@pytest.mark.parametrize(
    ("obstacle", "code", "sentence"),
    [
        ("suspended", 488, "chat.suspended"),
        ("closed", 422, "chat.closed"),
        ("not open", 422, "chat.not_open"),
        ("unknown handset", 422, "chat.not_open"),
        ("unknown Fetion number", 404, "chat.unknown"),
        ("another operator", 403, "chat.foreign"),
        ("refuses", 405, "chat.refusing"),
        ("has blocked", 401, "chat.blocked"),
        ("is blocked", 401, "chat.blocking"),
        ("no buddy", 401, "chat.not_buddy"),
        ("sensitive", 406, "chat.sensitive"),
        ("oneself", 400, "chat.oneself"),
        ("too long", 400, "chat.too_long"),
    ],
)
def test_what_keeps_a_text_from_arriving(
    service: InMemoryService, obstacle: str, code: int, sentence: str, way: str
) -> None:
    """Each obstacle has its code and its sentence, sent from the number that was written to."""
    to, text = WANG, "你好"
    wang = service.customers[WANG]
    if obstacle in {"suspended", "closed", "not open"}:
        wang.state = {"suspended": CustomerState.SUSPENDED, "closed": CustomerState.CLOSED}.get(
            obstacle, CustomerState.NONE
        )
    elif obstacle == "refuses":
        wang.refuse_until = service.now + DAY
    elif obstacle in {"has blocked", "is blocked"}:
        blocks(service, *((WANG, LI) if obstacle == "has blocked" else (LI, WANG)))
    elif obstacle == "sensitive":
        service.words = AllWordsSensitive()
    elif obstacle == "too long":
        text = "字" * 181
    else:
        others = {
            "unknown handset": script_chat.STRANGER,
            "unknown Fetion number": "999999999",
            "another operator": script_chat.FOREIGN,
            "no buddy": ZHAO,
        }
        to = others.get(obstacle, LI)
    before = service.customers[LI].sent
    outcome = write(service, to, text) if way == "to the number" else service.receive(LI, f"FS#{to}#{text}")
    source = Source.DIALLED if way == "to the number" else Source.REPLY
    assert refusal(outcome) == (code, sentence, source)
    assert service.customers[LI].sent == before


def test_refusing_ends_by_itself(service: InMemoryService) -> None:
    """SMS are refused until the chosen time, and not at it."""
    service.customers[WANG].refuse_until = service.now + DAY
    assert write(service).code == Code.NOT_ACCEPTED
    service.now = service.customers[WANG].refuse_until
    assert write(service).result is Result.CHAT


def test_strangers_learn_nothing_about_a_line(service: InMemoryService) -> None:
    """A stranger is refused as a stranger, whether or not the line is cut or SMS are refused."""
    service.customers[ZHAO].state = CustomerState.SUSPENDED
    service.customers[ZHAO].refuse_until = service.now + DAY
    assert refusal(write(service, ZHAO))[:2] == (401, "chat.not_buddy")


def test_long_texts(service: InMemoryService) -> None:
    """A message of limits.message_length characters is delivered, a longer one is not."""
    assert write(service, text="字" * 180).result is Result.CHAT
    assert refusal(write(service, text="字" * 181))[:2] == (400, "chat.too_long")
    service.limits = ServiceLimits(message_length=70)
    assert write(service, text="字" * 70).result is Result.CHAT
    assert refusal(write(service, text="字" * 71))[:2] == (400, "chat.too_long")


@pytest.mark.parametrize("text", ["", " ", "\u3000\n"])
def test_empty_texts(service: InMemoryService, text: str) -> None:
    """A message without content is not delivered."""
    assert refusal(write(service, text=text))[:2] == (400, "chat.empty")


def test_the_quota_of_a_day(service: InMemoryService) -> None:
    """Above limits.sms_per_day messages are refused (486) until midnight in the service's zone."""
    service.zone = ZoneInfo("Asia/Shanghai")
    service.limits = ServiceLimits(sms_per_day=2)
    service.now = milliseconds(2007, 3, 31, 15, 59)  # 23:59 in Shanghai
    assert [write(service).code for _ in range(3)] == [200, 200, 486]
    assert refusal(write(service))[1] == "chat.quota_day"
    service.now = milliseconds(2007, 3, 31, 16, 0)
    assert [write(service).code for _ in range(3)] == [200, 200, 486]


def test_the_quota_of_a_month(service: InMemoryService) -> None:
    """Above limits.sms_per_month messages are refused until the next month begins in the service's zone."""
    service.zone = ZoneInfo("Asia/Shanghai")
    service.limits = ServiceLimits(sms_per_month=3)
    service.now = milliseconds(2007, 3, 30, 4, 0)
    assert [write(service).code for _ in range(2)] == [200, 200]
    service.now = milliseconds(2007, 3, 31, 4, 0)
    assert [write(service).code for _ in range(2)] == [200, 486]
    assert refusal(write(service))[1] == "chat.quota_month"
    service.now = milliseconds(2007, 3, 31, 16, 0)
    assert write(service).code == 200


def milliseconds(*moment: int) -> int:
    """A moment in UTC."""
    year, month, day, hour, minute = moment
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


def test_matched_strangers_may_write(service: InMemoryService) -> None:
    """Matched strangers may write to each other for a day, without showing a mobile."""
    service.buddies[(LI, ZHAO)] = Buddy(LI, ZHAO, "", 0, matched_at=service.now)
    for sender, other in ((LI, ZHAO), (ZHAO, LI)):
        outcome = write(service, service.customers[other].fetion_number, sender=sender)
        assert outcome.result is Result.CHAT
        assert outcome.replies[0].detail == service.customers[sender].fetion_number
    service.now += people.MATCHED_FOR
    assert refusal(write(service, ZHAO))[1] == "chat.not_buddy"


def test_a_match_ends_with_the_service(service: InMemoryService) -> None:
    """A match ends when one of the two cancels, also if he opens again."""
    service.buddies[(LI, ZHAO)] = Buddy(LI, ZHAO, "", 0, matched_at=service.now)
    service.now += 1000
    service.customers[ZHAO].opened_at = service.now
    assert refusal(write(service, ZHAO))[1] == "chat.not_buddy"


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("HYLB", "161"),
        ("QXFX", "10086"),
        ("是", "161"),
        ("P", "161"),
        ("abc123", "12520050"),
        ("你好", "161"),
        ("你好", f"12520{WANG}"),
        (f"FS#{WANG}#你好", "161"),
        ("HY#", "161"),
        ("KTFX", "12520471"),
    ],
)
def test_states_of_the_sender(service: InMemoryService, text: str, to: str) -> None:
    """A sender whose line is cut, or whose account is protected, gets one sentence, and nothing is done."""
    li = service.customers[LI]
    li.state = CustomerState.SUSPENDED
    outcome = service.receive(LI, text, to)
    assert (outcome.result, outcome.code) == (Result.REFUSED, Code.SUSPENDED)
    assert [(reply.to, reply.sentence) for reply in outcome.replies] == [(LI, "suspended")]
    li.state, li.protected = CustomerState.OPEN, True
    outcome = service.receive(LI, text, to)
    assert (outcome.result, outcome.code) == (Result.REFUSED, Code.PROTECTED)
    assert [(reply.to, reply.sentence) for reply in outcome.replies] == [(LI, "protected")]
    assert service.customers[LI] is li


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("BZ", "help"),
        ("BZ#U", "usage.account.unlock"),
        ("KTFX", "service.open.already"),
        ("U", "account.unlocked"),
        ("CXFX", "service.state.open"),
    ],
)
def test_what_works_in_every_state(service: InMemoryService, text: str, sentence: str) -> None:
    """Help works in every state; opening, state and U work for a protected account but not for a cut line."""
    li = service.customers[LI]
    li.state = CustomerState.SUSPENDED
    answered = service.receive(LI, text).replies[0].sentence
    assert answered == (sentence if text.startswith("BZ") else "suspended")
    service.pass_hours(1)
    service.customers[LI].state, service.customers[LI].protected = CustomerState.OPEN, True
    assert service.receive(LI, text).replies[0].sentence == sentence


def test_every_barrier_has_an_answer() -> None:
    """Chat and voice chat have a code and a sentence for every barrier."""
    assert set(chat.BARRED) == set(voice.BARRED) == set(people.Barrier)


def test_answers_go_back_to_the_chat(service: InMemoryService) -> None:
    """A text to a person's number is chat, even the word of an instruction; no question is opened."""
    outcome = write(service, text="QXFX")
    assert (outcome.result, outcome.replies[0].values) == (Result.CHAT, {"text": "QXFX"})
    assert not any(each.is_open(service.now) for each in service.customers[LI].questions)
    assert number_of_question(service.receive(LI, "QXFX")).startswith("12520033")
