"""The generated corpus texts.yaml: the parser compared with a second reading of appendix 8."""

from typing import Any

import pytest
import yaml

from commands.model import Chat, Misunderstood, Result
from commands.service import Commands
from routing.table import Routing
from tests.vectors import make_texts
from tests.vectors.texts_tables import ROWS

SENDER = "13800138000"
WRITTEN = make_texts.FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[dict[str, Any]]]:
    """The texts: `variants` and `negatives`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, list[dict[str, Any]]] = yaml.load(WRITTEN, loader)
    return loaded


def meaning_of(commands: Commands, routing: Routing, case: dict[str, Any]) -> dict[str, Any]:
    """The parser's result in the terms of the corpus."""
    route = routing.resolve(case["at"])
    assert route.refused is None
    understood = commands.parser.parse(case["text"], route, SENDER)
    said: dict[str, Any] = {"is": understood.id}
    if isinstance(understood, Misunderstood):
        if understood.result is Result.USAGE:
            row = next(row for row in commands.table.rows.values() if row.usage == understood.reason)
            return {"is": "usage", "of": row.id}
        if "suggestion" in case:
            said["suggestion"] = understood.suggestion
        if "masked" in case:
            said["masked"] = bool(understood.hidden)
    elif isinstance(understood, Chat):
        assert understood.text == case["text"]
        said["with"] = {"to": understood.to}
    elif arguments := {name: value for name, value in understood.arguments.items() if value}:
        said["with"] = arguments
    return said


def test_the_file_is_what_the_script_makes() -> None:
    """texts.yaml is exactly what make_texts.py writes; there every rule and every word has an instance."""
    assert make_texts.render() == WRITTEN, "run: python -m tests.vectors.make_texts"


def test_a_rule_without_an_instance_fails() -> None:
    """The script fails when a rule has no text, and when a text has two meanings."""
    with pytest.raises(ValueError, match="no instance"):
        make_texts.made({"nothing": lambda: iter(())})
    one, other = make_texts.Entry("P", "161", "password.random"), make_texts.Entry("P", "161", "help")
    with pytest.raises(ValueError, match="means"):
        make_texts.made({"two": lambda: iter((one, other))})


def test_the_corpus_is_large_enough(corpus: dict[str, list[dict[str, Any]]]) -> None:
    """At least 500 texts that mean something and at least 100 that do not."""
    assert len(corpus["variants"]) >= 500
    assert len(corpus["negatives"]) >= 100
    assert {case["is"] for case in corpus["negatives"]} == {"misunderstood"}


def test_every_text_means_what_the_rules_say(
    corpus: dict[str, list[dict[str, Any]]], commands: Commands, routing: Routing
) -> None:
    """The parser gives each text the row, arguments, usage or suggestion that the corpus states."""
    differ = []
    for case in (*corpus["variants"], *corpus["negatives"]):
        expected = {key: value for key, value in case.items() if key not in {"text", "at", "rule"}}
        if "topic" in expected.get("with", {}):  # the parser looks up how that row is used
            expected["with"] = {"topic": commands.table.rows[expected["with"]["topic"]].usage}
        found = meaning_of(commands, routing, case)
        if found != expected:
            differ.append((case["text"], case["at"], case["rule"], expected, found))
    assert differ == []


def test_the_corpus_reaches_the_whole_table(
    corpus: dict[str, list[dict[str, Any]]], commands: Commands
) -> None:
    """Every row of the table is in the corpus with every of its words, so that a new one must join it."""
    rows = commands.table.rows
    assert {case["is"] for case in corpus["variants"]} - {"usage"} == set(rows)
    words = {row.id: row.words for row in ROWS}
    assert words == {row_id: row.words for row_id, row in rows.items() if row.words}
