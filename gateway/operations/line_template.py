"""Log lines whose constant parts are made once: the two lines of every SMS differ in a few values only."""

from collections.abc import Callable, Hashable, Mapping
from typing import Final

from gateway.operations.logs import render_json

GAP: Final = "\ue000"
"""Stands in a line for a value that varies: a private character, which JSON writes as it is."""

KEPT: Final = 10_000
"""Lines that are kept; beyond it all are made again."""

Pieces = tuple[str, ...]
"""What stands before, between and behind the values that vary, as JSON."""


class LineTemplates:
    """The lines of one event, by what makes them differ besides the values that vary."""

    def __init__(self, make: Callable[..., Mapping[str, object]]) -> None:
        """make: gives the line of a key, with GAP for each value that varies."""
        self._make = make
        self._known: dict[Hashable, Pieces] = {}

    def of(self, *key: Hashable) -> Pieces:
        """The pieces of a line."""
        pieces = self._known.get(key)
        if pieces is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            line = render_json(None, "info", dict(self._make(*key))).decode()
            pieces = self._known[key] = tuple(line.replace(f'"{GAP}"', GAP).split(GAP))
        return pieces
