"""Handlers at work: what customers do with each other, and every sentence they can be told."""

from dataclasses import replace

import pytest

from commands.handlers.questions import HOUR
from commands.model import CustomerState, Result, ServiceLimits, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.desk import LI, START, WANG, ZHAO, Desk, number_of_question


@pytest.fixture
def desk(commands: Commands, routing: Routing) -> Desk:
    """Nobody has opened yet."""
    return Desk(commands, routing)


def said(desk: Desk, sender: str, text: str, to: str = "161") -> tuple[Result, list[tuple[str, str]]]:
    """Result, and who was told which sentence."""
    outcome = desk.say(sender, text, to)
    return outcome.result, [(reply.to, reply.sentence) for reply in outcome.replies]


def test_open(desk: Desk) -> None:
    """KTFX opens with the first free Fetion number; the welcome carries no password."""
    outcome = desk.say(LI, "KTFX")
    assert outcome.result is Result.DONE
    assert [(reply.sentence, reply.source, reply.secret) for reply in outcome.replies] == [
        ("service.opened", Source.OPENING, False)
    ]
    assert "400000001" in desk.texts(outcome)[0]
    assert [(event.family, event.name, event.msisdn) for event in outcome.events] == [
        ("service", "opened", LI)
    ]
    customer = desk.customers[LI]
    assert (customer.state, customer.fetion_number, customer.opened_at) == (
        CustomerState.OPEN,
        "400000001",
        START,
    )
    assert customer.password == ""


def test_open_twice(desk: Desk) -> None:
    """KTFX of somebody who has opened changes nothing and says which number it is."""
    desk.open(LI)
    outcome = desk.say(LI, "KTFX")
    assert (outcome.result, outcome.events) == (Result.REFUSED, [])
    assert "400000001" in desk.texts(outcome)[0]


def test_open_takes_a_number_nobody_holds(desk: Desk) -> None:
    """A drawn number that somebody holds is passed over; when all are held, the customer is to try later."""
    desk.open(LI, WANG)
    assert desk.customers[WANG].fetion_number == "400000002"
    assert said(desk, ZHAO, "KTFX") == (Result.REFUSED, [(ZHAO, "service.open.no_number")])
    assert ZHAO not in desk.customers


@pytest.mark.parametrize(
    ("text", "to"), [("P", "161"), (f"HY#{WANG}", "161"), ("abc123", "12520050"), ("HY#", "161")]
)
def test_everything_else_needs_an_opened_service(desk: Desk, text: str, to: str) -> None:
    """A sender who has not opened gets the one sentence that names KTFX, and nothing is done."""
    outcome = desk.say(LI, text, to)
    assert (outcome.result, [reply.sentence for reply in outcome.replies]) == (Result.REFUSED, ["not_open"])
    assert "KTFX" in desk.texts(outcome)[0]
    assert desk.customers == {}


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
def test_what_a_stranger_hears(desk: Desk, text: str, sentence: str) -> None:
    """State, help, answers and suggestions work without opening; what is unclear is answered with KTFX."""
    assert [reply.sentence for reply in desk.say(LI, text).replies] == [sentence]


def test_state(desk: Desk) -> None:
    """CXFX tells Fetion number and buddies."""
    desk.open(LI, WANG)
    desk.befriend(LI, WANG)
    outcome = desk.say(LI, "CXFX")
    assert outcome.result is Result.DONE
    assert "400000001" in desk.texts(outcome)[0]
    assert "1位" in desk.texts(outcome)[0]


def test_random_password(desk: Desk) -> None:
    """P sends the drawn password in a secret reply and keeps its hash only."""
    desk.open(LI)
    outcome = desk.say(LI, "P", drawn="Kq7mWx2p")
    assert [(reply.sentence, reply.secret) for reply in outcome.replies] == [("password.random", True)]
    assert "Kq7mWx2p" in desk.texts(outcome)[0]
    assert [desk.customers[LI].password] == ["hash of Kq7mWx2p"]
    assert "Kq7mWx2p" not in repr(outcome.events)


def test_own_password(desk: Desk) -> None:
    """A password sent to its number is stored as a hash and repeated nowhere."""
    desk.open(LI)
    outcome = desk.say(LI, "S3cret!", "12520050")
    assert outcome.result is Result.DONE
    assert [desk.customers[LI].password] == ["hash of S3cret!"]
    assert "S3cret!" not in repr(outcome)


def test_bad_password(desk: Desk) -> None:
    """A text that may be no password gets the rules, and the old password stays."""
    desk.open(LI)
    assert said(desk, LI, "密码一二三", "12520050") == (Result.USAGE, [(LI, "usage.password.set")])
    assert desk.customers[LI].password == ""


def test_cancel_and_confirm(desk: Desk) -> None:
    """QXFX asks; 是 to the question's number cancels, frees the Fetion number and closes every question."""
    desk.open(LI, WANG)
    desk.say(WANG, f"HY#{LI}")
    question = desk.say(LI, "QXFX")
    assert question.result is Result.ASKED
    assert "24小时" in desk.texts(question)[0]
    assert desk.customers[LI].state is CustomerState.OPEN
    outcome = desk.say(LI, "是", number_of_question(question))
    assert (outcome.result, [event.name for event in outcome.events]) == (Result.DONE, ["cancelled"])
    gone = desk.customers[LI]
    assert (gone.state, gone.fetion_number, gone.opened_at, gone.password, gone.buddies) == (
        CustomerState.CLOSED,
        "",
        0,
        "",
        0,
    )
    assert all(each.closed for each in gone.questions)
    desk.open(LI)
    assert desk.customers[LI].fetion_number == "400000001"


def test_cancel_declined(desk: Desk) -> None:
    """否 to the question of QXFX keeps the service."""
    desk.open(LI)
    question = desk.say(LI, "QXFX", "10086")
    assert said(desk, LI, "否", number_of_question(question)) == (Result.DONE, [(LI, "service.cancel.kept")])
    assert desk.customers[LI].state is CustomerState.OPEN


def test_cancel_asked_again(desk: Desk) -> None:
    """QXFX while its question is open is the same question: serial, number and deadline stay."""
    desk.open(LI)
    first = desk.say(LI, "QXFX", "10086")
    before = desk.customers[LI].questions
    desk.pass_hours(2.5)
    again = desk.say(LI, "QXFX", "161")
    assert again.result is Result.ASKED
    assert again.replies[0].detail == first.replies[0].detail
    assert desk.customers[LI].questions == before
    assert "22小时" in desk.texts(again)[0]


def test_answer_at_the_hot_line(desk: Desk) -> None:
    """At 1008619 without a serial, 是 means the newest question begun at 10086, not one begun elsewhere."""
    desk.open(LI, WANG)
    desk.say(LI, "QXFX", "10086")
    desk.say(WANG, f"HY#{LI}")
    assert said(desk, LI, "是", "1008619")[1] == [(LI, "service.cancelled")]


def test_answer_with_digits_that_are_no_serial(desk: Desk) -> None:
    """At 1008619, digits that are no serial of his mean the newest question begun there too."""
    desk.open(LI)
    desk.say(LI, "QXFX", "10086")
    assert said(desk, LI, "否", "100861977777")[1] == [(LI, "service.cancel.kept")]


def test_answer_at_a_base(desk: Desk) -> None:
    """At a base exactly one open question takes the answer; several are listed; none is said."""
    desk.open(
        LI,
        WANG,
    )
    assert said(desk, LI, "是") == (Result.REFUSED, [(LI, "answer.none")])
    desk.say(WANG, f"HY#{LI}")
    desk.say(LI, "QXFX")
    several = desk.say(LI, "是")
    assert [reply.sentence for reply in several.replies] == ["answer.several"]
    assert "00001 00002" in desk.texts(several)[0]
    desk.say(LI, "否", "1252003300002")
    assert said(desk, LI, "是")[1][0] == (LI, "buddy.added")


def test_answers_that_come_too_late_or_twice(desk: Desk) -> None:
    """A late answer, a repeated one and one to somebody else's serial are told apart from each other."""
    desk.open(LI, WANG)
    address = number_of_question(desk.say(LI, "QXFX"))
    assert said(desk, WANG, "是", address) == (Result.REFUSED, [(WANG, "answer.unknown")])
    desk.say(LI, "否", address)
    assert said(desk, LI, "是", address) == (Result.REFUSED, [(LI, "answer.repeated")])
    later = number_of_question(desk.say(LI, "QXFX"))
    assert later != address
    desk.pass_hours(24)
    assert said(desk, LI, "是", later) == (Result.REFUSED, [(LI, "answer.late")])
    assert desk.customers[LI].state is CustomerState.OPEN


def test_another_text_to_a_question(desk: Desk) -> None:
    """An instruction to a question's number is done and a reminder follows, alone after an unclear answer."""
    desk.open(LI)
    address = number_of_question(desk.say(LI, "QXFX"))
    assert said(desk, LI, "CXFX", address)[1] == [(LI, "service.state.open"), (LI, "question.reminder")]
    assert said(desk, LI, "是的好", address) == (Result.MISUNDERSTOOD, [(LI, "question.reminder")])
    assert said(desk, LI, "KFTX", address)[1] == [(LI, "suggestion.question"), (LI, "question.reminder")]
    desk.say(LI, "否", address)
    assert said(desk, LI, "是的好", address)[1] == [(LI, "misunderstood")]


def test_buddies(desk: Desk) -> None:
    """HY# asks under the sender's own name; 是 gives each the other, and both are told."""
    desk.open(LI, WANG)
    asked = desk.say(LI, f"HY#{WANG}#小李")
    assert asked.result is Result.ASKED
    assert [(reply.to, reply.sentence) for reply in asked.replies] == [
        (LI, "buddy.asked"),
        (WANG, "buddy.question"),
    ]
    assert "小李" in desk.texts(asked)[1]
    assert LI not in desk.texts(asked)[1]
    added = desk.say(WANG, "是", number_of_question(asked))
    assert [(reply.to, reply.sentence, reply.source) for reply in added.replies] == [
        (WANG, "buddy.added", Source.REPLY),
        (LI, "buddy.accepted", Source.NOTICE),
    ]
    assert set(desk.buddies) == {(LI, WANG), (WANG, LI)}
    assert desk.buddies[(WANG, LI)].name == "小李"
    assert (desk.customers[LI].buddies, desk.customers[WANG].buddies) == (1, 1)


def test_buddy_without_a_name(desk: Desk) -> None:
    """Without a name the asker is shown by mobile, or by Fetion number when he hides it."""
    desk.open(LI, WANG)
    assert LI in desk.texts(desk.say(LI, f"HY#{WANG}"))[1]
    desk.customers[WANG].hides_mobile = True
    desk.pass_hours(25)
    hidden = desk.texts(desk.say(WANG, f"HY#{LI}"))[1]
    assert desk.customers[WANG].fetion_number in hidden
    assert WANG not in hidden


def test_buddy_by_fetion_number(desk: Desk) -> None:
    """A Fetion number reaches its holder, and is what the asker keeps hearing."""
    desk.open(LI, WANG)
    asked = desk.say(LI, "HY#400000002")
    assert asked.replies[1].to == WANG
    assert "400000002" in desk.texts(asked)[0]
    assert WANG not in desk.texts(asked)[0]


def test_buddy_declined(desk: Desk) -> None:
    """否: the asker is told, the answerer thanked, nobody is a buddy."""
    desk.open(LI, WANG)
    asked = desk.say(LI, f"HY#{WANG}")
    assert said(desk, WANG, "不同意", number_of_question(asked)) == (
        Result.DONE,
        [(WANG, "buddy.declined.thanks"), (LI, "buddy.declined")],
    )
    assert desk.buddies == {}


def test_buddy_refusals(desk: Desk) -> None:
    """Not asked: oneself, who has no Fetion, another operator's customer, who was asked already, a buddy."""
    desk.open(LI, WANG)
    assert said(desk, LI, f"HY#{LI}")[1] == [(LI, "buddy.oneself")]
    assert said(desk, LI, "HY#400000001")[1] == [(LI, "buddy.oneself")]
    assert said(desk, LI, f"HY#{ZHAO}")[1] == [(LI, "buddy.not_open")]
    assert said(desk, LI, "HY#499999999")[1] == [(LI, "buddy.not_open")]
    assert said(desk, LI, "HY#13012345678")[1] == [(LI, "buddy.foreign")]
    desk.say(LI, f"HY#{WANG}")
    assert said(desk, LI, f"HY#{WANG}")[1] == [(LI, "buddy.asked.already")]
    desk.say(WANG, "是")
    assert said(desk, LI, f"HY#{WANG}")[1] == [(LI, "buddy.already")]
    assert len(desk.customers[WANG].questions) == 1


def test_both_asked_each_other(desk: Desk) -> None:
    """When both asked and both say 是, the second hears that they are buddies; each counts once."""
    desk.open(LI, WANG)
    desk.say(LI, f"HY#{WANG}")
    desk.say(WANG, f"HY#{LI}")
    desk.say(WANG, "是")
    assert said(desk, LI, "是") == (Result.REFUSED, [(LI, "buddy.already")])
    assert (desk.customers[LI].buddies, desk.customers[WANG].buddies) == (1, 1)


def test_full_lists(desk: Desk) -> None:
    """A full list of buddies stops the asker at once, and the answerer when it has filled up meanwhile."""
    desk.limits = ServiceLimits(buddies=1)
    desk.open(LI, WANG)
    desk.numbers = desk.numbers[2:]
    desk.open(ZHAO)
    waiting = desk.say(LI, f"HY#{WANG}")
    desk.befriend(ZHAO, LI)
    assert said(desk, LI, f"HY#{WANG}")[1] == [(LI, "buddy.full")]
    assert said(desk, WANG, f"HY#{LI}")[1] == [(WANG, "buddy.other_full")]
    assert said(desk, WANG, "是", number_of_question(waiting))[1] == [
        (WANG, "buddy.other_full"),
        (LI, "buddy.full"),
    ]


def test_many_open_questions(desk: Desk) -> None:
    """Others put no more questions to a customer than allowed; his own wish to cancel always gets its own."""
    desk.limits = ServiceLimits(open_questions=1)
    desk.open(LI, WANG)
    desk.numbers = desk.numbers[2:]
    desk.open(ZHAO)
    desk.say(LI, f"HY#{WANG}")
    assert said(desk, ZHAO, f"HY#{WANG}")[1] == [(ZHAO, "buddy.other_busy")]
    assert said(desk, WANG, "QXFX") == (Result.ASKED, [(WANG, "service.cancel.question")])
    assert said(desk, WANG, "否")[1] == [(WANG, "service.cancel.kept")]


def test_buddies_of_a_customer_who_left(desk: Desk) -> None:
    """Who cancels and opens again starts without buddies; a new agreement is counted once on both sides."""
    desk.open(LI, WANG)
    desk.befriend(LI, WANG)
    waiting = desk.say(WANG, "QXFX")
    desk.say(WANG, "是", number_of_question(waiting))
    assert said(desk, LI, "你好", f"12520{WANG}")[1] == [(LI, "chat.closed")]
    desk.open(WANG)
    assert said(desk, LI, "你好", f"12520{WANG}")[1] == [(LI, "chat.not_buddy")]
    assert said(desk, WANG, "你好", f"12520{LI}")[1] == [(WANG, "chat.not_buddy")]
    desk.befriend(WANG, LI)
    assert (desk.customers[LI].buddies, desk.customers[WANG].buddies) == (1, 1)
    assert desk.say(LI, "你好", f"12520{WANG}").result is Result.CHAT


def test_asker_left_meanwhile(desk: Desk) -> None:
    """是 to somebody who has cancelled since makes no buddies; 否 is thanked and nobody else is told."""
    desk.open(LI, WANG)
    asked = desk.say(LI, f"HY#{WANG}")
    desk.say(LI, "QXFX")
    desk.say(LI, "是")
    assert said(desk, WANG, "是", number_of_question(asked)) == (Result.REFUSED, [(WANG, "buddy.gone")])
    desk.open(LI)
    asked = desk.say(LI, f"HY#{WANG}")
    desk.say(LI, "QXFX")
    desk.say(LI, "是")
    assert said(desk, WANG, "否", number_of_question(asked)) == (
        Result.DONE,
        [(WANG, "buddy.declined.thanks")],
    )


@pytest.mark.parametrize("text", ["KTFX", "  周末？\n一起吃饭😀 ", "HY#13912345678", "\ufffd?", "字" * 180])
def test_chat_word_for_word(desk: Desk, text: str) -> None:
    """Buddies get each other's texts unchanged, from a number they can answer; the sender hears nothing."""
    desk.open(LI, WANG)
    desk.befriend(LI, WANG)
    outcome = desk.say(LI, text, f"12520{WANG}")
    assert outcome.result is Result.CHAT
    assert desk.texts(outcome) == [text]
    assert [(reply.to, reply.source, reply.detail) for reply in outcome.replies] == [(WANG, Source.CHAT, LI)]


def test_chat_from_a_hidden_mobile(desk: Desk) -> None:
    """Who hides the mobile writes from the Fetion number, and is reached there."""
    desk.open(LI, WANG)
    desk.befriend(LI, WANG)
    desk.customers[LI].hides_mobile = True
    assert desk.say(LI, "你好", f"12520{WANG}").replies[0].detail == "400000001"
    assert desk.say(WANG, "你好", "12520400000001").replies[0].to == LI


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
def test_chat_failures(desk: Desk, text: str, to: str, sentence: str) -> None:
    """A chat that cannot be handed over is one sentence to the sender, from the number he wrote to."""
    desk.open(LI, WANG)
    outcome = desk.say(LI, text, to)
    assert outcome.result is Result.REFUSED
    assert [(reply.to, reply.sentence, reply.source) for reply in outcome.replies] == [
        (LI, sentence, Source.DIALLED)
    ]


def test_chat_of_a_stranger(desk: Desk) -> None:
    """A stranger's chat is answered with the way to open."""
    assert said(desk, LI, "你好", f"12520{WANG}") == (Result.REFUSED, [(LI, "not_open")])


@pytest.mark.parametrize(
    ("to", "sentence"),
    [("12520471", "place.province"), ("125862", "place.voice"), ("12520055", "place.none")],
)
def test_numbers_without_instructions(desk: Desk, to: str, sentence: str) -> None:
    """A number that takes no instruction answers with its sentence, whoever writes."""
    assert said(desk, LI, "KTFX", to) == (Result.REFUSED, [(LI, sentence)])


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
def test_texts_that_are_not_understood(desk: Desk, text: str, to: str, result: Result, sentence: str) -> None:
    """A customer who is not understood is told what to do instead, and no more than that is remembered."""
    desk.open(LI)
    before = desk.customers[LI]
    assert said(desk, LI, text, to) == (result, [(LI, sentence)])
    after = desk.customers[LI]
    assert replace(after, helped=(), questions=(), last_serial=0) == before


def test_questions_expire_exactly_at_the_deadline(desk: Desk) -> None:
    """A question can be answered until its deadline, not at it."""
    desk.open(LI)
    address = number_of_question(desk.say(LI, "QXFX"))
    desk.now = desk.customers[LI].questions[0].deadline - 1
    assert said(desk, LI, "否", address)[1] == [(LI, "service.cancel.kept")]
    address = number_of_question(desk.say(LI, "QXFX"))
    asked = desk.customers[LI].questions[-1]
    assert asked.deadline == asked.asked_at + 24 * HOUR
    desk.now = asked.deadline
    assert said(desk, LI, "否", address)[1] == [(LI, "answer.late")]
