"""Links of one centre share its SMS, rates and rests hold them back, backups take them over."""

from copy import deepcopy
from math import inf

import pytest
from hypothesis import given, strategies

from gateway.channels.smpp.pacing import Pace
from gateway.message import Delivery
from gateway.smpp.status import CommandStatus
from tests.outbound.links import link, with_backups
from tests.peers import Peer, Sending
from tests.support import ALICE, BOB, GSM, leaving

THROTTLED, FULL = int(CommandStatus.RTHROTTLED), int(CommandStatus.RMSGQFUL)
FAILED, UNKNOWN_NUMBER = int(CommandStatus.RSYSERR), int(CommandStatus.RINVDSTADR)
DAY = 86_400


@pytest.fixture
def sending() -> Sending:
    """An outbox, and nobody bound."""
    return Sending()


def many(count: int, account: str = "north", first: int = 1) -> list[object]:
    """SMS to as many handsets."""
    return [leaving(n, f"138{n:08}", account=account) for n in range(first, first + count)]


def hand_over(sending: Sending, count: int, **more: object) -> None:
    """Hand over SMS to as many handsets."""
    sending.hand_over(*many(count, **more))  # type: ignore[arg-type]


# Links of one centre


def test_links_share_by_free_window(sending: Sending) -> None:
    """Whoever has the most room has the next one."""
    small = sending.bind(link=link("one", centre="north"), window=2)
    large = sending.bind(link=link("two", centre="north"), window=10)
    hand_over(sending, 8)
    assert (small.arrived, large.arrived) == (0, 8)
    hand_over(sending, 4, first=20)
    assert (small.arrived, large.arrived) == (2, 10)


def test_what_waits_leaves_on_the_link_that_has_room_first(sending: Sending) -> None:
    """Both windows are full; the answer on either lets one leave there."""
    one = sending.bind(link=link("one", centre="north"), window=1)
    two = sending.bind(link=link("two", centre="north"), window=1)
    hand_over(sending, 6)
    for _ in range(4):
        sending.answer(two)
    assert (one.arrived, two.arrived) == (1, 5)
    third = sending.bind(link=link("three", centre="north"), window=5)
    assert third.arrived == 0
    sending.answer(one)
    assert sending.outbox.depth == 1


def test_a_new_link_relieves_its_siblings(sending: Sending) -> None:
    """It begins with what waits for their windows."""
    sending.bind(link=link("one", centre="north"), window=1)
    hand_over(sending, 6)
    assert sending.bind(link=link("two", centre="north"), window=9).arrived == 5


def test_a_reply_leaves_on_the_other_half_of_a_pair(sending: Sending) -> None:
    """What came on a receiver is answered on its transmitter, not on the emptiest link."""
    pair = sending.bind(link=link("one", centre="north"), window=2)
    sending.bind(link=link("two", centre="north"), window=50)
    ear = sending.bind(link=link("one", centre="north"))
    ear.bind.ending, ear.bind.reply_on = True, pair.bind.number  # it takes no SMS
    sending.hand_over(leaving(1, account="north", bind=ear.bind.number))
    assert pair.arrived == 1


# Rate


def test_a_rate_is_kept(sending: Sending) -> None:
    """Two at once, then one each half a second, however fast the answers come; nothing waits for one."""
    peer = sending.bind(link=link(rate=2, burst=2))
    hand_over(sending, 6)
    counts = []
    for _ in range(5):
        counts.append(peer.arrived)
        sending.advance(0.5)
    assert counts == [2, 3, 4, 5, 6]


# Throttling


@pytest.mark.parametrize("status", [THROTTLED, FULL])
def test_a_throttled_link_slows_down(sending: Sending, status: int) -> None:
    """A full queue is not offered whole again a second later, and all of it arrives in the end."""
    peer = sending.bind(link=link(), window=100)
    hand_over(sending, 100)
    for _ in range(100):
        sending.answer(peer, status)
    most, seconds = 0, 0
    while sending.outbox.depth and seconds < 3000:
        before = peer.arrived
        sending.advance(1.0)
        most = max(most, peer.arrived - before)
        taken = 0
        while peer.unanswered:
            sending.answer(peer, 0 if taken < 4 else status)  # the peer takes 4 a second
            taken += 1
        seconds += 1
    assert sending.outbox.depth == 0
    assert most < 60
    assert seconds < 600


def test_an_account_is_not_slowed_down(sending: Sending) -> None:
    """There each SMS waits alone."""
    peer = sending.bind()
    sending.hand_over(leaving(1), leaving(2, BOB))
    sending.answer(peer, THROTTLED)
    assert peer.bind.room == 9


rates = strategies.sampled_from([0.0, 0.5, 3.0, 1000.0])
steps = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["send", "throttle", "congested", "wait"]),
        strategies.floats(0, 30),
        strategies.integers(0, 100),
    ),
    max_size=60,
)


@given(rate=rates, burst=strategies.integers(1, 5), steps=steps)
def test_a_pace_never_stops_and_never_exceeds_its_rate(
    rate: float, burst: int, steps: list[tuple[str, float, int]]
) -> None:
    """Whatever the peer says, there is a moment within 6 s at which an SMS may leave; the rate is kept."""
    now, sent, pace = 0.0, 0, Pace(rate, burst)
    for what, seconds, state in steps:
        if what == "send":
            while sent < 10_000 and pace.room(now) > 0:
                pace.left(now)
                sent += 1
                if not rate and state < sent % 100:
                    break
        elif what == "throttle":
            pace.throttled(now)
        elif what == "congested":
            pace.congested(state, now)
        else:
            now += seconds
        if rate:
            assert sent <= rate * now + burst + 1e-6
        later = deepcopy(pace)
        at = later.next(now)
        assert now <= at <= now + 6.0
        assert later.room(at + 1e-6) > 0


def test_congestion_is_heeded() -> None:
    """0 to 79: nothing; 80 to 89: no faster; 90 to 99: half; 100: a pause of one second."""
    pace = Pace()
    for _ in range(100):
        pace.left(0.0)
    pace.congested(79, 2.0)
    assert pace.limit == float("inf")
    pace.congested(85, 2.0)
    assert pace.limit == pytest.approx(50.0)
    pace.congested(95, 2.0)
    assert pace.limit == pytest.approx(25.0)
    pace.congested(99, 2.5)
    assert pace.limit == pytest.approx(25.0)  # once a second
    pace.congested(100, 3.2)
    assert pace.room(4.1) == 0
    assert pace.next(3.5) == pytest.approx(4.2)
    assert pace.room(5.0) > 0
    for second in range(5, 120):
        pace.room(float(second))
    assert pace.limit == float("inf")


# Rest


def fail(sending: Sending, peer: Peer, count: int, status: int = FAILED) -> None:
    """The peer answers so many with a status."""
    for _ in range(count):
        sending.answer(peer, status)


def test_a_link_that_fails_rests_and_tries_one(sending: Sending) -> None:
    """What waits leaves on its sibling; after the rest one SMS decides, and then all leave."""
    rests = link("one", centre="north", breaker={"share": 0.5, "least": 4, "rest": 30})
    one = sending.bind(link=rests, window=50)
    hand_over(sending, 8)
    fail(sending, one, 4)
    assert not one.bind.receives
    two = sending.bind(link=link("two", centre="north"), window=4)
    hand_over(sending, 8, first=100)
    assert (one.arrived, two.arrived) == (8, 4)
    sending.lose(two)
    sending.advance(29.9)
    assert one.arrived == 8
    sending.advance(0.1)
    assert (one.bind.receives, one.arrived, one.bind.room) == (True, 9, 0)
    sending.answer(one, place=len(one.unanswered) - 1)
    assert one.arrived > 9
    while one.unanswered:
        sending.answer(one)
    sending.advance(400)
    while one.unanswered:
        sending.answer(one)
    assert sending.outbox.depth == 0


def test_a_rest_doubles_to_ten_times(sending: Sending) -> None:
    """Each SMS that decides fails."""
    peer = sending.bind(link=link(breaker={"share": 0.5, "least": 1, "rest": 10}))
    hand_over(sending, 1)
    waits = []
    for _ in range(6):
        sending.answer(peer, FAILED)
        waited = 0
        while not peer.bind.receives:
            sending.advance(1.0)
            waited += 1
        waits.append(waited)
        for _ in range(400):
            if peer.unanswered:
                break
            sending.advance(1.0)
    assert waits == [10, 20, 40, 80, 100, 100]


def test_what_one_handset_causes_does_not_count(sending: Sending) -> None:
    """Numbers that do not exist, and throttling, stop no link."""
    peer = sending.bind(link=link(breaker={"share": 0.1, "least": 1, "rest": 10}), window=100)
    hand_over(sending, 40)
    fail(sending, peer, 20, UNKNOWN_NUMBER)
    fail(sending, peer, 20, THROTTLED)
    assert peer.bind.receives


# Backup


def test_sms_move_to_the_backup_in_order(sending: Sending) -> None:
    """After its time, spelled as the backup wants; a part that was acknowledged leaves again."""
    with_backups(sending, north=("south", 60.0))
    south, north = sending.bind(account="south"), sending.bind(link=link())
    long = leaving(1, ALICE, "x" * 200, account="north")
    sending.hand_over(long, *(leaving(n, ALICE, f"{n}", account="north") for n in (2, 3)))
    sending.answer(north)
    assert long.parts_done == 1
    sending.lose(north)
    sending.advance(59.0)
    assert south.arrived == 0
    sending.advance(1.0)
    while south.unanswered:
        sending.answer(south)
    assert [text[:1] for _, text in south.texts] != []
    assert [pdu.destination_addr for pdu in south.taken] == ["86" + ALICE] * 4
    assert [GSM.decode(pdu.short_message, 0) for pdu in south.taken[2:]] == ["2", "3"]
    assert (long.repeat, long.account, long.session) == (True, "south", south.bind.number)
    assert sending.outbox.depth == 0


def test_no_sms_overtakes_one_that_waits_at_the_backup(sending: Sending) -> None:
    """The link is back: an SMS to a handset whose earlier one still waits at the backup goes there too; to
    others, and afterwards, it leaves on the link."""
    with_backups(sending, north=("south", 60.0))
    south = sending.bind(account="south")
    sending.hand_over(leaving(1, ALICE, "1", account="north"))
    sending.advance(60.0)
    assert south.arrived == 1
    north = sending.bind(link=link())
    sending.hand_over(leaving(2, ALICE, "2", account="north"), leaving(3, BOB, "3", account="north"))
    assert (south.arrived, north.arrived) == (1, 1)
    sending.answer(south)
    sending.answer(south)
    assert [text for _, text in south.texts] == ["1", "2"]
    sending.hand_over(leaving(4, ALICE, "4", account="north"))
    assert north.arrived == 2


def test_a_backup_of_a_backup_works_and_a_circle_does_not_loop(sending: Sending) -> None:
    """north, south, other, north: the first that receives has it; where none does, it stays."""
    with_backups(sending, north=("south", 10.0), south=("other", 10.0), other=("north", 10.0))
    sending.hand_over(sms := leaving(1, account="north"))
    sending.advance(100.0)
    assert sms.account == "north"
    other = sending.bind(account="other")
    sending.advance(1.0)
    assert (sms.account, other.arrived) == ("other", 1)
    sending.lose(other)
    north = sending.bind(link=link())
    sending.advance(9.0)
    assert sms.account == "other"
    sending.advance(2.0)
    assert (sms.account, north.arrived) == ("north", 1)
    sending.answer(north)
    assert sms.state is Delivery.SENT


def test_what_the_backup_does_not_ask_for_stays(sending: Sending) -> None:
    """Its only receiver wants other handsets."""
    with_backups(sending, north=("south", 10.0))
    sending.bind("139*", account="south")
    sending.hand_over(sms := leaving(1, ALICE, account="north"))
    sending.advance(10.0)
    sending.advance(10.0)
    assert sms.account == "north"
    assert sending.bind(link=link()).arrived == 1


# A handset can be reached; the clock


def test_a_handset_that_can_be_reached_ends_a_pause(sending: Sending) -> None:
    """After a refusal only: what was not answered may have arrived, and waits on."""
    peer = sending.bind()
    sending.hand_over(leaving(1, ALICE), leaving(2, BOB))
    sending.answer(peer, int(CommandStatus.RX_T_APPN))
    outbox, clock = sending.outbox, sending.clock
    outbox.available("smsc", ALICE, clock.now, clock.now_ms())
    assert (peer.arrived, outbox.next_retry()) == (3, None)
    sending.advance(60.0)
    before = peer.arrived
    outbox.available("smsc", ALICE, clock.now, clock.now_ms())
    outbox.available("smsc", BOB, clock.now, clock.now_ms())
    outbox.available("smsc", "13700137000", clock.now, clock.now_ms())
    assert peer.arrived == before


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_pauses_do_not_depend_on_the_time_of_day(sending: Sending, seconds: int) -> None:
    """Somebody moves it by a day, forwards or back: the pauses are as long as they were."""
    peer = sending.bind(link=link(rate=1, breaker={"share": 0.5, "least": 1, "rest": 10}))
    sending.hand_over(leaving(1, account="north"))
    sending.answer(peer, FAILED)
    due = sending.outbox.next_retry()
    sending.clock.wall += seconds
    sending.advance(9.9)
    assert (peer.arrived, peer.bind.receives) == (1, False)
    sending.advance(0.1)
    assert due is not None
    assert due <= sending.clock.now
    assert (peer.arrived, peer.bind.receives) == (2, True)


def test_a_peer_that_throttles_now_and_then() -> None:
    """One SMS in ten is throttled whatever the pace: the bind does not slow down. One in three: it does."""
    pace = Pace()
    for number in range(2_000):
        now = number / 100
        pace.left(now, 1)
        if number % 10 == 9:
            pace.throttled(now)
    assert pace.limit == inf
    for number in range(2_000, 2_400):
        now = number / 100
        pace.left(now, 1)
        if number % 3 == 0:
            pace.throttled(now)
    assert pace.limit < 100
