"""The SMS that systems of provinces send, and the sentence to customers whose province is silent.

Everything here is committed by the pipeline's task, in commits of its own between two batches, a few SMS
each: a fault here fails no SMS of a handset. docs/decisions/018-provinces.md.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from commands.model import LoadKeys, World
from commands.tables import InForce
from gateway.clock import Clock
from gateway.events.payloads import RefusedItem, refusals
from gateway.events.reading import Incoming, Item, read
from gateway.message import Asked, AskedOver, Commit, MobileTerminated, Posted
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.processing.addressing import Addressing, FromProvince
from gateway.processing.quotas import Quotas
from gateway.storage.contract import StorageError, Store
from gateway.storage.nodes import SharedStore
from routing.model import Accepts
from routing.table import Routing

STEP: Final = 40
"""SMS of one commit at most, so that SMS of handsets do not wait long for it."""
HURRIED_MOST: Final = 100_000
"""SMS to provinces that nobody gets, not yet noted in the store. Those beyond wait for their deadline."""
HURRIED_STEP: Final = 1_000
"""Of them in one commit."""
REFUSAL: Final = 0.0002
"""Seconds for which nothing more is taken, for each refusal: a flood leaves most of the time to SMS."""
COUNTED: Final = ("taken", "repeated", "refused", "unanswered")
"""What is counted of each province."""
CODE_MOST: Final = 20
"""Characters of a code in a topic that is answered: where it is longer, the topic of the answer may be too
long for any broker, and what cannot be answered would come again for ever."""
LONG_READ: Final = 0.001
"""Seconds that a payload takes to read at most, unless it is one that is to take long."""
TOO_MANY: Final = "too many SMS wait here: send it again later"
FAILED: Final = "the gateway has failed on it: its log says why"


@dataclass(slots=True)
class Work:
    """What came at once. done: set when all of it is stored or refused."""

    items: deque[Item]
    refused: list[RefusedItem]
    done: "asyncio.Future[None]"


@dataclass(slots=True)
class Prepared:
    """One commit: what it leads to when it is stored. repeats, taken: by province."""

    commit: Commit = field(default_factory=Commit)
    items: list[Item] = field(default_factory=list)
    refused: list[RefusedItem] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    unanswered: list[Asked] = field(default_factory=list)
    hurried: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """What the store knows of some items."""

    posted: set[tuple[str, str]]
    asked: dict[int, Asked]


@dataclass(frozen=True, slots=True)
class Terms:
    """What SMS of provinces have to keep to. node: this gateway's name. sentence: to customers whose province
    is silent. parts: of the longest SMS."""

    node: str
    sentence: str
    parts: int
    quotas: Quotas


@dataclass(frozen=True, slots=True)
class Around:
    """What is needed of the rest of the gateway. wake: the pipeline is to call step()."""

    store: Store
    outbox: Outbox
    clock: Clock
    observer: Observer
    wake: Callable[[], None]


class Provinces:
    """Takes what comes, and sees to deadlines.

    watches: whether this node looks for deadlines: one does. counts: (province, what) -> how many, since the
    start.
    """

    def __init__(self, in_force: InForce, addressing: Addressing, terms: Terms, around: Around) -> None:
        self.watches = True
        self.counts: Counter[tuple[str, str]] = Counter()
        self._in_force = in_force
        self._addressing = addressing
        self._terms = terms
        self._store = around.store
        self._outbox = around.outbox
        self._clock = around.clock
        self._observer = around.observer
        self._wake = around.wake
        self._work: Work | None = None
        self._hurried: dict[int, None] = {}
        self._look = False

    @property
    def _routing(self) -> Routing:
        """That of the tables in force: a step asks anew."""
        return self._in_force.tables.routing

    # What others tell

    async def take(self, messages: Sequence[Incoming]) -> Iterable[tuple[str, bytes]]:
        """Store what is in these messages; gives what is to be published about it (subscription.Take)."""
        work = Work(deque(), [], asyncio.get_running_loop().create_future())
        for message in messages:
            began = self._clock.monotonic()
            found = read(message.topic, message.payload, self._clock.now_ms())
            work.items += found.items
            work.refused += found.refused
            took = self._clock.monotonic() - began
            await asyncio.sleep(took if took > LONG_READ else 0)  # SMS have their turn, and as much time
        for each in work.refused:
            self._note_refused(each)
        if work.items:
            self._work = work
            self._wake()
            try:
                await work.done
            finally:
                self._work = None
        await asyncio.sleep(len(work.refused) * REFUSAL)
        told = [each for each in work.refused if len(_code(each)) <= CODE_MOST]
        return refusals(told, self._terms.node, self._clock.now_ms())

    def nobody_hears(self, numbers: Sequence[int]) -> None:
        """These SMS to provinces reach nobody: their customers need not wait."""
        for number in numbers[: HURRIED_MOST - len(self._hurried)]:
            self._hurried[number] = None
        self._wake()

    def look(self) -> None:
        """Look for deadlines with the next step; every few seconds."""
        self._look = True

    def holds(self, *, held: bool) -> None:
        """Whether this node is the one that subscribes and looks for deadlines."""
        if held and not self.watches:
            self._terms.quotas.forget()
        self.watches = held

    def report(self) -> dict[str, Any]:
        """What operators are told: `subscribes`: whether this node does; `of`: since the start, by province,
        for those of which there is something ("": SMS under a topic of no province)."""
        codes = sorted({code for code, _ in self.counts})
        return {
            "subscribes": self.watches,
            "of": {code: {what: self.counts[code, what] for what in COUNTED} for code in codes},
        }

    # The pipeline's part

    @property
    def due(self) -> bool:
        """Whether step() has something to do."""
        return bool(self._hurried or self._look or (self._work and self._work.items))

    async def step(self) -> bool:
        """Do a part of what is due, in one commit. Returns whether there was one. Raises StorageError: then
        all of it is still due."""
        prepared = Prepared()
        now_ms = self._clock.now_ms()
        world = World()
        work = self._work
        prepared.hurried = [*islice(self._hurried, HURRIED_STEP)]
        prepared.commit.overdue = [AskedOver(now_ms, number) for number in prepared.hurried]
        if work is not None and work.items:
            await self._prepare(work, prepared, world, now_ms)
        again = await self._tell_unanswered(prepared, world, now_ms)
        if prepared.commit:
            await self._store.commit(prepared.commit)
        self._look = again or bool(prepared.hurried)
        self._stored(prepared, work)
        self._outbox.hand_over(prepared.commit.outgoing, self._clock.monotonic(), self._clock.now_ms())
        return bool(prepared.commit)

    def give_up(self) -> None:
        """A bug has met what is due: what came is refused, the rest is looked at again later."""
        self._look = False
        self._hurried.clear()
        if (work := self._work) is not None:
            for item in work.items:
                work.refused.append(item.refused(FAILED))
                self._note_refused(work.refused[-1])
            work.items.clear()
            self._finish(work)

    async def _prepare(self, work: Work, prepared: Prepared, world: World, now_ms: int) -> None:
        """The next items."""
        items = [work.items[place] for place in range(min(STEP, len(work.items)))]
        prepared.items = items
        await self._terms.quotas.day(now_ms, self._store)
        causes = sorted({item.cause for item in items if item.cause})
        known = Known(
            await self._store.posted([(_code(item), item.id) for item in items]),
            {each.number: each for each in (await self._store.asked(causes) if causes else ())},
        )
        await self._store.load(LoadKeys({self._handset(item) or item.to for item in items}), world)
        for item in items:
            key = _code(item), item.id
            if key in known.posted:
                prepared.repeats[key[0]] += 1
                continue
            sms = self._sms(item, known.asked.get(item.cause), prepared, world, now_ms)
            if isinstance(sms, str):
                prepared.refused.append(item.refused(sms))
                continue
            known.posted.add(key)
            prepared.taken[key[0]] += 1
            prepared.commit.outgoing.append(sms)
            prepared.commit.posted.append(Posted(*key, now_ms, sms.number))
            if item.cause:
                prepared.commit.asked_over.append(AskedOver(now_ms, item.cause))

    def _sms(
        self, item: Item, asked: Asked | None, prepared: Prepared, world: World, now_ms: int
    ) -> MobileTerminated | str:
        """The SMS of an item, or why there is none."""
        code = _code(item)
        if not self._is_own(self._routing.notice_from() + code, code):
            return f"its topic: {code[:CODE_MOST]!a} is no code of a province"
        to = self._handset(item)
        if to is None:
            return "to: is no mobile, or one that the service does not take"
        if item.cause and (asked is None or asked.province != code):
            return "cause_id: no SMS to your numbers has this message_id"
        if asked is not None and asked.msisdn != to:
            return "cause_id: this SMS came from another handset than `to`"
        if item.source and not self._is_own(item.source, code):
            return f"source: is none of your numbers: 12520{code} or 161{code} and 0 to 5 digits"
        if self._outbox.depth + len(prepared.commit.outgoing) >= self._outbox.limit // 2:
            return TOO_MANY  # the rest of it is for answers to handsets
        reason = self._terms.quotas.refusal(code, prepared.taken[code], self._clock.monotonic())
        if reason:
            return reason
        source = item.source or (asked.destination if asked else self._routing.notice_from() + code)
        sent = FromProvince(item.cause, to, source, item.text, now_ms, item.until)
        try:
            sms = self._addressing.from_province(sent, world)
        except ValueError:
            return "text: cannot be sent as an SMS"
        if sms.parts > self._terms.parts:
            return f"text: takes {sms.parts} SMS, not 1 to {self._terms.parts}"
        return sms

    def _handset(self, item: Item) -> str | None:
        """The mobile of an item; the main number for a second one."""
        msisdn = self._routing.numbers.msisdn(item.to)
        return None if msisdn is None else self._routing.main_number(msisdn)

    def _is_own(self, source: str, code: str) -> bool:
        route = self._routing.resolve(source)
        own = route.refused is None and route.accepts is Accepts.PROVINCE and route.province == code
        return own and route.address == source

    async def _tell_unanswered(self, prepared: Prepared, world: World, now_ms: int) -> bool:
        """The sentence to customers whose time is up. Returns whether there may be more."""
        if not (self.watches and self._look):
            return False
        answered = {over.number for over in prepared.commit.asked_over}
        overdue = await self._store.overdue(now_ms, STEP)
        waiting = [each for each in overdue if each.number not in answered]
        await self._store.load(LoadKeys({each.msisdn for each in waiting}), world)
        for asked in waiting:
            sms = self._addressing.unanswered(
                asked, self._in_force.tables, now_ms, self._terms.sentence, world
            )
            prepared.commit.outgoing.append(sms)
            prepared.commit.asked_over.append(AskedOver(now_ms, asked.number))
            prepared.unanswered.append(asked)
        return len(overdue) == STEP

    def _stored(self, prepared: Prepared, work: Work | None) -> None:
        """The commit is done."""
        for number in prepared.hurried:
            self._hurried.pop(number, None)
        for province, count in prepared.taken.items():
            self._terms.quotas.spend(province, count)
            self.counts[province, "taken"] += count
        for province, count in prepared.repeats.items():
            self.counts[self._known(province), "repeated"] += count
        for refused in prepared.refused:
            self._note_refused(refused)
        for asked in prepared.unanswered:
            self.counts[asked.province, "unanswered"] += 1
            self._observer.province_unanswered(asked)
        if work is None:
            return
        for _ in prepared.items:
            work.items.popleft()
        work.refused += prepared.refused
        if not work.items:
            self._finish(work)

    def _finish(self, work: Work) -> None:
        if not work.done.done():
            work.done.set_result(None)

    def _note_refused(self, refused: RefusedItem) -> None:
        province = self._known(_code(refused))
        self.counts[province, "refused"] += 1
        self._observer.province_refused(province, refused.reason)

    def _known(self, code: str) -> str:
        """The code of a province; of a topic that has none, "": what peers name is not kept."""
        return code if code in self._routing.provinces else ""


def _code(item: Item | RefusedItem) -> str:
    """The code in its topic, fetion/province/{code}/mt."""
    return item.topic.split("/")[2]


class Duty:
    """Whether this node is the one that subscribes: by a lease where several share the store, else always."""

    NAME: Final = "provinces"

    def __init__(self, store: Store, provinces: Provinces) -> None:
        self._store = store if isinstance(store, SharedStore) else None
        self._provinces = provinces
        if self._store is not None:
            provinces.holds(held=False)

    async def __call__(self) -> bool:
        """Ask the store."""
        held = True
        if self._store is not None:
            try:
                held = await self._store.hold(self.NAME)
            except StorageError:
                held = False
        self._provinces.holds(held=held)
        return held
