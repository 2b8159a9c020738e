"""Receipts of SMS that left: which part one is of, what it says, and what becomes of one that nobody claims.

Everything goes with the commits of the pipeline: a receipt is answered only when the commit is stored that
has it. One that comes before the response that names its part is kept in the store, too, and claimed when the
response comes; after EARLY_MS it is reported. So is a part whose receipt has not come in time.

A receipt is never guessed: where several parts have its id, the handset decides if it can; else it is
unmatched. The first final state of a part stays.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gateway.channels.contract import Bind, Receipt, Receipted
from gateway.errors import QUEUE_FULL, Refusal
from gateway.message import (
    NONE_CAME,
    Commit,
    Delivery,
    EarlyReceipt,
    Kind,
    MobileTerminated,
    PartReceipt,
    StoredEvent,
    receipt_key,
)
from gateway.observer import Observer
from gateway.storage.contract import StorageError, Store

EARLY_MS: Final = 60_000
"""How long a receipt waits for the response that names its part."""
EARLY_MOST: Final = 10_000
"""Receipts that wait so; a further one is reported at once."""
QUEUE: Final = 20_000
"""Receipts that may wait for a commit, over all binds."""
STEP: Final = 256
"""Receipts of one commit, and rows of one look at what is due."""
NO_PART: Final = "no part has its id"
SEVERAL: Final = "several parts have its id"
FAMILY: Final = "sms"
"""The family of the events of receipts."""

_STATES: Final = {
    Receipted.DELIVERED: Delivery.DELIVERED,
    Receipted.UNDELIVERED: Delivery.UNDELIVERED,
    Receipted.UNDER_WAY: Delivery.SENT,
}
_EVENTS: Final = {
    Delivery.DELIVERED: "delivered",
    Delivery.UNDELIVERED: "undelivered",
    Delivery.SENT: "unknown",
}


def choose(rows: Sequence[PartReceipt], remote_id: str, *addresses: str) -> tuple[PartReceipt | None, bool]:
    """Choose the part that a receipt is of, and say whether several may be it.

    rows: the parts whose folded ids are that of the receipt. remote_id: as the receipt writes it. addresses:
    its source and destination. Ids that are written alike go before others, parts that wait for a receipt
    before those that have one: these only where the receipt names their handset, as a centre that counts
    from 1 again may tell of a part before it names that.
    """

    def is_named(row: PartReceipt) -> bool:
        return bool(row.msisdn) and any(each.endswith(row.msisdn) for each in addresses)

    pool = [row for row in rows if row.remote_id == remote_id] or list(rows)
    waiting = [row for row in pool if row.state is Delivery.SENT]
    if not waiting and any(addresses):
        pool = [row for row in pool if is_named(row)]
    pool = waiting or pool
    if len(pool) > 1:
        pool = [row for row in pool if is_named(row)] or pool
    return (pool[0], False) if len(pool) == 1 else (None, bool(pool))


def outcome_of(rows: Sequence[PartReceipt]) -> Delivery | None:
    """What the receipts of the parts of an SMS say of the whole; None: nothing yet.

    An SMS that was cut anew on its way (for a peer without TLVs, for a backup) may have left parts of both
    cuts: the last one counts.
    """
    if not rows:
        return None
    parts = max(rows, key=lambda row: row.at).parts
    rows = [row for row in rows if row.parts == parts]
    if len(rows) < parts:
        return None
    if any(row.state is Delivery.UNDELIVERED for row in rows):
        return Delivery.UNDELIVERED
    return Delivery.DELIVERED if all(row.state is Delivery.DELIVERED for row in rows) else None


@dataclass(slots=True)
class _Round:
    """What one commit has of receipts. known: the rows, as this commit leaves them. early: those that begin
    to wait for their response; claimed: those that wait no more (account and id). tell: said when it is
    stored."""

    now_ms: int
    taken: list[PartReceipt]
    came: list[Receipt]
    known: dict[tuple[int, int], PartReceipt] = field(default_factory=dict)
    by_key: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    changed: set[tuple[int, int]] = field(default_factory=set)
    unknown: dict[int, PartReceipt] = field(default_factory=dict)
    tell: list[Callable[[], None]] = field(default_factory=list)
    early: set[tuple[str, str]] = field(default_factory=set)
    claimed: set[tuple[str, str]] = field(default_factory=set)

    def know(self, row: PartReceipt) -> None:
        """Take a row of the store, unless this commit has it already."""
        place = (row.number, row.part)
        if place not in self.known:
            self.known[place] = row
            self.by_key.setdefault((row.account, receipt_key(row.remote_id)), []).append(place)

    def put(self, row: PartReceipt) -> None:
        """Change a row."""
        place = (row.number, row.part)
        self.known[place] = row
        self.changed.add(place)


class Receipts:
    """Receipts of one gateway, between two commits.

    Args:
        home: gives the province of a mobile.
        tells_events: whether there are consumers of events.
        shut: returns why nothing is taken at that time (monotonic seconds), or None.
        touched: called with a bind on which a response was queued.
        wake: called when there is something to commit.
    """

    def __init__(
        self,
        store: Store,
        observer: Observer,
        home: Callable[[str], str],
        *,
        tells_events: bool,
        shut: Callable[[float], Refusal | None],
        touched: Callable[[Bind], None],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._observer = observer
        self._home = home
        self._tells_events = tells_events
        self._shut = shut
        self._touched = touched
        self._wake = wake
        self._taken: list[PartReceipt] = []
        self._came: deque[Receipt] = deque()
        self._looks = False
        self._early: dict[tuple[str, str], int] = {}  # those that wait for their response: since when (ms)
        self._round: _Round | None = None

    def taken(self, bind: Bind, sms: MobileTerminated, remote_id: str, now_ms: int) -> None:
        """A peer that is asked for receipts has taken the part in flight of an SMS.

        Of an SMS that has been taken whole, this answers a copy: what names it first counts.
        """
        asked = bind.receipts
        if asked is None or sms.kind is not Kind.SMS or sms.parts_done >= sms.parts:
            return
        until = now_ms + asked.wait_ms if asked.wait_ms else 0
        self._taken.append(
            PartReceipt(
                sms.number,
                sms.parts_done + 1,
                sms.parts,
                sms.msisdn,
                bind.account,
                remote_id.strip(),
                now_ms,
                until,
            )
        )

    def received(self, receipt: Receipt) -> None:
        """A receipt came; it is refused only where nothing can be stored."""
        refusal = self._shut(receipt.arrived)
        if refusal is None and len(self._came) >= QUEUE:
            refusal = QUEUE_FULL
        if refusal is not None:
            self._refuse(receipt, refusal)
            return
        self._came.append(receipt)
        self._wake()

    def look(self) -> None:
        """Let the next commit report what is overdue."""
        self._looks = True

    @property
    def due(self) -> bool:
        """Whether the next commit has something of receipts."""
        return bool(self._taken or self._came or self._looks)

    @property
    def waiting(self) -> int:
        """How many receipts wait for a commit, or for the end of one."""
        return len(self._came) + (len(self._round.came) if self._round else 0)

    async def hand_in(self, commit: Commit, now_ms: int) -> None:
        """Put what came into a commit, before the outbox hands in what was sent. Raises StorageError.

        A bug here costs the receipts in hand, which are refused, and no SMS.
        """
        came = [self._came.popleft() for _ in range(min(STEP, len(self._came)))]
        self._round = now = _Round(now_ms, self._taken, came)
        self._taken, looks, self._looks = [], self._looks, False
        try:
            await self._match(now, commit, looks=looks)
            self._hand_in_rows(now, commit)
        except StorageError:
            self._looks = looks
            raise
        except Exception as error:  # the boundary for bugs around receipts
            self._round = None
            commit.receipts, commit.early, commit.early_gone, commit.outcomes = [], [], [], {}
            commit.receipts_seen = {}
            self._observer.broken("receipts", error)
            for receipt in came:
                self._refuse(receipt, QUEUE_FULL)

    def _hand_in_rows(self, now: _Round, commit: Commit) -> None:
        """Put in the rows of parts that were taken while the store was asked: the commit may close their SMS,
        and a kill behind it must not lose which receipts they wait for. The next round has them again."""
        rows = {(row.number, row.part): row for row in self._taken}
        commit.receipts += [row for place, row in rows.items() if place not in now.known]

    def take_back(self) -> None:
        """The commit was not stored."""
        if self._round is not None:
            self._taken = self._round.taken + self._taken
            self._came.extendleft(reversed(self._round.came))
            self._round = None

    def committed(self) -> None:
        """The commit is stored: answer, then tell."""
        now, self._round = self._round, None
        if now is None:
            return
        for name in now.claimed:
            self._early.pop(name, None)
        self._early |= dict.fromkeys(now.early, now.now_ms)
        for receipt in now.came:
            if not receipt.bind.closed:
                receipt.bind.accept(receipt.origin, "")
                self._touched(receipt.bind)
        for tell in now.tell:
            tell()
        if self.due:
            self._wake()

    def refuse(self, refusal: Refusal) -> None:
        """The store has failed: refuse all that waits; the peers repeat it."""
        while self._came:
            self._refuse(self._came.popleft(), refusal)

    def _refuse(self, receipt: Receipt, refusal: Refusal) -> None:
        bind = receipt.bind
        if not bind.closed:
            status = bind.reject(receipt.origin, refusal.verdict)
            self._touched(bind)
            self._observer.rejected(
                bind, receipt.sequence, receipt.source, receipt.destination, refusal.reason, status
            )

    # One commit

    async def _match(self, now: _Round, commit: Commit, *, looks: bool) -> None:
        store, account_keys = self._store, list[tuple[str, str]]()
        for row in now.taken:
            now.know(row)
            now.put(row)
        old: list[EarlyReceipt] = []
        if looks:
            # Another node may have claimed some, so nobody counts on hearing of the end of each.
            self._early = {name: at for name, at in self._early.items() if at > now.now_ms - EARLY_MS}
            old = await store.early_open(now.now_ms - EARLY_MS, STEP)
            due = await store.receipts_due(now.now_ms, STEP)
            self._looks = STEP in (len(old), len(due))
            self._overdue(now, due)
        for receipt in now.came:
            account_keys += [(receipt.bind.account, receipt_key(each)) for each in receipt.ids]
        for early in old:
            account_keys += [(early.account, key) for key in (early.key, early.other) if key]
        if account_keys:
            for row in await store.receipts_named(list(dict.fromkeys(account_keys))):
                now.know(row)
        for receipt in now.came:
            self._read(now, commit, early_of(receipt, now.now_ms), receipt.ids)
        for early in old:
            self._claim_or_report(now, commit, early)
        names = [(row.account, key) for row in now.taken if (key := receipt_key(row.remote_id))]
        if names:
            for early in await store.early_named(list(dict.fromkeys(names))):
                self._claim(now, commit, early)
        await self._roll_up(now, commit)

    def _find(self, now: _Round, early: EarlyReceipt, ids: Iterable[str]) -> tuple[PartReceipt | None, bool]:
        """Find the part that a receipt is of; and whether several may be it."""
        for remote_id in ids:
            places = now.by_key.get((early.account, receipt_key(remote_id)), ())
            row, ambiguous = choose(
                [now.known[place] for place in places], remote_id, early.source, early.destination
            )
            if row is not None or ambiguous:
                return row, ambiguous
        return None, False

    def _read(self, now: _Round, commit: Commit, early: EarlyReceipt, ids: Sequence[str]) -> None:
        """A receipt that came just now."""
        row, ambiguous = self._find(now, early, ids)
        if row is not None:
            self._apply(now, row, early)
            return
        name = early.account, early.key
        known = name in self._early or name in now.early
        full = not known and len(self._early) + len(now.early) >= EARLY_MOST
        if ambiguous or full or not early.key:
            self._report(now, commit, early, SEVERAL if ambiguous else NO_PART)
            return
        now.early.add(name)
        commit.early.append(early)

    def _claim(self, now: _Round, commit: Commit, early: EarlyReceipt) -> bool:
        """Give an early receipt to the part that it is of."""
        row, _ = self._find(now, early, filter(None, (early.remote_id, early.key, early.other)))
        if row is None:
            return False
        self._forget(now, early)
        commit.early_gone.append((early.account, early.key))
        commit.early = [each for each in commit.early if each[:2] != early[:2]]
        self._apply(now, row, early)
        return True

    def _claim_or_report(self, now: _Round, commit: Commit, early: EarlyReceipt) -> None:
        if not self._claim(now, commit, early):
            self._forget(now, early)
            self._report(now, commit, early, NO_PART)

    def _forget(self, now: _Round, early: EarlyReceipt) -> None:
        """It waits no more."""
        now.early.discard((early.account, early.key))
        now.claimed.add((early.account, early.key))

    def _report(self, now: _Round, commit: Commit, early: EarlyReceipt, reason: str) -> None:
        commit.early.append(early._replace(reported=True))
        now.tell.append(partial(self._observer.receipt_unmatched, early, reason))

    def _apply(self, now: _Round, row: PartReceipt, early: EarlyReceipt) -> None:
        """Write down what a receipt says of its part."""
        observer = self._observer
        if row.state is Delivery.SENT:
            final = early.state is not Delivery.SENT
            changed = row._replace(
                state=early.state,
                said=early.said,
                error=early.error,
                receipted_at=early.receipted_at or early.at,
                until=0 if final else row.until,
            )
            now.put(changed)
            now.tell.append(partial(observer.receipted, changed))
        elif early.state not in (row.state, Delivery.SENT):
            now.tell.append(partial(observer.receipt_contradicts, row, early.said))

    def _overdue(self, now: _Round, due: Iterable[PartReceipt]) -> None:
        for row in due:
            changed = row._replace(until=0, error=NONE_CAME)
            now.know(row)
            now.put(changed)
            now.unknown.setdefault(row.number, changed)
            now.tell.append(partial(self._observer.receipted, changed))

    async def _roll_up(self, now: _Round, commit: Commit) -> None:
        """Derive the state of each SMS of which a part has changed, and the events."""
        changed = {number for number, _ in now.changed}
        long = sorted({place[0] for place in now.changed if now.known[place].parts > 1})
        stored = {number: list[PartReceipt]() for number in changed}
        if long:
            for row in await self._store.receipts_of(long):
                stored[row.number].append(row)
            commit.receipts_seen = {number: _finals(stored[number]) for number in long}
        for number in sorted(changed):
            before = {row.part: row for row in stored[number]}
            after = before | {place[1]: now.known[place] for place in now.changed if place[0] == number}
            outcome = outcome_of(list(after.values()))
            if outcome is not None and outcome_of(list(before.values())) is None:
                commit.outcomes[number] = outcome
                self._event(now, commit, max(after.values(), key=lambda row: (row.state, row.part)), outcome)
            elif outcome is None and number in now.unknown:
                self._event(now, commit, now.unknown[number], Delivery.SENT)
        commit.receipts += [now.known[place] for place in sorted(now.changed)]

    def _event(self, now: _Round, commit: Commit, row: PartReceipt, outcome: Delivery) -> None:
        if self._tells_events:
            data = {"parts": row.parts, "part": row.part, "said": row.said, "error": row.error}
            commit.events.append(
                StoredEvent(
                    now.now_ms,
                    row.number,
                    row.msisdn,
                    "",
                    self._home(row.msisdn),
                    FAMILY,
                    _EVENTS[outcome],
                    0,
                    data,
                )
            )


def _finals(rows: Iterable[PartReceipt]) -> int:
    """How many parts have a final receipt."""
    return sum(row.state is not Delivery.SENT for row in rows)


def early_of(receipt: Receipt, now_ms: int) -> EarlyReceipt:
    """What is kept of a receipt until its part is known."""
    ids = (*receipt.ids, "", "")
    key, other = receipt_key(ids[0]), receipt_key(ids[1])
    return EarlyReceipt(
        receipt.bind.account,
        key,
        other if other != key else "",
        ids[0],
        now_ms,
        _STATES[receipt.receipted],
        receipt.said,
        receipt.error,
        receipt.at,
        receipt.source,
        receipt.destination,
    )
