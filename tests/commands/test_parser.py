"""The parser: a corpus written from the rules, and properties of any text at any place."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.model import Chat, Instruction, Misunderstood, Result
from commands.service import Commands
from routing.table import Routing

CORPUS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "vectors" / "texts_by_hand.yaml").read_text(encoding="utf-8")
)
SENDER = "13800138000"
ADDRESSES = (
    "161", "12520", "10086", "12520034", "12520010", "1252003300042", "16103300042", "1008619",
    "100861900042",
    "12520050", "1252013912345678", "16113912345678", "12520471234567", "1252047123456", "161471", "125862",
    "12520055", "1252002613912345678",
)  # fmt: skip
PEOPLE = tuple(address for address in ADDRESSES if address.endswith(("13912345678", "471234567")))

# Texts near the instructions: their letters, words, separators, typed the ways handsets type them.
NEAR = st.lists(
    st.sampled_from([
        *"KTFXQCPHYBZJON10?？#＃*+:,，。！“” \n\u3000\u200bＫＱＸ是否不的",
        "KTFX", "QXFX", "qxfx", "取消飞信", "开通飞信", "HY", "13912345678", "471234567", "小明", "abc123",
        "\ufffd",
    ]),
    max_size=12,
).map("".join)  # fmt: skip
TEXTS = NEAR | st.text(max_size=40)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case['text']!r} to {case['at']}")
def test_corpus(case: dict[str, Any], commands: Commands, routing: Routing) -> None:
    """Every text of the corpus has the meaning and the rule that the corpus states."""
    route = routing.resolve(case["at"])
    if case["is"] == "refused":
        assert route.refused is not None
        return
    assert route.refused is None
    understood, rule = commands.parser.decide(case["text"], route, SENDER)
    assert (understood.id, rule) == (case["is"], case["rule"])
    assert commands.parser.parse(case["text"], route, SENDER) == understood
    if isinstance(understood, Misunderstood):
        assert understood.reason == case["reason"]
        assert understood.suggestion == case.get("suggestion", "")
        assert (understood.result is Result.USAGE) == case["reason"].startswith("usage.")
        assert understood.hidden == case.get("hidden", "")
    elif isinstance(understood, Chat):
        assert {"to": understood.to} == case["with"]
        assert understood.foreign == case.get("foreign", False)
    else:
        assert understood.arguments == case.get("with", {})
        assert understood.foreign == case.get("foreign", False)
        row = commands.table.rows[understood.id]
        assert understood.hidden == row.hidden


def test_corpus_reaches_every_row_and_is_large_enough(commands: Commands) -> None:
    """The corpus has at least 150 texts and reaches every row of the table and every rule."""
    assert len(CORPUS) >= 150
    assert {case["is"] for case in CORPUS} >= set(commands.table.rows)
    assert {case.get("rule") for case in CORPUS} >= {0, 1, 3, 4, 5, 6, 7}


@given(text=TEXTS, address=st.sampled_from(ADDRESSES))
def test_any_text_means_exactly_one_thing(
    text: str, address: str, commands: Commands, routing: Routing
) -> None:
    """Any text at any place is an instruction, a chat or misunderstood, and is carried along unchanged."""
    route = routing.resolve(address)
    understood = commands.parser.parse(text, route, SENDER)
    assert type(understood) in {Instruction, Chat, Misunderstood}
    assert (understood.text, understood.sender, understood.route) == (text, SENDER, route)
    assert understood == commands.parser.decide(text, route, SENDER).understood


@given(text=TEXTS, address=st.sampled_from(PEOPLE))
def test_at_a_person_everything_is_chat(
    text: str, address: str, commands: Commands, routing: Routing
) -> None:
    """At a person's number the text comes out unchanged, even when it is an instruction elsewhere."""
    understood = commands.parser.parse(text, routing.resolve(address), SENDER)
    assert isinstance(understood, Chat)
    assert understood.text == text


@given(text=st.tuples(TEXTS, TEXTS).map("\ufffd".join), address=st.sampled_from(ADDRESSES))
def test_garbled_text_is_no_instruction(
    text: str, address: str, commands: Commands, routing: Routing
) -> None:
    """A text with U+FFFD is never an instruction at a place with words."""
    route = routing.resolve(address)
    if route.accepts.value in {"base", "answer", "password"}:
        assert isinstance(commands.parser.parse(text, route, SENDER), Misunderstood)


FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)} | {0x3000: 0x20}
INVISIBLE = dict.fromkeys([0x200B, 0xFEFF, 0xAD])
BEFORE = " \t\"'.,;:!~()[]{}<>“”。，！、"
BEHIND = BEFORE + "?？"


CANCELS = {
    "QXFX": "service.cancel",
    "取消飞信": "service.cancel",
    "QXFXJY": "matching.cancel",
    "取消飞信交友": "matching.cancel",
}
"""What cancels at every place that takes instructions."""


def cancels(text: str, address: str) -> str | None:
    """An independent reading of the rules: the row that cancels something by the first line alone, or
    None."""
    lines = [line.translate(FULL_WIDTH) for line in text.translate(INVISIBLE).split("\n")]
    said = [line for line in lines if line.strip()] or [""]
    first, others = said[0], "".join(said[1:])
    word = "".join(first.lstrip(BEFORE).rstrip(BEHIND).split()).upper()
    asks = "?" in first[len(first.rstrip(BEHIND)) :] or ("?" in others and not others.strip(BEHIND))
    if asks:
        return None
    if word == "00000" and not address.startswith("10086"):
        return "service.cancel_all"
    if address == "10086" and word.isdigit() and len(word) <= 2:
        return "service.list.answer"
    return CANCELS.get(word)


@settings(max_examples=400)
@given(
    text=NEAR | st.sampled_from(["00000", "1", "02", "123", "QXFXJY", "取消飞信交友", "是"]),
    address=st.sampled_from(["161", "12520", "10086", "1252003300042", "1008619"]),
)
def test_nothing_else_cancels(text: str, address: str, commands: Commands, routing: Routing) -> None:
    """Exactly the texts inside the rules reach a row that cancels."""
    understood = commands.parser.parse(text, routing.resolve(address), SENDER)
    destructive = understood.id in {*CANCELS.values(), "service.cancel_all", "service.list.answer"}
    expected = None if "\ufffd" in text else cancels(text, address)
    assert (understood.id if destructive else None) == expected


def test_explain_says_what_was_decided(commands: Commands, routing: Routing) -> None:
    """`explain text` shows the folded text, the row, its arguments and the rule, or what is suggested."""
    explained = commands.parser.explain("ＨＹ 139 1234 5678", routing.resolve("161")).as_dict()
    assert explained == {
        "normalised": "HY 139 1234 5678",
        "instruction": "buddy.add",
        "arguments": {"number": "13912345678"},
        "suggestion": "",
        "reason": "",
        "rule": 4,
    }
    misspelt = commands.parser.explain("kftx", routing.resolve("161"))
    assert (misspelt.instruction, misspelt.suggestion, misspelt.rule) == ("misunderstood", "KTFX", 6)
    chat = commands.parser.explain("kftx", routing.resolve("1252013912345678"))
    assert (chat.normalised, chat.instruction, chat.arguments) == ("kftx", "chat", {"to": "13912345678"})
