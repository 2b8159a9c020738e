"""An answer agrees only if it is a word of its row and nothing else. A question mark never runs anything."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question, sentences
from tests.commands.script_products import open_all, order

MARKS = ("？", "?", " ？", "?!", "！？", "”？", "\n？", "❓")


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Li and Wang have opened."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG)
    return service


@pytest.mark.parametrize("mark", MARKS)
def test_js_with_a_question_mark_refuses_nothing(service: InMemoryService, mark: str) -> None:
    """JS？ explains JS, with days and without; SMS of others still come."""
    for text in (f"JS{mark}", f"拒收{mark}", f"JS#7{mark}"):
        outcome = service.receive(LI, text)
        assert (outcome.result, sentences(outcome)) == (Result.USAGE, ["usage.presence.refuse"])
    assert service.customers[LI].refuse_until == 0


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("word", ["1", "是", "Y", "同意", "YES", "否", "0"])
def test_a_charged_question_is_said_again(service: InMemoryService, word: str, mark: str) -> None:
    """1？ repeats the question of KTFXJY, at its own number and at the base."""
    asked = service.receive(LI, "KTFXJY")
    for to in (number_of_question(asked), "12520"):
        again = service.receive(LI, f"{word}{mark}", to)
        assert (again.result, again.facts, again.events) == (Result.USAGE, [], [])
        assert [replace(reply, values=None) for reply in again.replies] == [
            replace(reply, values=None) for reply in asked.replies
        ]
        assert service.texts(again) == service.texts(asked)
    assert service.customers[LI].orders == ()
    assert [question.closed for question in service.customers[LI].questions] == [""]


def test_every_question_can_be_said_again(service: InMemoryService) -> None:
    """是？ repeats each kind of question word for word, with the hours that are left."""
    for asks, to in (("QXFX", "161"), ("00000", "161"), ("KTFXJY", "10086")):
        asked = service.receive(LI, asks, to)
        assert service.texts(service.receive(LI, "是？", number_of_question(asked))) == service.texts(asked)
    order(service, LI)
    for asks in ("QXFXJY",):
        asked = service.receive(LI, asks, "10086")
        assert service.texts(service.receive(LI, "是？", "1008619")) == service.texts(asked)
    asked = service.receive(LI, f"HY#{WANG}#小李")
    address = number_of_question(asked)
    assert service.texts(service.receive(WANG, "是？", address)) == service.texts(asked)[1:]
    service.receive(WANG, "是", address)
    asked = service.receive(LI, f"YY#{WANG}")
    assert service.texts(service.receive(WANG, "是？", number_of_question(asked))) == service.texts(asked)[1:]
    offer = service.receive(WANG, "CXXF")
    assert service.texts(service.receive(WANG, "是？", number_of_question(offer))) == service.texts(offer)


def test_a_suggestion_is_said_again(service: InMemoryService) -> None:
    """是？ at a base repeats the suggestion when no other question is open; 是 accepts it."""
    offer = service.receive(SUN, "KFTX")
    assert service.texts(service.receive(SUN, "是？")) == service.texts(offer)
    assert service.customers[SUN].state is CustomerState.NONE
    assert sentences(service.receive(SUN, "是")) == ["service.opened"]


def test_several_or_no_question(service: InMemoryService) -> None:
    """是？ lists several open questions; with none, or without the asker, the reply explains answers."""
    assert sentences(service.receive(LI, "是？")) == ["usage.answer"]
    assert sentences(service.receive(SUN, "1?")) == ["usage.answer"]
    assert sentences(service.receive(LI, "是？", "1252003300001")) == ["usage.answer"]
    asked = number_of_question(service.receive(WANG, f"HY#{LI}"))
    service.receive(LI, "QXFX")
    assert sentences(service.receive(LI, "是？")) == ["answer.several"]
    service.receive(LI, "否", "1252003300002")
    service.receive(WANG, "是", number_of_question(service.receive(WANG, "QXFX")))
    assert sentences(service.receive(LI, "是？", asked)) == ["usage.answer"]


def test_the_list_of_products(service: InMemoryService) -> None:
    """1？ to the list of 10086 cancels nothing, and the list stays open."""
    service.receive(LI, "0000", "10086")
    for text in ("1？", "１?", "1\n?"):
        assert sentences(service.receive(LI, text, "10086")) == ["usage.service.list"]
    assert service.customers[LI].state is CustomerState.OPEN
    assert sentences(service.receive(LI, "1", "10086")) == ["service.cancelled"]


def test_what_has_no_effect_is_answered(service: InMemoryService) -> None:
    """HYLB?, CXFX？, 0000？, BZ? and a single ? are answered as without the mark."""
    assert sentences(service.receive(LI, "HYLB?")) == ["buddy.list.none"]
    assert (
        sentences(service.receive(LI, "CXFX？"))
        == sentences(service.receive(LI, "CXFX?", "10086"))
        == ["service.state.open"]
    )
    assert sentences(service.receive(LI, "0000？", "10086")) == ["service.list.fetion"]
    assert sentences(service.receive(LI, "BZ?")) == ["help"]
    assert sentences(service.receive(WANG, "？")) == ["help"]


EFFECTS = (
    "KTFX",
    "QXFX",
    "KTFXJY",
    "QXFXJY",
    "00000",
    "P",
    "U",
    "JS",
    "JS#7",
    "HF",
    "SP",
    "YS#1",
    "ZL#女#1985",
    f"HY#{WANG}",
    f"HY{WANG}",
    f"SC#{WANG}",
    f"HMD#{ZHAO}",
    f"JC#{WANG}",
    f"YQ#{SUN}",
    f"YY#{WANG}",
    "是",
    "否",
    "1",
    "0",
    "Y",
)


@pytest.mark.parametrize(
    "text", ["YQ#13600136000 ?", "YQ#13600136000#？", f"HY#{WANG} ？！", f"HY#{WANG}#(?)"]
)
def test_a_question_mark_is_no_name(service: InMemoryService, text: str) -> None:
    """A question mark where an optional name may stand asks for the explanation: nobody gets an SMS."""
    outcome = service.receive(LI, text)
    assert (outcome.result, [reply.to for reply in outcome.replies]) == (Result.USAGE, [LI])
    assert (outcome.events, outcome.facts) == ([], [])


@example(text="YQ#13500135000", mark=" ?", to="12520")
@given(
    text=st.sampled_from(EFFECTS),
    mark=st.text(st.sampled_from("?？❓!！。 )”"), min_size=1, max_size=4).filter(
        lambda each: set(each) & set("?？❓")
    ),
    to=st.sampled_from(["12520", "161", "question", "10086"]),
)
def test_no_question_changes_anything(
    text: str, mark: str, to: str, commands: Commands, routing: Routing
) -> None:
    """An instruction with a question mark changes no state and charges nothing."""
    service = InMemoryService(commands, routing)
    open_all(service, LI, WANG)
    service.befriend(LI, WANG)
    address = number_of_question(service.receive(LI, "QXFXJY", "10086"))
    before, buddies = dict(service.customers), dict(service.buddies)
    outcome = service.receive(LI, f"{text}{mark}", address if to == "question" else to)
    assert (outcome.events, outcome.facts) == ([], [])
    assert service.buddies == buddies
    assert {each: customer for each, customer in service.customers.items() if each != LI} == {
        each: customer for each, customer in before.items() if each != LI
    }
    mine = service.customers[LI].copy()
    mine.helped = before[LI].helped
    assert mine == before[LI]


@pytest.mark.parametrize(
    "text",
    ["是吗", "是吗？", "Y N", "是 不是", "是，否", "1 0", "是?好", "好的是", "“是”的意思", "是是", "不是吗"],
)
def test_near_a_consent(service: InMemoryService, text: str) -> None:
    """A text with more than a word that agrees is no answer."""
    address = number_of_question(service.receive(LI, "KTFXJY"))
    assert sentences(service.receive(LI, text, address)) == ["question.reminder"]
    assert service.customers[LI].orders == ()


@pytest.mark.parametrize(
    "text", ["是!", "是。", "（是）", "“是”", " 是 ", "是\n小明", "是\n\n--\n小明", "是~"]
)
def test_a_consent(service: InMemoryService, text: str) -> None:
    """Punctuation around the word and a signature below it do not matter."""
    address = number_of_question(service.receive(LI, "KTFXJY"))
    assert sentences(service.receive(LI, text, address)) == ["matching.opened"]


@pytest.mark.parametrize(
    ("text", "to", "clause"),
    [
        ("CXFX\nHYLB", "161", True),
        ("CXFX\n\n HY#13912345678", "161", True),
        ("CXFX\r\nFS#13912345678#你好", "161", True),
        ("CXFX\n是", "161", True),
        ("CXFX\n小明", "161", False),
        ("CXFX\n张三 13800138000", "161", False),
        ("CXFX\n--\n小明", "161", False),
        ("CXFX\nHY", "161", False),
        ("CXFX\nHY#小明", "161", False),
        ("CXFX\nQXFX？", "161", False),
        ("CXFX", "161", False),
        ("NC#小明\nQXFX", "161", False),
        ("HF\nQXFX", "161", True),
        ("BZ\nQXFX", "161", False),
    ],
)
def test_a_second_instruction_was_not_read(
    service: InMemoryService, text: str, to: str, clause: bool
) -> None:
    """A clause says that the second line was not read, if it is an instruction and all fits one SMS."""
    outcome = service.receive(LI, text, to)
    (told,) = service.texts(outcome)
    assert told.endswith(service.commands.sentences.render("unread")) == clause
    assert service.customers[LI].state is CustomerState.OPEN
    assert service.customers[LI].questions == ()


def test_a_consent_with_a_second_line(service: InMemoryService) -> None:
    """是 above 否: the first line counts, and the clause says that the second did not."""
    address = number_of_question(service.receive(LI, "KTFXJY"))
    outcome = service.receive(LI, "是\n否", address)
    assert sentences(outcome) == ["matching.opened"]
    assert service.texts(outcome)[0].endswith(service.commands.sentences.render("unread"))
    other = number_of_question(service.receive(LI, f"HY#{WANG}"))
    for_both = service.receive(WANG, "是\nHYLB", other)
    assert [reply.clause for reply in for_both.replies] == ["unread", ""]
