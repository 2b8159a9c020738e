"""Receipts in memory: gateway.storage.contract.ReceiptStore says what each call does."""

from collections.abc import Sequence

from gateway.message import Commit, Delivery, EarlyReceipt, PartReceipt, receipt_key
from gateway.storage.memory.reader import Content


def write(content: Content, commit: Commit) -> None:
    """Write their part of a commit, behind that of the SMS."""
    for each in commit.receipts:
        if each.number in content.outbox:
            content.receipts[each.number, each.part] = each
    for number, state in commit.outcomes.items():
        sms = content.outbox.get(number)
        if sms is not None and sms.state is Delivery.SENT:
            sms.state = state
    for key in commit.early_gone:
        for place in [place for place, e in content.early.items() if place[:2] == key and not e.reported]:
            del content.early[place]
    content.early.update({(each.account, each.key, each.state): each for each in commit.early})


def forget(content: Content, before: int, limit: int) -> int:
    """Forget what is old, and what belonged to SMS that are gone; how many went at most."""
    for place in [place for place in content.receipts if place[0] not in content.outbox]:
        del content.receipts[place]
    old = sorted((each.at, key) for key, each in content.early.items() if each.at < before)[:limit]
    for _, key in old:
        del content.early[key]
    return len(old)


class ReceiptCalls:
    """The calls; the rest of the store is MemoryStore."""

    _content: Content

    async def receipts_named(self, keys: Sequence[tuple[str, str]]) -> list[PartReceipt]:
        found = self._content.receipts.values()
        return sorted(each for each in found if (each.account, receipt_key(each.remote_id)) in keys)

    async def receipts_of(self, numbers: Sequence[int]) -> list[PartReceipt]:
        return sorted(each for each in self._content.receipts.values() if each.number in numbers)

    async def receipts_due(self, now: int, limit: int) -> list[PartReceipt]:
        due = [each for each in self._content.receipts.values() if 0 < each.until <= now]
        return sorted(due, key=lambda each: each.until)[:limit]

    async def early_named(self, keys: Sequence[tuple[str, str]]) -> list[EarlyReceipt]:
        opened = (each for each in self._content.early.values() if not each.reported)
        return sorted(e for e in opened if (e.account, e.key) in keys or (e.account, e.other) in keys)

    async def early_open(self, before: int, limit: int) -> list[EarlyReceipt]:
        opened = [each for each in self._content.early.values() if not each.reported and each.at <= before]
        return sorted(opened, key=lambda each: each.at)[:limit]
