"""What becomes of messages under load, without sockets and with times that the test gives."""

from dataclasses import dataclass

from gateway.simulator.load.mix import Line, Mix
from gateway.simulator.load.plan import Plan
from gateway.simulator.load.traffic import FIRST_SEQUENCE, Traffic
from gateway.smpp.status import CommandStatus

MS = 1_000_000
ALICE = b"8613500000000"


@dataclass
class Link:
    """A bind."""

    free: int = 10


def two_replies(count: int = 2) -> Plan:
    """Messages of one handset that have two replies each."""
    return Plan(count=count, window=10, pool=1, mix=Mix(messages=[Line(text="A", to="161", replies=2)]))


def test_a_round_trip_is_measured_from_the_sending() -> None:
    """Without a rate: answer and reply count from the sending, and the window is freed by the answer."""
    traffic, link = Traffic(Plan(count=1, window=10)), Link()
    traffic.begin(0)
    traffic.send(link, 5 * MS)
    assert link.free == 9
    traffic.take_response(FIRST_SEQUENCE, 0, 7 * MS)
    assert link.free == 10
    assert traffic.finished == 0
    assert traffic.take_delivery(ALICE, 9 * MS)
    assert traffic.over
    assert (traffic.complete, traffic.answered.greatest, traffic.replied.greatest) == (1, 2 * MS, 4 * MS)


def test_a_reply_may_come_before_the_answer() -> None:
    """Whichever is first: the message is complete with both."""
    traffic, link = Traffic(Plan(count=1, window=10)), Link()
    traffic.send(link, 0)
    assert traffic.take_delivery(ALICE, 1 * MS)
    assert traffic.complete == 0
    traffic.take_response(FIRST_SEQUENCE, 0, 2 * MS)
    assert traffic.complete == 1


def test_with_a_rate_times_count_from_when_a_message_was_due() -> None:
    """At 1000/s the third message is due at 2 ms: sent at 10 ms it is 8 ms late, answered at 11 it took 9."""
    traffic, link = Traffic(Plan(count=5, window=10, rate=1000)), Link()
    traffic.begin(0)
    assert traffic.allowed(0) == 1
    assert traffic.allowed(int(2.5 * MS)) == 3
    for _ in range(3):
        traffic.send(link, 10 * MS)
    assert traffic.late.greatest == 10 * MS
    assert traffic.late.least == 8 * MS
    assert traffic.next_due() == 3 * MS
    traffic.take_response(FIRST_SEQUENCE + 2, 0, 11 * MS)
    assert traffic.answered.greatest == 9 * MS
    assert traffic.allowed(10_000 * MS) == 2


def test_a_refused_message_is_finished() -> None:
    """A negative answer: counted by its status, frees the window, has no time, and no reply is its own."""
    traffic, link = Traffic(Plan(count=1, window=10)), Link()
    traffic.send(link, 0)
    traffic.take_response(FIRST_SEQUENCE, CommandStatus.RTHROTTLED, MS)
    assert traffic.over
    assert (traffic.complete, traffic.answered.count, link.free) == (0, 0, 10)
    assert traffic.refused == {CommandStatus.RTHROTTLED: 1}
    assert not traffic.take_delivery(ALICE, MS)


def test_replies_belong_to_the_oldest_message_of_a_handset() -> None:
    """One handset, two messages of two replies each: the first two replies complete the first."""
    traffic, link = Traffic(two_replies()), Link()
    traffic.send(link, 0)
    traffic.send(link, 10 * MS)
    for sequence in (0, 1):
        traffic.take_response(FIRST_SEQUENCE + sequence, 0, 11 * MS)
    taken = []
    for time in (20, 21, 22, 30):
        assert traffic.take_delivery(ALICE, time * MS)
        taken.append((traffic.complete, traffic.replied.count))
    assert taken == [(0, 0), (1, 1), (1, 1), (2, 2)]
    assert (traffic.replied.least, traffic.replied.greatest) == (20 * MS, 21 * MS)
    assert not traffic.take_delivery(ALICE, 31 * MS)


def test_a_refused_message_leaves_the_queue_of_its_handset() -> None:
    """First, middle or last: replies go to the others, in their order."""
    for refused in range(3):
        traffic, link = Traffic(two_replies(3)), Link()
        for time in (0, 1, 2):
            traffic.send(link, time * MS)
        for each in range(3):
            status = CommandStatus.RMSGQFUL if each == refused else 0
            traffic.take_response(FIRST_SEQUENCE + each, status, 5 * MS)
        assert all(traffic.take_delivery(ALICE, 9 * MS) for _ in range(4))
        assert not traffic.take_delivery(ALICE, 9 * MS)
        assert traffic.over
        kept = [time for time in (0, 1, 2) if time != refused]
        assert traffic.replied.total == sum((9 - time) * MS for time in kept)


def test_overdue_messages_are_given_up() -> None:
    """Without an answer, or without a reply, within the timeout: counted apart; a late one is unasked for."""
    traffic, link = Traffic(Plan(count=3, window=10, timeout=1)), Link()
    for time in (0, 0, 500):
        traffic.send(link, time * MS)
    traffic.take_response(FIRST_SEQUENCE, 0, MS)
    traffic.expire(999 * MS)
    assert traffic.finished == 0
    traffic.expire(1001 * MS)
    assert (traffic.unreplied, traffic.unanswered, traffic.finished, link.free) == (1, 1, 2, 9)
    traffic.take_response(FIRST_SEQUENCE + 1, 0, 1002 * MS)
    assert (traffic.unasked_responses, link.free) == (1, 9)
    assert not traffic.take_delivery(ALICE, 1002 * MS)


def test_an_answer_twice_counts_once() -> None:
    """A second response to the same message frees no window."""
    traffic, link = Traffic(Plan(count=1, window=10)), Link()
    traffic.send(link, 0)
    for _ in range(2):
        traffic.take_response(FIRST_SEQUENCE, 0, MS)
    assert (link.free, traffic.unasked_responses) == (10, 1)


def test_no_reply_wanted() -> None:
    """replies: 0: complete with its answer; an SMS to that handset is nobody's reply."""
    plan = Plan(count=1, window=1, mix=Mix(messages=[Line(text="A", to="161", replies=0)]))
    traffic, link = Traffic(plan), Link()
    traffic.send(link, 0)
    assert not traffic.take_delivery(ALICE, MS)
    traffic.take_response(FIRST_SEQUENCE, 0, MS)
    assert (traffic.complete, traffic.replied.count) == (1, 0)


def test_what_is_under_way_is_bounded() -> None:
    """A gateway that answers and does not reply: sending waits at the bound, and the run says so."""
    traffic, link = Traffic(Plan(count=10**6, window=10)), Link()
    for sequence in range(traffic.most_open):
        traffic.send(link, 0)
        traffic.take_response(FIRST_SEQUENCE + sequence, 0, 0)
    assert not traffic.held
    assert traffic.allowed(0) == 0
    assert traffic.held
