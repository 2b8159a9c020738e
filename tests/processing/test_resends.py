"""SMS that equal one of another node: held, in order, until it is known what they are."""

from typing import Any

from gateway.inbound.mobile_originated import MobileOriginated
from gateway.processing.resends import Doubt
from gateway.storage.nodes import Equal
from tests.support import ALICE, BOB

HERE, THERE = 1, 2
TEXT, OTHER = b"a digest", b"another one"


def sms(number: int, msisdn: str = ALICE, digest: bytes = TEXT) -> MobileOriginated:
    """One that came here."""
    nothing: Any = None
    m = MobileOriginated(number, f"{number:016x}", nothing, msisdn, nothing, nothing)
    m.digest = digest
    return m


def doubt(*equals: Equal, handsets: frozenset[str] = frozenset(), now: float = 0.0) -> Doubt:
    """What one look gives."""
    known = Doubt(HERE, set(handsets), now)
    for each in equals:
        known.equals.setdefault(each.digest, []).append(each)
    return known


def test_held_until_the_other_node_has_committed_twice() -> None:
    """The first commit may have begun before the look; the second one holds what that node knew. It may hear
    of the end of a session later than the resend came here, however often it commits."""
    m = sms(7)
    looks = ((40, 0.0, True), (41, 5.0, True), (42, 1.9, True), (42, 2.0, False), (90, 1.0, True))
    for batch, now, held in looks:
        assert doubt(Equal(TEXT, 1, THERE, 0, batch), now=now).holds(m, certain=False) is held


def test_held_as_long_as_the_answer_is_in_doubt() -> None:
    """However much the other node commits: the SMS becomes a candidate, and is looked for as one."""
    m = sms(7)
    assert doubt(Equal(TEXT, 1, THERE, 0, 40)).holds(m, certain=False)
    assert doubt(Equal(TEXT, 1, THERE, 0, 90, doubted=True)).holds(m, certain=False)


def test_what_the_store_has_no_more_is_not_held() -> None:
    """Its answer was certain, or its node was taken over."""
    m = sms(7)
    assert doubt(Equal(TEXT, 1, THERE, 0, 40)).holds(m, certain=False)
    assert not doubt().holds(m, certain=False)


def test_a_newer_equal_one_is_waited_for_again() -> None:
    """Each is seen by itself."""
    m = sms(7)
    one, newer = Equal(TEXT, 1, THERE, 0, 42), Equal(TEXT, 2, THERE, 1, 42)
    assert doubt(one._replace(batch=40)).holds(m, certain=False)
    assert doubt(one, newer, now=2.0).holds(m, certain=False)
    assert not doubt(one._replace(batch=44), newer._replace(batch=44), now=4.0).holds(m, certain=False)


def test_what_its_handset_sends_next_is_held_behind_it() -> None:
    """Others are not; a candidate behind it is: order counts."""
    look = doubt(Equal(TEXT, 1, THERE, 0, 40))
    assert look.holds(sms(7), certain=False)
    assert look.holds(sms(8, digest=OTHER), certain=False)
    assert look.holds(sms(9, digest=OTHER), certain=True)
    assert not look.holds(sms(10, BOB, OTHER), certain=False)


def test_a_handset_that_is_held_already() -> None:
    """From an earlier batch."""
    assert doubt(handsets=frozenset({ALICE})).holds(sms(8, digest=OTHER), certain=False)


def test_own_sms_and_candidates_are_not_held() -> None:
    """The same text twice at one node is two SMS; a candidate is a repeat."""
    assert not doubt(Equal(TEXT, 1, HERE, 0, 40)).holds(sms(7), certain=False)
    assert not doubt(Equal(TEXT, 1, THERE, 0, 40)).holds(sms(7), certain=True)


def test_the_place_of_a_new_sms_among_equal_ones() -> None:
    """Behind all that the store has, wherever they came, and behind those of the same batch."""
    look = doubt(Equal(TEXT, 1, THERE, 0, 40), Equal(TEXT, 2, HERE, 4, 9))
    assert [look.ordinal(TEXT), look.ordinal(TEXT), look.ordinal(OTHER)] == [5, 6, 0]
