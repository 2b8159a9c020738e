"""Writes texts.yaml: what customers type, and what it means by the rules of appendix 8.

It knows nothing of the gateway: rows, precedence and ways of typing stand here once more, as small tables
made from the reference alone, so that the parser and its table are held against a second reading of it.

    python -m tests.vectors.make_texts

Every rule of `VARIANTS` and `NEGATIVES` gives at least one text and every word of every row stands in one,
else nothing is written. Precedence rule 8 needs an open question and rule 9 is about tables: neither is here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.vectors.texts_tables import (
    BASES,
    BEHIND,
    CANCELLING,
    CHAT_AT_A_BASE,
    FOREIGN,
    FREE_TEXT,
    GLUED_NUMBERS,
    HOTLINE,
    LINE_CUTS,
    MARKS,
    MOBILE,
    NEAR_MISSES,
    NO_PASSWORDS,
    NUMBERS,
    PASSWORDS,
    PLACES,
    ROWS,
    SAYS_NO,
    SEPARATORS,
    SUGGESTED,
    TRIED,
    TYPING,
    Row,
)

FILE: Final = Path(__file__).with_name("texts.yaml")
QUESTION, NEWEST = "1252003300042", "1008619"
PERSONS: Final = MappingProxyType({
    "1252013912345678": "13912345678",
    "16113912345678": "13912345678",
    "12520471234567": "471234567",
    "1252002613912345678": "13912345678",
})  # fmt: skip
"""Numbers of persons, and who that is."""
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
HEAD = """\
# Made by make_texts.py from the rules of appendix 8; changed there, never here.
#
# text, at: the SMS and the number it is sent to. is: the row, chat, misunderstood, or usage (the row is
# clear, its arguments are not). with: the arguments. of: the row of a usage. suggestion: the word suggested,
# "" for none, absent where the rules leave it open. masked: whether it is an attempt at a password.
# rule: which says so.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A text and what it means. word: the word of the table it was made of, for counting only."""

    text: str
    at: str
    meaning: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    of: str = ""
    suggestion: str | None = None
    masked: bool | None = None
    word: str = ""


Rule = Callable[[], Iterator[Entry]]


def understood(text: str, at: str, row: Row, arguments: Mapping[str, str] = NOTHING, word: str = "") -> Entry:
    """A text that is a row."""
    return Entry(text, at, row.id, arguments, word=word)


def alone(text: str, at: str, row: Row, word: str) -> Entry:
    """A line that equals a word (rule 3): the row, or how to use it when it needs arguments."""
    if row.required:
        return Entry(text, at, "usage", of=row.id, word=word)
    return understood(text, at, row, word=word)


def misunderstood(text: str, at: str, suggestion: str | None = None, *, masked: bool | None = None) -> Entry:
    """A text that is no instruction."""
    return Entry(text, at, "misunderstood", suggestion=suggestion, masked=masked)


# What is understood


def typed(name: str) -> Rule:
    """One way of typing, on every third word; the next way begins one word later."""

    def entries() -> Iterator[Entry]:
        way, number = TYPING[name], list(TYPING).index(name)
        words = [(row, word) for row in ROWS for word in row.words]
        for index, (row, word) in enumerate(words[number % 3 :: 3]):
            text = way(word)
            if text is None or (name in LINE_CUTS and row.id in FREE_TEXT):
                continue  # rule 2: where free text follows, the whole text counts
            yield alone(text, row.at[(index + number) % len(row.at)], row, word)

    return entries


def every_word() -> Iterator[Entry]:
    """Rule 3: every word of every row at every number that takes it."""
    for row in ROWS:
        for word in row.words:
            for at in row.at:
                yield alone(word, at, row, word)


def at_a_question() -> Iterator[Entry]:
    """Rule 1: at 033 + serial answers are answers, else the base grammar holds."""
    for row in ROWS:
        for word in row.words:
            if row.answers:
                yield understood(word, QUESTION, row, {"serial": "00042"}, word)
                yield understood(word, NEWEST, row, {"begun_at": HOTLINE[0]}, word)
                yield understood(word, f"{NEWEST}00042", row, {"serial": "00042", "begun_at": "10086"}, word)
            elif BASES[0] in row.at:
                yield alone(word, QUESTION, row, word)


def serials_of_a_list() -> Iterator[Entry]:
    """A place in the list of products: one or two digits, at the hot line."""
    for text in ("1", "2", "01", "12", "１", "２。", " 1 "):
        serial = str(int("".join(each for each in text if each.isdigit())))
        yield Entry(text, HOTLINE[0], "service.list.answer", {"serial": serial})


def with_arguments() -> Iterator[Entry]:
    """Rule 4: every word with every form of its arguments."""
    for row in ROWS:
        for word in row.words if row.arguments else ():
            if not row.stands_alone(word):
                for form, arguments in row.arguments:
                    yield understood(f"{word}#{form}", BASES[0], row, arguments, word)


def separators() -> Iterator[Entry]:
    """Rule 4: a run of # * + : , and blanks, half-width or full-width, counts as one separator."""
    places = cycle(BASES)
    for row in ROWS:
        for form, arguments in row.arguments[:1]:
            for separator in SEPARATORS:
                yield understood(f"{row.words[0]}{separator}{form}", next(places), row, arguments)
    for between in SEPARATORS[:-1]:  # "+" before a name reads as a separator too
        row = next(row for row in ROWS if row.id == "buddy.add")
        text = f"HY#{MOBILE}{between}小明"
        yield understood(text, next(places), row, {"number": MOBILE, "name": "小明"})


def glued() -> Iterator[Entry]:
    """Rule 4: digits of a number and of a page need no separator."""
    for row in ROWS:
        for digits, arguments in row.glued:
            for word in row.words:
                yield understood(f"{word}{digits}", BASES[1], row, arguments, word)


def number_spellings() -> Iterator[Entry]:
    """Rule 4: how people write a number."""
    for row in ROWS:
        if row.id in GLUED_NUMBERS:
            for spelling, digits in NUMBERS:
                if row.mobile_only and len(digits) != len(MOBILE):
                    continue
                form, arguments = row.arguments[0]
                rest = form.removeprefix(MOBILE)
                yield understood(
                    f"{row.words[0]}#{spelling}{rest}", BASES[0], row, {**arguments, "number": digits}
                )


def asked_about() -> Iterator[Entry]:
    """Rule 3: a question mark asks about a word; what has no effect is answered as without it."""
    marks = cycle(MARKS)
    for row in ROWS:
        for word, at in zip(row.words, cycle(row.at)):
            text = f"{word}{next(marks)}"
            if word == "?":
                continue
            if row.reads:
                yield alone(text, at, row, word)
            else:
                of = "answer.yes" if row.answers else row.id  # both answers are explained by one sentence
                yield Entry(text, at, "usage", of=of, word=word)
        for digits, arguments in row.glued:
            text = f"{row.words[0]}#{digits}{next(marks)}"
            if "name" in arguments or "text" in arguments:
                continue
            if row.reads:
                yield understood(text, BASES[0], row, arguments)
            else:
                yield Entry(text, BASES[0], "usage", of=row.id)
    row = next(row for row in ROWS if row.id == "buddy.rename")
    yield understood(f"MC#{MOBILE}#老板？", BASES[0], row, {"number": MOBILE, "name": "老板？"})


def pairs_of_marks() -> Iterator[Entry]:
    """Rule 3: paired marks are taken off in pairs, around the line and never around half an argument."""
    row = next(row for row in ROWS if row.id == "buddy.rename")
    for before, behind in ("《》", "“”", "‘’", '""', "()", "（）", "【】", "「」", "[]", "<>"):
        for text, name in (
            (f"MC#{MOBILE}#{before}小王{behind}", f"{before}小王{behind}"),
            (f"{before}MC#{MOBILE}#小王{behind}", "小王"),
            (f"{before}MC#{MOBILE}#{before}小王{behind}{behind}。", f"{before}小王{behind}"),
            (f"MC#{MOBILE}#老{before}王{behind}", f"老{before}王{behind}"),
            (f"MC#{MOBILE}#小王{behind}", "小王"),
        ):
            if before != behind or text.count(before) == 2:
                yield understood(text, BASES[1], row, {"number": MOBILE, "name": name})
        send = next(row for row in ROWS if row.id == "chat.send")
        arguments = {"number": MOBILE, "text": "你好"}
        yield understood(f"{before}FS#{MOBILE}#你好{behind}", BASES[0], send, arguments)


def free_text() -> Iterator[Entry]:
    """Rules 2 and 4: the last free text is everything behind its separator, as typed, newlines included."""
    for row in ROWS:
        if row.id not in FREE_TEXT:
            continue
        before = f"{MOBILE}#" if row.id == "chat.send" else ""
        arguments = {"number": MOBILE} if before else {}
        for text in ("ＯＫ！", "今天 开心", "第一行\n第二行", "a#b,c", "“好”。", "ktfx"):
            yield understood(f"{row.words[0]}#{before}{text}", BASES[0], row, {**arguments, "text": text})


def first_line() -> Iterator[Entry]:
    """Rule 2: without free text only the first line counts."""
    for row in ROWS:
        if row.id not in FREE_TEXT:
            for form, arguments in row.arguments:
                yield understood(f"{row.words[0]}#{form}\n小明 上", BASES[0], row, arguments)


def wrong_arguments() -> Iterator[Entry]:
    """Rule 4: the row is clear, its arguments are not: how to use it."""
    for row in ROWS:
        for form in row.wrong:
            yield Entry(f"{row.words[0]}{form}", BASES[0], "usage", of=row.id)


def one_explained() -> Iterator[Entry]:
    """BZ#word explains that word."""
    help_row = next(row for row in ROWS if row.id == "help")
    for row in ROWS:
        for word, asked in zip(row.words, cycle(("BZ#", "帮助 ", "help:", "bz,"))):
            if word != "?":  # behind a word it is punctuation
                yield understood(f"{asked}{word}", BASES[0], help_row, {"topic": row.id})


def everything_to_a_person() -> Iterator[Entry]:
    """Rule 1: at a person's number everything is chat, even KTFX."""
    for row in ROWS:
        for word, (at, to) in zip(row.words, cycle(PERSONS.items())):
            yield Entry(word, at, "chat", {"to": to})


def passwords() -> Iterator[Entry]:
    """Rule 1: at 050 the whole text is the new password, or is none."""
    for text in PASSWORDS:
        fits = 6 <= len(text) <= 16 and all("!" <= each <= "~" for each in text)
        for access in BASES:
            meaning, arguments = ("password.set", {"password": text}) if fits else ("usage", {})
            yield Entry(text, f"{access}050", meaning, arguments, "" if fits else "password.set")


def other_places() -> Iterator[Entry]:
    """Rule 1: numbers that take no instruction."""
    for at, meaning in PLACES.items():
        for text in ("KTFX", "QXFX", "是", "报名"):
            yield Entry(text, at, meaning)


# What is not


def chat_at_a_base() -> Iterator[Entry]:
    """What people write to other people is never guessed to be an instruction."""
    for text, at in zip(CHAT_AT_A_BASE, cycle((*BASES, *HOTLINE))):
        yield misunderstood(text, at, "")


def near_misses() -> Iterator[Entry]:
    """Texts beside charged and destructive rows, and beside answers, never are those."""
    for at, texts in NEAR_MISSES.items():
        for text in texts:
            yield misunderstood(text, at)


def behind_a_word() -> Iterator[Entry]:
    """Rule 3: anything behind a word without arguments makes it misunderstood, with the hint."""
    for row in ROWS:
        if row.arguments or row.wrong or row.answers:
            continue  # rule 4 and rule 5
        for word, behind in zip(cycle(row.words), BEHIND):
            hinted = None if len(word) < 4 or word.isdigit() else row.words[0]
            yield misunderstood(f"{word}{behind}", row.at[0], hinted)


def glued_to_a_word() -> Iterator[Entry]:
    """Rules 3 and 4: letters and Chinese need a separator; words of one character or digits take nothing."""
    for row in ROWS:
        for text in row.no_such:
            yield misunderstood(text, row.at[0])


def suggestions() -> Iterator[Entry]:
    """Rule 6: the nearest word is suggested; a tie, a short word and digits suggest nothing."""
    for text, suggestion in SUGGESTED.items():
        yield misunderstood(text, BASES[1], suggestion)


def says_no() -> Iterator[Entry]:
    """Rule 6: a text that says no suggests nothing."""
    for text, at in zip(SAYS_NO, cycle(BASES)):
        yield misunderstood(text, at, "")


def other_services() -> Iterator[Entry]:
    """Rule 6: words of other services of the carrier suggest nothing."""
    for text, at in zip(FOREIGN, cycle((*BASES, *HOTLINE))):
        yield misunderstood(text, at, "")


def means_cancelling() -> Iterator[Entry]:
    """Rule 6: what means cancelling does nothing."""
    for text, at in zip(CANCELLING, cycle((*BASES, *HOTLINE))):
        yield misunderstood(text, at, "")


def at_another_place() -> Iterator[Entry]:
    """Rule 1: what is understood at the base only means nothing at the hot line, and the other way round."""
    for row in ROWS:
        for word in row.words:
            if HOTLINE[0] not in row.at and not (word.isdigit() and len(word) < 3):
                yield misunderstood(word, HOTLINE[0])
            elif BASES[0] not in row.at:
                yield misunderstood(word, BASES[0])


def garbled() -> Iterator[Entry]:
    """A text with octets that could not be decoded is never an instruction."""
    for row in ROWS:
        yield misunderstood(f"{row.words[0]}\ufffd", row.at[0], "")


def tried_passwords() -> Iterator[Entry]:
    """Rule 7: a password word with something beside it, or nothing but what may be a password: masked."""
    texts = (
        "P abc123",
        "P#abc123",
        "Pabc123",
        "p secret",
        "Ｐ１２３４５６",
        "P 1234567890123456",
        "P:a1b2c3",
    )
    for at in (*BASES, *HOTLINE, QUESTION):
        for text in texts:
            yield misunderstood(text, at, "", masked=True)
    for text, at in zip(TRIED, cycle((*BASES, *HOTLINE, QUESTION))):
        yield misunderstood(text, at, "", masked=True)


def no_passwords() -> Iterator[Entry]:
    """Rule 7: what is no attempt is kept like any text."""
    for text in NO_PASSWORDS:
        yield misunderstood(text, BASES[0], masked=False)


VARIANTS: Final[Mapping[str, Rule]] = MappingProxyType({
    **{f"typed: {name}": typed(name) for name in TYPING},
    "1 at a question": at_a_question,
    "1 to a person": everything_to_a_person,
    "1 password": passwords,
    "1 other places": other_places,
    "2 first line": first_line,
    "2 free text": free_text,
    "3 every word": every_word,
    "3 serials of a list": serials_of_a_list,
    "3 question marks": asked_about,
    "3 pairs of marks": pairs_of_marks,
    "4 arguments": with_arguments,
    "4 separators": separators,
    "4 glued digits": glued,
    "4 numbers": number_spellings,
    "4 wrong arguments": wrong_arguments,
    "4 topics": one_explained,
})  # fmt: skip
NEGATIVES: Final[Mapping[str, Rule]] = MappingProxyType({
    "chat at a base": chat_at_a_base,
    "near misses": near_misses,
    "garbled": garbled,
    "1 at another place": at_another_place,
    "3 behind a word": behind_a_word,
    "4 glued to a word": glued_to_a_word,
    "6 suggestions": suggestions,
    "6 says no": says_no,
    "6 other services": other_services,
    "6 means cancelling": means_cancelling,
    "7 passwords": tried_passwords,
    "7 no passwords": no_passwords,
})  # fmt: skip


def made(rules: Mapping[str, Rule]) -> dict[str, list[Entry]]:
    """The texts of every rule, each text at a number once. ValueError for a rule without one."""
    seen: dict[tuple[str, str], Entry] = {}
    texts: dict[str, list[Entry]] = {}
    for name, rule in rules.items():
        entries = list(rule())
        if not entries:
            raise ValueError(f"the rule {name!r} has no instance")
        texts[name] = []
        for entry in entries:
            known = seen.setdefault((entry.text, entry.at), entry)
            if (known.meaning, known.arguments, known.of) != (entry.meaning, entry.arguments, entry.of):
                raise ValueError(f"{entry.text!r} at {entry.at} means {known} and {entry}")
            if known is entry:
                texts[name].append(entry)
    return texts


def render() -> str:
    """The file. ValueError when a rule or a word has no instance, or a text two meanings."""
    variants, negatives = made(VARIANTS), made(NEGATIVES)
    instanced = {(entry.meaning, entry.word) for texts in variants.values() for entry in texts}
    instanced |= {(entry.of, entry.word) for texts in variants.values() for entry in texts}
    missing = [f"{row.id} {word}" for row in ROWS for word in row.words if (row.id, word) not in instanced]
    if missing:
        raise ValueError(f"words without an instance: {missing}")
    lines = [HEAD]
    for title, rules in (("variants", variants), ("negatives", negatives)):
        lines.append(f"{title}:")
        for name, texts in rules.items():
            lines += (f"  - {{{line(name, entry)}}}" for entry in texts)
    return "\n".join(lines) + "\n"


def line(rule: str, entry: Entry) -> str:
    """One text on one line, in YAML's flow style."""
    parts = [f"text: {quoted(entry.text)}", f'at: "{entry.at}"', f"is: {entry.meaning}"]
    if entry.arguments:
        pairs = ", ".join(f"{name}: {quoted(value)}" for name, value in entry.arguments.items())
        parts.append(f"with: {{{pairs}}}")
    if entry.of:
        parts.append(f"of: {entry.of}")
    if entry.suggestion is not None:
        parts.append(f"suggestion: {quoted(entry.suggestion)}")
    if entry.masked is not None:
        parts.append(f"masked: {str(entry.masked).lower()}")
    return ", ".join([*parts, f"rule: {quoted(rule)}"])


def quoted(text: str) -> str:
    """A text in double quotes; what cannot be seen is written as \\uXXXX."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in written)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
