"""Which part a receipt is of, what it makes of the SMS, and what a fault of the store does."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.contract import Receipt, Receipted, ReceiptsAsked
from gateway.errors import STOPPING, STORE_DOWN, Refusal
from gateway.message import Commit, Delivery, EarlyReceipt, Kind, MobileTerminated, PartReceipt, StoredEvent
from gateway.observer import Observer
from gateway.outbound import receipts
from gateway.outbound.receipts import Receipts, choose, outcome_of
from gateway.storage.contract import StoreFault
from gateway.storage.memory import MemoryStore, MemoryStores
from tests.support import ALICE, BOB, START_MS, leaving

SENT, DELIVERED, UNDELIVERED = Delivery.SENT, Delivery.DELIVERED, Delivery.UNDELIVERED


def part(
    number: int, remote_id: str, state: Delivery = SENT, msisdn: str = ALICE, **more: Any
) -> PartReceipt:
    """A part that left."""
    return PartReceipt(number, 1, 1, msisdn, "smsc", remote_id, START_MS, state=state, **more)


def test_the_part_that_a_receipt_is_of() -> None:
    """Ids that are written alike, then those that wait, then the handset; otherwise nobody knows."""
    one, other = part(1, "ab"), part(2, "00AB")
    assert choose([one, other], "00AB") == (other, False)
    assert choose([one, other], "0aB") == (None, True)
    assert choose([one, other._replace(state=DELIVERED)], "0aB") == (one, False)
    assert choose([one, other._replace(msisdn=BOB)], "0aB", f"86{BOB}", "161") == (
        other._replace(msisdn=BOB),
        False,
    )
    assert choose([one, other._replace(msisdn="")], "0aB", "", "") == (None, True)
    assert choose([], "1", ALICE) == (None, False)
    done = part(3, "ab", DELIVERED)
    assert choose([done], "ab") == (done, False)


STATES = st.lists(st.sampled_from([SENT, DELIVERED, UNDELIVERED]), min_size=1, max_size=4)


@given(STATES, st.integers(0, 3))
def test_parts_make_the_whole(states: list[Delivery], missing: int) -> None:
    """Delivered when all are, undelivered when one is not, and neither before the peer has taken all."""
    total = len(states) + missing
    rows = [PartReceipt(1, n, total, ALICE, "smsc", "", 0, state=state) for n, state in enumerate(states)]
    found = outcome_of(rows)
    if missing:
        assert found is None
    elif UNDELIVERED in states:
        assert found is UNDELIVERED
    else:
        assert found is (None if SENT in states else DELIVERED)


class FakeBind:
    """What receipts need of a bind."""

    account, number, receipts, closed = "smsc", 7, ReceiptsAsked(1000), False

    def __init__(self) -> None:
        self.answered: list[object] = []

    def accept(self, origin: object, message_id: str) -> None:
        """Note it."""
        assert not message_id
        self.answered.append(origin)

    def reject(self, origin: object, verdict: object) -> str:
        """Note it."""
        self.answered.append((origin, verdict))
        return "refused"


class Hearing(Observer):
    """Notes what is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []

    def receipted(self, part: PartReceipt) -> None:
        """Note it."""
        self.heard.append(("receipted", part.said))

    def receipt_unmatched(self, receipt: EarlyReceipt, _reason: str) -> None:
        """Note it."""
        self.heard.append(("unmatched", receipt.remote_id))

    def broken(self, where: str, _error: Exception) -> None:
        """Note it."""
        self.heard.append(("broken", where))


class Bench:
    """Receipts over a store in memory."""

    def __init__(self, *, tells_events: bool = True) -> None:
        self.store: MemoryStore = MemoryStores().open_store(Path("receipts"))
        self.bind: Any = FakeBind()
        self.observer = Hearing()
        self.closed: Refusal | None = None
        self.receipts = Receipts(
            self.store,
            self.observer,
            lambda _: "100",
            tells_events=tells_events,
            shut=lambda _: self.closed,
            touched=lambda _: None,
            wake=lambda: None,
        )

    async def left(self, number: int, remote_id: str, parts: int = 1) -> MobileTerminated:
        """An SMS was stored, and its first part taken."""
        sms = leaving(number)
        sms.parts = parts
        await self.store.commit(Commit(outgoing=[sms]))
        self.receipts.taken(self.bind, sms, remote_id, START_MS)
        return sms

    def comes(
        self,
        remote_id: str,
        what: Receipted = Receipted.DELIVERED,
        origin: object = "",
        source: str = ALICE,
    ) -> None:
        """A receipt came."""
        said = {Receipted.DELIVERED: "DELIVRD", Receipted.UNDELIVERED: "UNDELIV"}.get(what, "ENROUTE")
        ids = (remote_id,) if remote_id else ()
        self.receipts.received(
            Receipt(self.bind, origin or remote_id, 1, 1.0, source, "161", ids, what, said)
        )

    async def commits(self, now_ms: int = START_MS, **more: Any) -> Commit:
        """One commit; with `closed` what the outbox hands in."""
        commit = Commit()
        await self.receipts.hand_in(commit, now_ms)
        commit.closed = more.get("closed", [])
        await self.store.commit(commit)
        self.receipts.committed()
        return commit


async def test_an_event_for_each_outcome() -> None:
    """Once for an SMS, with what decided it; none without a consumer."""
    bench = Bench()
    sms = await bench.left(5, "a")
    sms.state, sms.closed_at = SENT, START_MS
    await bench.commits(closed=[sms])
    bench.comes("A")
    bench.comes("a")
    commit = await bench.commits()
    assert [(e.family, e.name, e.cause, e.msisdn, e.province, e.version) for e in commit.events] == [
        ("sms", "delivered", 5, sms.msisdn, "100", 0)
    ]
    assert commit.events[0].data == {"parts": 1, "part": 1, "said": "DELIVRD", "error": ""}
    assert commit.outcomes == {5: DELIVERED}
    assert bench.bind.answered == ["A", "a"]
    silent = Bench(tells_events=False)
    await silent.left(5, "a")
    silent.comes("a", Receipted.UNDELIVERED)
    commit = await silent.commits()
    assert (commit.events, commit.outcomes) == ([], {5: UNDELIVERED})


async def test_none_in_time_is_an_event() -> None:
    """Also where one has come that is not final."""
    bench = Bench()
    await bench.left(5, "a")
    bench.comes("a", Receipted.UNDER_WAY)
    await bench.commits()
    bench.receipts.look()
    assert (await bench.commits(START_MS + 999)).events == []
    bench.receipts.look()
    events: list[StoredEvent] = (await bench.commits(START_MS + 1000)).events
    assert [(each.name, each.data["error"]) for each in events] == [("unknown", "no final receipt in time")]
    bench.receipts.look()
    assert not await bench.commits(START_MS + 5000)
    assert bench.observer.heard == [("receipted", "ENROUTE"), ("receipted", "ENROUTE")]


async def test_a_commit_that_fails() -> None:
    """Nothing is answered, and nothing lost: the next commit has it all."""
    bench = Bench()
    await bench.left(5, "a")
    bench.comes("a")
    await bench.receipts.hand_in(Commit(), START_MS)
    bench.receipts.take_back()
    assert bench.bind.answered == []
    assert bench.receipts.waiting == 1
    commit = await bench.commits()
    assert [row.state for row in commit.receipts] == [DELIVERED]
    assert bench.bind.answered == ["a"]
    assert not bench.receipts.due


async def test_what_is_refused(monkeypatch: Any) -> None:
    """Where the gateway stops or the store is down, and what waits when it fails; beyond a bound."""
    bench = Bench()
    bench.closed = STOPPING
    bench.comes("a")
    bench.closed = None
    bench.comes("b")
    bench.receipts.refuse(STORE_DOWN)
    assert bench.bind.answered == [("a", STOPPING.verdict), ("b", STORE_DOWN.verdict)]
    monkeypatch.setattr(receipts, "QUEUE", 1)
    bench.comes("c")
    bench.comes("d")
    assert bench.bind.answered[2][0] == "d"
    assert bench.receipts.waiting == 1


async def test_a_bug_costs_the_receipts_in_hand(monkeypatch: Any) -> None:
    """They are refused, the commit goes on; a fault of the store is passed on."""
    bench = Bench()
    bench.comes("a")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "receipts_named", broken)
        commit = Commit()
        await bench.receipts.hand_in(commit, START_MS)
    assert not commit
    assert bench.observer.heard == [("broken", "receipts")]
    assert bench.bind.answered[0][0] == "a"

    async def failing(*_: object) -> None:
        raise StoreFault("the disk")

    bench.comes("b")
    monkeypatch.setattr(bench.store, "receipts_named", failing)
    try:
        await bench.receipts.hand_in(Commit(), START_MS)
    except StoreFault:
        bench.receipts.take_back()
    assert bench.receipts.waiting == 1


async def test_without_an_id(monkeypatch: Any) -> None:
    """A receipt that names nothing is reported at once; so is one that is too many to be kept."""
    bench = Bench()
    bench.comes("")
    monkeypatch.setattr(receipts, "EARLY_MOST", 1)
    bench.comes("b")
    bench.comes("c")
    commit = await bench.commits()
    assert bench.observer.heard == [("unmatched", ""), ("unmatched", "c")]
    assert [(each.key, each.reported) for each in commit.early] == [("", True), ("b", False), ("c", True)]
    assert len(bench.bind.answered) == 3


async def test_a_part_that_is_taken_while_the_store_is_asked(monkeypatch: Any) -> None:
    """The commit that may close its SMS has its row too: a kill behind it loses nothing."""
    bench = Bench()
    asked = bench.store.receipts_named

    async def slowly(keys: Any) -> list[PartReceipt]:
        await bench.left(5, "a")
        monkeypatch.setattr(bench.store, "receipts_named", asked)
        return await asked(keys)

    monkeypatch.setattr(bench.store, "receipts_named", slowly)
    bench.comes("b")
    commit = await bench.commits()
    assert [(row.number, row.remote_id) for row in commit.receipts] == [(5, "a")]
    bench.comes("a")
    assert [row.state for row in (await bench.commits()).receipts] == [DELIVERED]


async def test_places_of_early_receipts_come_back(monkeypatch: Any) -> None:
    """One that is repeated has one place; that of one that another node has claimed is free in a minute."""
    monkeypatch.setattr(receipts, "EARLY_MOST", 2)
    bench = Bench()
    for remote_id in ("b", "b", "b", "c"):
        bench.comes(remote_id)
        await bench.commits()
    assert bench.observer.heard == []
    bench.comes("d")
    await bench.commits()
    assert bench.observer.heard == [("unmatched", "d")]
    await bench.store.commit(Commit(early_gone=[("smsc", "b"), ("smsc", "c")]))
    bench.receipts.look()
    later = START_MS + receipts.EARLY_MS
    await bench.commits(later)
    bench.comes("e")
    commit = await bench.commits(later)
    assert [(each.key, each.reported) for each in commit.early] == [("e", False)]


async def test_our_own_receipts_ask_for_none() -> None:
    """Nor does a part that has no name wait for one: it is known by the time alone."""
    bench = Bench()
    sms = leaving(6)
    sms.kind = Kind.RECEIPT
    bench.receipts.taken(bench.bind, sms, "x", START_MS)
    assert not bench.receipts.due
    await bench.left(5, "")
    bench.comes("")
    assert [row.state for row in (await bench.commits()).receipts] == [SENT]


async def test_a_copy_is_no_part_more() -> None:
    """A response to a copy of an SMS that was taken whole names nothing: the receipt of the first one counts,
    and that of the copy is of nobody."""
    bench = Bench()
    sms = await bench.left(5, "first")
    sms.parts_done, sms.state, sms.closed_at = 1, SENT, START_MS
    bench.receipts.taken(bench.bind, sms, "copy", START_MS)
    await bench.commits(closed=[sms])
    bench.comes("first")
    commit = await bench.commits()
    assert commit.outcomes == {5: DELIVERED}
    assert [(row.part, row.remote_id) for row in commit.receipts] == [(1, "first")]
    bench.comes("copy", Receipted.UNDELIVERED)
    assert (await bench.commits()).outcomes == {}


def test_an_sms_that_was_cut_anew() -> None:
    """Of three parts two had left when it left whole: what became of those says nothing of it."""
    old = [PartReceipt(1, n, 3, ALICE, "smsc", "", 0, state=UNDELIVERED) for n in (1, 2, 3)]
    new = PartReceipt(1, 1, 1, ALICE, "smsc", "", 1)
    assert outcome_of([new, *old[1:]]) is None
    assert outcome_of([new._replace(state=DELIVERED), *old[1:]]) is DELIVERED


async def test_an_id_that_is_given_again() -> None:
    """A centre counts from 1 again after its restart, and tells of the new part before it names it: that is
    no repeat of the old part's receipt."""
    bench = Bench()
    old = await bench.left(5, "1")
    old.state, old.closed_at = SENT, START_MS
    await bench.commits(closed=[old])
    bench.comes("1")
    assert (await bench.commits()).outcomes == {5: DELIVERED}
    new = leaving(6, BOB)
    await bench.store.commit(Commit(outgoing=[new]))
    bench.comes("1", Receipted.UNDELIVERED, source=BOB)
    assert (await bench.commits()).outcomes == {}
    bench.receipts.taken(bench.bind, new, "1", START_MS)
    new.state, new.closed_at = SENT, START_MS
    assert (await bench.commits(closed=[new])).outcomes == {6: UNDELIVERED}


async def test_what_was_seen_of_a_long_sms() -> None:
    """A commit says how many parts had a final receipt, so that another node's in between is noticed."""
    bench = Bench()
    sms = await bench.left(5, "1", parts=2)
    assert (await bench.commits()).receipts_seen == {5: 0}
    sms.parts_done = 1
    bench.receipts.taken(bench.bind, sms, "2", START_MS)
    bench.comes("1")
    assert (await bench.commits()).receipts_seen == {5: 0}
    bench.comes("2")
    assert (await bench.commits()).receipts_seen == {5: 1}
