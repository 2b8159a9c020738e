"""The handlers: opening, passwords, cancelling, answers, buddies, chat, and texts that are not understood."""

from dataclasses import replace

import pytest

from commands.handlers.questions import HOUR
from commands.model import CustomerState, Result, ServiceLimits, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, START, WANG, ZHAO, InMemoryService, number_of_question, sentences


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Nobody has opened yet."""
    return InMemoryService(commands, routing)


def result_of(
    service: InMemoryService, sender: str, text: str, to: str = "161"
) -> tuple[Result, list[tuple[str, str]]]:
    """The result, and which sentence was sent to whom."""
    outcome = service.receive(sender, text, to)
    return outcome.result, [(reply.to, reply.sentence) for reply in outcome.replies]


def test_open(service: InMemoryService) -> None:
    """KTFX opens with the first free Fetion number; the welcome carries no password."""
    outcome = service.receive(LI, "KTFX")
    assert outcome.result is Result.DONE
    assert [(reply.sentence, reply.source, reply.secret) for reply in outcome.replies] == [
        ("service.opened", Source.OPENING, False)
    ]
    assert "400000001" in service.texts(outcome)[0]
    assert [(event.family, event.name, event.msisdn) for event in outcome.events] == [
        ("service", "opened", LI)
    ]
    customer = service.customers[LI]
    assert (customer.state, customer.fetion_number, customer.opened_at) == (
        CustomerState.OPEN,
        "400000001",
        START,
    )
    assert customer.password == ""


def test_open_twice(service: InMemoryService) -> None:
    """KTFX of a customer with Fetion changes nothing and names the Fetion number."""
    service.open(LI)
    outcome = service.receive(LI, "KTFX")
    assert (outcome.result, outcome.events) == (Result.REFUSED, [])
    assert "400000001" in service.texts(outcome)[0]


def test_open_takes_a_number_nobody_holds(service: InMemoryService) -> None:
    """A drawn number that somebody holds is skipped; when all are held, the reply says to try later."""
    service.drawn_numbers = ("400000001", "400000002")
    service.open(LI, WANG)
    assert service.customers[WANG].fetion_number == "400000002"
    assert result_of(service, ZHAO, "KTFX") == (Result.REFUSED, [(ZHAO, "service.open.no_number")])
    assert ZHAO not in service.customers


@pytest.mark.parametrize(
    ("text", "to"), [("P", "161"), (f"HY#{WANG}", "161"), ("abc123", "12520050"), ("HY#", "161")]
)
def test_everything_else_needs_an_opened_service(service: InMemoryService, text: str, to: str) -> None:
    """A sender who has not opened gets the one sentence that names KTFX, and nothing is done."""
    outcome = service.receive(LI, text, to)
    assert (outcome.result, sentences(outcome)) == (Result.REFUSED, ["not_open"])
    assert "KTFX" in service.texts(outcome)[0]
    assert service.customers == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("CXFX", "service.state.none"),
        ("BZ", "help"),
        ("BZ#KTFX", "usage.service.open"),
        ("BZ#天气", "usage.help"),
        ("是", "answer.none"),
        ("QXFX", "service.cancel.not_open"),
        ("KFTX", "suggestion.question"),
        ("0000", "hint.services"),
        ("你好", "not_open"),
        ("QX\ufffd", "not_open"),
    ],
)
def test_what_a_stranger_hears(service: InMemoryService, text: str, sentence: str) -> None:
    """State, help, answers and suggestions work without Fetion; unclear texts are answered with KTFX."""
    assert sentences(service.receive(LI, text)) == [sentence]


def test_state(service: InMemoryService) -> None:
    """CXFX shows the Fetion number and the count of buddies."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    outcome = service.receive(LI, "CXFX")
    assert outcome.result is Result.DONE
    assert "400000001" in service.texts(outcome)[0]
    assert "1位" in service.texts(outcome)[0]


def test_random_password(service: InMemoryService) -> None:
    """P sends the drawn password in a secret reply and keeps its hash only."""
    service.open(LI)
    outcome = service.receive(LI, "P", drawn="Kq7mWx2p")
    assert [(reply.sentence, reply.secret) for reply in outcome.replies] == [("password.random", True)]
    assert "Kq7mWx2p" in service.texts(outcome)[0]
    assert [service.customers[LI].password] == ["hash of Kq7mWx2p"]
    assert "Kq7mWx2p" not in repr(outcome.events)


def test_own_password(service: InMemoryService) -> None:
    """A password sent to its number is stored as a hash and is not repeated."""
    service.open(LI)
    outcome = service.receive(LI, "S3cret!", "12520050")
    assert outcome.result is Result.DONE
    assert [service.customers[LI].password] == ["hash of S3cret!"]
    assert "S3cret!" not in repr(outcome)


def test_bad_password(service: InMemoryService) -> None:
    """A text that is no valid password is answered with the rules; the old password stays."""
    service.open(LI)
    assert result_of(service, LI, "密码一二三", "12520050") == (Result.USAGE, [(LI, "usage.password.set")])
    assert service.customers[LI].password == ""


def test_cancel_and_confirm(service: InMemoryService) -> None:
    """QXFX asks; 是 to the question's number cancels, frees the Fetion number and closes every question."""
    service.open(LI, WANG)
    service.receive(WANG, f"HY#{LI}")
    question = service.receive(LI, "QXFX")
    assert question.result is Result.ASKED
    assert "24小时" in service.texts(question)[0]
    assert service.customers[LI].state is CustomerState.OPEN
    outcome = service.receive(LI, "是", number_of_question(question))
    assert (outcome.result, [event.name for event in outcome.events]) == (Result.DONE, ["cancelled"])
    gone = service.customers[LI]
    assert (gone.state, gone.fetion_number, gone.opened_at, gone.password, gone.buddies) == (
        CustomerState.CLOSED,
        "",
        0,
        "",
        0,
    )
    assert all(each.closed for each in gone.questions)
    service.open(LI)
    assert service.customers[LI].fetion_number == "400000001"


def test_cancel_declined(service: InMemoryService) -> None:
    """否 to the question of QXFX keeps the service."""
    service.open(LI)
    question = service.receive(LI, "QXFX", "10086")
    assert result_of(service, LI, "否", number_of_question(question)) == (
        Result.DONE,
        [(LI, "service.cancel.kept")],
    )
    assert service.customers[LI].state is CustomerState.OPEN


def test_cancel_asked_again(service: InMemoryService) -> None:
    """QXFX while its question is open is the same question: serial, number and deadline stay."""
    service.open(LI)
    first = service.receive(LI, "QXFX", "10086")
    before = service.customers[LI].questions
    service.pass_hours(2.5)
    again = service.receive(LI, "QXFX", "161")
    assert again.result is Result.ASKED
    assert again.replies[0].detail == first.replies[0].detail
    assert service.customers[LI].questions == before
    assert "22小时" in service.texts(again)[0]


def test_answer_at_the_hot_line(service: InMemoryService) -> None:
    """At 1008619 without a serial, 是 means the newest question begun at 10086, not one begun elsewhere."""
    service.open(LI, WANG)
    service.receive(LI, "QXFX", "10086")
    service.receive(WANG, f"HY#{LI}")
    assert result_of(service, LI, "是", "1008619")[1] == [(LI, "service.cancelled")]


def test_answer_with_digits_that_are_no_serial(service: InMemoryService) -> None:
    """At 1008619, unknown digits mean the newest question begun there too."""
    service.open(LI)
    service.receive(LI, "QXFX", "10086")
    assert result_of(service, LI, "否", "100861977777")[1] == [(LI, "service.cancel.kept")]


def test_answer_at_a_base(service: InMemoryService) -> None:
    """At a base 是 answers the only open question; several are listed; without one the reply says so."""
    service.open(
        LI,
        WANG,
    )
    assert result_of(service, LI, "是") == (Result.REFUSED, [(LI, "answer.none")])
    service.receive(WANG, f"HY#{LI}")
    service.receive(LI, "QXFX")
    several = service.receive(LI, "是")
    assert sentences(several) == ["answer.several"]
    assert "00001 00002" in service.texts(several)[0]
    service.receive(LI, "否", "1252003300002")
    assert result_of(service, LI, "是")[1][0] == (LI, "buddy.added")


def test_answers_that_come_too_late_or_twice(service: InMemoryService) -> None:
    """A late answer, a repeated one, and one to another customer's serial get different replies."""
    service.open(LI, WANG)
    address = number_of_question(service.receive(LI, "QXFX"))
    assert result_of(service, WANG, "是", address) == (Result.REFUSED, [(WANG, "answer.unknown")])
    service.receive(LI, "否", address)
    assert result_of(service, LI, "是", address) == (Result.REFUSED, [(LI, "answer.repeated")])
    later = number_of_question(service.receive(LI, "QXFX"))
    assert later != address
    service.pass_hours(24)
    assert result_of(service, LI, "是", later) == (Result.REFUSED, [(LI, "answer.late")])
    assert service.customers[LI].state is CustomerState.OPEN


def test_another_text_to_a_question(service: InMemoryService) -> None:
    """An instruction to a question's number is run and followed by a reminder; an unclear answer gets only
    that."""
    service.open(LI)
    address = number_of_question(service.receive(LI, "QXFX"))
    assert result_of(service, LI, "CXFX", address)[1] == [
        (LI, "service.state.open"),
        (LI, "question.reminder"),
    ]
    assert result_of(service, LI, "是的好", address) == (Result.MISUNDERSTOOD, [(LI, "question.reminder")])
    assert result_of(service, LI, "KFTX", address)[1] == [
        (LI, "suggestion.question"),
        (LI, "question.reminder"),
    ]
    service.receive(LI, "否", address)
    assert result_of(service, LI, "是的好", address)[1] == [(LI, "misunderstood")]


def test_buddies(service: InMemoryService) -> None:
    """HY# asks under the name that the sender gives; 是 makes both buddies, and both are told."""
    service.open(LI, WANG)
    asked = service.receive(LI, f"HY#{WANG}#小李")
    assert asked.result is Result.ASKED
    assert [(reply.to, reply.sentence) for reply in asked.replies] == [
        (LI, "buddy.asked"),
        (WANG, "buddy.question"),
    ]
    assert "小李" in service.texts(asked)[1]
    assert LI not in service.texts(asked)[1]
    added = service.receive(WANG, "是", number_of_question(asked))
    assert [(reply.to, reply.sentence, reply.source) for reply in added.replies] == [
        (WANG, "buddy.added", Source.REPLY),
        (LI, "buddy.accepted", Source.NOTICE),
    ]
    assert set(service.buddies) == {(LI, WANG), (WANG, LI)}
    assert service.buddies[(WANG, LI)].name == "小李"
    assert (service.customers[LI].buddies, service.customers[WANG].buddies) == (1, 1)


def test_buddy_without_a_name(service: InMemoryService) -> None:
    """Without a name the asker is shown by mobile, or by Fetion number when he hides it."""
    service.open(LI, WANG)
    assert LI in service.texts(service.receive(LI, f"HY#{WANG}"))[1]
    service.customers[WANG].hides_mobile = True
    service.pass_hours(25)
    hidden = service.texts(service.receive(WANG, f"HY#{LI}"))[1]
    assert service.customers[WANG].fetion_number in hidden
    assert WANG not in hidden


def test_buddy_by_fetion_number(service: InMemoryService) -> None:
    """HY# with a Fetion number asks its holder; the asker is told that number, not the mobile."""
    service.open(LI, WANG)
    asked = service.receive(LI, "HY#400000002")
    assert asked.replies[1].to == WANG
    assert "400000002" in service.texts(asked)[0]
    assert WANG not in service.texts(asked)[0]


def test_buddy_declined(service: InMemoryService) -> None:
    """否: the asker is told, the answerer gets a confirmation, nobody is a buddy."""
    service.open(LI, WANG)
    asked = service.receive(LI, f"HY#{WANG}")
    assert result_of(service, WANG, "不同意", number_of_question(asked)) == (
        Result.DONE,
        [(WANG, "buddy.declined.thanks"), (LI, "buddy.declined")],
    )
    assert service.buddies == {}


def test_buddy_refusals(service: InMemoryService) -> None:
    """Not asked: the sender, a mobile without Fetion or of another operator, one already asked, a buddy."""
    service.open(LI, WANG)
    assert result_of(service, LI, f"HY#{LI}")[1] == [(LI, "buddy.oneself")]
    assert result_of(service, LI, "HY#400000001")[1] == [(LI, "buddy.oneself")]
    assert result_of(service, LI, f"HY#{ZHAO}")[1] == [(LI, "buddy.not_open")]
    assert result_of(service, LI, "HY#499999999")[1] == [(LI, "buddy.not_open")]
    assert result_of(service, LI, "HY#13012345678")[1] == [(LI, "buddy.foreign")]
    service.receive(LI, f"HY#{WANG}")
    assert result_of(service, LI, f"HY#{WANG}")[1] == [(LI, "buddy.asked.already")]
    service.receive(WANG, "是")
    assert result_of(service, LI, f"HY#{WANG}")[1] == [(LI, "buddy.already")]
    assert len(service.customers[WANG].questions) == 1


def test_both_asked_each_other(service: InMemoryService) -> None:
    """When both asked and both agree, the second answer says that they are buddies; each counts once."""
    service.open(LI, WANG)
    service.receive(LI, f"HY#{WANG}")
    service.receive(WANG, f"HY#{LI}")
    service.receive(WANG, "是")
    assert result_of(service, LI, "是") == (Result.REFUSED, [(LI, "buddy.already")])
    assert (service.customers[LI].buddies, service.customers[WANG].buddies) == (1, 1)


def test_full_lists(service: InMemoryService) -> None:
    """A full list stops the request, and the agreement when it has filled up since."""
    service.limits = ServiceLimits(buddies=1)
    service.open(LI, WANG, ZHAO)
    waiting = service.receive(LI, f"HY#{WANG}")
    service.befriend(ZHAO, LI)
    assert result_of(service, LI, f"HY#{WANG}")[1] == [(LI, "buddy.full")]
    assert result_of(service, WANG, f"HY#{LI}")[1] == [(WANG, "buddy.other_full")]
    assert result_of(service, WANG, "是", number_of_question(waiting))[1] == [
        (WANG, "buddy.other_full"),
        (LI, "buddy.full"),
    ]


def test_many_open_questions(service: InMemoryService) -> None:
    """Questions of others are limited; the customer's own QXFX always gets its question."""
    service.limits = ServiceLimits(open_questions=1)
    service.open(LI, WANG, ZHAO)
    service.receive(LI, f"HY#{WANG}")
    assert result_of(service, ZHAO, f"HY#{WANG}")[1] == [(ZHAO, "buddy.other_busy")]
    assert result_of(service, WANG, "QXFX") == (Result.ASKED, [(WANG, "service.cancel.question")])
    assert result_of(service, WANG, "否")[1] == [(WANG, "service.cancel.kept")]


def test_buddies_of_a_customer_who_left(service: InMemoryService) -> None:
    """A customer who cancels and opens again has no buddies; a new agreement counts once on each side."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    waiting = service.receive(WANG, "QXFX")
    service.receive(WANG, "是", number_of_question(waiting))
    assert result_of(service, LI, "你好", f"12520{WANG}")[1] == [(LI, "chat.closed")]
    service.open(WANG)
    assert result_of(service, LI, "你好", f"12520{WANG}")[1] == [(LI, "chat.not_buddy")]
    assert result_of(service, WANG, "你好", f"12520{LI}")[1] == [(WANG, "chat.not_buddy")]
    service.befriend(WANG, LI)
    assert (service.customers[LI].buddies, service.customers[WANG].buddies) == (1, 1)
    assert service.receive(LI, "你好", f"12520{WANG}").result is Result.CHAT


def test_asker_left_meanwhile(service: InMemoryService) -> None:
    """When the asker has cancelled, 是 makes no buddies, and 否 tells nobody else."""
    service.open(LI, WANG)
    asked = service.receive(LI, f"HY#{WANG}")
    service.receive(LI, "QXFX")
    service.receive(LI, "是")
    assert result_of(service, WANG, "是", number_of_question(asked)) == (
        Result.REFUSED,
        [(WANG, "buddy.gone")],
    )
    service.open(LI)
    asked = service.receive(LI, f"HY#{WANG}")
    service.receive(LI, "QXFX")
    service.receive(LI, "是")
    assert result_of(service, WANG, "否", number_of_question(asked)) == (
        Result.DONE,
        [(WANG, "buddy.declined.thanks")],
    )


@pytest.mark.parametrize("text", ["KTFX", "  周末？\n一起吃饭😀 ", "HY#13912345678", "\ufffd?", "字" * 180])
def test_chat_word_for_word(service: InMemoryService, text: str) -> None:
    """Buddies get texts unchanged, from a number that can be answered; the sender gets no SMS."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    outcome = service.receive(LI, text, f"12520{WANG}")
    assert outcome.result is Result.CHAT
    assert service.texts(outcome) == [text]
    assert [(reply.to, reply.source, reply.detail) for reply in outcome.replies] == [(WANG, Source.CHAT, LI)]


def test_chat_from_a_hidden_mobile(service: InMemoryService) -> None:
    """A customer who hides the mobile writes from the Fetion number and is reached there."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    service.customers[LI].hides_mobile = True
    assert service.receive(LI, "你好", f"12520{WANG}").replies[0].detail == "400000001"
    assert service.receive(WANG, "你好", "12520400000001").replies[0].to == LI


@pytest.mark.parametrize(
    ("text", "to", "sentence"),
    [
        ("你好", f"12520{LI}", "chat.oneself"),
        ("你好", "12520400000001", "chat.oneself"),
        ("你好", "12520499999999", "chat.unknown"),
        ("你好", "1252013012345678", "chat.foreign"),
        ("你好", f"12520{ZHAO}", "chat.not_open"),
        ("你好", f"12520{WANG}", "chat.not_buddy"),
        ("", f"12520{WANG}", "chat.empty"),
        (" \n", f"12520{WANG}", "chat.empty"),
        ("字" * 181, f"12520{WANG}", "chat.too_long"),
    ],
)
def test_chat_failures(service: InMemoryService, text: str, to: str, sentence: str) -> None:
    """A chat message that is not delivered is answered with one sentence, from the number written to."""
    service.open(LI, WANG)
    outcome = service.receive(LI, text, to)
    assert outcome.result is Result.REFUSED
    assert [(reply.to, reply.sentence, reply.source) for reply in outcome.replies] == [
        (LI, sentence, Source.DIALLED)
    ]


def test_chat_of_a_stranger(service: InMemoryService) -> None:
    """A chat message of a sender without Fetion is answered with the way to open it."""
    assert result_of(service, LI, "你好", f"12520{WANG}") == (Result.REFUSED, [(LI, "not_open")])


@pytest.mark.parametrize(
    ("to", "sentence"),
    [("12520471", "place.province"), ("125862", "place.voice"), ("12520055", "place.none")],
)
def test_numbers_without_instructions(service: InMemoryService, to: str, sentence: str) -> None:
    """A number that takes no instruction answers with its sentence, whoever writes."""
    assert result_of(service, LI, "KTFX", to) == (Result.REFUSED, [(LI, sentence)])


@pytest.mark.parametrize(
    ("text", "to", "result", "sentence"),
    [
        ("你好", "161", Result.MISUNDERSTOOD, "misunderstood"),
        ("KFTX", "161", Result.MISUNDERSTOOD, "suggestion.question"),
        ("KT\ufffd", "161", Result.MISUNDERSTOOD, "garbled"),
        ("P abc123", "161", Result.MISUNDERSTOOD, "password.attempt"),
        ("HYLB", "10086", Result.MISUNDERSTOOD, "elsewhere.base"),
        ("HY#1", "161", Result.USAGE, "usage.buddy.add"),
    ],
)
def test_texts_that_are_not_understood(
    service: InMemoryService, text: str, to: str, result: Result, sentence: str
) -> None:
    """The reply says what to do instead, and only the help that was sent is stored."""
    service.open(LI)
    before = service.customers[LI]
    assert result_of(service, LI, text, to) == (result, [(LI, sentence)])
    after = service.customers[LI]
    assert replace(after, helped=(), questions=(), last_serial=0) == before


def test_questions_expire_exactly_at_the_deadline(service: InMemoryService) -> None:
    """A question can be answered until its deadline, not at it."""
    service.open(LI)
    address = number_of_question(service.receive(LI, "QXFX"))
    service.now = service.customers[LI].questions[0].deadline - 1
    assert result_of(service, LI, "否", address)[1] == [(LI, "service.cancel.kept")]
    address = number_of_question(service.receive(LI, "QXFX"))
    asked = service.customers[LI].questions[-1]
    assert asked.deadline == asked.asked_at + 24 * HOUR
    service.now = asked.deadline
    assert result_of(service, LI, "否", address)[1] == [(LI, "answer.late")]
