"""The entry point of this package: tables, parser, handlers and sentences together."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from commands import actions
from commands.agreement import row_faults, sentence_faults
from commands.dispatch import Dispatch
from commands.handlers import HANDLED
from commands.model import Given, Instruction, Outcome, Reply, Understood, World
from commands.parser import Parser
from commands.sentences import Sentences, parts_of
from commands.table import Table, load_table
from commands.tariffs import FILE as TARIFFS_FILE
from commands.tariffs import load_tariffs
from routing.files import TableFiles
from routing.table import Routing
from routing.tablefile import Fault, TableError

TABLE_FILE = "appendix8.yaml"
SENTENCES_FILE = "replies/zh.yaml"
FILES = (TABLE_FILE, SENTENCES_FILE, TARIFFS_FILE)
"""The files of these tables."""


_SHIPPED = Path(__file__).parent


class Commands:
    """The instruction table with its parser, sentences and handlers. Immutable. Build it with `load`.

    version: a hash of the table files.
    """

    __slots__ = ("_dispatch", "parser", "sentences", "table", "version")

    def __init__(self, table: Table, sentences: Sentences, parser: Parser, version: str) -> None:
        self.table = table
        self.sentences = sentences
        self.parser = parser
        self.version = version
        self._dispatch = Dispatch(table, parser)

    @classmethod
    def load(cls, routing: Routing, folder: Path | None = None) -> "Commands":
        """Load the shipped tables, with the files of `folder` in place of those of the same name.

        Raises:
            TableError: words that could be confused, a row without a handler, a sentence that is missing,
                unused, or takes more SMS than it says.
        """
        file = TableFiles(folder, _SHIPPED).path
        tariffs = load_tariffs(file(TARIFFS_FILE))
        sentences = Sentences.load(file(SENTENCES_FILE), tariffs.sentence_values())
        table = load_table(file(TABLE_FILE), HANDLED, sentences.by_id)
        if faults := sentences.unused(table.uses | actions.SENTENCES) or list(_lacks(file, sentences)):
            raise TableError(faults)
        octets = b"".join(file(name).read_bytes() for name in FILES)
        provinces = {province.zh: province.code for province in routing.provinces.values()}
        parser = Parser(
            table,
            routing.person,
            routing.operator,
            provinces,
            lambda digits: routing.resolve(digits).refused is None,
        )
        return cls(table, sentences, parser, hashlib.sha256(octets).hexdigest()[:12])

    def handle(self, world: World, understood: Understood, given: Given) -> Outcome:
        """Handle one SMS: write changes to the world, return everything else.

        Raises:
            Missing: the world lacks a key. Load it, call world.drop, call again.
        """
        return self._dispatch.handle(world, understood, given)

    def act(self, world: World, understood: Understood, given: Given) -> Outcome:
        """Execute an operator's action, as `handle` does an SMS."""
        return actions.act(world, understood, given, self.parser.is_foreign)

    def lacks(self, action: str) -> list[str]:
        """Sentences that an action needs and an operator's own file does not have. Raises KeyError."""
        return sorted(actions.ACTIONS[action].sentences - self.sentences.by_id.keys())

    def draws(self, understood: Understood) -> frozenset[str]:
        """What has to be drawn before the handler runs: fetion_number, password, password_hash,
        candidates."""
        if not isinstance(understood, Instruction):
            return frozenset()
        try:
            return self.table.rows[understood.id].draws
        except KeyError:  # an operator's action without a row
            return actions.draws_of(understood.id)

    def render(self, reply: Reply) -> str:
        """The text of a reply, with its clause if both fit one SMS.

        Raises KeyError when the sentence or a value is missing: a fault of the handler.
        """
        text = self.sentences.render(reply.sentence, reply.values)
        if reply.clause:
            longer = text + self.sentences.render(reply.clause)
            return longer if parts_of(longer) == 1 else text
        return text


def _lacks(file: Callable[[str], Path], sentences: Sentences) -> Iterator[Fault]:
    """What an operator's files take away that the handlers rely on."""
    own_sentences, own_table = (
        file(name).parent != (_SHIPPED / name).parent for name in (SENTENCES_FILE, TABLE_FILE)
    )
    if own_sentences or own_table:
        shipped = Sentences.load(_SHIPPED / SENTENCES_FILE, sentences.fixed)
        if own_sentences:
            yield from sentence_faults(sentences, shipped)
        if own_table:
            yield from row_faults(file(TABLE_FILE), load_table(_SHIPPED / TABLE_FILE, HANDLED, shipped.by_id))
