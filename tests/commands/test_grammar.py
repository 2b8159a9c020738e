"""The grammar on rows of the test: kinds of arguments, attached digits, free text, precedence."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.model import Instruction, Misunderstood, Result, Understood
from commands.parser import Parser
from commands.text import units
from routing.table import Routing
from tests.commands.tables import argument, parser_of, row

NUMBER = argument("number", "number")
ROWS = [
    row("state", ["CXFX"]),
    row("profile", ["CX", "查询"], [NUMBER]),
    row("list", ["HYLB", "好友列表"], [argument("page", "page", required=False)]),
    row("add", ["HY"], [NUMBER, argument("name", "name", longest=5, required=False)]),
    row("rename", ["MC"], [NUMBER, argument("name", "name", longest=8)]),
    row("invite", ["YQ"], [argument("mobile", "mobile")]),
    row("send", ["FS", "发送"], [NUMBER, argument("text", "text", longest=180)]),
    row("mood", ["QM"], [argument("text", "text", shortest=2, longest=40)]),
    row("refuse", ["JS"], [argument("days", "days")]),
    row("privacy", ["YS"], [argument("show", "choice", choices=["0", "1"])]),
    row("find", ["SP"], [argument("sex", "choice", choices=["M", "F"], required=False),
                         argument("place", "province", required=False)]),
    row("nick", ["NC"], [argument("name", "name", longest=6),
                         argument("mood", "name", longest=6, required=False)]),
    row("unlock", ["U"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory, routing: Routing) -> Parser:
    """A parser for the rows above."""
    return parser_of(ROWS, tmp_path_factory.mktemp("tables"), routing)


def parse(parser: Parser, routing: Routing, text: str) -> Understood:
    """What a text means at 161."""
    return parser.parse(text, routing.resolve("161"), "13800138000")


@pytest.mark.parametrize(
    ("text", "row_id", "arguments"),
    [
        ("HYLB", "list", {}),
        ("HYLB#2", "list", {"page": "2"}),
        ("HYLB2", "list", {"page": "2"}),
        ("hylb 012", "list", {"page": "12"}),
        ("好友列表２", "list", {"page": "2"}),
        ("HYLB#", "list", {}),
        ("HY13912345678", "add", {"number": "13912345678"}),
        ("CXFX", "state", {}),
        ("CX FX", "state", {}),
        ("CX#13912345678", "profile", {"number": "13912345678"}),
        ("查询471234567", "profile", {"number": "471234567"}),
        ("MC#13912345678#老 王", "rename", {"number": "13912345678", "name": "老 王"}),
        ("YQ13912345678", "invite", {"mobile": "13912345678"}),
        (
            "FS#13912345678#Hi, 小明。\n回见#!",
            "send",
            {"number": "13912345678", "text": "Hi, 小明。\n回见#!"},
        ),
        ("发送13912345678 ＯＫ？", "send", {"number": "13912345678", "text": "ＯＫ？"}),
        ("FS\n13912345678\n你好\n", "send", {"number": "13912345678", "text": "你好\n"}),
        ("qm#…开心", "mood", {"text": "…开心"}),
        ("QM 第一行\n第二行", "mood", {"text": "第一行\n第二行"}),
        ("JS#7", "refuse", {"days": "7"}),
        ("JS#7\n小明", "refuse", {"days": "7"}),
        ("YS 1", "privacy", {"show": "1"}),
        ("SP", "find", {}),
        ("sp#f#北京", "find", {"sex": "F", "place": "100"}),
        ("NC#小 明", "nick", {"name": "小", "mood": "明"}),
        ("U。", "unlock", {}),
    ],
)
def test_arguments(
    text: str, row_id: str, arguments: dict[str, str], parser: Parser, routing: Routing
) -> None:
    """Every kind of argument is read behind its separator, free text from the original, newlines included."""
    understood = parse(parser, routing, text)
    assert isinstance(understood, Instruction)
    assert (understood.id, understood.arguments) == (row_id, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "MC#13912345678", "MC#13912345678#", "MC#老王", "YQ#471234567", "YQ", "FS#13912345678",
        "FS#13912345678#  ", "FS", "QM", "QM#好", f"QM#{'好' * 41}", "JS", "JS#0", "JS#1000", "JS#七", "YS#2",
        "YS", "HYLB#0", "HYLB#二", "HYLB#2#3", "CX", "SP#X", "NC#一二三四五六七", "HYLB2A",
    ],
)  # fmt: skip
def test_usage(text: str, parser: Parser, routing: Routing) -> None:
    """Arguments that are missing, of the wrong kind, too long or too many are answered with the usage."""
    understood = parse(parser, routing, text)
    assert isinstance(understood, Misunderstood)
    assert (understood.reason, understood.result) == ("usage.help", Result.USAGE)


@pytest.mark.parametrize(
    "text", ["SPORT", "NCAA", "JS7", "QM好", "FSABC", "YS1", "U1", "MCX", "发送你好", "HYLBX"]
)
def test_not_glued(text: str, parser: Parser, routing: Routing) -> None:
    """Only digits of numbers and pages may follow a word directly; all else needs a separator."""
    understood = parse(parser, routing, text)
    assert isinstance(understood, Misunderstood)
    assert understood.result is Result.MISUNDERSTOOD


def test_the_longest_word_wins(parser: Parser, routing: Routing) -> None:
    """CXFX is tried before CX: it takes no arguments, and is never read as CX with an argument."""
    understood = parse(parser, routing, "CXFX#13912345678")
    assert isinstance(understood, Misunderstood)
    assert understood.suggestion == "CXFX"


VERBATIM = st.text(min_size=1, max_size=60).filter(lambda text: text.strip() and "\ufffd" not in text)


@given(text=VERBATIM)
def test_free_text_is_cut_from_the_original(text: str, parser: Parser, routing: Routing) -> None:
    """Free text is what the customer typed behind the separator, to the last character."""
    understood = parse(parser, routing, f"ｆｓ＃13912345678。x＃{text}")
    assert isinstance(understood, Misunderstood)  # 。 ends no number
    understood = parse(parser, routing, f"ｆｓ＃13912345678＃x{text}")
    assert isinstance(understood, Instruction)
    assert understood.arguments["text"] == f"x{text}"


SEPARATED = st.text(st.sampled_from("#*+:, ＃＊＋：，、\u3000"), min_size=1, max_size=4)
GROUPS = st.sampled_from(
    ["13912345678", "139 1234 5678", "139-1234-5678", "+8613912345678", "８６13912345678"]
)


@given(
    word=st.sampled_from(["HY", "hy", "ＨＹ", "Hy"]),
    separator=SEPARATED,
    number=GROUPS,
    end=st.sampled_from(["", "。", " ", "\n小明"]),
)
def test_a_number_however_typed(
    word: str, separator: str, number: str, end: str, parser: Parser, routing: Routing
) -> None:
    """Any word form, any run of separators, any grouping of the digits: the same instruction."""
    understood = parse(parser, routing, f"{word}{separator}{number}{end}")
    assert isinstance(understood, Instruction)
    assert (understood.id, understood.arguments) == ("add", {"number": "13912345678"})


@example(text="#\U00010000", word="QM")
@example(text="#13912345678#\U00010000\U00010000\U00010000\U00010000\U00010000", word="MC")
@given(
    text=st.text(max_size=30),
    word=st.sampled_from([word["value"] for each in ROWS for word in each["words"]]),
)
def test_arguments_are_always_what_they_claim(text: str, word: str, parser: Parser, routing: Routing) -> None:
    """Whatever follows a word: the instruction's arguments are of their kinds and lengths, or it is none."""
    understood = parse(parser, routing, word + text)
    if not isinstance(understood, Instruction):
        return
    row_of = parser.table.rows[understood.id]
    by_name = {each.name: each for each in row_of.arguments}
    assert (
        {each.name for each in row_of.arguments if each.required} <= set(understood.arguments) <= set(by_name)
    )
    for name, value in understood.arguments.items():
        described = by_name[name]
        assert units(value) >= described.shortest
        assert not described.longest or units(value) <= described.longest
        assert not described.choices or value in described.choices
        assert "number" not in described.kind or value.isdigit()
