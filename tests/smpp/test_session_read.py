"""Up to which of our requests the peer has read: what its responses prove, and when they came."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.codec import encode
from gateway.smpp.pdus import BindTransceiver, DeliverSm, EnquireLinkResp, GenericNack
from gateway.smpp.session import Limits, Session
from gateway.smpp.window import GRAIN, MAX_SEQUENCE, REMEMBERED, ReadMarks, not_after
from tests.smpp.sessions import bound_pair

SEQUENCES = st.integers(1, MAX_SEQUENCE)


def answer(session: Session, sequence: int, now: float, status: int = 0) -> None:
    """The peer answers the request with that number."""
    session.receive(encode(GenericNack(command_status=status, sequence_number=sequence)), now)


@given(SEQUENCES, st.integers(0, MAX_SEQUENCE // 2))
def test_order_of_sending(first: int, later: int) -> None:
    """Of two numbers the one that was given later is after the other, also where they begin again at 1."""
    second = (first - 1 + later) % MAX_SEQUENCE + 1
    assert not_after(first, second)
    assert not_after(second, first) is (first == second)


def test_none_is_before_all() -> None:
    """0 stands for no request: before every other, and not after itself."""
    assert not_after(0, 0)
    assert not_after(0, 1)
    assert not not_after(1, 0)
    assert not_after(MAX_SEQUENCE, 1)
    assert not not_after(1, MAX_SEQUENCE)


def test_the_newest_request_that_we_queued() -> None:
    """0 at first, then the number of the last request, one of the session itself as well."""
    mc, esme = bound_pair()
    assert (mc.sent_sequence, esme.sent_sequence) == (0, 1)
    mc.send(DeliverSm(), None, 1.0)
    assert mc.sent_sequence == 1
    mc.tick(100.0)
    assert mc.sent_sequence == 2


def test_a_response_tells_what_was_read() -> None:
    """From the moment at which a response came the peer had read up to its request; an older request that is
    answered later proves nothing more. A negative response proves as much."""
    mc, _ = bound_pair()
    for _ in range(5):
        mc.send(DeliverSm(), None, 1.0)
    answer(mc, 2, 3.0)
    answer(mc, 4, 5.0, status=8)
    answer(mc, 3, 7.0)
    assert [mc.read_before(moment) for moment in (0.0, 2.9, 3.0, 4.9, 5.0, 8.0)] == [0, 0, 2, 2, 4, 4]
    mc.lost()
    assert mc.read_before(4.0) == 2


def test_an_enquire_link_of_the_session_tells_it_too() -> None:
    """Where nothing is sent, the answer to the session's own enquire_link proves that all was read."""
    mc, _ = bound_pair()
    mc.tick(30.0)
    mc.receive(encode(EnquireLinkResp(sequence_number=1)), 31.0)
    assert (mc.read_before(30.9), mc.read_before(31.0)) == (0, 1)


def test_what_is_no_response_tells_nothing() -> None:
    """A response to no request, or of another command, proves nothing."""
    mc, _ = bound_pair()
    mc.send(DeliverSm(), None, 1.0)
    answer(mc, 7, 2.0)
    mc.receive(encode(EnquireLinkResp(sequence_number=1)), 2.0)
    assert mc.read_before(3.0) == 0


def test_numbers_that_begin_again() -> None:
    """Behind the last sequence_number comes 1, and its response is the newer one."""
    mc, _ = bound_pair(BindTransceiver(), limits=Limits(window_out=10))
    mc._window.sequence = MAX_SEQUENCE - 2
    sent = [mc.send(DeliverSm(), None, 1.0) for _ in range(4)]
    assert sent == [MAX_SEQUENCE - 1, MAX_SEQUENCE, 1, 2]
    assert mc.sent_sequence == 2
    for now, sequence in ((2.0, MAX_SEQUENCE), (3.0, 1), (4.0, MAX_SEQUENCE - 1)):
        answer(mc, sequence, now)
    assert [mc.read_before(moment) for moment in (2.0, 3.0, 4.0)] == [MAX_SEQUENCE, 1, 1]


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.integers(-3, 5)),
        max_size=200,
    ),
    st.sampled_from([1, 1000, MAX_SEQUENCE - 20]),
    st.lists(st.floats(0, 12), min_size=1, max_size=10),
)
def test_marks_against_the_whole_history(
    steps: list[tuple[float, int]], start: int, ages: list[float]
) -> None:
    """However responses come, what is told of a moment is never newer than the truth; within the time that is
    remembered it is older by no more than a grain; and the marks are few."""
    marks, now, newest = ReadMarks(), 0.0, start
    history: list[tuple[float, int]] = []
    for pause, ahead in steps:
        now += pause
        sequence = (newest - 1 + ahead) % MAX_SEQUENCE + 1
        newest = sequence if not_after(newest, sequence) or not history else newest
        marks.note(sequence, now)
        history.append((now, newest))
        assert len(marks._marks) <= REMEMBERED / GRAIN + 2

    def truth(moment: float) -> int:
        return next((told for at, told in reversed(history) if at <= moment), 0)

    for age in ages:
        told = marks.before(now - age)
        assert not_after(told, truth(now - age))
        if age <= REMEMBERED - GRAIN:
            assert not_after(truth(now - age - GRAIN), told)
