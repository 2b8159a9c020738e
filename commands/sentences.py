"""The sentences that customers receive: checked and split at load, rendered for each SMS."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from commands.schema import Replies
from routing.tablefile import Fault, Located, TableError, locate, nearest

SINGLE = 70
"""UTF-16 units of a single SMS in UCS-2: 140 octets (3GPP TS 23.040)."""

PART = 66
"""UTF-16 units of a part of a long SMS, after the larger of the two headers (16-bit reference, 7 octets)."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def parts_of(text: str) -> int:
    """How many SMS a text takes in UCS-2. In the 7-bit alphabet a text without Chinese may take fewer."""
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= SINGLE else -(-units // PART)


def placeholders(text: str) -> frozenset[str]:
    """The names of the placeholders of a text."""
    return frozenset(_PLACEHOLDER.findall(text))


def put(values: Mapping[str, str], text: str) -> str:
    """`text` with its placeholders replaced that have a value in `values`."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


class Sentence:
    """A sentence, split at its placeholders.

    names: the placeholders, in order. sms: how many SMS it takes at most.
    """

    __slots__ = ("_gaps", "_pieces", "names", "sms")

    def __init__(self, text: str, sms: int) -> None:
        self._pieces = _PLACEHOLDER.split(text)
        self._gaps = [(index, self._pieces[index]) for index in range(1, len(self._pieces), 2)]
        self.names = tuple(name for _, name in self._gaps)
        self.sms = sms

    @property
    def pieces(self) -> Sequence[str]:
        """Literal text and names of placeholders in turn, beginning with literal text."""
        return self._pieces

    def render(self, values: Mapping[str, str]) -> str:
        """The text with its values. Raises KeyError when a value is missing."""
        pieces = self._pieces.copy()
        for index, name in self._gaps:
            pieces[index] = values[name]
        return "".join(pieces)


class Sentences:
    """All sentences by id. Immutable. Build it with `load`.

    longest: the longest value of each placeholder, with which lengths were checked. fixed: the values that do
    not change.
    """

    __slots__ = ("_constant", "_located", "by_id", "fixed", "longest")

    def __init__(self, located: Located[Replies], fixed: Mapping[str, str]) -> None:
        """Check the sentences.

        Args:
            fixed: values that do not change while the gateway runs, such as prices.

        Raises:
            TableError: a placeholder without a sample, or a sentence that takes more SMS than `sms` says.
        """
        self._located = located
        self.fixed = fixed
        records = located.value
        self.longest: Mapping[str, str] = {
            name: record.sample * record.times for name, record in records.values.items()
        }
        self.by_id: Mapping[str, Sentence] = {
            name: Sentence(put(fixed, record.text), record.sms) for name, record in records.sentences.items()
        }
        if faults := list(self._faults()):
            raise TableError(faults)
        self._constant: Mapping[str, str] = {
            name: sentence.render({}) for name, sentence in self.by_id.items() if not sentence.names
        }

    @classmethod
    def load(cls, path: Path, fixed: Mapping[str, str] = _NOTHING) -> "Sentences":
        """The sentences of a file. Raises TableError."""
        return cls(locate(path, Replies), fixed)

    def render(self, sentence: str, values: Mapping[str, str] | None = None) -> str:
        """The text of a sentence. Raises KeyError for an unknown sentence or a missing value."""
        constant = self._constant.get(sentence)
        if constant is not None:
            return constant
        return self.by_id[sentence].render(values or {})

    def written(self, sentence: str) -> str:
        """The text of a sentence as it stands in the file."""
        return self._located.value.sentences[sentence].text

    def fault(self, sentence: str, reason: str) -> Fault:
        """A fault of a sentence of the file."""
        return self._located.fault(("sentences", sentence, "text"), reason)

    def unused(self, used: Collection[str]) -> list[Fault]:
        """A fault for each sentence that is not in `used`."""
        return [
            self._located.fault(("sentences", name), "no row and no rule says this sentence")
            for name in self.by_id
            if name not in used
        ]

    def _faults(self) -> Iterator[Fault]:
        used: set[str] = set()
        for name, sentence in self.by_id.items():
            here = ("sentences", name)
            text = self._located.value.sentences[name].text
            used.update(_PLACEHOLDER.findall(text))
            unknown = [each for each in sentence.names if each not in self.longest]
            for each in unknown:
                yield self._located.fault(
                    (*here, "text"), f"no value {each!r}; {nearest(each, self.longest)}"
                )
            rest = _PLACEHOLDER.sub("", text)
            if "{" in rest or "}" in rest:
                yield self._located.fault((*here, "text"), "a brace that belongs to no {placeholder}")
            if not unknown and (parts := parts_of(sentence.render(self.longest))) > sentence.sms:
                reason = f"takes {parts} SMS with its longest values, and claims {sentence.sms}"
                yield self._located.fault((*here, "text"), reason)
        for value in self.longest:
            if value not in used:
                yield self._located.fault(("values", value), "no sentence has this value")
