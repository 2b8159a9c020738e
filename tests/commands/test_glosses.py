"""Glosses: one for every sentence, with its values, found from the text of an SMS alone."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.glosses import Glosses
from commands.service import Commands
from routing.table import Routing
from routing.tablefile import TableError
from tests.commands import script_buddies, script_chat, script_products
from tests.commands.in_memory import InMemoryService
from tests.commands.tables import shipped, write

EN = "replies/en.yaml"
DIGITS = st.text("0123456789", min_size=1, max_size=11)


@pytest.fixture(scope="module")
def glosses(commands: Commands) -> Glosses:
    """The shipped glosses."""
    return Glosses.load(commands)


def test_every_sentence_is_found_by_its_text(commands: Commands, glosses: Glosses) -> None:
    """Each sentence with its longest values has its gloss, in English, with these values."""
    english = shipped(EN)["sentences"]
    for name, sentence in commands.sentences.by_id.items():
        if name == "chat.message":  # any text at all
            continue
        values = {each: commands.sentences.longest[each] for each in sentence.names}
        said = glosses.of_sms(sentence.render(values))
        expected = english[name]
        for each, value in (values | dict(commands.sentences.fixed)).items():
            expected = expected.replace(f"{{{each}}}", value)
        assert said == expected, name


def test_every_gloss_is_english() -> None:
    """But for the answers 是 and 否 where it explains them, and behind the # of an example."""
    for glosses in shipped(EN).values():
        for name, gloss in glosses.items():
            english = re.sub(r"\b[A-Z]{2}#\S+|是 \(yes\)|否 \(no\)", "", gloss)
            assert english.isascii(), name


@pytest.mark.parametrize("script", [script_buddies, script_products, script_chat], ids=lambda m: m.__name__)
def test_every_reply_of_a_long_conversation(
    commands: Commands, routing: Routing, glosses: Glosses, script: ModuleType
) -> None:
    """What customers get has the gloss of the very sentence it is, with the values it was said with."""
    service = InMemoryService(commands, routing)
    script.play(service)
    english = shipped(EN)["sentences"]
    chats = 0
    for reply in service.replies:
        expected = english[reply.sentence]
        for name, value in (dict(commands.sentences.fixed) | dict(reply.values or {})).items():
            expected = expected.replace(f"{{{name}}}", str(value))
        said = glosses.of_sms(commands.render(reply))
        if reply.sentence == "chat.message":
            chats += 1
        else:
            assert said is not None
            assert said.startswith(expected), reply
    assert len(service.replies) > 2 * chats


@given(values=st.dictionaries(st.sampled_from(["who", "number"]), DIGITS, min_size=2))
def test_values_stand_in_the_gloss(commands: Commands, glosses: Glosses, values: dict[str, str]) -> None:
    """The values of a sentence are read out of its text."""
    text = commands.sentences.render("buddy.added", values)
    who, number = values["who"], values["number"]
    assert glosses.of_sms(text) == f"You and {who} are Fetion buddies now. Text 12520{number} to chat."


@given(text=st.text(max_size=200))
def test_any_text(glosses: Glosses, text: str) -> None:
    """Whatever a handset gets, there is a gloss or none, never an error."""
    said = glosses.of_sms(text)
    assert said is None or said.isprintable() or not text.isprintable()


@pytest.mark.parametrize("text", ["今晚一起吃饭吗？", "OK, see you at 7.", "", "\n"])
def test_a_chat_message_has_none(glosses: Glosses, text: str) -> None:
    """What is no sentence of ours has no gloss."""
    assert glosses.of_sms(text) is None


def test_a_value_that_two_places_have_is_one(glosses: Glosses, commands: Commands) -> None:
    """A sentence that names one value twice is not found where the two differ."""
    text = commands.sentences.render("suggestion", {"word": "KTFX"})
    assert glosses.of_sms(text) is not None
    assert glosses.of_sms(text.replace("KTFX", "QXFX", 1)) is None


def test_a_clause_behind_a_sentence(glosses: Glosses, commands: Commands) -> None:
    """A sentence with a clause has both glosses, also where the sentence ends with a value."""
    moved = commands.sentences.render("moved")
    values = {"name": "小爱", "fetion_number": "512345678", "number": "13800138000", "mood": "好"}
    text = commands.sentences.render("buddy.profile.mood", values)
    assert glosses.of_sms(text + moved) == (
        "小爱, Fetion number 512345678, mobile 13800138000: 好"
        " 161 will soon be out of use, please use 12520 instead."
    )


@pytest.mark.parametrize(
    ("to", "text", "gloss"),
    [
        ("161", "KTFX", "open Fetion"),
        ("12520", "ＫＴＦＸ", "open Fetion"),
        ("12520", "HY#13900139000#小爱", "add this buddy"),
        ("1252003300001", "是", "yes"),
        ("12520050", "demo2007", "set this password"),
        ("1252013900139000", "KTFX", None),
        ("161", "KFTX", None),
    ],
)
def test_instructions(
    routing: Routing, commands: Commands, glosses: Glosses, to: str, text: str, gloss: str | None
) -> None:
    """An instruction has a gloss; a chat message and a text that is not understood have none."""
    understood = commands.parser.parse(text, routing.resolve(to), "13800138000")
    assert glosses.of_instruction(understood) == gloss


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda en: en["sentences"].pop("buddy.gone"), "no gloss for the sentence buddy.gone"),
        (
            lambda en: en["sentences"].update({"buddy.gonne": "x"}),
            "no such sentence; did you mean 'buddy.gone'?",
        ),
        (
            lambda en: en["sentences"].update({"buddy.added": "{who}"}),
            "its placeholders must be those of the sentence: {number} {who}",
        ),
        (lambda en: en["instructions"].pop("help"), "no gloss for the instruction help"),
        (lambda en: en["instructions"].update({"halp": "x"}), "no such row; did you mean 'help'?"),
        (lambda en: en["instructions"].update({"help": ""}), "instructions.help: "),
    ],
)
def test_bad_glosses(tmp_path: Path, commands: Commands, change: Any, expected: str) -> None:
    """Missing, unknown and unfit glosses are refused, with their line."""
    content = shipped(EN)
    change(content)
    with pytest.raises(TableError) as refused:
        Glosses.load(commands, write(tmp_path / "en.yaml", content))
    assert any(expected in str(fault) and fault.line >= 1 for fault in refused.value.faults)
