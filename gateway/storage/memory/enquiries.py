"""Questions about SMS in memory: gateway.storage.contract.EnquiryStore says what each call does."""

from collections.abc import Sequence

from gateway.storage.contract import Earlier, PartState
from gateway.storage.memory.reader import Content


class EnquiryCalls:
    """The calls; the rest of the store is MemoryStore."""

    _content: Content

    async def find(self, numbers: Sequence[int]) -> list[Earlier]:
        journal = self._content.journal
        return [self._earlier(number) for number in sorted(set(numbers)) if number in journal]

    def _earlier(self, number: int) -> Earlier:
        sms, part = self._content.journal[number], self._content.parts.get(number)
        state = PartState.GONE
        if part is not None:
            state = PartState.COMPLETE if part.complete else PartState.WAITS
        return Earlier(sms.number, sms.at, sms.account, sms.msisdn, sms.destination, sms.outcome, state)
