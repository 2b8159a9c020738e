"""Everything a text can lead to, behind one door: tables, parser, handlers, sentences."""

import hashlib
from pathlib import Path

from commands.handlers import HANDLED, HANDLERS, answer, chat, unknown
from commands.handlers.people import open_customer, refused
from commands.model import (
    Chat,
    Given,
    Instruction,
    Misunderstood,
    Outcome,
    Reply,
    Result,
    Understood,
    World,
)
from commands.parser import Parser
from commands.sentences import Sentences
from commands.table import Table, load_table
from routing.model import Accepts
from routing.table import Routing
from routing.tablefile import TableError

TABLE_FILE = "appendix8.yaml"
SENTENCES_FILE = "replies/zh.yaml"


class Commands:
    """The instruction table with its sentences and handlers. Immutable. Build it with `load`.

    version: names exactly these files.
    """

    __slots__ = ("_for_everyone", "_needs_open", "parser", "sentences", "table", "version")

    def __init__(self, table: Table, sentences: Sentences, parser: Parser, version: str) -> None:
        self.table = table
        self.sentences = sentences
        self.parser = parser
        self.version = version
        self._needs_open = frozenset(row.id for row in table.rows.values() if row.needs_open)
        self._for_everyone = frozenset(
            (
                table.general.suggestion,
                *(place.elsewhere for place in table.places),
                *(sentence for place in table.places for sentence in place.hints.values()),
                *(row.usage for row in table.rows.values() if not row.needs_open),
            )
        )

    @classmethod
    def load(cls, routing: Routing, folder: Path | None = None) -> "Commands":
        """The tables of `folder` (appendix8.yaml, replies/zh.yaml), or the shipped ones; raises TableError.

        Refused: rows that could be confused, a row without a handler, a sentence that is missing, that
        nothing says, or that takes more SMS than it claims.
        """
        folder = folder or Path(__file__).parent
        sentences = Sentences.load(folder / SENTENCES_FILE)
        table = load_table(folder / TABLE_FILE, HANDLED, sentences.by_id)
        if faults := sentences.unused(table.uses):
            raise TableError(faults)
        octets = b"".join((folder / name).read_bytes() for name in (TABLE_FILE, SENTENCES_FILE))
        parser = Parser(table, routing.numbers.person, routing.operator)
        return cls(table, sentences, parser, hashlib.sha256(octets).hexdigest()[:12])

    def handle(self, world: World, understood: Understood, given: Given) -> Outcome:
        """Do what a text asks: changes are made in the world, the rest is in the outcome.

        Raises Missing when the world lacks something: load it, drop the changes, call again.
        """
        if isinstance(understood, Chat):
            return chat.send(world, understood, given)
        if isinstance(understood, Misunderstood):
            outcome = unknown.explain(world, understood, self._for_everyone, self.table.general.not_open)
        elif understood.id in self._needs_open and open_customer(world, understood.sender) is None:
            outcome = refused(understood.sender, self.table.general.not_open)
        else:
            outcome = HANDLERS[understood.id](world, understood, given)
        if understood.route.accepts is Accepts.ANSWER:
            self._remind(world, understood, outcome, given.now)
        return outcome

    def draws(self, understood: Understood) -> frozenset[str]:
        """What has to be drawn for it: fetion_number, password, password_hash."""
        return self.table.rows[understood.id].draws if isinstance(understood, Instruction) else frozenset()

    def render(self, reply: Reply) -> str:
        """The text of a reply. KeyError when its sentence or a value is missing: a fault of the handler."""
        return self.sentences.render(reply.sentence, reply.values)

    def _remind(self, world: World, understood: Understood, outcome: Outcome, now: int) -> None:
        """Something else was sent to the number of a question that is still open: say so (rule 1)."""
        if isinstance(understood, Instruction) and self.table.rows[understood.id].answers:
            return
        general, route = self.table.general, understood.route
        reply = answer.reminder(world, understood.sender, self.parser.addressed(route), general.reminder, now)
        if reply is None:
            return
        if outcome.result is Result.MISUNDERSTOOD and outcome.replies[0].sentence == general.misunderstood:
            outcome.replies.clear()  # "是的好" was an answer, if not a clear one
        outcome.replies.append(reply)
