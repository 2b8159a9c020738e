"""Retransmissions against a model of what clients and centres know."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.inbound.retransmissions import SETTLE_MS
from gateway.message_numbers import MessageNumbers
from tests.processing.known import Known
from tests.proofs.served import SYSTEM_ID
from tests.support import at_once


@dataclass
class Text:
    """What a client and its centre know of the SMS with one text.

    doubted: acknowledged, maybe not heard of, to be sent again. maybe: may be candidates without need.
    """

    doubted: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)


class RetransmissionsMachine(RuleBasedStateMachine):
    """Clients on some sessions, a real store, losses, proofs, failed commits, crashes and orderly stops.

    Times move in steps of 7 s, and 1 ms for each SMS, so that no age falls into the second behind SETTLE_MS
    in which both outcomes are right.
    """

    STEP = 7_000

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = Known(Path(self.folder.name))
        self.world.windows[SYSTEM_ID] = 1 << 40
        self.texts = {b"%d" % number: Text() for number in range(3)}
        self.text_of: dict[int, bytes] = {}
        self.answered: dict[int, dict[int, int]] = {}  # session -> number -> when
        self._begin()

    def _begin(self) -> None:
        run = self.world.store.run
        self.numbers = MessageNumbers(0, run)
        self.last_session = run << 32
        self.answered = {}

    def teardown(self) -> None:
        """Hypothesis: the end of an example."""
        self.world.store.release()
        self.folder.cleanup()

    def _session(self, data: strategies.DataObject) -> int:
        return int(data.draw(strategies.sampled_from(sorted(self.answered))))

    @rule()
    def bind(self) -> None:
        """One more session."""
        self.last_session += 1
        self.answered[self.last_session] = {}

    @rule(steps=strategies.integers(1, 12))
    def wait(self, steps: int) -> None:
        """Time passes; housekeeping is done."""
        self.world.now += steps * self.STEP
        at_once(self.world.settle())

    @precondition(lambda self: self.answered)
    @rule(data=strategies.data())
    def prove(self, data: strategies.DataObject) -> None:
        """We ask a peer, it answers, and the session lives on: what it was answered before is certain."""
        session = self._session(data)
        client = self.world.client(session)
        client.asked()
        client.answers_at(self.world.moment)
        self.answered[session] = {}
        self.world.now += self.STEP
        at_once(self.world.settle())

    @precondition(lambda self: self.answered)
    @rule(data=strategies.data(), digest=strategies.sampled_from([b"0", b"1", b"2"]))
    def submit(self, data: strategies.DataObject, digest: bytes) -> None:
        """A text comes: a retransmission when one is due, else a new SMS. It is answered."""
        session, text = self._session(data), self.texts[digest]
        self.world.now += 1
        number = at_once(self.world.comes_again(digest, session))
        if text.doubted:
            assert number is not None, "a retransmission was executed again"
        assert number is None or number in text.doubted | text.maybe, "an honest SMS was swallowed"
        if number is None:
            number = self.numbers.draw()
            self.text_of[number] = digest
            at_once(self.world.answer(number, digest, session))
        text.doubted.discard(number)
        text.maybe.discard(number)
        self.answered[session][number] = self.world.now

    def _doubt(self, session: int) -> None:
        for number, at in self.answered.pop(session).items():
            if self.world.now - at < SETTLE_MS:
                self.texts[self.text_of[number]].doubted.add(number)

    @precondition(lambda self: self.answered)
    @rule(data=strategies.data())
    def lose(self, data: strategies.DataObject) -> None:
        """A session is cut."""
        session = self._session(data)
        at_once(self.world.lose(session))
        self._doubt(session)

    @precondition(lambda self: self.answered)
    @rule(data=strategies.data())
    def unbind(self, data: strategies.DataObject) -> None:
        """A session ends politely."""
        session = self._session(data)
        self.world.known.ended(session)
        del self.answered[session]

    @rule()
    def crash(self) -> None:
        """kill -9: what was not committed of our knowledge is gone, and more is in doubt than need be."""
        for session in list(self.answered):
            self._doubt(session)
        watermark, repeats_to = at_once(self.world.store.settled())
        rows = self.world.store._db.execute("SELECT number, repeated_at FROM journal").fetchall()
        for number, repeated_at in rows:
            if number > watermark or repeated_at > repeats_to:
                self.texts[self.text_of[number]].maybe.add(number)
        at_once(self.world.restart())
        self._begin()

    @rule()
    def stop(self) -> None:
        """Everybody unbinds, the last commit is made, and the gateway starts again: no new doubts."""
        for session in list(self.answered):
            self.world.known.ended(session)
        self.world.now += 1
        at_once(self.world.settle())
        at_once(self.world.restart())
        self._begin()

    @invariant()
    def candidates_are_those_in_doubt(self) -> None:
        """No SMS is a candidate without a reason, and every one in doubt is."""
        statement = "SELECT number FROM candidate WHERE used_at = 0 AND until > ?"
        there = {row[0] for row in self.world.store._db.execute(statement, (self.world.now,))}
        doubted = set().union(*(text.doubted for text in self.texts.values()))
        maybe = set().union(*(text.maybe for text in self.texts.values()))
        assert doubted <= there <= doubted | maybe
        assert bool(self.world.known) >= bool(there)


TestRetransmissions = RetransmissionsMachine.TestCase
TestRetransmissions.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
