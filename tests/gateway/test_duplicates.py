"""Resends: which SMS may come again, and which are two honest ones. Time is handed in."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.duplicates import ANY_SESSION, GRAIN_MS, SETTLE_MS, Duplicates
from gateway.model import Commit, MobileOriginated, Numbers, Uncertain
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite import SqliteStore
from tests.gateway.support import Journal, received

DAY = 86_400_000
NOW = 1_200_000_000_000
ONE, OTHER = 11, 12
YES, NO = b"yes", b"no"


@pytest.fixture
def journal() -> Journal:
    """What was committed."""
    return Journal()


@pytest.fixture
def duplicates(journal: Journal) -> Duplicates:
    """A fresh one over it."""
    return Duplicates(journal)


def answer(
    duplicates: Duplicates, journal: Journal, number: int, digest: bytes = YES, now: int = NOW
) -> None:
    """A message of session ONE is committed and answered at once."""
    journal.put(number, ONE, digest)
    duplicates.answered(ONE, number, number, now)


def restarted(journal: Journal, duplicates: Duplicates, now: int) -> Duplicates:
    """Killed and started again; what stood in `duplicates` and was due is committed before."""
    spans, settled = duplicates.take_new(), duplicates.settle(now)
    again = Duplicates(journal)
    again.recover(spans, settled or (0, 0), now, DAY)
    return again


def test_two_equal_texts_on_a_healthy_session_are_two(duplicates: Duplicates, journal: Journal) -> None:
    """What was answered on a session that lives is certain: the same octets again are another SMS."""
    answer(duplicates, journal, 1)
    assert duplicates.find(YES, NOW + 1) is None


def test_a_resend_after_a_loss_is_recognised_once(duplicates: Duplicates, journal: Journal) -> None:
    """A session is cut within 60 s after the answer: one resend gets the number it had, the next is new."""
    answer(duplicates, journal, 1)
    duplicates.lost(ONE, NOW + SETTLE_MS - 1, DAY)
    assert duplicates.find(NO, NOW + SETTLE_MS) is None
    assert duplicates.find(YES, NOW + SETTLE_MS) == 1
    assert duplicates.find(YES, NOW + SETTLE_MS) is None


def test_two_equal_ones_may_both_come_again(duplicates: Duplicates, journal: Journal) -> None:
    """Each uncertain SMS is a candidate of its own, the oldest first."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2)
    duplicates.lost(ONE, NOW, DAY)
    assert [duplicates.find(YES, NOW) for _ in range(3)] == [1, 2, None]


def test_an_old_answer_is_certain(duplicates: Duplicates, journal: Journal) -> None:
    """What was answered a minute (and a second) before the loss has arrived; what came later has not."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2, NO, NOW + SETTLE_MS)
    duplicates.lost(ONE, NOW + SETTLE_MS + GRAIN_MS, DAY)
    assert duplicates.find(YES, NOW) is None
    assert duplicates.find(NO, NOW) == 2


def test_another_session_is_not_touched(duplicates: Duplicates, journal: Journal) -> None:
    """The loss of one session leaves what was answered on another certain, whatever its numbers."""
    answer(duplicates, journal, 1)
    journal.put(2, OTHER, NO)
    duplicates.answered(OTHER, 2, 2, NOW)
    answer(duplicates, journal, 3)
    duplicates.lost(ONE, NOW, DAY)
    assert duplicates.find(NO, NOW) is None
    assert len(duplicates) == 2


def test_unbind_leaves_nothing_uncertain(duplicates: Duplicates, journal: Journal) -> None:
    """A session that ended politely has no candidates."""
    answer(duplicates, journal, 1)
    duplicates.ended(ONE)
    duplicates.lost(ONE, NOW, DAY)
    assert len(duplicates) == 0


@pytest.mark.parametrize("pause", [0, 2 * GRAIN_MS])
@pytest.mark.parametrize("order", [(6, 8, 5), (5, 6, 8)])
def test_numbers_may_be_answered_out_of_order(
    duplicates: Duplicates, journal: Journal, order: tuple[int, ...], pause: int
) -> None:
    """An SMS that waited for its password's hash is answered behind later ones: it is in doubt like them,
    and the watermark stays below it."""
    for number in (5, 6, 7, 8):
        journal.put(number, ONE, b"%d" % number)
    for step, number in enumerate(order):
        duplicates.answered(ONE, number, number, NOW + step * pause)
    assert duplicates.settle(NOW + SETTLE_MS - 1) == (4, NOW + SETTLE_MS - 2)
    duplicates.lost(ONE, NOW + SETTLE_MS - 1, DAY)
    assert [duplicates.find(b"%d" % number, NOW) for number in order] == list(order)


def test_what_was_never_answered_or_late_is_a_candidate(duplicates: Duplicates, journal: Journal) -> None:
    """Committed without a timely answer: a candidate at once, though the session may live; and only one,
    though the session is then cut as well."""
    answer(duplicates, journal, 1, NO)
    journal.put(2, ONE, YES)
    duplicates.unanswered(ONE, 2, 2, NOW, DAY)
    answer(duplicates, journal, 3, NO)
    duplicates.lost(ONE, NOW, DAY)
    assert [duplicates.find(YES, NOW) for _ in range(2)] == [2, None]


def test_a_resend_can_be_lost_again(duplicates: Duplicates, journal: Journal) -> None:
    """The answer to a resend is as uncertain as the first one was; every loss makes it one candidate."""
    answer(duplicates, journal, 1)
    duplicates.lost(ONE, NOW, DAY)
    for session in (20, 21, 22):
        assert duplicates.find(YES, NOW) == 1
        assert duplicates.find(YES, NOW) is None
        duplicates.repeated(session, 1, NOW)
        duplicates.lost(session, NOW + SETTLE_MS - 1, DAY)
    assert duplicates.find(YES, NOW) == 1
    duplicates.repeated(23, 1, NOW)
    duplicates.lost(23, NOW + SETTLE_MS, DAY)
    assert duplicates.find(YES, NOW) is None


def test_candidates_have_their_time(duplicates: Duplicates, journal: Journal) -> None:
    """A resend is looked for during the account's window, and a window of 0 looks for none."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2)
    duplicates.lost(ONE, NOW, 1000)
    assert duplicates.find(YES, NOW + 999) == 1
    duplicates.forget(NOW + 999)
    assert len(duplicates) == 1
    duplicates.forget(NOW + 1000)
    assert len(duplicates) == 0
    assert duplicates.find(YES, NOW + 1000) is None
    answer(duplicates, journal, 3)
    duplicates.lost(ONE, NOW, 0)
    assert duplicates.find(YES, NOW) is None


def test_a_failed_batch_gives_its_candidates_back(duplicates: Duplicates, journal: Journal) -> None:
    """What a batch used up that was not stored is there again, in its order."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2)
    duplicates.lost(ONE, NOW, DAY)
    found = [duplicates.find(YES, NOW), duplicates.find(YES, NOW)]
    for number in reversed(found):
        assert number is not None
        duplicates.give_back(YES, number, NOW + DAY)
    assert [duplicates.find(YES, NOW) for _ in range(3)] == [1, 2, None]


def test_a_range_that_cannot_be_read_is_read_later(
    duplicates: Duplicates, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store fails nothing is forgotten: the range is read as soon as it can be."""
    answer(duplicates, journal, 1)

    def broken(_: Uncertain) -> list[tuple[int, bytes, int]]:
        raise StoreFault("disk")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "digests", broken)
        duplicates.lost(ONE, NOW, DAY)
        with pytest.raises(StoreFault):
            duplicates.read_again()
    duplicates.read_again()
    assert [duplicates.find(YES, NOW) for _ in range(2)] == [1, None]


def test_ranges_do_not_grow_with_the_messages(duplicates: Duplicates, journal: Journal) -> None:
    """A second of a session is one range, however many messages it had."""
    for number in range(1, 1001):
        answer(duplicates, journal, number, now=NOW + number)
    assert [len(each.spans) for each in duplicates._sessions.values()] == [1]


def test_the_watermark_waits_for_the_oldest_answer(duplicates: Duplicates, journal: Journal) -> None:
    """It stands below the first number that is not certain, moves when that has settled, never goes back,
    and comes once per move."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2, now=NOW + 30_000)
    assert duplicates.settle(NOW + 40_000) is None
    assert duplicates.settle(NOW + 61_000) == (1, NOW + 60_999)
    assert duplicates.settle(NOW + 62_000) is None
    assert duplicates.settle(NOW + 91_000) == (2, NOW + 90_999)


def test_a_repeat_moves_the_watermark_too(duplicates: Duplicates, journal: Journal) -> None:
    """A resend whose answer has settled is certain, on a quiet gateway as well: nobody will ask again."""
    answer(duplicates, journal, 1)
    duplicates.lost(ONE, NOW, DAY)
    assert duplicates.settle(NOW) == (1, NOW - 1)
    duplicates.repeated(OTHER, 1, NOW + 5)
    assert duplicates.settle(NOW + 5 + SETTLE_MS - 1) is None
    assert duplicates.settle(NOW + 5 + SETTLE_MS) == (1, NOW + 4 + SETTLE_MS)


def test_a_watermark_that_was_not_stored_comes_again(duplicates: Duplicates, journal: Journal) -> None:
    """Its commit failed: the next one has it, and the ranges that it left out."""
    answer(duplicates, journal, 1)
    duplicates.lost(ONE, NOW, DAY)
    spans, settled = duplicates.take_new(), duplicates.settle(NOW)
    assert settled == (1, NOW - 1)
    duplicates.put_back(spans, settled)
    assert duplicates.take_new() == spans
    assert duplicates.settle(NOW) == settled
    assert duplicates.settle(NOW) is None


def test_a_crash_makes_all_recent_ones_uncertain(duplicates: Duplicates, journal: Journal) -> None:
    """After kill -9 what had not settled is a candidate, what had is not; a second crash changes nothing."""
    answer(duplicates, journal, 1, b"old")
    answer(duplicates, journal, 2, now=NOW + 70_000)
    for _ in range(2):
        duplicates = restarted(journal, duplicates, NOW + 80_000)
    assert duplicates.find(b"old", NOW + 80_000) is None
    assert [duplicates.find(YES, NOW + 80_000) for _ in range(2)] == [2, None]


def test_an_orderly_stop_leaves_nothing_uncertain(duplicates: Duplicates, journal: Journal) -> None:
    """All sessions unbound, the last commit written: after the start nothing is a candidate, not even what
    was resent a moment ago."""
    answer(duplicates, journal, 1)
    answer(duplicates, journal, 2, NO)
    duplicates.lost(ONE, NOW, DAY)
    assert duplicates.find(YES, NOW + 5) == 1
    journal.rows[1] = (ONE, YES, NOW + 5)
    duplicates.repeated(OTHER, 1, NOW + 5)
    duplicates.ended(OTHER)
    again = restarted(journal, duplicates, NOW + 10)
    assert again.find(YES, NOW + 10) is None
    assert again.find(NO, NOW + 10) == 2  # cut before the stop, and never sent again


def test_a_repeat_of_the_last_moment_is_uncertain_after_a_crash(
    duplicates: Duplicates, journal: Journal
) -> None:
    """A resend whose answer had not settled when the process died may come once more."""
    answer(duplicates, journal, 1)
    duplicates.lost(ONE, NOW, DAY)
    assert duplicates.find(YES, NOW + 5) == 1
    journal.rows[1] = (ONE, YES, NOW + 5)
    duplicates.repeated(OTHER, 1, NOW + 5)
    again = restarted(journal, duplicates, NOW + 10)
    assert [again.find(YES, NOW + 10) for _ in range(2)] == [1, None]


@dataclass
class Text:
    """What a client and its centre know of the SMS with one text.

    doubted: acknowledged, maybe not heard of, to be sent again. maybe: a crash may have made them candidates
    without need.
    """

    doubted: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)


class ResendsMachine(RuleBasedStateMachine):
    """Clients on some sessions, a real store, losses, failed commits, crashes and orderly stops.

    Times move in steps of 7 s, and 1 ms for each SMS, so that no age falls into the second behind SETTLE_MS
    in which both outcomes are right.
    """

    STEP = 7_000
    FOREVER = 1 << 50

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = NOW
        self.texts = {b"%d" % number: Text() for number in range(3)}
        self.text_of: dict[int, bytes] = {}
        self.executed = self.expected = 0
        self._open()

    def _open(self) -> None:
        self.store = SqliteStore.open(Path(self.folder.name, "store.db"))
        self.store._db.execute("PRAGMA synchronous=OFF")  # no power is cut here
        self.numbers = Numbers(0, self.store.run)
        self.last_session = self.store.run << 32
        self.sessions: dict[int, dict[int, int]] = {}  # session -> number -> when it was answered
        self.late: dict[int, set[int]] = {}
        self.duplicates = Duplicates(self.store)
        self.duplicates.recover(
            self.store.uncertain(), self.store.settled(), self.now, self.FOREVER - self.now
        )

    def teardown(self) -> None:
        """Hypothesis: the end of an example."""
        self.store.close()
        self.folder.cleanup()

    def _commit(self, m: MobileOriginated | None = None, repeat: int | None = None) -> None:
        commit = Commit(uncertain=self.duplicates.take_new(), settled=self.duplicates.settle(self.now))
        if repeat is not None:
            commit.repeats.append((self.now, repeat))
        elif m is not None:
            commit.messages.append(m)
        if commit:
            self.store.write(commit)
            self.store.sync()

    def _find(self, digest: bytes) -> int | None:
        text = self.texts[digest]
        self.now += 1
        number = self.duplicates.find(digest, self.now)
        if text.doubted:
            assert number is not None, "a resend was executed again"
        assert number is None or number in text.doubted | text.maybe, "an honest SMS was taken for a resend"
        return number

    @rule()
    def bind(self) -> None:
        """One more session."""
        self.last_session += 1
        self.sessions[self.last_session] = {}

    @rule(steps=strategies.integers(1, 12))
    def wait(self, steps: int) -> None:
        """Time passes; housekeeping is done."""
        self.now += steps * self.STEP
        self.duplicates.forget(self.now)
        self._commit()

    @precondition(lambda self: self.sessions)
    @rule(
        data=strategies.data(), digest=strategies.sampled_from([b"0", b"1", b"2"]), late=strategies.booleans()
    )
    def submit(self, data: strategies.DataObject, digest: bytes, late: bool) -> None:
        """A text comes: a resend when one is due, else a new SMS. It is answered, perhaps too late."""
        session = data.draw(strategies.sampled_from(sorted(self.sessions)))
        text = self.texts[digest]
        number = self._find(digest)
        if number is not None:
            text.doubted.discard(number)
            text.maybe.discard(number)
            self._commit(repeat=number)
            self.duplicates.repeated(session, number, self.now)
            self.sessions[session][number] = self.now
            return
        number = self.numbers.draw()
        self.text_of[number] = digest
        self._commit(received(number, session=session, digest=digest))
        if late:
            self.duplicates.unanswered(session, number, number, self.now, self.FOREVER - self.now)
            text.doubted.add(number)
            self.late.setdefault(session, set()).add(number)
        else:
            self.duplicates.answered(session, number, number, self.now)
            self.sessions[session][number] = self.now

    @rule(digest=strategies.sampled_from([b"0", b"1", b"2"]))
    def fail(self, digest: bytes) -> None:
        """A batch cannot be stored: nothing has happened."""
        number = self._find(digest)
        spans, settled = self.duplicates.take_new(), self.duplicates.settle(self.now)
        if number is not None:
            self.duplicates.give_back(digest, number, self.FOREVER)
        self.duplicates.put_back(spans, settled)

    def _doubt(self, session: int) -> None:
        for number, at in self.sessions.pop(session).items():
            if self.now - at < SETTLE_MS:
                self.texts[self.text_of[number]].doubted.add(number)
        for number in self.late.pop(session, ()):  # the range that is read back may hold them
            self.texts[self.text_of[number]].maybe.add(number)

    @precondition(lambda self: self.sessions)
    @rule(data=strategies.data())
    def lose(self, data: strategies.DataObject) -> None:
        """A session is cut."""
        session = data.draw(strategies.sampled_from(sorted(self.sessions)))
        self.duplicates.lost(session, self.now, self.FOREVER - self.now)
        self._doubt(session)

    @precondition(lambda self: self.sessions)
    @rule(data=strategies.data())
    def unbind(self, data: strategies.DataObject) -> None:
        """A session ends politely."""
        session = data.draw(strategies.sampled_from(sorted(self.sessions)))
        self.duplicates.ended(session)
        del self.sessions[session]

    @rule()
    def crash(self) -> None:
        """kill -9: what was not committed of our knowledge is gone."""
        for session in list(self.sessions):
            self._doubt(session)
        watermark, repeats_to = self.store.settled()
        for number, _, repeated_at in self.store.digests(Uncertain(ANY_SESSION, 0, (1 << 63) - 1, 0, 0)):
            if number > watermark or repeated_at > repeats_to:
                self.texts[self.text_of[number]].maybe.add(number)
        self.store.close()
        self._open()

    @rule()
    def stop(self) -> None:
        """Everybody unbinds, the last commit is made, and the gateway starts again: no new doubts."""
        for session in list(self.sessions):
            self.duplicates.ended(session)
        self.now += 1
        self._commit()
        self.store.close()
        self._open()

    @invariant()
    def memory_is_bounded(self) -> None:
        """There are no more candidates than SMS in doubt."""
        known = sum(len(text.doubted | text.maybe) for text in self.texts.values())
        assert len(self.duplicates) <= known
        assert len(self.duplicates) >= sum(len(text.doubted) for text in self.texts.values())


TestResends = ResendsMachine.TestCase
TestResends.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
