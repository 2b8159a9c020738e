"""Words that parts of the gateway keep in English, in another language (phrases.yaml).

Such words are stored, or told by a part that knows no language: an error, why an SMS waits. What is in no row
stays as it is: statuses and ids are the same in every language.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import yaml

ENGLISH: Final = "en"
_VALUE: Final = re.compile(r"\\{(\w+)\\}")
_AND: Final = ", "
"""Between two of them (gateway.outbound.waiting)."""


def in_language(text: str, language: str) -> str:
    """The words in a language; unchanged where no row has them."""
    if language == ENGLISH or not text:
        return text
    whole = _one(text, language)
    if whole is not None:
        return whole
    return "，".join(_one(each, language) or each for each in text.split(_AND))


def _one(text: str, language: str) -> str | None:
    for pattern, words in _rows():
        if found := pattern.fullmatch(text):
            values = {name: in_language(value, language) for name, value in found.groupdict().items()}
            return words[language].format(**values)
    return None


@cache
def _rows() -> tuple[tuple[re.Pattern[str], Mapping[str, str]], ...]:
    """The rows of the file, the same for everybody."""
    file = resources.files("gateway.operations") / "phrases.yaml"
    return tuple((_pattern(row[ENGLISH]), row) for row in yaml.safe_load(file.read_text("utf-8")))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_VALUE.sub(r"(?P<\1>.+)", re.escape(template)))
