"""The instruction table, checked at load: which word means which row at which place.

A place is where a text arrives; it decides what can be said there. The places in `places` have a grammar of
their own and are recognised by access code. The other places (the number of a question, the password number,
the number of a person ...) are those of routing.model.Accepts.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from commands.arguments import FREE_KINDS, GLUED_KINDS, MARKED_KINDS, PERSON_KINDS, Argument, Kind, serial
from commands.model import Hidden
from commands.schema import Appendix8, GeneralRecord, RowRecord
from commands.text import SEPARATORS, normalise, word_of
from routing.model import Accepts
from routing.provenance import Sourced
from routing.tablefile import Fault, KeyPath, Located, TableError, locate, nearest

SHORTEST_SUGGESTED = 4
"""Characters. Shorter words are never suggested: too many texts are near them."""

_WHOLE_TEXT_PLACES = frozenset(Accepts) - {Accepts.BASE, Accepts.ANSWER}
_OTHER_PLACES = frozenset(Accepts) - {Accepts.BASE}


@dataclass(frozen=True, slots=True)
class Row:
    """An instruction.

    words: the first is the one that our sentences name. whole_text: it takes every text at its places.
    needs_open: only for customers who have opened Fetion. works_protected, works_suspended, works_ported_out:
    also while the account is protected, while the line is cut, for a customer whose mobile now belongs to
    another operator. helps: alone on its line it asks for help, which is limited by limits.help_period.
    draws: what has to be drawn before its handler runs. reads: it has no effect. hidden: why its text is not
    stored. usage: the sentence that explains it. replies: the sentences that its handler may send. answers:
    it answers a question. numbers: its arguments that name persons. keeps_marks: a question mark behind its
    last argument belongs to that argument.
    """

    id: str
    words: tuple[str, ...]
    where: frozenset[str]
    whole_text: bool
    arguments: tuple[Argument, ...]
    needs_open: bool
    works_protected: bool
    works_suspended: bool
    works_ported_out: bool
    helps: bool
    draws: frozenset[str]
    reads: bool
    hidden: Hidden
    usage: str
    replies: frozenset[str]
    answers: bool
    numbers: tuple[str, ...]
    needs_arguments: bool
    takes_free_text: bool
    takes_glued_digits: bool
    keeps_marks: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """What is understood at a place.

    newest, elsewhere: as in schema.PlaceRecord. plain: raw texts that need no normalising. exact: every word.
    heads: words that arguments may follow. lengths: the lengths of those words, longest first. exact_only:
    words of rows without arguments, longest first. near: words that may be suggested. hints: texts with a
    sentence of their own. listed: the row that takes the places of a list.
    """

    newest: bool
    elsewhere: str
    plain: Mapping[str, Row]
    exact: Mapping[str, Row]
    heads: Mapping[str, Row]
    lengths: tuple[int, ...]
    exact_only: tuple[tuple[str, Row], ...]
    near: tuple[tuple[str, Row], ...]
    hints: Mapping[str, str]
    listed: Row | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """How to detect a password at the wrong number (schema.AttemptRecord), and the sentence that answers it.

    latin, chinese: words for password. commands: a text that begins with one of these words is not a
    password. shortest, longest: characters of a password.
    """

    latin: frozenset[str]
    chinese: tuple[str, ...]
    courtesies: tuple[str, ...]
    commands: tuple[str, ...]
    shortest: int
    longest: int
    reply: str


@dataclass(frozen=True, slots=True)
class Cancelling:
    """Texts by which a customer wants to cancel (schema.CancellingRecord)."""

    words: frozenset[str]
    names: tuple[str, ...]
    questions: tuple[str, ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Table:
    """The instruction table. Build it with `load_table`.

    grammars: by access code. places: each grammar once; the first is for access codes without a grammar.
    whole: rows that take the whole text, by place. answers: words that answer a question. topics: word -> the
    sentence that explains it. opposites, negations, foreign: what prevents a suggestion. automatic: finds
    texts that no human wrote; None: no patterns. uses: every sentence that the table names.
    """

    rows: Mapping[str, Row]
    grammars: Mapping[str, Grammar]
    places: tuple[Grammar, ...]
    whole: Mapping[str, Row]
    answers: Mapping[str, Row]
    topics: Mapping[str, str]
    opposites: tuple[tuple[str, str], ...]
    negations: tuple[str, ...]
    foreign: tuple[str, ...]
    cancelling: Cancelling | None
    attempt: Attempt | None
    automatic: re.Pattern[str] | None
    general: GeneralRecord
    uses: frozenset[str]


def load_table(path: Path, handlers: Collection[str], sentences: Collection[str]) -> Table:
    """Load and check the table in `path`.

    Args:
        handlers: ids of rows that have a handler.
        sentences: ids of the known sentences.

    Raises:
        TableError: all faults of the file.
    """
    located = locate(path, Appendix8)
    faults = list(_Checks(located, handlers, sentences).faults())
    if faults:
        raise TableError(faults)
    return _compile(located.value)


def _compile(record: Appendix8) -> Table:
    rows = {row.id: _row(row) for row in record.rows}
    by_place = {name: _grammar(record, name, rows.values()) for name in record.places}
    grammars = {code.value: by_place[name] for name, place in record.places.items() for code in place.codes}
    return Table(
        rows=rows,
        grammars=grammars,
        places=tuple(by_place.values()),
        whole={place: row for row in rows.values() if row.whole_text for place in row.where},
        answers={word: row for row in rows.values() if row.answers for word in row.words},
        topics={word: row.usage for row in rows.values() for word in row.words},
        opposites=tuple((one, two) for one, two in record.opposites),
        negations=tuple(_values(record.negations)),
        foreign=tuple(_values(record.foreign)),
        cancelling=_cancelling(record),
        attempt=_attempt(record, rows),
        automatic=_automatic(record),
        general=record.general,
        uses=frozenset(sentence for _, sentence in _uses(record)),
    )


def _row(record: RowRecord) -> Row:
    arguments = tuple(argument.argument() for argument in record.arguments)
    where = frozenset(_values(record.where))
    return Row(
        id=record.id,
        words=tuple(_values(record.words)),
        where=where,
        whole_text=record.whole_text,
        arguments=arguments,
        needs_open=record.needs == "open",
        works_protected="protected" in record.despite,
        works_suspended="suspended" in record.despite,
        works_ported_out="other_operator" in record.despite,
        helps=record.helps,
        draws=frozenset(record.draws),
        reads=record.reads,
        hidden=Hidden.PASSWORD if record.secret else Hidden.NONE,
        usage=record.usage or "",
        replies=frozenset(record.replies),
        answers=Accepts.ANSWER in where,
        numbers=tuple(argument.name for argument in arguments if argument.kind in PERSON_KINDS),
        needs_arguments=any(argument.required for argument in arguments),
        takes_free_text=any(argument.kind in FREE_KINDS for argument in arguments),
        takes_glued_digits=_takes_glued_digits(record),
        keeps_marks=bool(arguments) and arguments[-1].kind in MARKED_KINDS,
    )


def _takes_glued_digits(record: RowRecord) -> bool:
    """Whether digits may follow the words of a row without a separator."""
    return bool(record.arguments) and record.arguments[0].kind.value in GLUED_KINDS


def _grammar(record: Appendix8, place: str, rows: Collection[Row]) -> Grammar:
    words = [(word, row) for row in rows if place in row.where for word in row.words]
    heads = {word: row for word, row in words if row.arguments and not _stands_alone(word)}
    exact_only = [(word, row) for word, row in words if not row.arguments and not _stands_alone(word)]
    plain = {spelling: row for word, row in words for spelling in (word, word.lower()) if not row.arguments}
    return Grammar(
        record.places[place].newest,
        record.places[place].elsewhere,
        plain,
        dict(words),
        heads,
        tuple(sorted({len(word) for word in heads}, reverse=True)),
        tuple(sorted(exact_only, key=lambda each: -len(each[0]))),
        tuple((word, row) for word, row in words if len(word) >= SHORTEST_SUGGESTED and word.isalpha()),
        {
            word.value: hint.reply
            for hint in record.hints
            if place in _values(hint.where)
            for word in hint.words
        },
        next((row for row in rows if place in row.where and takes_serials(row.arguments)), None),
    )


def _stands_alone(word: str) -> bool:
    """Whether a word is one character or digits: it matches only a whole line."""
    return len(word) == 1 or word.isdigit()


def takes_serials(arguments: Collection[Argument]) -> bool:
    """Whether a row with these arguments takes the places of a list."""
    return any(argument.kind is Kind.SERIAL for argument in arguments)


def _values(sourced: Collection[Sourced[str]]) -> list[str]:
    return [each.value for each in sourced]


def _attempt(record: Appendix8, rows: Mapping[str, Row]) -> Attempt | None:
    if record.attempt is None:
        return None
    attempt = record.attempt
    words, bounds = _values(attempt.words), rows[attempt.password].arguments[0]
    return Attempt(
        latin=frozenset(word for word in words if word.isascii()),
        chinese=tuple(word for word in words if not word.isascii()),
        courtesies=tuple(_values(attempt.courtesies)),
        commands=tuple(word for row in rows.values() for word in row.words if not _stands_alone(word)),
        shortest=bounds.shortest,
        longest=bounds.longest,
        reply=attempt.reply,
    )


def _cancelling(record: Appendix8) -> Cancelling | None:
    cancelling = record.cancelling
    if cancelling is None:
        return None
    return Cancelling(
        words=frozenset(_values(cancelling.words)),
        names=tuple(_values(cancelling.names)),
        questions=tuple(_values(cancelling.questions)),
        reply=cancelling.reply,
    )


def _automatic(record: Appendix8) -> re.Pattern[str] | None:
    patterns = _values(record.automatic)
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def _uses(record: Appendix8) -> Iterator[tuple[KeyPath, str]]:
    """Every sentence that the table names, with its path in the file."""
    for name, place in record.places.items():
        yield ("places", name, "elsewhere"), place.elsewhere
    for index, hint in enumerate(record.hints):
        yield ("hints", index, "reply"), hint.reply
    if record.attempt is not None:
        yield ("attempt", "reply"), record.attempt.reply
    if record.cancelling is not None:
        yield ("cancelling", "reply"), record.cancelling.reply
    for name, sentence in record.general:
        yield ("general", name), sentence
    for index, row in enumerate(record.rows):
        if row.usage is not None:
            yield ("rows", index, "usage"), row.usage
        for number, reply in enumerate(row.replies):
            yield ("rows", index, "replies", number), reply


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a row or hint, and its path in the file."""

    text: str
    places: frozenset[str]
    path: KeyPath
    glued: bool = False

    def may_mean(self, other: "_Word") -> bool:
        """Whether one text can be read as both words."""
        return self.text == other.text or self._reads_as(other) or other._reads_as(self)

    def _reads_as(self, other: "_Word") -> bool:
        """Whether `other` is this word with digits attached."""
        if not self.glued or _stands_alone(self.text) or not other.text.startswith(self.text):
            return False
        return other.text[len(self.text) :].isdigit()


@dataclass(slots=True)
class _Checks:
    """The checks across rows."""

    located: Located[Appendix8]
    handlers: Collection[str]
    sentences: Collection[str]
    record: Appendix8 = field(init=False)

    def __post_init__(self) -> None:
        self.record = self.located.value

    def faults(self) -> Iterator[Fault]:
        yield from self._rows()
        yield from self._places()
        yield from self._words()
        yield from self._serials()
        yield from self._attempt()
        for path, sentence in _uses(self.record):
            if sentence not in self.sentences:
                yield self.located.fault(
                    path, f"no sentence {sentence!r}; {nearest(sentence, self.sentences)}"
                )

    def _rows(self) -> Iterator[Fault]:
        first: dict[str, int] = {}
        for index, row in enumerate(self.record.rows):
            here: KeyPath = ("rows", index)
            if first.setdefault(row.id, index) != index:
                line = self.located.line_of(("rows", first[row.id]))
                yield self.located.fault((*here, "id"), f"{row.id!r} is the row of line {line} already")
            if row.id not in self.handlers:
                yield self.located.fault(
                    (*here, "id"), f"no handler for {row.id!r}; {nearest(row.id, self.handlers)}"
                )
            kinds = {argument.kind.value for argument in row.arguments}
            if Kind.PASSWORD in kinds and row.usage is None:
                yield self.located.fault(
                    here, "a row for a password names the sentence for a wrong one: usage"
                )
            if Accepts.ANSWER in _values(row.where) and row.arguments:
                yield self.located.fault((*here, "arguments"), "an answer has no arguments")

    def _places(self) -> Iterator[Fault]:
        known = [*self.record.places, *_OTHER_PLACES]
        taken: dict[str, str] = {}
        for name, place in self.record.places.items():
            for index, code in enumerate(place.codes):
                if taken.setdefault(code.value, name) != name:
                    reason = f"access code {code.value} belongs to {taken[code.value]}"
                    yield self.located.fault(("places", name, "codes", index), reason)
        for index, hint in enumerate(self.record.hints):
            for number, place_name in enumerate(_values(hint.where)):
                if place_name not in self.record.places:
                    reason = f"no place {place_name!r}; {nearest(place_name, self.record.places)}"
                    yield self.located.fault(("hints", index, "where", number), reason)
        whole: dict[str, str] = {}
        for index, row in enumerate(self.record.rows):
            for number, place_name in enumerate(_values(row.where)):
                here: KeyPath = ("rows", index, "where", number)
                if place_name not in known:
                    yield self.located.fault(here, f"no place {place_name!r}; {nearest(place_name, known)}")
                elif row.whole_text != (place_name in _WHOLE_TEXT_PLACES):
                    kind = "the whole text" if row.whole_text else "words"
                    yield self.located.fault(here, f"a row with {kind} is not understood at {place_name}")
                elif row.whole_text and whole.setdefault(place_name, row.id) != row.id:
                    yield self.located.fault(here, f"{whole[place_name]} takes every text at {place_name}")
        for place_name in sorted(_WHOLE_TEXT_PLACES - set(whole)):
            yield self.located.fault(("rows",), f"no row takes the texts at {place_name}")

    def _words(self) -> Iterator[Fault]:
        """Words that no text can equal, and precedence rule 9: words that could mean two rows."""
        seen: list[_Word] = []
        for word in (*self._each_word(), *self._each_part()):
            folded = word_of(normalise(word.text).folded)
            if folded != word.text or SEPARATORS & set(word.text):
                yield self.located.fault(
                    word.path, f"no text equals {word.text!r}; write it as {folded.strip('#*+')!r}"
                )
            for other in seen if word.places else ():
                if word.places & other.places and word.may_mean(other):
                    line, place = self.located.line_of(other.path), min(word.places & other.places)
                    reason = f"{word.text!r} may mean {other.text!r} of line {line} at {place}"
                    yield self.located.fault(word.path, reason)
            seen.append(word)

    def _serials(self) -> Iterator[Fault]:
        """Precedence rule 9 for rows that take serials: two such rows, or a word of as many digits, at one
        place."""
        taken: dict[str, int] = {}
        for index, row in enumerate(self.record.rows):
            if row.words or row.whole_text:
                continue
            argument, places = row.arguments[0].argument(), set(_values(row.where))
            here: KeyPath = ("rows", index, "arguments", 0)
            for place in sorted(places):
                if taken.setdefault(place, index) != index:
                    line = self.located.line_of(("rows", taken[place]))
                    yield self.located.fault(here, f"the row of line {line} takes the serials at {place}")
            for word in self._each_word():
                if places & word.places and serial(word.text, argument) is not None:
                    line = self.located.line_of(word.path)
                    yield self.located.fault(here, f"may mean {word.text!r} of line {line}")

    def _each_word(self) -> Iterator["_Word"]:
        for index, row in enumerate(self.record.rows):
            glued = _takes_glued_digits(row)
            for number, word in enumerate(_values(row.words)):
                path = ("rows", index, "words", number)
                yield _Word(word, frozenset(_values(row.where)), path, glued)
        for index, hint in enumerate(self.record.hints):
            for number, word in enumerate(_values(hint.words)):
                yield _Word(word, frozenset(_values(hint.where)), ("hints", index, "words", number))
        everywhere = frozenset(self.record.places)
        for number, word in enumerate(_values(self.record.foreign)):
            yield _Word(word, everywhere, ("foreign", number))
        if self.record.cancelling is not None:
            for number, word in enumerate(_values(self.record.cancelling.words)):
                yield _Word(word, everywhere, ("cancelling", "words", number))

    def _each_part(self) -> Iterator["_Word"]:
        """Words that are searched inside texts. They may be words of rows too."""
        lists: list[tuple[KeyPath, list[Sourced[str]]]] = [(("negations",), self.record.negations)]
        if (cancelling := self.record.cancelling) is not None:
            lists.append((("cancelling", "names"), cancelling.names))
            lists.append((("cancelling", "questions"), cancelling.questions))
        if (attempt := self.record.attempt) is not None:
            lists.append((("attempt", "words"), attempt.words))
            lists.append((("attempt", "courtesies"), attempt.courtesies))
        for path, values in lists:
            for number, word in enumerate(_values(values)):
                yield _Word(word, frozenset(), (*path, number))

    def _attempt(self) -> Iterator[Fault]:
        attempt = self.record.attempt
        if attempt is None:
            return
        rows = {row.id: row for row in self.record.rows}
        row = rows.get(attempt.password)
        if row is None:
            reason = f"no row {attempt.password!r}; {nearest(attempt.password, rows)}"
            yield self.located.fault(("attempt", "password"), reason)
        elif [argument.kind.value for argument in row.arguments] != [Kind.PASSWORD]:
            yield self.located.fault(("attempt", "password"), f"{row.id} takes no password")
