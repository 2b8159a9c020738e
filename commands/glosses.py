"""What the SMS of the service say in English, found from their Chinese text: for readers of `demo`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from commands.model import Instruction, Understood
from commands.schema import GlossesRecord
from commands.sentences import Sentence, placeholders, put
from commands.service import Commands
from routing.tablefile import Fault, Located, TableError, locate, nearest

FILE: Final = "replies/en.yaml"


class Glosses:
    """The glosses of a table. Immutable. Build it with `load`."""

    __slots__ = ("_clauses", "_glosses", "_instructions", "_patterns")

    def __init__(self, located: Located[GlossesRecord], commands: Commands) -> None:
        """Check the glosses. Raises TableError: one is missing, unknown, or has other placeholders."""
        if faults := list(_faults(located, commands)):
            raise TableError(faults)
        sentences, general = commands.sentences, commands.table.general
        self._instructions = located.value.instructions
        self._glosses = {
            name: Sentence(put(sentences.fixed, text), 1) for name, text in located.value.sentences.items()
        }
        self._clauses = {sentences.render(name): name for name in (general.unread, general.moved)}
        # The most literal characters first: a sentence that another contains is the less specific one.
        literal = sorted(sentences.by_id.items(), key=lambda item: -_literal_length(item[1]))
        self._patterns = [
            (name, _pattern(sentence)) for name, sentence in literal if _literal_length(sentence)
        ]

    @classmethod
    def load(cls, commands: Commands, path: Path | None = None) -> "Glosses":
        """The glosses of a file, or the shipped ones. Raises TableError."""
        return cls(locate(path or Path(__file__).parent / FILE, GlossesRecord), commands)

    def of_instruction(self, understood: Understood) -> str | None:
        """What the sender of an instruction asks for; None for a chat message and what is no instruction."""
        return self._instructions.get(understood.id) if isinstance(understood, Instruction) else None

    def of_row(self, name: str) -> str | None:
        """What the sender of an instruction asks for; None for a row that takes any text."""
        return self._instructions.get(name)

    def of_sms(self, text: str) -> str | None:
        """What an SMS of the service says, with its values; None for what is no sentence of ours.

        A clause (161 is about to end) may stand behind a sentence.
        """
        for clause, name in self._clauses.items():
            if text.endswith(clause) and (said := self._of_sentence(text.removesuffix(clause))):
                return f"{said} {self._glosses[name].render({})}"
        return self._of_sentence(text)

    def _of_sentence(self, text: str) -> str | None:
        for name, pattern in self._patterns:
            if found := pattern.fullmatch(text):
                return self._glosses[name].render(found.groupdict())
        return None


def _literal_length(sentence: Sentence) -> int:
    return sum(map(len, sentence.pieces[::2]))


def _pattern(sentence: Sentence) -> re.Pattern[str]:
    """What a sentence looks like with any values; a placeholder that it has twice has one value."""
    seen: set[str] = set()
    parts = []
    for place, piece in enumerate(sentence.pieces):
        if place % 2 == 0:
            parts.append(re.escape(piece))
        elif piece in seen:
            parts.append(f"(?P={piece})")
        else:
            seen.add(piece)
            parts.append(f"(?P<{piece}>.+?)")
    return re.compile("".join(parts), re.DOTALL)


def _faults(located: Located[GlossesRecord], commands: Commands) -> Iterator[Fault]:
    sentences, glosses = commands.sentences, located.value.sentences
    rows, instructions = commands.table.rows, located.value.instructions
    for name in sentences.by_id.keys() - glosses.keys():
        yield located.fault(("sentences",), f"no gloss for the sentence {name}")
    for name, text in glosses.items():
        here = ("sentences", name)
        if name not in sentences.by_id:
            yield located.fault(here, f"no such sentence; {nearest(name, sentences.by_id)}")
        elif placeholders(text) != (wanted := placeholders(sentences.written(name))):
            named = " ".join(f"{{{each}}}" for each in sorted(wanted)) or "none"
            yield located.fault(here, f"its placeholders must be those of the sentence: {named}")
    for name in {name for name, row in rows.items() if not row.whole_text} - instructions.keys():
        yield located.fault(("instructions",), f"no gloss for the instruction {name}")
    for name in instructions.keys() - rows.keys():
        yield located.fault(("instructions", name), f"no such row; {nearest(name, rows)}")
