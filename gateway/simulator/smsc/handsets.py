"""The handsets of a simulated SMS centre: what they got, long SMS joined."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from gateway.simulator.errors import MailboxFullError
from gateway.simulator.sms import Expectation, Mailbox, MissedError, Received, Sms, bare
from gateway.simulator.smsc.ledger import Submission
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import BrokenUdhError
from gateway.smpp.pdus import DataSm

UNREAD: Final = 10_000
"""SMS that are kept for `expect`; the oldest goes."""
MAILBOXES: Final = 10_000
"""Handsets that may have unfinished long SMS; the one that was quiet longest is forgotten."""


class Handsets:
    """Any number of them: each number is one."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.unread: deque[Sms] = deque(maxlen=UNREAD)
        self._alphabet = alphabet
        self._mailboxes: OrderedDict[str, Mailbox] = OrderedDict()
        self._changed = asyncio.Event()

    def put(self, request: Submission) -> Sms | None:
        """An SMS for a handset; returns the whole one that it completes, None while parts are missing."""
        sms = self.read(request)
        if sms is not None:
            self.unread.append(sms)
            self.change()
        return sms

    def read(self, request: Submission) -> Sms | None:
        """The same for an SMS that goes on to an ESME."""
        octets = b"" if isinstance(request, DataSm) else request.short_message
        received = Received(request.source_addr, octets, request.data_coding, request.esm_class, request.tlvs)
        mailbox = self._mailbox(bare(request.destination_addr))
        try:
            sms = mailbox.put(received)
        except (BrokenUdhError, MailboxFullError):
            sms = Sms(bare(request.source_addr), mailbox.owner, "(unreadable)")
        mailbox.unread.clear()
        return sms

    async def expect(self, expectation: Expectation, to: str, within: float) -> Sms:
        """The oldest unread SMS that fits, taken out. to: its handset, "" any. Raises MissedError."""
        found: list[Sms] = []

        def look() -> bool:
            for sms in self.unread:
                if to in ("", sms.receiver) and expectation.groups(sms) is not None:
                    found.append(sms)
                    return True
            return False

        if not await self.until(look, within):
            raise MissedError(to or "a handset", expectation, within, tuple(self.unread))
        self.unread.remove(found[0])
        return found[0]

    def change(self) -> None:
        """Something has happened that somebody may wait for."""
        self._changed.set()

    async def until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait for a condition, looked at after each change; False after so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _mailbox(self, number: str) -> Mailbox:
        mailbox = self._mailboxes.get(number)
        if mailbox is None:
            if len(self._mailboxes) >= MAILBOXES:
                self._mailboxes.popitem(last=False)
            mailbox = self._mailboxes[number] = Mailbox(number, self._alphabet)
        self._mailboxes.move_to_end(number)
        return mailbox
