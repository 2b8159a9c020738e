"""Reads docs/operating.md: its troubles with the log lines that they show, and its commands."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.test_architecture import ROOT

PAGE: Final = ROOT / "docs" / "operating.md"
FIXED: Final = ("level", "event", "reason", "command_status", "command", "outcome", "error", "kind", "remedy")
"""Keys whose values the page gives as they are, but for numbers and paths."""

_TROUBLE = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
_JSON = re.compile(r"^```json\n(.+?)^```", re.MULTILINE | re.DOTALL)
_OVER = re.compile(r"\*\*Over\*\* (.+?)(?:\n\n|\Z)", re.DOTALL)
_EVENT = re.compile(r"`([a-z]+\.[a-z_]+)`")
_NAMED = re.compile(r"<!-- (\w+) -->\n+```json\n(.+?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"<!-- (\w+) -->\n+```sh\n(.+?)^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:/[\w.@-]+)+")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One section: its lines of the log, the whole text, and the events of which one says that it is over."""

    title: str
    lines: tuple[dict[str, Any], ...]
    text: str
    over: frozenset[str]


def troubles() -> list[Trouble]:
    """All of the page, in its order."""
    pieces = _TROUBLE.split(PAGE.read_text("utf-8"))
    found = []
    for title, text in zip(pieces[2::3], pieces[3::3], strict=True):
        own = text.partition("\n## ")[0]
        lines = [json.loads(line) for block in _JSON.findall(own) for line in block.splitlines()]
        over = frozenset(name for part in _OVER.findall(own) for name in _EVENT.findall(part))
        found.append(Trouble(title, tuple(lines), own, over))
    return found


def commands(name: str) -> str:
    """The shell commands that stand behind the comment <!-- name -->."""
    [found] = [block for given, block in _SHELL.findall(PAGE.read_text("utf-8")) if given == name]
    return str(found)


def named_line(name: str) -> dict[str, Any]:
    """The line of the log that stands behind the comment <!-- name -->."""
    [found] = [json.loads(line) for given, line in _NAMED.findall(PAGE.read_text("utf-8")) if given == name]
    return dict(found)


def is_like(line: dict[str, Any], example: dict[str, Any]) -> bool:
    """Whether a line of a log has the keys of an example in their order, values of the same types, and the
    same fixed values."""
    if list(line) != list(example):
        return False
    if any(type(line[key]) is not type(example[key]) for key in example):
        return False
    return all(general(line[key]) == general(example[key]) for key in FIXED if key in example)


def general(value: object) -> str:
    """A value without its numbers and paths."""
    return re.sub(r"\d+", "0", _PATH.sub("PATH", str(value)))


def closest(log: Path, example: dict[str, Any]) -> str:
    """What a log has of that event, for the report of a failure."""
    told = [line for line in log.read_text("utf-8").splitlines() if f'"{example["event"]}"' in line]
    return "\n".join(told[-3:]) or f"no {example['event']}"
