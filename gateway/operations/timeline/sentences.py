"""Sentences of a timeline: a key of sentences.yaml and what it names; written in Chinese or English."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

import yaml

from gateway.operations.phrases import ENGLISH, in_language


@dataclass(frozen=True, slots=True)
class Words:
    """English words that the store has, or that a part of the gateway tells (gateway.operations.phrases)."""

    text: str

    def __bool__(self) -> bool:
        return bool(self.text)


class Sentence:
    """key: of sentences.yaml. values: what it names: sentences, words, or what is written as it is."""

    __slots__ = ("key", "values")

    def __init__(self, key: str, **values: Any) -> None:
        self.key = key
        self.values: Mapping[str, Any] = values


Told: TypeAlias = Sentence | Words | str
"""What a step says; a text is written as it is."""


def written(told: Any, language: str = ENGLISH) -> Any:
    """Write it in a language: zh or en."""
    if isinstance(told, Words):
        return in_language(told.text, language)
    if not isinstance(told, Sentence):
        return told
    values = {name: written(value, language) for name, value in told.values.items()}
    return texts()[told.key][language].format(**values)


def named(group: str, code: str) -> Told:
    """The words for an id; the id itself where there are none."""
    key = f"{group}_{code}"
    return Sentence(key) if key in texts() else code


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """The sentences of the file, by key, in both languages."""
    file = resources.files(__package__) / "sentences.yaml"
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(file.read_text("utf-8"))
    return found
