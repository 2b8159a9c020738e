"""Questions about SMS on PostgreSQL: the call of gateway.storage.contract.EnquiryStore."""

from collections.abc import Sequence
from typing import Final

from gateway.storage.contract import Earlier, PartState
from gateway.storage.postgresql.link import Link

_FIND: Final = """
SELECT j.number, j.at, j.account, j.msisdn, j.destination, j.outcome, p.complete
FROM journal j LEFT JOIN part p ON p.number = j.number WHERE j.number = ANY(%s) ORDER BY j.number
"""
_STATES: Final = {None: PartState.GONE, False: PartState.WAITS, True: PartState.COMPLETE}


class EnquiryCalls:
    """The calls; the rest of the store is PostgresStore."""

    _link: Link

    async def find(self, numbers: Sequence[int]) -> list[Earlier]:
        """Searches of the primary keys."""
        rows = await self._link.read(_FIND, (list(numbers),))
        return [Earlier._make((*row[:-1], _STATES[row[-1]])) for row in rows]
