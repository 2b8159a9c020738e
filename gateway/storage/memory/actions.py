"""Actions of operators in memory, and what is forgotten with them. gateway.storage.accounts.ActionStore says
what the call does."""

from gateway.message import Commit
from gateway.storage.memory.reader import Content


def write(content: Content, commit: Commit) -> None:
    """Write their part of a commit."""
    content.actions.update({each.request: each for each in commit.acted})


def forget(content: Content, before: int, limit: int) -> int:
    """Forget what is old, the audit too; how many went of the kind of which most did."""
    old = sorted((each.at, each.request) for each in content.actions.values() if each.at < before)[:limit]
    for _, request in old:
        del content.actions[request]
    entries = sorted((each.at, number) for number, each in content.audit.items() if each.at < before)[:limit]
    for _, number in entries:
        del content.audit[number]
    return max(len(old), len(entries))


class ActionCalls:
    """The call; the rest of the store is MemoryStore."""

    _content: Content

    async def actions(self, requests: list[str]) -> dict[str, int]:
        known = self._content.actions
        return {request: known[request].number for request in requests if request in known}
