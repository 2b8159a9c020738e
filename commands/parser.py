"""What a text means: Instruction, Chat or Misunderstood. Pure: no world, no clock.

The precedence is that of appendix 8. Rules are cited by number: 1 the place decides first; 2 the first line
counts, unless a row takes free text; 3 a line that equals a word; 4 a word with arguments; 5 an answer at a
base; 6 suggestions; 7 a password at the wrong place. Rule 8 is in handlers.profile, which knows the open
questions; commands.table checks rule 9. Rule 0 stands for none of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from commands.arguments import Kind, Readers, password
from commands.grammar import Line, Match, asked_about, first_line, listed, match
from commands.model import Chat, Hidden, Instruction, Misunderstood, Result, Understood
from commands.passwords import REPLACEMENT, Passwords, every_second
from commands.suggestions import means_cancelling, near
from commands.table import Grammar, Row, Table
from commands.text import Text, normalise
from routing.model import Accepts, Operator, Route
from routing.numbers import Person

CHAT = "chat"
MISUNDERSTOOD = "misunderstood"

MOBILE_DIGITS = 11
SERIAL_DIGITS = 5


class Decision(NamedTuple):
    """What a text means, and the number of the rule that decided it."""

    understood: Understood
    rule: int


@dataclass(frozen=True, slots=True)
class Explained:
    """How a text was read, for `explain text`.

    normalised: the folded text. instruction: the id of a row, chat or misunderstood. reason: id of the
    sentence for a text that was not understood. suggestion: the word that was probably meant. rule: its
    number in appendix 8.
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


# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_BASE: Final = Accepts.BASE
_CHAT: Final = Accepts.CHAT
_ANSWER: Final = Accepts.ANSWER
_CMCC: Final = Operator.CMCC
_PROVINCE: Final = Accepts.PROVINCE


class Parser:
    """Reads texts by the instruction table. Immutable.

    The constructor takes look-ups. person: the person whom a number names, or None. operator: the operator of
    a mobile. provinces: name -> code. is_ours: whether an address is one of the service.
    """

    __slots__ = ("_operator", "_passwords", "_readers", "table")

    def __init__(
        self,
        table: Table,
        person: Callable[[str], Person | None],
        operator: Callable[[str], Operator],
        provinces: Mapping[str, str],
        is_ours: Callable[[str], bool],
    ) -> None:
        self.table = table
        self._operator = operator
        codes = {code: code for code in provinces.values()}
        self._readers = Readers(person, table.topics, {**provinces, **codes})

        def is_number(digits: str) -> bool:
            """Whether digits are the number of a person, or an address of ours that takes SMS."""
            return person(digits) is not None or is_ours(digits)

        # Not a method: replaced tables are gone with their last SMS, without a collection.
        self._passwords = None if table.attempt is None else Passwords(table.attempt, is_number)

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """What `text` means when the mobile `sender` sends it to `route`. Never raises."""
        if route.accepts is _BASE:
            row = self._grammar(route).plain.get(text)
            if row is not None:
                arguments = {"serial": ""} if row.answers else {}
                return Instruction(row.id, sender, route, text, arguments, hidden=row.hidden)
        return self.decide(text, route, sender).understood

    def password_in_doubt(self, route: Route, sender: str) -> Understood:
        """The result for a password whose last character may be padding of the 7-bit alphabet: it is
        rejected and not kept."""
        reason = self.table.general.password_in_doubt
        return Misunderstood(
            MISUNDERSTOOD, sender, route, "", reason, hidden=Hidden.PASSWORD, result=Result.USAGE
        )

    def explain(self, text: str, route: Route, sender: str = "") -> Explained:
        """The same decision, with its reasons."""
        understood, rule = self.decide(text, route, sender)
        folded = normalise(text).folded if route.accepts in {Accepts.BASE, Accepts.ANSWER} else text
        if isinstance(understood, Misunderstood):
            return Explained(folded, understood.id, {}, understood.suggestion, understood.reason, rule)
        arguments = {"to": understood.to} if isinstance(understood, Chat) else dict(understood.arguments)
        return Explained(folded, understood.id, arguments, "", "", rule)

    def decide(self, text: str, route: Route, sender: str) -> Decision:
        """The decision of `parse`, without its short cut and with the number of the rule."""
        accepts = route.accepts
        if accepts is _CHAT:
            to = route.person
            return Decision(Chat(CHAT, sender, route, text, to, self.is_foreign(to)), 1)
        if accepts is _PROVINCE and self._speaks_of_passwords(normalise(text).folded):
            return self._attempted(text, route, sender)
        if accepts is not _BASE and accepts is not _ANSWER:
            return Decision(_whole_text(self.table.whole[accepts], text, route, sender), 1)
        folded = normalise(text)
        grammar = self._grammar(route)
        if REPLACEMENT in text:
            held = self._passwords is not None and self._passwords.may_be_in(folded.folded)
            hidden = Hidden.ATTEMPT if held else Hidden.NONE
            return self._misunderstood(folded, route, sender, 0, self.table.general.garbled, hidden=hidden)
        line = first_line(folded)
        if accepts is _ANSWER:
            answer = self.table.answers.get(line.word)
            if answer is not None and line.asks:
                return Decision(_wrong_usage(answer, text, route, sender), 1)
            if answer is not None:
                arguments, unread = self.addressed(route), self._goes_on(grammar, folded, line)
                return Decision(Instruction(answer.id, sender, route, text, arguments, unread=unread), 1)
        found = match(grammar, folded, line, self._readers)
        if found is None and accepts is Accepts.BASE:
            found = listed(grammar, line)
        if found is None:
            return self._not_understood(grammar, folded, line, route, sender)
        return self._understood(grammar, folded, line, route, sender, found)

    def _attempted(self, text: str, route: Route, sender: str) -> Decision:
        """The result for a text with a password at an address of a province: nobody else gets to know it."""
        attempt = self.table.attempt
        assert attempt is not None  # else nothing speaks of passwords
        return self._misunderstood(normalise(text), route, sender, 7, attempt.reply, hidden=Hidden.ATTEMPT)

    def _understood(
        self, grammar: Grammar, text: Text, line: Line, route: Route, sender: str, found: Match
    ) -> Decision:
        """The result for a row that matched: usage, when its arguments are wrong or a question mark asks
        about it; else the instruction."""
        row, arguments, rule = found
        if arguments is None or asked_about(found, line):
            usage = _wrong_usage(row, text.original, route, sender)
            behind = text.folded[line.start :]
            for word in row.words:
                behind = behind.removeprefix(word)
            if not row.takes_free_text and self._speaks_of_passwords(behind):
                usage.hidden = usage.hidden or Hidden.ATTEMPT
            return Decision(usage, rule)
        foreign = False
        for name in row.numbers:
            foreign = foreign or self.is_foreign(arguments.get(name, ""))
        if row.answers:
            arguments, rule = {"serial": ""}, 5
        unread = not row.takes_free_text and self._goes_on(grammar, text, line)
        understood = Instruction(row.id, sender, route, text.original, arguments, foreign, row.hidden, unread)
        return Decision(understood, rule)

    def _goes_on(self, grammar: Grammar, text: Text, line: Line) -> bool:
        """Whether the line after the one that counts would be an instruction too (rule 2)."""
        if line.alone:
            return False
        second = first_line(text, line.stop)
        found = match(grammar, text, second, self._readers)
        return found is not None and found.arguments is not None and not asked_about(found, second)

    def addressed(self, route: Route) -> dict[str, str]:
        """Which question an answer's number names.

        Returns:
            `serial`: the serial in the number, or "". `begun_at`: present where an answer without a known
                serial means the newest question begun at this access code.
        """
        serial = route.tail if len(route.tail) == SERIAL_DIGITS else ""
        begun_at = {"begun_at": route.access_code} if self._grammar(route).newest else {}
        return {"serial": serial, **begun_at}

    def is_foreign(self, number: str) -> bool:
        """Whether the number of a person is a mobile of another operator, as ported."""
        return len(number) == MOBILE_DIGITS and self._operator(number) is not _CMCC

    def _grammar(self, route: Route) -> Grammar:
        return self.table.grammars.get(route.access_code) or self.table.places[0]

    def _speaks_of_passwords(self, folded: str) -> bool:
        return self._passwords is not None and self._passwords.are_spoken_of(folded)

    def _not_understood(
        self, grammar: Grammar, text: Text, line: Line, route: Route, sender: str
    ) -> Decision:
        """The most helpful reason: the hints of the table, rule 7, what another place understands, the
        hint of rule 3, rule 6."""
        table = self.table
        reply = grammar.hints.get(line.word)
        if reply is not None:
            return self._misunderstood(text, route, sender, 6, reply)
        if table.attempt is not None and self._is_attempt(text):
            return self._misunderstood(text, route, sender, 7, table.attempt.reply, hidden=Hidden.ATTEMPT)
        for other in table.places:
            found = None if other is grammar else match(other, text, line, self._readers)
            if found is not None:
                return self._misunderstood(text, route, sender, 1, other.elsewhere, hidden=found.row.hidden)
        core = text.folded[line.start : line.end]
        row, rule = near(table, grammar, core, line)
        if row is not None:
            return self._misunderstood(text, route, sender, rule, table.general.suggestion, row.words[0])
        cancelling = table.cancelling
        if cancelling is not None and means_cancelling(cancelling, table.negations, core, line):
            return self._misunderstood(text, route, sender, 6, cancelling.reply)
        return self._misunderstood(text, route, sender, 0, table.general.misunderstood)

    def _is_attempt(self, text: Text) -> bool:
        """Rule 7: whether the text may contain a password, also as UCS-2 that was read octet by octet."""
        if self._passwords is None:
            return False
        found = self._passwords.may_hold(text.folded)
        return found or self._passwords.may_hold(normalise(every_second(text.original)).folded)

    def _misunderstood(
        self,
        text: Text,
        route: Route,
        sender: str,
        rule: int,
        reason: str,
        suggestion: str = "",
        *,
        hidden: Hidden = Hidden.NONE,
    ) -> Decision:
        understood = Misunderstood(MISUNDERSTOOD, sender, route, text.original, reason, suggestion, hidden)
        return Decision(understood, rule)


def _wrong_usage(row: Row, text: str, route: Route, sender: str) -> Misunderstood:
    """The result for a row that was recognised but cannot be run: the sentence that explains it."""
    return Misunderstood(MISUNDERSTOOD, sender, route, text, row.usage, "", row.hidden, Result.USAGE)


def _whole_text(row: Row, text: str, route: Route, sender: str) -> Understood:
    """The instruction of a row that takes the whole text, as typed."""
    arguments: dict[str, str] = {}
    if row.arguments:
        argument = row.arguments[0]
        if argument.kind is Kind.PASSWORD and password(text, argument) is None:
            return _wrong_usage(row, text, route, sender)
        arguments[argument.name] = text
    return Instruction(row.id, sender, route, text, arguments, hidden=row.hidden)
