"""Reading and handling an SMS takes linear time, for the worst texts that we know.

An SMS may have 64 KB (message_payload). The tests compare CPU time, so that other load on the machine matters
little. For four times the length a linear scan takes four times as long, a quadratic one sixteen times.
"""

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.dispatch import Dispatch
from commands.keys import keys_of
from commands.model import Given, World
from commands.parser import Parser
from commands.service import Commands
from commands.table import load_table
from commands.text import normalise
from routing.table import Routing
from tests.commands.in_memory import LI, START, WANG
from tests.commands.tables import shipped, sourced, write

LENGTH = 1_000
ALLOWED = 9.0
"""The ratio of CPU times that is accepted for four times the length; a quadratic scan has 16."""

Work = Callable[[str], object]

WORST = {
    "automatic: half of its words, over and over": "来电提醒",
    "automatic: the other half": "已关机",
    "automatic: the beginning of each": "对不起。我现在正在开会",
    "digits": "1",
    "digits and blanks": "1 ",
    "letters": "A",
    "letters and digits": "A1",
    "a password word": "P ",
    "glued passwords": "MM12345 ",
    "密码": "密码",
    "courtesies": "谢谢",
    "blanks": " ",
    "lines": "\n",
    "separators": "#*+:, ",
    "question marks": "?",
    "question marks and dots": "?.",
    "opening marks": "(",
    "opening marks of all kinds": "([{<“‘",
    "pairs": "()",
    "quotes": '"',
    "negations in questions": "要不要",
    "negations": "不",
    "words that cancel": "取消",
    "questions": "怎么",
    "characters that NFKC makes longer": "℃…",
    "astral characters": "\U00010000",
    "invisible characters": "\u200b",
    "garbled": "\ufffd1",
}
BEFORE = (
    "",
    "QXFX",
    "HY#",
    f"HY#{WANG}#",
    f"FS#{WANG}#",
    f"“FS#{WANG}#",
    "SP#",
    "BZ#",
    "ZL#女#",
    "HYLB#",
    "是",
    "“",
)
BEHIND = ("", "？", ")", "”", "\nQXFX")


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Switch the garbage collector off: it would scan the objects of other tests."""
    gc.disable()
    yield
    gc.enable()


def cost(work: Work, text: str) -> float:
    """The lowest CPU time of three runs, in seconds."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        work(text)
        best = min(best, time.process_time() - begun)
    return best


def grows(work: Work, unit: str, before: str = "", behind: str = "") -> float:
    """The ratio of CPU times for four times the text. Times below 0.5 ms count as 0.5 ms."""
    times = []
    for factor in (1, 2, 4):
        count = LENGTH * factor // len(unit)
        times.append(max(cost(work, f"{before}{unit * count}{behind}"), 0.0005))
    assert times[1] / times[0] < ALLOWED, "already at twice the length"
    return times[2] / times[0]


@pytest.mark.parametrize("name", WORST)
def test_parsing_is_linear(name: str, commands: Commands, routing: Routing) -> None:
    """Parsing is linear for each text, with each beginning and each end."""
    route = routing.resolve("12520")
    for before, behind in (*((each, "") for each in BEFORE), *(("", each) for each in BEHIND)):
        ratio = grows(lambda text: commands.parser.decide(text, route, LI), WORST[name], before, behind)
        assert ratio < ALLOWED, (before, behind)


def handling(commands: Commands | Dispatch, parser: Parser, routing: Routing) -> Work:
    """A function that parses and handles a text in a world where nobody has opened."""
    route = routing.resolve("161")

    def work(text: str) -> object:
        understood = parser.parse(text, route, LI)
        world = World()
        keys = keys_of(understood)
        world.customers.update(dict.fromkeys({*keys.customers, LI}))
        world.holders.update(dict.fromkeys(keys.holders))
        world.buddies.update(dict.fromkeys(keys.buddies))
        return commands.handle(world, understood, Given(START, "0" * 16, ("400000001",)))

    return work


@pytest.mark.parametrize("name", WORST)
def test_handling_is_linear(name: str, commands: Commands, routing: Routing) -> None:
    """Handling is linear too, with the patterns for automatic texts."""
    work = handling(commands, commands.parser, routing)
    for before in ("", "来电提醒", "对不起", "机主已关机", "我现在开会"):
        assert grows(work, WORST[name], before) < ALLOWED, before


def test_64_kilobytes_take_no_time(commands: Commands, routing: Routing) -> None:
    """64 KB of 来电提醒 are handled in less than 0.1 s."""
    work = handling(commands, commands.parser, routing)
    assert cost(work, "来电提醒" * (65_536 // 8)) < 0.1


def test_a_pattern_of_the_operator(tmp_path: Path, commands: Commands, routing: Routing) -> None:
    """A quadratic pattern of an operator is matched against the head of a text only."""
    content: dict[str, Any] = shipped()
    content["automatic"] = [sourced("A.*B.*C"), sourced("[0-9]*[0-9]*#")]
    table = load_table(
        write(tmp_path / "appendix8.yaml", content), commands.table.rows, commands.sentences.by_id
    )
    work = handling(Dispatch(table, commands.parser), commands.parser, routing)
    for unit in ("AB", "1", "A"):
        assert grows(work, unit, "您") < ALLOWED


@pytest.mark.parametrize("name", WORST)
def test_folding_and_pairing_are_linear(name: str) -> None:
    """Folding, cutting and pairing marks are linear."""

    def work(text: str) -> object:
        folded = normalise(text)
        folded.cut(0, len(folded.folded))
        return folded.splits(1, len(folded.folded) - 1), folded.partners()

    assert grows(work, WORST[name]) < ALLOWED
