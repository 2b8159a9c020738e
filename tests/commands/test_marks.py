"""Paired marks are removed in pairs: no name is 《小王, and no text has half a quotation."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from commands.arguments import Kind
from commands.model import Instruction, Result
from commands.service import Commands
from commands.text import normalise
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, InMemoryService

DIRECTED = {
    "(": ")",
    "（": "）",
    "[": "]",
    "【": "】",
    "「": "」",
    "《": "》",
    "〈": "〉",
    "<": ">",
    "{": "}",
}
DIRECTED |= {"“": "”", "‘": "’"}
"""Marks with different characters for both sides, so that pairs are unambiguous."""

CLASSES = {each: normalise(each).folded for pair in DIRECTED.items() for each in pair}
NAMES = {"buddy.rename": "name", "buddy.add": "name", "profile.nickname": "text", "profile.mood": "text",
         "chat.send": "text"}  # fmt: skip
MARKED = st.lists(
    st.sampled_from([*DIRECTED, *DIRECTED.values(), "小", "王", "好", "。", "？", " ", "A"]), max_size=8
).map("".join)


def pairs(text: str) -> list[tuple[int, int]]:
    """An independent reading: each closing mark belongs to the last open one of its class."""
    closing = {close: CLASSES[open_] for open_, close in DIRECTED.items()}
    waiting: dict[str, list[int]] = {}
    found = []
    for place, mark in enumerate(text):
        if mark in DIRECTED:
            waiting.setdefault(CLASSES[mark], []).append(place)
        elif mark in closing and waiting.get(closing[mark]):
            found.append((waiting[closing[mark]].pop(), place))
    return found


@example(before="", name="《小王》", behind="", word=f"MC#{WANG}#")
@example(before="“", name="小王", behind="”", word=f"MC#{WANG}#")
@example(before="“", name="你好", behind="”\n", word=f"FS#{WANG}#")
@example(before="《", name="小》王", behind="", word=f"FS#{WANG}#")
@given(
    before=MARKED.filter(lambda text: not set(text) & set("小王好A？")),
    name=MARKED,
    behind=MARKED | st.sampled_from(["\n”", "”\n", "》。"]),
    word=st.sampled_from([f"MC#{WANG}#", f"HY {WANG} ", f"FS#{WANG}#", "NC#", "QM："]),
)
def test_nothing_cut_out_has_half_a_pair(
    before: str, name: str, behind: str, word: str, commands: Commands, routing: Routing
) -> None:
    """An argument never contains one mark of a pair without the other."""
    text = f"{before}{word}{name}{behind}"
    understood = commands.parser.parse(text, routing.resolve("161"), LI)
    assume(understood.id in NAMES)
    assert isinstance(understood, Instruction)
    value = understood.arguments.get(NAMES[understood.id], "")
    place = text.index(value, len(before) + len(word) - 1) if value else 0
    inside = range(place, place + len(value))
    assert all((one in inside) == (other in inside) for one, other in pairs(text))


@pytest.mark.parametrize(("left", "right"), DIRECTED.items())
@pytest.mark.parametrize("form", ["{}小王{}", "{}{}小王{}{}"])
def test_a_name_between_marks(left: str, right: str, form: str, commands: Commands, routing: Routing) -> None:
    """MC#number#《小王》 keeps the marks of the name; around the whole line they mean nothing."""
    service = InMemoryService(commands, routing)
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    marks = (left,) * form[: form.index("小")].count("{") + (right,) * form[form.index("王") :].count("{")
    name = form.format(*marks)
    assert service.receive(LI, f"MC#{WANG}#{name}").result is Result.DONE
    assert service.buddies[(LI, WANG)].name == name
    service.receive(LI, f"{left}MC#{WANG}#{name}{right}。")
    assert service.buddies[(LI, WANG)].name == name
    sent = service.receive(LI, f"{left}FS#{WANG}#{name}{right}")
    assert [reply.values for reply in sent.replies] == [{"text": name}]


@pytest.mark.parametrize("text", ["“是”", "「是」", "(是)", '"是"', "【《是》】。", "是)", "“是"])
def test_words_between_marks(text: str, commands: Commands, routing: Routing) -> None:
    """Marks around a word are ignored, paired or not."""
    assert commands.parser.parse(text, routing.resolve("161"), LI).id == "answer.yes"


def test_every_kind_with_marks(commands: Commands, routing: Routing) -> None:
    """Choices, ages, provinces, pages, days and birthdays may stand between marks."""
    texts = {
        "YS#“1”": {"choice": "1"},
        "SP#《女》#【20-25】#“广东”": {"sex": "女", "ages": "20-25", "province": "200"},
        "HYLB#(2)": {"page": "2"},
        "JS#“7”": {"days": "7"},
        "ZL#“女”#“1985”": {"sex": "女", "born": "1985"},
        "BZ#“HY”": {"topic": "usage.buddy.add"},
    }
    for text, arguments in texts.items():
        understood = commands.parser.parse(text, routing.resolve("161"), LI)
        assert isinstance(understood, Instruction), text
        assert understood.arguments == arguments
    kinds = {argument.kind for row in commands.table.rows.values() for argument in row.arguments}
    assert kinds >= {Kind.CHOICE, Kind.AGES, Kind.PROVINCE, Kind.PAGE, Kind.DAYS, Kind.BORN, Kind.TOPIC}
