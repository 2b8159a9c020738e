"""A consent is one of its row's words and nothing besides: a question is none, and nothing is done."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.model import CustomerState, Outcome, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.desk import LI, SUN, WANG, ZHAO, Desk, number_of_question
from tests.commands.said_products import open_all, order

MARKS = ("？", "?", " ？", "?!", "！？", "”？", "\n？", "❓")


@pytest.fixture
def desk(commands: Commands, routing: Routing) -> Desk:
    """Li and Wang have opened."""
    desk = Desk(commands, routing)
    desk.open(LI)
    desk.numbers.pop(0)
    desk.open(WANG)
    return desk


def said(outcome: Outcome) -> list[str]:
    """The sentences."""
    return [reply.sentence for reply in outcome.replies]


@pytest.mark.parametrize("mark", MARKS)
def test_js_with_a_question_mark_refuses_nothing(desk: Desk, mark: str) -> None:
    """JS？ explains JS, with days and without; SMS of others still come."""
    for text in (f"JS{mark}", f"拒收{mark}", f"JS#7{mark}"):
        outcome = desk.say(LI, text)
        assert (outcome.result, said(outcome)) == (Result.USAGE, ["usage.presence.refuse"])
    assert desk.customers[LI].refuse_until == 0


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("word", ["1", "是", "Y", "同意", "YES", "否", "0"])
def test_a_charged_question_is_said_again(desk: Desk, word: str, mark: str) -> None:
    """1？ to the question of KTFXJY has the question said again, at its own number and at the base."""
    asked = desk.say(LI, "KTFXJY")
    for to in (number_of_question(asked), "12520"):
        again = desk.say(LI, f"{word}{mark}", to)
        assert (again.result, again.facts, again.events) == (Result.USAGE, [], [])
        assert [replace(reply, values=None) for reply in again.replies] == [
            replace(reply, values=None) for reply in asked.replies
        ]
        assert desk.texts(again) == desk.texts(asked)
    assert desk.customers[LI].orders == ()
    assert [question.closed for question in desk.customers[LI].questions] == [""]


def test_every_question_can_be_said_again(desk: Desk) -> None:
    """是？ repeats each kind of question word for word, with the time that is left."""
    for asks, to in (("QXFX", "161"), ("00000", "161"), ("KTFXJY", "10086")):
        asked = desk.say(LI, asks, to)
        assert desk.texts(desk.say(LI, "是？", number_of_question(asked))) == desk.texts(asked)
    order(desk, LI)
    for asks in ("QXFXJY",):
        asked = desk.say(LI, asks, "10086")
        assert desk.texts(desk.say(LI, "是？", "1008619")) == desk.texts(asked)
    asked = desk.say(LI, f"HY#{WANG}#小李")
    address = number_of_question(asked)
    assert desk.texts(desk.say(WANG, "是？", address)) == desk.texts(asked)[1:]
    desk.say(WANG, "是", address)
    asked = desk.say(LI, f"YY#{WANG}")
    assert desk.texts(desk.say(WANG, "是？", number_of_question(asked))) == desk.texts(asked)[1:]
    offer = desk.say(WANG, "CXXF")
    assert desk.texts(desk.say(WANG, "是？", number_of_question(offer))) == desk.texts(offer)


def test_a_suggestion_is_said_again(desk: Desk) -> None:
    """是？ at a base repeats the offer when nothing else is open, and takes it up with 是 alone."""
    offer = desk.say(SUN, "KFTX")
    assert desk.texts(desk.say(SUN, "是？")) == desk.texts(offer)
    assert desk.customers[SUN].state is CustomerState.NONE
    assert said(desk.say(SUN, "是")) == ["service.opened"]


def test_several_or_no_question(desk: Desk) -> None:
    """是？ lists several open questions; without any, and when the asker has left, answers are explained."""
    assert said(desk.say(LI, "是？")) == ["usage.answer"]
    assert said(desk.say(SUN, "1?")) == ["usage.answer"]
    assert said(desk.say(LI, "是？", "1252003300001")) == ["usage.answer"]
    asked = number_of_question(desk.say(WANG, f"HY#{LI}"))
    desk.say(LI, "QXFX")
    assert said(desk.say(LI, "是？")) == ["answer.several"]
    desk.say(LI, "否", "1252003300002")
    desk.say(WANG, "是", number_of_question(desk.say(WANG, "QXFX")))
    assert said(desk.say(LI, "是？", asked)) == ["usage.answer"]


def test_the_list_of_products(desk: Desk) -> None:
    """1？ to the list of 10086 cancels nothing, and the list stays open."""
    desk.say(LI, "0000", "10086")
    for text in ("1？", "１?", "1\n?"):
        assert said(desk.say(LI, text, "10086")) == ["usage.service.list"]
    assert desk.customers[LI].state is CustomerState.OPEN
    assert said(desk.say(LI, "1", "10086")) == ["service.cancelled"]


def test_what_has_no_effect_is_answered(desk: Desk) -> None:
    """HYLB?, CXFX？, 0000？, BZ? and a lone ? answer as without the mark."""
    assert said(desk.say(LI, "HYLB?")) == ["buddy.list.none"]
    assert said(desk.say(LI, "CXFX？")) == said(desk.say(LI, "CXFX?", "10086")) == ["service.state.open"]
    assert said(desk.say(LI, "0000？", "10086")) == ["service.list.fetion"]
    assert said(desk.say(LI, "BZ?")) == ["help"]
    assert said(desk.say(WANG, "？")) == ["help"]


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
def test_a_question_mark_is_no_name(desk: Desk, text: str) -> None:
    """A question mark where an optional name may stand asks for the explanation: nobody gets an SMS."""
    outcome = desk.say(LI, text)
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
    """Whatever instruction has a question mark behind it: nobody's state changes, and nothing is charged."""
    desk = Desk(commands, routing)
    open_all(desk, LI, WANG)
    desk.befriend(LI, WANG)
    address = number_of_question(desk.say(LI, "QXFXJY", "10086"))
    before, buddies = dict(desk.customers), dict(desk.buddies)
    outcome = desk.say(LI, f"{text}{mark}", address if to == "question" else to)
    assert (outcome.events, outcome.facts) == ([], [])
    assert desk.buddies == buddies
    assert {each: customer for each, customer in desk.customers.items() if each != LI} == {
        each: customer for each, customer in before.items() if each != LI
    }
    mine = desk.customers[LI].copy()
    mine.helped = before[LI].helped
    assert mine == before[LI]


@pytest.mark.parametrize(
    "text",
    ["是吗", "是吗？", "Y N", "是 不是", "是，否", "1 0", "是?好", "好的是", "“是”的意思", "是是", "不是吗"],
)
def test_near_a_consent(desk: Desk, text: str) -> None:
    """What holds more than a word that consents answers nothing."""
    address = number_of_question(desk.say(LI, "KTFXJY"))
    assert said(desk.say(LI, text, address)) == ["question.reminder"]
    assert desk.customers[LI].orders == ()


@pytest.mark.parametrize(
    "text", ["是!", "是。", "（是）", "“是”", " 是 ", "是\n小明", "是\n\n--\n小明", "是~"]
)
def test_a_consent(desk: Desk, text: str) -> None:
    """Punctuation around the word and a signature under it change nothing."""
    address = number_of_question(desk.say(LI, "KTFXJY"))
    assert said(desk.say(LI, text, address)) == ["matching.opened"]


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
def test_a_second_instruction_was_not_read(desk: Desk, text: str, to: str, clause: bool) -> None:
    """Only where the second line would be an instruction, a clause says so, and both fit one SMS."""
    outcome = desk.say(LI, text, to)
    (told,) = desk.texts(outcome)
    assert told.endswith(desk.commands.sentences.render("unread")) == clause
    assert desk.customers[LI].state is CustomerState.OPEN
    assert desk.customers[LI].questions == ()


def test_a_consent_with_a_second_line(desk: Desk) -> None:
    """是 over 否: the first line counts, and the clause says that the second did not."""
    address = number_of_question(desk.say(LI, "KTFXJY"))
    outcome = desk.say(LI, "是\n否", address)
    assert said(outcome) == ["matching.opened"]
    assert desk.texts(outcome)[0].endswith(desk.commands.sentences.render("unread"))
    other = number_of_question(desk.say(LI, f"HY#{WANG}"))
    for_both = desk.say(WANG, "是\nHYLB", other)
    assert [reply.clause for reply in for_both.replies] == ["unread", ""]
