"""Instruction tables for tests: the shipped one with changes, or one with other rows."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from commands.parser import Parser
from commands.table import load_table
from routing.table import Routing

SHIPPED = Path(__file__).parents[2] / "commands"
Change: TypeAlias = Callable[[dict[str, Any]], object]


def sourced(value: object) -> dict[str, object]:
    """A value with provenance."""
    return {"value": value, "provenance": "reconstructed", "ground": "a test"}


def row(
    row_id: str, words: Iterable[str], arguments: Iterable[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A row of the place base."""
    return {
        "id": row_id,
        "words": [sourced(word) for word in words],
        "where": [sourced("base")],
        "arguments": list(arguments),
        "effect": sourced("does something"),
        "needs": "any",
        "usage": "usage.help",
        **more,
    }


def argument(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """An argument; numbers and lists of words among `more` get their provenance."""
    for key, value in more.items():
        if key == "choices":
            more[key] = [sourced(each) for each in value]
        elif key in {"longest", "shortest"}:
            more[key] = sourced(value)
    return {"name": name, "kind": sourced(kind), **more}


def shipped(file: str = "appendix8.yaml") -> dict[str, Any]:
    """The content of a shipped file, as a copy that may be changed."""
    content: dict[str, Any] = deepcopy(yaml.safe_load((SHIPPED / file).read_text(encoding="utf-8")))
    return content


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write a table without anchors, so that every row has lines of its own."""
    dumper = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump(content, Dumper=dumper, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def parser_of(rows: list[dict[str, Any]], folder: Path, routing: Routing) -> Parser:
    """A parser for `rows` and the shipped rows that take whole texts."""
    content = shipped()
    whole = [each for each in content["rows"] if each.get("whole_text")]
    content["rows"] = [*rows, *whole]
    for key in ("attempt", "cancelling"):
        content.pop(key)
    content["hints"] = content["foreign"] = []
    handlers = {each["id"] for each in content["rows"]}
    sentences = shipped("replies/zh.yaml")["sentences"]
    table = load_table(write(folder / "appendix8.yaml", content), handlers, sentences)
    provinces = {province.zh: province.code for province in routing.provinces.values()}
    return Parser(table, routing.numbers.person, routing.operator, provinces, lambda _: False)
