"""Moves the service from one access code to another (161 to 12520, fetion.md 1).

With `service.migration: dual` each access code answers by itself, and this module has no effect. With
`unified`, SMS that would leave from an old access code leave from the same sub-code of the new one. A
customer who still writes to the old one is told so once, in a reply that has room for it.
"""

from typing import Final

from commands.sentences import parts_of
from commands.tables import Tables
from routing.model import Route

ONE_SMS: Final = 1


class Migration:
    """Knows the access codes that have moved: those with the grammar of the code that notices leave from.

    tables: for which it knows them.
    """

    __slots__ = ("_hint", "_moved", "_to", "tables")

    def __init__(self, tables: Tables) -> None:
        routing, commands = tables.routing, tables.commands
        self.tables = tables
        self._to = routing.resolve(routing.notice_from()).access_code
        grammars = commands.table.grammars
        self._moved = frozenset(
            code
            for code, grammar in grammars.items()
            if grammar is grammars.get(self._to) and code != self._to
        )
        self._hint = commands.sentences.render(commands.table.general.moved)

    def concerns(self, route: Route) -> bool:
        """Return whether an SMS came to an access code that has moved."""
        return route.access_code in self._moved

    def source(self, address: str, route: Route) -> str:
        """Return the new source address for an SMS that would leave from `address`."""
        old = route.access_code
        return self._to + address[len(old) :] if address.startswith(old) else address

    def hinted(self, text: str) -> str | None:
        """Append the hint to a text; None if both do not fit into one SMS."""
        longer = text + self._hint
        return longer if parts_of(longer) == ONE_SMS else None
