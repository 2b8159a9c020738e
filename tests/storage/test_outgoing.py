"""Which SMS wait is known exactly and found quickly, however many are closed and however long some wait."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.message import Commit, Delivery, MobileTerminated
from gateway.storage.contract import Conflict
from gateway.storage.sqlite import outgoing
from gateway.storage.sqlite.store import SqliteStore
from tests.support import START_MS, at_once, leaving, store_at


def sent(sms: MobileTerminated, at: int = START_MS) -> MobileTerminated:
    """Closed as nearly all are."""
    sms.state, sms.closed_at, sms.attempts, sms.parts_done = Delivery.SENT, at, 1, sms.parts
    return sms


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def fill(store: SqliteStore, first: int, count: int) -> None:
    """So many closed SMS from a number on, and one before them that waits."""
    closed = [leaving(number) for number in range(first + 1, first + 1 + count)]
    at_once(store.commit(Commit(outgoing=[leaving(first), *closed])))
    at_once(store.commit(Commit(closed=[sent(sms) for sms in closed])))


def work_of_a_start(path: Path) -> int:
    """Steps of SQLite's machine, in hundreds, that opening a store's waiting SMS takes."""
    store = store_at(path)
    steps = 0

    def another() -> int:
        nonlocal steps
        steps += 1
        return 0

    store._db.set_progress_handler(another, 100)
    at_once(store.recover(START_MS))
    assert [sms.number for sms in at_once(store.waiting(0, 10))] == [1, 20_000]
    store._db.set_progress_handler(None, 0)
    store.release()
    return steps


def test_a_start_reads_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start after a crash reads the last SMS, not the 10,000 that are closed behind one that waits."""
    monkeypatch.setattr(outgoing, "UNLISTED", 100)
    monkeypatch.setattr(outgoing, "STEP", 1_000)
    path = tmp_path / "fetion.db"
    store = store_at(path)
    fill(store, 1, 10_000)
    fill(store, 20_000, 100)
    for number in range(30_000, 30_020):  # each commit moves one step
        sms = leaving(number)
        at_once(store.commit(Commit(outgoing=[sms])))
        at_once(store.commit(Commit(closed=[sent(sms)])))
    store.release()
    assert work_of_a_start(path) < 50


def test_no_plan_reads_all_rows(store: SqliteStore) -> None:
    """SQLite finds what waits in the small index, and above the number that is kept in meta."""
    values = {"after": 0, "limit": 9}
    plan = [row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {outgoing._WAITING}", values)]
    assert [step for step in plan if "outbox" in step] == [
        "SEARCH outbox USING INDEX outbox_waiting (number>?)",
        "SEARCH outbox USING INTEGER PRIMARY KEY (rowid>?)",
    ]


def test_an_sms_that_leaves_at_once_is_in_no_index(store: SqliteStore) -> None:
    """Its row is written and closed; the index of what waits stays empty."""
    fill(store, 1, 10)
    listed = "SELECT number FROM outbox INDEXED BY outbox_waiting WHERE listed = 1 AND state = 0"
    assert store._db.execute(listed).fetchall() == []
    assert [sms.number for sms in at_once(store.waiting(0, 10))] == [1]


CLOSED: list[dict[str, Any]] = [
    {},
    {"parts": 3, "parts_done": 3},
    {"attempts": 2},
    {"remote_id": "a1"},
    {"error": "ESME_RINVDSTADR", "state": Delivery.FAILED, "parts_done": 0},
    {"state": Delivery.EXPIRED, "parts_done": 0, "attempts": 0},
    {"secret": True, "sealed": b"sealed"},
]


def test_every_way_to_close_writes_the_same_columns(store: SqliteStore) -> None:
    """What is closed in one statement for many has the columns that a statement of its own gives it."""
    messages = [replace(leaving(number), **each) for number, each in enumerate(CLOSED, 1)]
    at_once(store.commit(Commit(outgoing=messages)))
    for sms, each in zip(messages, CLOSED, strict=True):
        sent(sms, START_MS + sms.number)
        for name, value in each.items():
            setattr(sms, name, value)
    at_once(store.commit(Commit(closed=messages)))
    query = """
        SELECT state, closed_at, parts_done, attempts, remote_id, error, text FROM outbox ORDER BY number
    """
    assert store._db.execute(query).fetchall() == [
        (m.state, m.closed_at, m.parts_done, m.attempts, m.remote_id, m.error, None if m.secret else m.text)
        for m in messages
    ]


def test_a_batch_that_fails_lists_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a commit that lists SMS is refused, they still count as not listed, and are found."""
    monkeypatch.setattr(outgoing, "UNLISTED", 1)
    monkeypatch.setattr(outgoing, "STEP", 1)
    at_once(store.commit(Commit(outgoing=[leaving(2)])))
    before = store._outgoing.listed
    broken: Any = (None,) * 7
    with pytest.raises(Conflict):
        at_once(store.commit(Commit(outgoing=[leaving(50)], products=[broken])))
    assert store._outgoing.listed == before
    assert [sms.number for sms in at_once(store.waiting(0, 10))] == [2]


class Outbox(RuleBasedStateMachine):
    """SMS come in any order of numbers, change, are parked, closed or forgotten, over restarts; what waits
    and what is parked is always what a plain set says."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = outgoing.UNLISTED, outgoing.STEP
        outgoing.UNLISTED, outgoing.STEP = 10, 3
        self.folder = Path(mkdtemp())
        self.store = store_at(self.folder / "fetion.db")
        self.store._db.execute("PRAGMA synchronous=OFF")  # no power is cut here
        self.next = 1
        self.waiting: dict[int, MobileTerminated] = {}
        self.parked: dict[int, MobileTerminated] = {}

    @rule(gaps=st.lists(st.integers(1, 9), min_size=1, max_size=8), jump=st.sampled_from([0, 0, 0, 1 << 20]))
    def write(self, gaps: list[int], jump: int) -> None:
        """A batch; after a jump, as between two runs."""
        self.next += jump
        batch = []
        for gap in gaps:
            self.next += gap
            batch.append(leaving(self.next))
        self.put(Commit(outgoing=batch))
        self.waiting |= {sms.number: sms for sms in batch}

    @rule(below=st.integers(1, 60))
    def write_below(self, below: int) -> None:
        """One whose number is lower than others: of another node."""
        number = self.next - below
        if number > 0 and not self.exists(number):
            self.put(Commit(outgoing=[leaving(number)]))
            self.waiting[number] = leaving(number)

    @rule(data=st.data(), usual=st.booleans())
    def close(self, data: st.DataObject, usual: bool) -> None:
        """Some that wait, or are parked, are over."""
        there = self.waiting | self.parked
        if not there:
            return
        batch = [sent(there[n]) for n in data.draw(st.sets(st.sampled_from(sorted(there)), max_size=9))]
        for sms in batch:
            sms.attempts = 1 if usual else 2
            self.waiting.pop(sms.number, None)
            self.parked.pop(sms.number, None)
        self.put(Commit(closed=batch))

    @rule(data=st.data(), state=st.sampled_from([Delivery.WAITING, Delivery.PARKED]))
    def change(self, data: st.DataObject, state: Delivery) -> None:
        """One is parked, taken out of the park, or stays what it is and counts an attempt."""
        there = self.waiting | self.parked
        if there:
            sms = there[data.draw(st.sampled_from(sorted(there)))]
            sms.state = state
            self.put(Commit(changed=[sms]))
            self.waiting.pop(sms.number, None)
            self.parked.pop(sms.number, None)
            (self.waiting if state is Delivery.WAITING else self.parked)[sms.number] = sms

    @rule()
    def forget(self) -> None:
        """A step of retention: what is closed goes."""
        at_once(self.store.forget(START_MS + 1, 5))

    @rule(recover=st.booleans())
    def restart(self, recover: bool) -> None:
        """The process ends, and another one opens the store."""
        self.store.release()
        self.store = store_at(self.folder / "fetion.db")
        self.store._db.execute("PRAGMA synchronous=OFF")
        if recover:
            at_once(self.store.recover(START_MS))

    @invariant()
    def what_waits_is_known(self) -> None:
        """In order, in pieces too."""
        assert [sms.number for sms in at_once(self.store.waiting(0, 1000))] == sorted(self.waiting)
        middle = sorted(self.waiting)[len(self.waiting) // 2 :]
        if middle:
            assert [sms.number for sms in at_once(self.store.waiting(middle[0] - 1, 2))] == middle[:2]
        for number in self.parked:
            assert at_once(self.store.parked(number)) is not None

    def put(self, commit: Commit) -> None:
        """Write it."""
        at_once(self.store.commit(commit))

    def exists(self, number: int) -> bool:
        """Whether there is such a row."""
        query = "SELECT 1 FROM outbox WHERE number = ?"
        return self.store._db.execute(query, (number,)).fetchone() is not None

    def teardown(self) -> None:
        """Away with it."""
        self.store.release()
        shutil.rmtree(self.folder)
        outgoing.UNLISTED, outgoing.STEP = self.kept


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
