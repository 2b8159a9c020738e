"""What a text means: Instruction, Chat or Misunderstood. Pure: no world, no clock.

The precedence is that of appendix 8, whose rules are named by number:
1 the place decides first; 2 the first line counts, unless a row takes free text; 3 a line that equals a
word; 4 a word with arguments; 5 an answer at a base; 6 suggestions; 7 a password at the wrong place.
(8 is handlers.profile's, which knows the open questions; 9 is checked by commands.table.) Rule 0: none of
them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from commands.arguments import Kind, Readers, password
from commands.grammar import (
    Line,
    first_line,
    hint,
    is_attempt,
    listed,
    match,
    may_hold_password,
    suggest,
)
from commands.model import Chat, Instruction, Misunderstood, Result, Understood
from commands.table import Grammar, Row, Table
from commands.text import Text, normalise
from routing.model import Accepts, Operator, Route
from routing.numbers import Person

CHAT = "chat"
MISUNDERSTOOD = "misunderstood"

REPLACEMENT = "\ufffd"
"""Stands for octets that could not be decoded; a text that has it is never an instruction."""

MOBILE_DIGITS = 11
SERIAL_DIGITS = 5


class Decision(NamedTuple):
    """What a text means, and the rule that said so."""

    understood: Understood
    rule: int


@dataclass(frozen=True, slots=True)
class Explained:
    """How a text was read. `instruction` is a row's id, chat or misunderstood; `rule` as in appendix 8.

    reason: the sentence for a text that was not understood, suggestion: the word that was probably meant.
    """

    normalised: str
    instruction: str
    arguments: dict[str, str]
    suggestion: str
    reason: str
    rule: int

    def as_dict(self) -> dict[str, Any]:
        """The object that `explain text --json` prints."""
        return asdict(self)


class Parser:
    """The instruction table at work.

    person: whom a number names, None for nobody. operator: whose a mobile is. provinces: name -> code.
    """

    __slots__ = ("_operator", "_readers", "table")

    def __init__(
        self,
        table: Table,
        person: Callable[[str], Person | None],
        operator: Callable[[str], Operator],
        provinces: Mapping[str, str],
    ) -> None:
        self.table = table
        self._operator = operator
        self._readers = Readers(person, table.topics, provinces)

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """What `text`, sent by the mobile `sender` to `route`, means. Never raises."""
        if route.accepts is Accepts.BASE:
            row = self._grammar(route).plain.get(text)
            if row is not None:
                arguments = {"serial": ""} if row.answers else {}
                return Instruction(row.id, sender, route, text, arguments, secret=row.secret)
        return self.decide(text, route, sender).understood

    def password_in_doubt(self, route: Route, sender: str) -> Understood:
        """A password whose last character cannot be told from padding: it is not guessed, and not kept."""
        reason = self.table.general.password_in_doubt
        return Misunderstood(MISUNDERSTOOD, sender, route, "", reason, secret=True, result=Result.USAGE)

    def explain(self, text: str, route: Route, sender: str = "") -> Explained:
        """The same decision with its reasons."""
        understood, rule = self.decide(text, route, sender)
        folded = normalise(text).folded if route.accepts in {Accepts.BASE, Accepts.ANSWER} else text
        if isinstance(understood, Misunderstood):
            return Explained(folded, understood.id, {}, understood.suggestion, understood.reason, rule)
        arguments = {"to": understood.to} if isinstance(understood, Chat) else dict(understood.arguments)
        return Explained(folded, understood.id, arguments, "", "", rule)

    def decide(self, text: str, route: Route, sender: str) -> Decision:
        """`parse` without its short cut, and with the rule."""
        accepts = route.accepts
        if accepts is Accepts.CHAT:
            to = route.person
            return Decision(Chat(CHAT, sender, route, text, to, self._is_foreign(to)), 1)
        if accepts is not Accepts.BASE and accepts is not Accepts.ANSWER:
            return Decision(_whole_text(self.table.whole[accepts], text, route, sender), 1)
        folded = normalise(text)
        grammar = self._grammar(route)
        line = first_line(folded.folded)
        if REPLACEMENT in text:
            secret = self._is_attempt(folded, line)
            return self._misunderstood(folded, route, sender, 0, self.table.general.garbled, secret=secret)
        if accepts is Accepts.ANSWER:
            answer = self.table.answers.get(line.word)
            if answer is not None:
                return Decision(Instruction(answer.id, sender, route, text, self.addressed(route)), 1)
        found = match(grammar, folded, line, self._readers)
        if found is None and accepts is Accepts.BASE:
            found = listed(grammar, line)
        if found is None:
            return self._not_understood(grammar, folded, line, route, sender)
        row, arguments, rule = found
        if row.answers:
            return Decision(Instruction(row.id, sender, route, text, {"serial": ""}), 5)
        if arguments is None:
            return Decision(_wrong_usage(row, text, route, sender), rule)
        foreign = False
        for name in row.numbers:
            foreign = foreign or self._is_foreign(arguments.get(name, ""))
        return Decision(Instruction(row.id, sender, route, text, arguments, foreign, row.secret), rule)

    def addressed(self, route: Route) -> dict[str, str]:
        """Which question an answer's number names: `serial`, or "" when its digits are none.

        begun_at: the access code, where digits that are no serial mean the newest question begun there.
        """
        serial = route.tail if len(route.tail) == SERIAL_DIGITS else ""
        begun_at = {"begun_at": route.access_code} if self._grammar(route).newest else {}
        return {"serial": serial, **begun_at}

    def _grammar(self, route: Route) -> Grammar:
        return self.table.grammars.get(route.access_code) or self.table.places[0]

    def _is_foreign(self, number: str) -> bool:
        return len(number) == MOBILE_DIGITS and self._operator(number) is not Operator.CMCC

    def _is_attempt(self, text: Text, line: Line) -> bool:
        """Rule 7, on the first line with its punctuation, which may be part of a password."""
        attempt = self.table.attempt
        return attempt is not None and is_attempt(attempt, text.folded[line.start :].partition("\n")[0])

    def _not_understood(
        self, grammar: Grammar, text: Text, line: Line, route: Route, sender: str
    ) -> Decision:
        """The most helpful reason: rules 6 and 7, the hint of rule 3, and what another place understands."""
        table = self.table
        reply = grammar.hints.get(line.word)
        if reply is not None:
            return self._misunderstood(text, route, sender, 6, reply)
        if table.attempt is not None and self._is_attempt(text, line):
            return self._misunderstood(text, route, sender, 7, table.attempt.reply, secret=True)
        for other in table.places:
            found = None if other is grammar else match(other, text, line, self._readers)
            if found is not None:
                return self._misunderstood(text, route, sender, 1, other.elsewhere, secret=found.row.secret)
        row, rule = hint(grammar, text.folded[line.start : line.end], line.word), 3
        if row is None:
            row, rule = suggest(grammar, line.word, table.opposites), 6
        if row is None:
            return self._misunderstood(text, route, sender, 0, table.general.misunderstood)
        return self._misunderstood(text, route, sender, rule, table.general.suggestion, row.words[0])

    def _misunderstood(
        self,
        text: Text,
        route: Route,
        sender: str,
        rule: int,
        reason: str,
        suggestion: str = "",
        *,
        secret: bool = False,
    ) -> Decision:
        attempt = self.table.attempt
        hidden = secret or (attempt is not None and may_hold_password(attempt, text.folded))
        understood = Misunderstood(MISUNDERSTOOD, sender, route, text.original, reason, suggestion, hidden)
        return Decision(understood, rule)


def _wrong_usage(row: Row, text: str, route: Route, sender: str) -> Misunderstood:
    """A row was meant, and its arguments are not what it wants."""
    return Misunderstood(MISUNDERSTOOD, sender, route, text, row.usage, "", row.secret, Result.USAGE)


def _whole_text(row: Row, text: str, route: Route, sender: str) -> Understood:
    """A row that takes the whole text, as typed."""
    arguments: dict[str, str] = {}
    if row.arguments:
        argument = row.arguments[0]
        if argument.kind is Kind.PASSWORD and password(text, argument) is None:
            return _wrong_usage(row, text, route, sender)
        arguments[argument.name] = text
    return Instruction(row.id, sender, route, text, arguments, secret=row.secret)
