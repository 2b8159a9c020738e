"""The Store in memory, and the place where stores are found again by their names."""

from bisect import bisect_left
from collections.abc import Container, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from commands.model import Hidden, LoadKeys, Result, World
from gateway.message import (
    OPERATOR,
    Commit,
    Delivery,
    Expected,
    JournalEntry,
    MobileTerminated,
    StoredPart,
    Uncertain,
    Watermark,
)
from gateway.message_numbers import RUNS
from gateway.storage.contract import Candidate, Conflict, RecentSms, StoreFull, StoreInUse, StoreUnusable
from gateway.storage.memory import actions, provinces, receipts
from gateway.storage.memory.accounts import AccountCalls
from gateway.storage.memory.counting import FigureCalls
from gateway.storage.memory.enquiries import EnquiryCalls
from gateway.storage.memory.events import EventCalls
from gateway.storage.memory.reader import CLOSED, Content, Expectation, MemoryReader
from gateway.storage.reader import JournalRecord
from gateway.storage.records import MATCHING

ROOM: Final = 1_000_000
"""Records that a store has room for."""


class MemoryStores:
    """Stores by a path, which is only a name: no file is made.

    What a store holds outlives its closing, so a gateway can stop and start again. It ends with this object.
    """

    def __init__(self) -> None:
        self._contents: dict[Path, Content] = {}

    def open_store(self, path: Path) -> "MemoryStore":
        """Open the store of that name, or make it. Raises StoreInUse and StoreUnusable."""
        content = self._contents.setdefault(path, Content())
        if content.in_use:
            raise StoreInUse(f"{path}: this store in memory is open already")
        return MemoryStore(path, content)

    def open_reader(self, path: Path) -> MemoryReader:
        """Open the store of that name for reading. Raises StoreUnusable where there is none."""
        if path not in self._contents:
            raise StoreUnusable(f"{path}: there is no store in memory of that name")
        return MemoryReader(self._contents[path])


class MemoryStore(
    EventCalls,
    FigureCalls,
    provinces.ProvinceCalls,
    receipts.ReceiptCalls,
    EnquiryCalls,
    AccountCalls,
    actions.ActionCalls,
):
    """Store over one Content: gateway.storage.contract says what each call does.

    Every call is done when it returns, so none waits for another. room: how many SMS, parts and customers it
    takes, roughly; a test may change it.
    """

    node = 0

    def __init__(self, path: Path, content: Content) -> None:
        self._path = path
        self._content = content
        self._events = content.events
        self._events.opened()
        self.room = ROOM
        self.run = self._draw_run()
        content.in_use = True

    def _draw_run(self) -> int:
        if self._content.run + 1 >= RUNS:
            raise StoreUnusable(f"{self._path}: its {RUNS} runs are used up")
        self._content.run += 1
        return self._content.run

    async def key_check(self) -> int | None:
        return self._content.key_check

    async def set_key_check(self, check: int, known: int | None) -> None:
        if self._content.key_check == known:
            self._content.key_check = check

    async def next_run(self) -> int:
        return self._draw_run()

    async def last_time(self) -> int:
        journal = self._content.journal
        return max(self._content.settled.at, journal[max(journal)].at if journal else 0)

    async def load(self, keys: LoadKeys, world: World) -> None:
        content = self._content
        for msisdn in keys.customers:
            customer = content.customers.get(msisdn)
            world.customers[msisdn] = customer and customer.copy()
        world.holders.update({number: content.holders.get(number) for number in keys.holders})
        world.buddies.update({pair: content.buddies.get(pair) for pair in keys.buddies})
        for owner in keys.lists:
            known = sorted(content.buddies.items())
            world.lists[owner] = tuple(buddy for pair, buddy in known if buddy and pair[0] == owner)

    async def commit(self, commit: Commit) -> None:
        """Refuse the batch, or write it: what is checked cannot fail any more."""
        content, journal = self._content, [_journal_record(m) for m in commit.messages]
        content.holders.update(self._check(commit))
        content.journal.update({sms.number: sms for sms in journal})
        content.customers.update({each.msisdn: each.copy() for each in commit.customers})
        content.buddies.update(commit.buddies)
        self._write_outbox(commit)
        content.products += commit.products
        content.events.add(commit.events)
        provinces.write(content, commit)
        receipts.write(content, commit)
        actions.write(content, commit)
        content.parts.update({part.number: replace(part) for part in commit.parts})
        for deadline, number in commit.parts_complete:
            if part := content.parts.get(number):
                content.parts[number] = replace(part, octets=b"", deadline=deadline, complete=True)
        for number in commit.parts_gone:
            content.parts.pop(number, None)
        self._write_doubts(commit)
        content.settled = commit.settled or content.settled

    def _check(self, commit: Commit) -> dict[str, str | None]:
        """Give the new holders of Fetion numbers. Raises Conflict and StoreFull."""
        content, holders = self._content, dict[str, str | None]()
        self._check_new("SMS in", [m.number for m in commit.messages], content.journal)
        self._check_new("SMS out", [m.number for m in commit.outgoing], content.outbox)
        self._check_new("SMS with a part", [part.number for part in commit.parts], content.parts)
        keys = [(each.province, each.id) for each in commit.posted]
        if len(set(keys)) < len(keys) or any(key in content.posted for key in keys):
            raise Conflict(f"{self._path}: a province has sent an SMS with this id already")
        requests = [each.request for each in commit.acted]
        if len(set(requests)) < len(requests) or any(each in content.actions for each in requests):
            raise Conflict(f"{self._path}: an action with this request is stored already")
        for customer in commit.customers:
            if before := content.customers.get(customer.msisdn):
                holders.setdefault(before.fetion_number, None)
            if number := customer.fetion_number:
                if holders.get(number, content.holders.get(number)) not in {None, customer.msisdn}:
                    raise Conflict(f"{self._path}: Fetion number {number} has a holder already")
                holders[number] = customer.msisdn
        kept = len(content.journal) + len(content.outbox) + len(content.parts) + len(content.customers)
        new = (
            len(commit.events)
            + len(commit.messages)
            + len(commit.outgoing)
            + len(commit.parts)
            + len(list(commit.customers))
        )
        if kept + new > self.room:
            raise StoreFull(f"{self._path}: it has room for {self.room} records: make room")

        return holders

    def _check_new(self, kind: str, numbers: list[int], known: Container[int]) -> None:
        if len(set(numbers)) < len(numbers) or any(number in known for number in numbers):
            raise Conflict(f"{self._path}: the number of an {kind} is stored already")

    def _write_outbox(self, commit: Commit) -> None:
        outbox = self._content.outbox
        for m in commit.outgoing:
            text, sealed = ("", m.sealed) if m.secret else (m.text, b"")
            outbox[m.number] = replace(
                m, bind=0, text=text, sealed=sealed, state=Delivery.WAITING, segments=()
            )
        for m in commit.changed:
            if known := outbox.get(m.number):
                # For one that has been closed meanwhile a `closed` of its own follows.
                known.state = m.state if m.state is Delivery.PARKED else Delivery.WAITING
                known.losses, known.attempts = m.losses, m.attempts
                known.parts, known.parts_done = m.parts, m.parts_done
                known.error, known.repeat = m.error, m.repeat
        for m in commit.closed:
            if known := outbox.get(m.number):
                known.state, known.closed_at, known.sealed = m.state, m.closed_at, b""
                known.parts, known.parts_done, known.attempts = m.parts, m.parts_done, m.attempts
                known.remote_id, known.error, known.session = m.remote_id, m.error, m.session
        for attempt in commit.attempts:
            if attempt.number in outbox:
                self._content.attempts[attempt.number, attempt.place] = attempt

    def _write_doubts(self, commit: Commit) -> None:
        content, expected = self._content, self._content.expected
        for number, session, at in commit.repeats:
            if sms := content.journal.get(number):
                content.journal[number] = replace(sms, repeated_at=at)
            if each := expected.get(number):
                each.used_at, each.session = at, session
        for until, number in commit.doubted:
            if each := expected.get(number):
                each.used_at, each.until = 0, until
            elif sms := content.journal.get(number):
                expected[number] = Expectation(sms.digest, sms.session, until)
        content.uncertain += commit.uncertain
        for session, first, last in commit.certain:
            for number in [
                n for n, each in expected.items() if each.session == session and first <= n <= last
            ]:
                del expected[number]
            content.uncertain = [u for u in content.uncertain if not _inside(u, session, first, last)]

    async def matching(self, place: float, limit: int) -> list[str]:
        found = sorted(each.msisdn for each in self._content.customers.values() if each.has(MATCHING))
        if not found:
            return []
        lowest, highest = int(found[0]), int(found[-1])
        begin = bisect_left(found, str(lowest + round(place * (highest - lowest))))
        return [*found[begin:], *found[:begin]][:limit]

    async def recent(self, since: int, limit: int) -> list[RecentSms]:
        found: list[RecentSms] = []
        for _, sms in sorted(self._content.journal.items(), reverse=True):
            if sms.at < since or len(found) == limit:
                break
            if sms.instruction and sms.account != OPERATOR:
                first = next(iter(sms.detail.get("replies", ())), "")
                sentence = None if sms.outcome == Result.LIMITED else first
                found.append(RecentSms(sms.at, sms.msisdn, sms.text, sms.destination, sentence))
        return found[::-1]

    async def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        found = (sms for sms in self._content.leaving(Delivery.WAITING) if sms.number > after)
        return [replace(sms, repeat=True) for sms in islice(found, limit)]

    async def parked(self, number: int) -> MobileTerminated | None:
        sms = self._content.outbox.get(number)
        return (
            replace(sms, repeat=True, state=Delivery.WAITING)
            if sms and sms.state is Delivery.PARKED
            else None
        )

    async def parts(self) -> list[StoredPart]:
        return [replace(part) for _, part in sorted(self._content.parts.items())]

    async def settled(self) -> Watermark:
        return self._content.settled

    async def recover(self, until: int) -> None:
        content, settled = self._content, self._content.settled
        for number, each in list(content.expected.items()):
            if 0 < each.used_at <= settled.at:
                del content.expected[number]
            elif each.used_at:
                each.used_at, each.until = 0, until
        last = max(content.journal, default=0)
        if last > settled.number:
            content.uncertain.append(Uncertain(0, settled.number + 1, last, until))
        for sms in content.leaving(Delivery.WAITING):
            sms.repeat = True

    async def expect(self, limit: int) -> Expected:
        """Candidates have no bound but the room of the store."""
        content, expected = self._content, self._content.expected
        if content.uncertain:
            span = content.uncertain.pop(0)
            numbers = sorted(n for n in content.journal if span.first <= n <= span.last)[:limit]
            for sms in (content.journal[number] for number in numbers):
                each = expected.get(sms.number)
                if each is not None and span.session in {0, each.session}:
                    each.until = max(each.until, span.until)
                elif each is None and span.session in {0, sms.session} and not sms.repeated_at:
                    expected[sms.number] = Expectation(sms.digest, sms.session, span.until)
            if len(numbers) == limit:
                content.uncertain.insert(0, replace(span, first=numbers[-1] + 1))
        return Expected(len(content.uncertain), len(expected))

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        wanted = set(digests)
        return [
            Candidate(each.digest, number)
            for number, each in sorted(self._content.expected.items())
            if each.digest in wanted and not each.used_at and each.until > now
        ]

    async def forget_candidates(self, now: int, limit: int) -> int:
        for number, each in sorted(self._content.expected.items())[:limit]:
            if each.until <= now and not each.used_at:
                del self._content.expected[number]
        return len(self._content.expected)

    async def forget(self, before: int, limit: int) -> int:
        content = self._content
        certain = min([content.settled.number, *(each.first - 1 for each in content.uncertain)])
        lowest = (content.journal[number] for number in sorted(content.journal)[:limit])
        old = [sms.number for sms in lowest if sms.number <= certain and sms.at < before]
        for number in old:
            del content.journal[number]
        first = min(content.journal, default=certain + 1)
        closed = (sms for sms in content.leaving(*CLOSED) if sms.number < first and sms.closed_at < before)
        gone = list(islice(closed, limit))
        for sms in gone:
            del content.outbox[sms.number]
        for key in [key for key in content.attempts if key[0] not in content.outbox]:
            del content.attempts[key]
        oldest = content.products[:limit]
        young = [each for each in oldest if each.at >= before]
        content.products[:limit] = young
        theirs = max(
            provinces.forget(content, before, limit),
            receipts.forget(content, before, limit),
            actions.forget(content, before, limit),
        )
        return max(len(old), len(gone), len(oldest) - len(young), theirs)

    def give_up(self) -> None: ...

    async def close(self) -> None:
        self._content.in_use = False


def _inside(span: Uncertain, session: int, first: int, last: int) -> bool:
    return span.session == session and first <= span.first and span.last <= last


def _journal_record(m: JournalEntry) -> JournalRecord:
    """What a Reader gives of an SMS in: its detail becomes what JSON gives back."""
    detail = orjson.loads(orjson.dumps(m.detail or {}))
    values = {**m._asdict(), "detail": detail, "hidden": Hidden(m.hidden)}
    return JournalRecord(**values, repeated_at=0)
