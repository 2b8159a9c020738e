"""Makes the constant parts of log lines once: the two lines of every SMS differ in a few values only."""

from collections.abc import Callable, Hashable, Mapping
from typing import Final

from gateway.operations.logs import render_json

GAP: Final = "\ue000"
"""The place of a value that varies: a private-use character, which JSON does not escape."""

KEPT: Final = 10_000
"""Templates that are kept; beyond that all are made again."""

Pieces = tuple[str, ...]
"""The JSON before, between and after the values that vary."""


class LineTemplates:
    """The templates of one event, by the values that are constant within a template."""

    def __init__(self, make: Callable[..., Mapping[str, object]]) -> None:
        """make: returns the line of a key, with GAP for each value that varies."""
        self._make = make
        self._known: dict[Hashable, Pieces] = {}

    def of(self, *key: Hashable) -> Pieces:
        """Return the pieces of a line."""
        pieces = self._known.get(key)
        if pieces is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            line = render_json(None, "info", dict(self._make(*key))).decode()
            pieces = self._known[key] = tuple(line.replace(f'"{GAP}"', GAP).split(GAP))
        return pieces
