"""Texts that are not understood: suggestions, limited help, no answer to automatic texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.dispatch import HELPED
from commands.handlers import questions
from commands.limits import ServiceLimits
from commands.model import CustomerState, Result, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, InMemoryService, number_of_question, sentences


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Nobody has opened yet."""
    return InMemoryService(commands, routing)


def sentences_for(service: InMemoryService, text: str, to: str = "161", sender: str = LI) -> list[str]:
    """The sentences of the reply."""
    outcome = service.receive(sender, text, to)
    assert (outcome.result is Result.LIMITED) == (outcome.replies == [])
    return sentences(outcome)


@pytest.mark.parametrize("where", ["its own number", "the base"])
def test_an_offer_is_taken_up(service: InMemoryService, where: str) -> None:
    """是 to a suggestion runs its word; the welcome is sent from the usual number."""
    offer = service.receive(LI, "KFTX", "12520")
    (reply,) = offer.replies
    assert (offer.result, reply.sentence, reply.source) == (
        Result.MISUNDERSTOOD,
        "suggestion.question",
        Source.QUESTION,
    )
    outcome = service.receive(LI, "是", number_of_question(offer) if where == "its own number" else "12520")
    assert (outcome.result, [event.name for event in outcome.events]) == (Result.DONE, ["opened"])
    assert [(each.sentence, each.source) for each in outcome.replies] == [("service.opened", Source.OPENING)]
    assert service.customers[LI].state is CustomerState.OPEN


def test_an_offer_never_skips_the_question_of_its_row(service: InMemoryService) -> None:
    """是 to the suggestion of QXFX asks whether to cancel; only a second 是 cancels."""
    service.open(LI)
    offer = service.receive(LI, "QXFX 是什么")
    asked = service.receive(LI, "是", number_of_question(offer))
    assert sentences(asked) == ["service.cancel.question"]
    assert service.customers[LI].state is CustomerState.OPEN
    assert number_of_question(asked) != number_of_question(offer)
    service.receive(LI, "是")
    assert service.customers[LI].state is CustomerState.CLOSED


def test_an_offer_is_turned_down(service: InMemoryService) -> None:
    """否 does nothing, sends one sentence, and closes the suggestion."""
    service.receive(LI, "KFTX")
    assert sentences_for(service, "否") == ["suggestion.dropped"]
    assert sentences_for(service, "是") == ["answer.none"]
    assert service.customers[LI].state is CustomerState.NONE


def test_an_offer_lapses(service: InMemoryService) -> None:
    """A suggestion can be accepted for limits.suggestion_minutes; after that 是 is too late."""
    address = number_of_question(service.receive(LI, "KFTX"))
    service.now = service.customers[LI].questions[-1].deadline
    assert (
        service.customers[LI].questions[-1].asked_at + ServiceLimits().suggestion_minutes * 60_000
        == service.now
    )
    assert sentences_for(service, "是", address) == ["answer.late"]
    assert sentences_for(service, "是") == ["answer.none"]


def test_a_real_question_goes_first(service: InMemoryService) -> None:
    """At a base 是 answers the open question first, then the suggestion."""
    service.open(LI)
    service.receive(LI, "QXFX")
    address = number_of_question(service.receive(LI, "QXFX 呢"))
    service.receive(LI, "CXXF")
    assert sentences_for(service, "否") == ["service.cancel.kept"]
    assert sentences_for(service, "是") == ["service.state.open"]
    assert sentences_for(service, "是", address) == ["answer.late"]


def test_an_offer_takes_nobodys_place(service: InMemoryService) -> None:
    """A suggestion closes no question, and a question closes no suggestion; a new suggestion closes the
    last."""
    service.open(LI)
    service.limits = ServiceLimits(open_questions=1)
    service.receive(LI, "QXFX")
    service.receive(LI, "CXXF")
    service.receive(LI, "QFXX")
    li = service.customers[LI]
    assert [each.kind for each in questions.open_questions(li, service.now)] == ["service.cancel"]
    offers = [each for each in li.questions if each.kind == questions.SUGGESTION]
    assert [each.is_open(service.now) for each in offers] == [False, True]


@pytest.mark.parametrize(("text", "word"), [("语音聊田", "YY"), ("添加好有", "HY")])
def test_words_that_want_arguments_are_only_named(service: InMemoryService, text: str, word: str) -> None:
    """A word that needs arguments is only named: no question is asked."""
    service.open(LI)
    outcome = service.receive(LI, text)
    assert [(reply.sentence, reply.values) for reply in outcome.replies] == [("suggestion", {"word": word})]
    assert service.customers[LI].questions == ()


def test_answers_to_an_offer_at_the_hot_line(service: InMemoryService) -> None:
    """A suggestion at 10086 is sent from 1008619; there unknown digits mean it too."""
    address = number_of_question(service.receive(LI, "KFTX", "10086"))
    assert address.startswith("1008619")
    assert sentences_for(service, "是", "1008619") == ["service.opened"]


def test_no_reminder_of_an_offer(service: InMemoryService) -> None:
    """Another instruction to the number of a suggestion is run, without a reminder."""
    address = number_of_question(service.receive(LI, "KFTX"))
    assert sentences_for(service, "CXFX", address) == ["service.state.none"]


def test_the_same_help_once_in_a_period(service: InMemoryService) -> None:
    """Help and "not understood" are sent once in limits.help_period each; after that there is no answer."""
    service.open(LI)
    assert sentences_for(service, "你好") == ["misunderstood"]
    assert sentences_for(service, "在吗") == []
    assert sentences_for(service, "BZ") == ["help"]
    assert sentences_for(service, "帮助") == []
    assert sentences_for(service, "BZ#HY") == ["usage.buddy.add"]
    assert sentences_for(service, "在吗", sender=WANG) == ["not_open"]
    service.now += ServiceLimits().help_period * 1000
    assert sentences_for(service, "在吗") == ["misunderstood"]
    assert sentences_for(service, "BZ") == ["help"]


def test_different_offers_are_different_help(service: InMemoryService) -> None:
    """Another misspelt word gets its suggestion, the same one gets no second; then no question is opened."""
    service.open(LI)
    assert sentences_for(service, "CXXF") == ["suggestion.question"]
    held = service.customers[LI].questions
    assert sentences_for(service, "CXXF") == []
    assert service.customers[LI].questions == held
    assert sentences_for(service, "QFXX") == ["suggestion.question"]


def test_help_is_bounded(service: InMemoryService) -> None:
    """At most HELPED different helps are sent and stored in a period."""
    service.open(LI)
    words = [row.words[0] for row in service.commands.table.rows.values() if row.words and not row.arguments]
    told = [sentences_for(service, f"{word} 啊") for word in words if len(word) > 3]
    told += [
        sentences_for(service, slip)
        for slip in ("你好", "0000", "语音聊田", "添加好有", "KT\ufffd", "TD", "HYLX")
    ]
    assert sum(map(len, told)) == len(service.customers[LI].helped) == HELPED


def test_a_reminder_is_no_help(service: InMemoryService) -> None:
    """An unclear answer is always reminded of its question, and that does not count as help."""
    service.open(LI)
    address = number_of_question(service.receive(LI, "QXFX"))
    assert [sentences_for(service, "是的好", address) for _ in range(3)] == [["question.reminder"]] * 3
    service.receive(LI, "否", address)
    assert sentences_for(service, "是的好", address) == ["misunderstood"]


AUTOMATIC = [
    "[自动回复]我正在开会，稍后与您联系。",
    "自动回复：您好，我现在不方便",
    "我正在开会，稍后给您回电话",
    "对不起，我现在正在开车，稍候再跟您联系",
    "您拨打的用户已关机",
    "您呼叫的电话暂时无法接通，请稍后再拨",
    "尊敬的客户，您的余额不足10元",
    "机主已关机，短信呼为您服务",
    "Auto-Reply: I am out of office",
]


@pytest.mark.parametrize("text", AUTOMATIC)
def test_machines_get_no_answer(service: InMemoryService, text: str) -> None:
    """Automatic texts of carriers and handsets get no answer, at any address and in any state."""
    assert sentences_for(service, text) == []
    service.open(LI)
    asked = number_of_question(service.receive(LI, "QXFX"))
    for to in ("161", asked, f"12520{WANG}", "12520471", "125862"):
        assert sentences_for(service, text, to) == []
    assert service.customers[LI].helped == ()


@pytest.mark.parametrize(
    "text", ["我在开会", "稍后联系", "您好", "用户已经开通了吗", "回复", "请问怎么自动充值"]
)
def test_people_get_an_answer(service: InMemoryService, text: str) -> None:
    """Texts that only resemble automatic ones are answered."""
    assert sentences_for(service, text) == ["not_open"]


def test_machines_still_reach_a_buddy(service: InMemoryService) -> None:
    """A chat message is delivered, even if it is automatic."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    assert sentences_for(service, AUTOMATIC[0], f"12520{WANG}") == ["chat.message"]


@given(texts=st.lists(st.sampled_from(["KFTX", "CXXF", "是", "否", "QXFX", "你好", "BZ"]), max_size=12))
def test_at_most_one_offer_is_open(commands: Commands, routing: Routing, texts: list[str]) -> None:
    """Whatever a customer sends: at most one suggestion is open, serials are unique, no answer is
    `limited`."""
    service = InMemoryService(commands, routing)
    for text in texts:
        sentences_for(service, text)
        li = service.customers.get(LI)
        if li is not None:
            serials = [each.serial for each in li.questions]
            assert len(serials) == len(set(serials))
            offers = [each for each in li.questions if each.kind == questions.SUGGESTION]
            assert sum(each.is_open(service.now) for each in offers) <= 1
