"""A relay over a real store, beside a model: whatever a consumer answers, and whenever the process dies."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.events.contract import MOST
from gateway.message import StoredEvent
from gateway.storage.contract import Cursor
from tests.events.support import Crash, Notebook, Telling, away, broken, confirm, crash, put, refuse
from tests.support import at_once, store_at

ANSWERS = st.lists(st.sampled_from([confirm, confirm, refuse, away, broken, crash]), max_size=4)


class RelayMachine(RuleBasedStateMachine):
    """committed: every event, in order. taken, refused: ids of what the consumer confirmed, or refused for
    good, over all lives of the process. A life ends with a crash or a stop; the next opens the store anew."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "fetion.db"
        self.store = store_at(self._path)
        self.committed: list[StoredEvent] = []
        self.taken: set[str] = set()
        self.refused: set[str] = set()
        self.forgotten = 0

    @rule(count=st.integers(1, 70))
    def commit(self, count: int) -> None:
        """SMS led to events."""
        last = self.store.last_event
        put(self.store, count)
        self.committed += at_once(self.store.events_after(last, count))
        assert [event.sequence for event in self.committed] == list(range(1, len(self.committed) + 1))

    @rule(answers=ANSWERS, most=st.sampled_from([1, 3, MOST]))
    def tell(self, answers: list[object], most: int) -> None:
        """The consumer answers like this, then confirms; the relay ends at the first failure, or the process
        does."""
        before = at_once(self.store.cursor("notebook"))
        consumer = Notebook(most=most)
        consumer.answers = list(answers)  # type: ignore[arg-type]
        telling = Telling(self.store, consumer)
        try:
            telling.drain()
        except Crash:
            self.reopen()
        else:
            if not {away, broken} & set(answers[: len(consumer.calls)]):
                assert at_once(self.store.cursor("notebook")).sequence == len(self.committed)
        self._check_calls(consumer, before)

    def _check_calls(self, consumer: Notebook, before: Cursor) -> None:
        """In order, from the first that was not done with, none left out; what repeats is the same."""
        expected = before.sequence + 1
        for call in consumer.calls:
            assert call == list(range(call[0], call[0] + len(call)))
            assert call[0] == expected
            if call[-1] in consumer.sequences or call[-1] in {e.sequence for e in consumer.refused}:
                expected = call[-1] + 1
        for event in (*consumer.taken, *consumer.refused):
            assert event == self.committed[event.sequence - 1]
        self.taken |= {event.event_id for event in consumer.taken}
        self.refused |= {event.event_id for event in consumer.refused}

    @rule(limit=st.integers(1, 100))
    def forget(self, limit: int) -> None:
        """What everybody has passed goes; nothing else does."""
        forgotten = at_once(self.store.forget_events(0, 1_000_000, limit))
        assert not forgotten.dropped
        self.forgotten = max(self.forgotten, forgotten.last)

    @rule()
    def reopen(self) -> None:
        """Another process, or the same one after a restart."""
        self.store.release()
        self.store = store_at(self._path)

    @invariant()
    def the_cursor_passes_nothing(self) -> None:
        """All up to the stored cursor was taken or refused; what was refused is parked and counted; what is
        behind the cursor is there."""
        cursor = at_once(self.store.cursor("notebook"))
        for event in self.committed[: cursor.sequence]:
            assert event.event_id in self.taken | self.refused
        parked = [event for event, _ in at_once(self.store.parked_events("notebook", 10_000))]
        assert len(parked) == cursor.parked
        assert {event.event_id for event in parked} <= self.refused
        assert self.forgotten <= cursor.sequence
        assert at_once(self.store.events_after(cursor.sequence, 10_000)) == self.committed[cursor.sequence :]

    def teardown(self) -> None:
        """An honest end: the consumer takes all that is left, and nothing was lost."""
        self.tell([], MOST)
        assert {event.event_id for event in self.committed} == self.taken | self.refused
        self.store.release()
        self._folder.cleanup()


TestRelay = RelayMachine.TestCase
TestRelay.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
