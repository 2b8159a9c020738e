"""Questions about SMS on SQLite: the call of gateway.storage.contract.EnquiryStore."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from gateway.storage.contract import Earlier, PartState

_FIND: Final = """
SELECT number, at, account, msisdn, destination, outcome,
    (SELECT complete FROM part WHERE part.number = journal.number)
FROM journal WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number
"""
_STATES: Final = {None: PartState.GONE, 0: PartState.WAITS, 1: PartState.COMPLETE}


class EnquiryCalls:
    """The calls; the rest of the store is SqliteStore."""

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    async def find(self, numbers: Sequence[int]) -> list[Earlier]:
        """Searches of the primary keys."""
        rows = await self._read(_FIND, (orjson.dumps(list(numbers)).decode(),))
        return [Earlier._make((*row[:-1], _STATES[row[-1]])) for row in rows]
