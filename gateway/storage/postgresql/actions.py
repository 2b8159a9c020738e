"""Actions of operators: their statement, and the call of gateway.storage.accounts.ActionStore."""

from collections.abc import Iterator
from typing import Final

from gateway.message import Commit
from gateway.storage.postgresql.link import Link, Statement
from gateway.storage.postgresql.rows import recordset

_WRITE: Final = """
INSERT INTO operator_action (request, number, at, actor, action, msisdn, reason)
SELECT request, number, at, actor, action, msisdn, reason FROM json_to_recordset(%s) AS x (request text,
    number bigint, at bigint, actor text, action text, msisdn text, reason text)
"""
_KNOWN: Final = "SELECT request, number FROM operator_action WHERE request = ANY(%s)"


def statements(commit: Commit) -> Iterator[Statement]:
    """Their part of a commit."""
    if commit.acted:
        yield _WRITE, (recordset([each._asdict() for each in commit.acted]),)


class ActionCalls:
    """The call; the rest of the store is PostgresStore."""

    _link: Link

    async def actions(self, requests: list[str]) -> dict[str, int]:
        """Searches of the primary key."""
        return dict(await self._link.read(_KNOWN, (requests,)))
