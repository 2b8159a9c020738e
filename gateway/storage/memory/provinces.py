"""SMS to and from provinces in memory: gateway.storage.contract.ProvinceStore says what each call does."""

from collections import Counter
from collections.abc import Sequence

from gateway.message import Asked, Commit
from gateway.storage.memory.reader import Content


def write(content: Content, commit: Commit) -> None:
    """Write their part of a commit."""
    content.asked.update({each.number: each for each in commit.asked})
    for at, number in commit.asked_over:
        if (known := content.asked.get(number)) and not known.over_at:
            content.asked[number] = known._replace(over_at=at)
    for at, number in commit.overdue:
        if (known := content.asked.get(number)) and not known.over_at:
            content.asked[number] = known._replace(reply_by=min(known.reply_by, at))
    content.posted.update({(each.province, each.id): each for each in commit.posted})


def forget(content: Content, before: int, limit: int) -> int:
    """Forget what is old; how many went of the kind of which most did."""
    old = sorted(each.number for each in content.asked.values() if each.over_at and each.at < before)[:limit]
    for number in old:
        del content.asked[number]
    sent = [(each.at, key) for key, each in content.posted.items() if each.at < before]
    gone = sorted(sent)[:limit]
    for _, key in gone:
        del content.posted[key]
    return max(len(old), len(gone))


class ProvinceCalls:
    """The calls; the rest of the store is MemoryStore."""

    _content: Content

    async def asked(self, numbers: Sequence[int]) -> list[Asked]:
        found = self._content.asked
        return [found[number] for number in sorted(set(numbers)) if number in found]

    async def overdue(self, now: int, limit: int) -> list[Asked]:
        found = [each for each in self._content.asked.values() if not each.over_at and each.reply_by <= now]
        return sorted(found, key=lambda each: each.reply_by)[:limit]

    async def posted(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return {key for key in keys if key in self._content.posted}

    async def posted_since(self, at: int) -> dict[str, int]:
        return dict(Counter(each.province for each in self._content.posted.values() if each.at >= at))
