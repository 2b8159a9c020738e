"""Run the handler of what a text means, with the checks that all rows share.

In this order: the state of the sender (line cut, account protected, a mobile of another operator, not
opened), answers to suggestions, the handler, the reminder of an open question, and no answer to automatic
texts and repeated help.
"""

from typing import Final

from commands.codes import Code
from commands.handlers import HANDLERS, answer, chat, questions, unknown
from commands.handlers.people import open_customer, refused
from commands.model import (
    Chat,
    Customer,
    CustomerState,
    Given,
    Instruction,
    Misunderstood,
    Outcome,
    Question,
    Reply,
    Result,
    Source,
    Understood,
    World,
)
from commands.parser import Parser
from commands.table import Row, Table
from commands.text import normalise
from routing.model import Accepts, Route

# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_ANSWER: Final = Accepts.ANSWER
_PASSED_ON: Final = (Accepts.PROVINCE, Accepts.VOICE, Accepts.NONE)
_SUSPENDED: Final = CustomerState.SUSPENDED
_EXPLAINED: Final = (Result.REFUSED, Result.MISUNDERSTOOD, Result.USAGE)
_HELPED: Final = "help"
_MACHINE: Final = "machine"
"""Values of Outcome.silent."""
HELPED = 10
"""Different help texts that a handset gets within limits.help_period at most; each of them once."""

MACHINES_HEAD = 280
"""Characters of a text that the patterns for automatic texts are matched against. It bounds their cost."""


class Dispatch:
    """Runs the handler of what the parser understood. Immutable."""

    __slots__ = (
        "_about_answers",
        "_always_told",
        "_for_everyone",
        "_general",
        "_helps",
        "_needs_open",
        "_parser",
        "_table",
        "_works_ported_out",
        "_works_protected",
        "_works_suspended",
    )

    def __init__(self, table: Table, parser: Parser) -> None:
        rows = table.rows.values()
        self._table = table
        self._parser = parser
        self._general = table.general
        self._needs_open = frozenset(row.id for row in rows if row.needs_open)
        self._works_ported_out = frozenset(row.id for row in rows if row.works_ported_out)
        self._works_protected = frozenset(row.id for row in rows if row.works_protected)
        self._works_suspended = frozenset(row.id for row in rows if row.works_suspended)
        self._helps = frozenset(row.id for row in rows if row.helps)
        self._about_answers = frozenset(row.usage for row in rows if row.answers)
        self._always_told = "" if table.attempt is None else table.attempt.reply
        self._for_everyone = frozenset(
            (
                table.general.suggestion,
                "" if table.cancelling is None else table.cancelling.reply,
                *(place.elsewhere for place in table.places),
                *(sentence for place in table.places for sentence in place.hints.values()),
                *(row.usage for row in rows if not row.needs_open),
            )
        )

    def handle(self, world: World, understood: Understood, given: Given) -> Outcome:
        """Handle one SMS: write changes to the world, return everything else.

        Raises:
            Missing: the world lacks a key. Load it, call world.drop, call again.
        """
        customer = world.customer(understood.sender)
        if customer is not None and (customer.protected or customer.state is _SUSPENDED):
            stopped = self._stopped(customer, understood)
            if stopped is not None:
                return stopped
        outcome = self._act(world, understood, given)
        if isinstance(understood, Instruction) and understood.unread:
            self._say_unread(understood, outcome)
        if understood.route.accepts is _ANSWER:
            self._remind(world, understood, outcome, given.now)
        if outcome.result in _EXPLAINED:
            self._keep_from_machines(understood, outcome)
            self._note_explained(world, understood, outcome, given)
        return outcome

    def _stopped(self, customer: Customer, understood: Understood) -> Outcome | None:
        """The refusal for a sender whose line is cut or whose account is protected; None if the row works
        in that state. The SMS is not kept for later."""
        if customer.state is CustomerState.SUSPENDED:
            if understood.id in self._works_suspended:
                return None
            code, sentence = Code.SUSPENDED, self._general.suspended
        elif understood.id in self._works_protected:
            return None
        else:
            code, sentence = Code.PROTECTED, self._general.protected
        return self._refused(understood, sentence, code)

    def _refused(self, understood: Understood, sentence: str, code: Code) -> Outcome:
        """A refusal with one sentence. For a chat message it is sent from the address that was written to,
        like every failure of chat."""
        source = Source.DIALLED if isinstance(understood, Chat) else Source.REPLY
        return Outcome(Result.REFUSED, [Reply(understood.sender, sentence, None, source)], code=code)

    def _act(self, world: World, understood: Understood, given: Given) -> Outcome:
        """Run the handler, if the sender is China Mobile's, and has opened Fetion or the row does not need
        it."""
        if self._parser.is_foreign(understood.sender):
            elsewhere = self._of_other_operator(world, understood)
            if elsewhere is not None:
                return elsewhere
        if isinstance(understood, Misunderstood):
            return self._explain(world, understood, given)
        if understood.id in self._needs_open and open_customer(world, understood.sender) is None:
            return self._refused(understood, self._general.not_open, Code.NOT_OPENED)
        if isinstance(understood, Chat):
            return chat.send(world, understood, given)
        if self._table.rows[understood.id].answers:
            question = answer.suggested(world, understood, given.now)
            if question is not None:
                return self._answer_suggestion(world, understood, given, question)
        if understood.id in self._helps and not understood.arguments:
            if _was_helped(world, understood.sender, understood.id, given):
                return Outcome(Result.LIMITED, silent=_HELPED)
            _note_helped(world, understood.sender, understood.id, given)
        return HANDLERS[understood.id](world, understood, given)

    def _of_other_operator(self, world: World, understood: Understood) -> Outcome | None:
        """The refusal for a sender of another operator; None if the row works.

        A customer who took the mobile there can still cancel. Places that are not Fetion's answer everybody.
        """
        if understood.route.accepts in _PASSED_ON:
            return None
        if open_customer(world, understood.sender) is None:
            return self._refused(understood, self._general.other_operator, Code.UNKNOWN_NUMBER)
        if understood.id in self._works_ported_out:
            return None
        return self._refused(understood, self._general.ported_out, Code.UNKNOWN_NUMBER)

    def _say_unread(self, understood: Instruction, outcome: Outcome) -> None:
        """Append a clause to the first reply to the sender: a later line was an instruction too and was
        not read."""
        for reply in outcome.replies:
            if reply.to == understood.sender:
                reply.clause = self._general.unread
                return

    # Texts that are not instructions

    def _explain(self, world: World, understood: Misunderstood, given: Given) -> Outcome:
        """Answer a text that is not an instruction; ask whether the suggested row was meant."""
        if self._asks_about_an_answer(understood):
            again = self._question_again(world, understood, given)
            if again is not None:
                return again
        outcome = unknown.explain(world, understood, self._for_everyone, self._general.not_open)
        if outcome.result is not Result.MISUNDERSTOOD or understood.reason == self._always_told:
            return outcome
        if _was_helped(world, understood.sender, _help_in(understood), given):
            return Outcome(Result.LIMITED, silent=_HELPED)
        row = self._suggestable(understood.suggestion, understood.route) if understood.suggestion else None
        if row is not None:
            outcome.replies = [self._offer(world, understood, row, given)]
        return outcome

    def _asks_about_an_answer(self, understood: Understood) -> bool:
        """Whether the text is a word that answers, with a question mark behind it. It answers nothing
        (rule 3)."""
        return (
            isinstance(understood, Misunderstood)
            and understood.result is Result.USAGE
            and understood.reason in self._about_answers
        )

    def _question_again(self, world: World, understood: Misunderstood, given: Given) -> Outcome | None:
        """Send the open question again that such a text is about; None when there is no such question."""
        route = understood.route
        addressed = self._parser.addressed(route) if route.accepts is Accepts.ANSWER else None
        found = answer.asked_about(world, understood.sender, addressed, given.now)
        if found is None or isinstance(found, Outcome):
            return found
        if found.kind != questions.SUGGESTION:
            reply = answer.again(world, understood.sender, found, given)
            return None if reply is None else Outcome(Result.USAGE, [reply])
        row = self._table.rows.get(found.note)
        if row is None:  # the table has changed since
            return None
        sentence = self._general.suggestion_question
        reply = questions.sms(understood.sender, sentence, found, given.now, word=row.words[0])
        return Outcome(Result.USAGE, [reply])

    def _suggestable(self, word: str, route: Route) -> Row | None:
        """The row of a suggested word, if 是 alone can start it; else None.

        It must need no arguments, and nothing drawn but what is drawn for every 是.
        """
        table = self._table
        row = (table.grammars.get(route.access_code) or table.places[0]).exact.get(word)
        agrees = table.rows.get(answer.YES)
        if row is None or agrees is None or row.needs_arguments or row.answers or row.hidden:
            return None
        return row if row.draws <= agrees.draws else None

    def _offer(self, world: World, understood: Misunderstood, row: Row, given: Given) -> Reply:
        """Ask the sender whether the suggested row was meant."""
        sender, base = understood.sender, understood.route.access_code
        question = questions.suggest(world.edit(sender), row.id, base, given)
        sentence = self._general.suggestion_question
        return questions.sms(sender, sentence, question, given.now, word=understood.suggestion)

    def _answer_suggestion(
        self, world: World, understood: Instruction, given: Given, question: Question
    ) -> Outcome:
        """Handle the answer to a suggestion. 是 runs the row as if its word had been sent, so a row that
        asks first still asks. 否 ends the suggestion."""
        sender = understood.sender
        agreed = understood.id != answer.NO
        questions.close(world.edit(sender), question.serial, questions.YES if agreed else questions.NO)
        if not agreed:
            return Outcome(Result.DONE, [Reply(sender, self._general.suggestion_dropped)])
        row = self._table.rows.get(question.note)
        if row is None:  # the table has changed since
            return refused(sender, self._general.misunderstood)
        taken_up = Instruction(row.id, sender, understood.route, row.words[0], {})
        return self._act(world, taken_up, given)

    # Texts that get no answer

    def _note_explained(self, world: World, understood: Understood, outcome: Outcome, given: Given) -> None:
        """Record that this help was sent, unless a reminder replaced it."""
        if not isinstance(understood, Misunderstood) or outcome.result is not Result.MISUNDERSTOOD:
            return
        if understood.reason == self._always_told:
            return
        if outcome.replies[0].sentence != self._general.reminder:
            _note_helped(world, understood.sender, _help_in(understood), given)

    def _keep_from_machines(self, understood: Understood, outcome: Outcome) -> None:
        """Send no answer to a text that a carrier or a handset generated; else the two systems would
        answer each other without end."""
        pattern = self._table.automatic
        head = understood.text.lstrip()[:MACHINES_HEAD]
        if pattern is None or pattern.search(normalise(head).folded.strip(" \n")) is None:
            return
        outcome.replies = [reply for reply in outcome.replies if reply.to != understood.sender]
        outcome.result = Result.LIMITED
        outcome.silent = _MACHINE

    def _remind(self, world: World, understood: Understood, outcome: Outcome, now: int) -> None:
        """Remind the sender of the open question to whose number another text was sent (rule 1)."""
        if isinstance(understood, Instruction) and self._table.rows[understood.id].answers:
            return
        if self._asks_about_an_answer(understood):
            return  # the question itself has been sent again
        general, route = self._general, understood.route
        addressed = self._parser.addressed(route)
        reply = answer.reminder(world, understood.sender, addressed, general.reminder, now)
        if reply is None:
            return
        if outcome.result is Result.LIMITED:
            outcome.result, outcome.silent = Result.MISUNDERSTOOD, ""  # there is a reply after all
        elif outcome.result is Result.MISUNDERSTOOD and outcome.replies[0].sentence == general.misunderstood:
            outcome.replies.clear()  # such as "是的好": an answer, but not a clear one
        outcome.replies.append(reply)


def _help_in(understood: Misunderstood) -> str:
    """The key under which the help for a text is recorded in Customer.helped."""
    return f"{understood.reason} {understood.suggestion}".rstrip()


def _was_helped(world: World, sender: str, what: str, given: Given) -> bool:
    """Whether a handset got the same help, or HELPED different ones, within limits.help_period.

    The help of BZ and "not understood, send BZ" are different.
    """
    customer = world.customer(sender)
    lately = () if customer is None else _lately(customer.helped, given)
    return len(lately) >= HELPED or any(each == what for each, _ in lately)


def _note_helped(world: World, sender: str, what: str, given: Given) -> None:
    """Record that help was sent."""
    customer = world.edit(sender)
    customer.helped = (*_lately(customer.helped, given), (what, given.now))


def _lately(helped: tuple[tuple[str, int], ...], given: Given) -> tuple[tuple[str, int], ...]:
    """The entries within limits.help_period (seconds)."""
    since = given.now - given.limits.help_period * 1000
    return tuple(each for each in helped if each[1] > since)
