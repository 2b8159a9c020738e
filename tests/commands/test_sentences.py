"""Sentences: placeholders, lengths, and that each is used."""

from pathlib import Path
from typing import Any

import pytest

from commands.model import ServiceLimits
from commands.sentences import PART, SINGLE, Sentences, parts_of
from commands.service import Commands
from routing.table import Routing
from routing.tablefile import TableError
from tests.commands import script_buddies, script_chat, script_products
from tests.commands.in_memory import LI, SUN, WANG, ZHAO, InMemoryService, number_of_question
from tests.commands.tables import shipped, write

CUSTOMERS_READ_LATIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#")
PIPELINES_OWN = frozenset({"failed", "too_often", "overused", "moved", "incomplete", "password.in_doubt"})
OTHER_OPERATORS = frozenset({"other_operator", "other_operator.open"})
"""Said in tests/commands/test_other_operators.py, which has ported mobiles."""
CHINESE_PUNCTUATION = frozenset("，。：；！？“”、")


def test_sentences_are_written_for_customers(commands: Commands) -> None:
    """Sentences contain only Chinese, what is to be typed, and full-width punctuation."""
    for name, sentence in commands.sentences.by_id.items():
        text = sentence.render(dict.fromkeys(commands.sentences.longest, ""))
        odd = {
            each
            for each in text
            if not ("\u4e00" <= each <= "\u9fff" or each in CUSTOMERS_READ_LATIN | CHINESE_PUNCTUATION)
        }
        assert not odd, f"{name} has {odd}"


def test_only_three_sentences_are_long(commands: Commands) -> None:
    """Only help, chat and the list of questions may take more than one SMS."""
    long = {name for name, sentence in commands.sentences.by_id.items() if sentence.sms > 1}
    assert long == {"help", "chat.message", "answer.several"}
    for sentence in commands.sentences.by_id.values():
        assert parts_of(sentence.render(commands.sentences.longest)) <= sentence.sms


def test_help_is_longer_than_one_sms(commands: Commands) -> None:
    """The help text takes exactly as many SMS as it says."""
    assert parts_of(commands.sentences.render("help")) == commands.sentences.by_id["help"].sms > 1


@pytest.mark.parametrize(
    ("units", "parts"), [(0, 1), (SINGLE, 1), (SINGLE + 1, 2), (2 * PART, 2), (2 * PART + 1, 3), (180, 3)]
)
def test_parts(units: int, parts: int) -> None:
    """One SMS has 70 UTF-16 units, a part of a long one 66."""
    assert parts_of("字" * units) == parts
    if units % 2 == 0:
        assert parts_of("😀" * (units // 2)) == parts


def test_render(commands: Commands) -> None:
    """Values replace their placeholders everywhere; braces in a value stay as they are."""
    text = commands.sentences.render("suggestion", {"word": "{who}"})
    assert text.count("{who}") == 2
    assert commands.sentences.render("chat.message", {"text": "50% {x}"}) == "50% {x}"
    with pytest.raises(KeyError):
        commands.sentences.render("suggestion")
    with pytest.raises(KeyError):
        commands.sentences.render("nothing")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ({"text": "您的{numbr}"}, "no value 'numbr'; did you mean 'number'?"),
        ({"text": "您的{number"}, "a brace that belongs to no {placeholder}"),
        ({"text": "字" * 71}, "takes 2 SMS with its longest values, and claims 1"),
        ({"text": "{text}", "sms": 2}, "takes 3 SMS with its longest values, and claims 2"),
        ({"sms": 1}, "text: is missing"),
        ({"text": ""}, "at least 1 character"),
    ],
)
def test_bad_sentences(tmp_path: Path, sentence: dict[str, Any], expected: str) -> None:
    """Unknown placeholders, stray braces, long sentences and missing texts are refused with their line."""
    content = shipped("replies/zh.yaml")
    content["sentences"]["bad"] = sentence
    path = write(tmp_path / "zh.yaml", content)
    with pytest.raises(TableError) as refused:
        Sentences.load(path)
    assert any(expected in str(fault) and fault.line > 1 for fault in refused.value.faults)


def test_a_value_that_no_sentence_has(tmp_path: Path) -> None:
    """A sample for a placeholder that nothing uses is refused."""
    content = shipped("replies/zh.yaml")
    content["values"]["weather"] = {"sample": "晴"}
    with pytest.raises(TableError, match=r"values\.weather: no sentence has this value"):
        Sentences.load(write(tmp_path / "zh.yaml", content))


BEFORE_OPENING = """
161 CXFX | 161 QXFX | 161 TD | 161 你好 | 161 是 | 1252003300001 是 | 161 0000 | 161 KFTX | 161 BZ | 10086 BZ
125862 喂 | 12520055 喂 | 12520471 喂
"""
AFTERWARDS = f"""
161 KTFX | 161 CXFX | 161 P | 12520050 abc123 | 12520050 密码 | 161 P abc123 | 161 你好 | 161 KT\ufffd
161 ZL#女 | 161 ZL#女#1985 | 161 ZL#女#2007 | 161 HMDLB
161 HY | 161 HY#{LI} | 161 HY#{ZHAO} | 161 HY#13012345678 | 161 BZ#KTFX | 161 BZ#QXFX | 161 BZ#CXFX
161 BZ#P | 161 BZ#是 | 161 BZ#HY | 161 BZ#BZ
12520{LI} 你好 | 12520499999999 你好 | 1252013012345678 你好 | 12520{ZHAO} 你好
12520{WANG} 你好 | 12520{ZHAO} | 12520{ZHAO} {"字" * 181}
"""


def texts_of(script: str) -> list[tuple[str, str]]:
    """(address, text) of each SMS of a script."""
    each = [entry.strip().partition(" ") for line in script.split("\n") if line for entry in line.split("|")]
    return [(to, text) for to, _, text in each]


def become_buddies_in_every_way(service: InMemoryService) -> None:
    """Requests that are agreed to, declined, late, and too many."""
    asked = number_of_question(service.receive(LI, f"HY#{WANG}#小李"))
    service.receive(LI, f"HY#{WANG}")
    service.receive(WANG, "否", asked)
    service.receive(WANG, "否", asked)
    late = number_of_question(service.receive(LI, f"HY#{WANG}"))
    service.pass_hours(24)
    service.receive(WANG, "是", late)
    service.befriend(LI, WANG)
    service.receive(LI, f"HY#{WANG}")
    service.receive(LI, "你好", f"12520{WANG}")
    service.limits = ServiceLimits(buddies=1)
    service.receive(LI, f"HY#{ZHAO}")
    service.receive(ZHAO, f"HY#{LI}")
    service.limits = ServiceLimits(open_questions=1)
    service.receive(ZHAO, f"HY#{WANG}")
    service.receive(SUN, f"HY#{WANG}")


def leave_in_every_way(service: InMemoryService) -> None:
    """QXFX asked, declined, reminded of and confirmed, with another question open."""
    service.limits = ServiceLimits()
    cancelling = number_of_question(service.receive(WANG, "QXFX"))
    service.receive(WANG, "CXFX", cancelling)
    service.receive(WANG, "是")
    service.receive(WANG, "否", cancelling)
    service.receive(ZHAO, "QXFX")
    service.receive(ZHAO, "是")
    service.receive(WANG, "是")


def test_every_sentence_is_said(commands: Commands, routing: Routing) -> None:
    """The scripts produce every sentence, except the pipeline's own and one that no row needs yet."""
    service = InMemoryService(commands, routing)
    for to, text in texts_of(BEFORE_OPENING):
        service.receive(LI, text, to)
    service.open(LI, WANG)
    service.drawn_numbers = tuple(service.customers[each].fetion_number for each in (LI, WANG))
    service.receive(ZHAO, "KTFX")
    service.drawn_numbers = ()
    service.pass_hours(1)  # help comes once in a while
    for to, text in texts_of(AFTERWARDS):
        service.receive(LI, text, to)
    service.open(ZHAO, SUN)
    become_buddies_in_every_way(service)
    leave_in_every_way(service)
    said = {reply.sentence for reply in service.replies}
    said |= script_buddies.play(InMemoryService(commands, routing))
    said |= script_products.play(InMemoryService(commands, routing))
    said |= script_chat.play(InMemoryService(commands, routing))
    agents = {"service.suspended", "service.resumed"}  # tests/commands/test_actions.py
    unsaid = PIPELINES_OWN | OTHER_OPERATORS | agents | {"elsewhere.hotline"}
    assert set(commands.sentences.by_id) - said == unsaid
    for reply in service.replies:
        assert parts_of(commands.render(reply)) <= commands.sentences.by_id[reply.sentence].sms
