"""Long messages on their way in: joined in any order, bounded, given up in time, undone with their batch."""

import pytest
from hypothesis import given, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, rule

from gateway.channels.contract import Inbound
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import (
    KEPT_MS,
    OCTETS_IN_ALL,
    OCTETS_PER_HANDSET,
    OLD_MS,
    REPEATABLE_MS,
    SETS_PER_HANDSET,
    SLACK,
    Joined,
    NoRoom,
    Reassembly,
)
from gateway.message import PartHeader, StoredPart, message_id
from gateway.smpp.long import Kind
from tests.peers import Sending
from tests.support import ALICE, BOB, GSM, START_MS, tables

Header = tuple[Kind, int, int, int]


@pytest.fixture
def longs() -> Reassembly:
    """A fresh one, in its first batch."""
    longs = Reassembly()
    longs.begin()
    return longs


def add(
    longs: Reassembly,
    number: int,
    header: Header,
    octets: bytes,
    *,
    source: str = ALICE,
    account: str = "smsc",
    at: int = START_MS,
) -> Joined:
    """A part arrives as SMS `number`. header: kind, reference, total, place."""
    return longs.add(part(number, header, octets, source, account, at), digest_of(octets))


def part(
    number: int,
    header: Header,
    octets: bytes,
    source: str = ALICE,
    account: str = "smsc",
    at: int = START_MS,
    spelling: str = "",
) -> MobileOriginated:
    """A part that has been read. spelling: how the sender is written, where not as `source`."""
    bind = Sending().bind(account=account).bind
    spelling, place = spelling or source, PartHeader(*header)
    came = Inbound(bind, None, number, 0.0, spelling, 0, 1, "161", 0, 1, 0x40, 0, octets, GSM, place)
    return MobileOriginated(
        number, message_id(number), came, source, tables().resolve("161"), tables(), at=at
    )


def digest_of(octets: bytes) -> bytes:
    """What stands for the octets of a part."""
    return b"digest of " + octets


def fill(longs: Reassembly, source: str = ALICE) -> None:
    """As many unfinished messages as a handset may have."""
    for reference in range(SETS_PER_HANDSET):
        add(longs, 1000 + reference, ("udh8", reference, 2, 1), b"x", source=source)


def outcome(joined: Joined) -> tuple[str | None, tuple[int, ...]]:
    """The text of the message that a part completed, and the SMS of its other parts."""
    return joined.text, joined.joined


def given_up(joined: Joined) -> tuple[int, ...] | None:
    """The SMS of the message that a part ended."""
    return joined.given_up.numbers if joined.given_up else None


def expired(longs: Reassembly, at: int) -> list[tuple[int, ...]]:
    """The SMS of the messages that are given up now."""
    return [each.numbers for each in longs.expire(at)[0]]


@given(order=strategies.permutations(range(1, 6)), kind=strategies.sampled_from(["udh8", "udh16", "sar"]))
def test_parts_come_in_any_order(order: list[int], kind: Kind) -> None:
    """The last part completes the text, whichever it is; the store keeps of all parts their digests."""
    longs = Reassembly()
    longs.begin()
    joined = [add(longs, 10 + place, (kind, 9, 5, place), b"%d-" % place) for place in order]
    assert [each.text for each in joined] == [None, None, None, None, "1-2-3-4-5-"]
    numbers = [10 + place for place in order]
    assert joined[-1].joined == tuple(numbers[:-1])
    assert joined[-1].gone == []
    assert joined[-1].complete == [(START_MS + REPEATABLE_MS, number) for number in numbers[:-1]]
    assert [each.stored.number for each in joined if each.stored] == numbers
    last = joined[-1].stored
    assert last is not None
    assert (last.octets, last.complete) == (b"", True)
    assert len(longs) == 0


def test_a_part_waits_with_its_deadline(longs: Reassembly) -> None:
    """What is stored of a part is all that it takes to go on after a restart. All share one deadline."""
    header = PartHeader("udh8", 7, 3, 2)
    first = add(longs, 1, ("udh8", 7, 3, 2), b"two")
    assert first.stored == StoredPart(
        1,
        "smsc",
        ALICE,
        "161",
        header,
        0,
        b"two",
        START_MS + KEPT_MS,
        ALICE,
        0,
        1,
        START_MS,
        digest_of(b"two"),
    )
    second = add(longs, 2, ("udh8", 7, 3, 1), b"one", at=START_MS + 1000)
    assert second.stored is not None
    assert second.stored.deadline == START_MS + KEPT_MS


@pytest.mark.parametrize(
    ("header", "source", "account"),
    [
        (("udh16", 7, 2, 2), ALICE, "smsc"),
        (("sar", 7, 2, 2), ALICE, "smsc"),
        (("udh8", 8, 2, 2), ALICE, "smsc"),
        (("udh8", 7, 3, 2), ALICE, "smsc"),
        (("udh8", 7, 2, 2), BOB, "smsc"),
        (("udh8", 7, 2, 2), ALICE, "other"),
    ],
)
def test_what_makes_a_message_one(longs: Reassembly, header: Header, source: str, account: str) -> None:
    """Parts belong together by account, source, destination, kind of reference, reference and total."""
    add(longs, 1, ("udh8", 7, 2, 1), b"one")
    assert add(longs, 2, header, b"two", source=source, account=account).text is None
    assert len(longs) == 2
    assert add(longs, 3, ("udh8", 7, 2, 2), b"two").text == "onetwo"


def test_an_equal_repeat_changes_nothing(longs: Reassembly) -> None:
    """A part that is there already is neither stored nor counted again."""
    add(longs, 1, ("udh8", 7, 2, 1), b"one")
    assert add(longs, 2, ("udh8", 7, 2, 1), b"one") == Joined()
    assert outcome(add(longs, 3, ("udh8", 7, 2, 2), b"two")) == ("onetwo", (1,))


def test_the_spelling_of_the_sender_does_not_matter(longs: Reassembly) -> None:
    """Parts belong together by the number as it is understood."""
    longs.add(part(1, ("udh8", 7, 2, 1), b"one", spelling=f"+86{ALICE}"), b"1")
    assert add(longs, 2, ("udh8", 7, 2, 2), b"two").text == "onetwo"


def test_a_conflict_closes_the_older_message(longs: Reassembly) -> None:
    """Other octets in the same place begin another message: the older one is given up, its parts are gone."""
    add(longs, 1, ("udh8", 7, 3, 1), b"one")
    add(longs, 2, ("udh8", 7, 3, 2), b"two")
    conflict = add(longs, 3, ("udh8", 7, 3, 1), b"ONE", at=START_MS + 5)
    assert (conflict.text, conflict.gone, given_up(conflict)) == (None, [1, 2], (1, 2))
    assert conflict.stored is not None
    assert conflict.stored.deadline == START_MS + 5 + KEPT_MS
    add(longs, 4, ("udh8", 7, 3, 2), b"TWO")
    assert outcome(add(longs, 5, ("udh8", 7, 3, 3), b"THREE")) == ("ONETWOTHREE", (3, 4))


def test_a_repeat_after_completion_meets_no_other_message(longs: Reassembly) -> None:
    """A part of a complete message comes again, then the next message of the same reference: each is
    whole."""
    found = [
        add(longs, number, ("udh16", 9, 2, place), octets)
        for number, (place, octets) in enumerate(((1, b"A"), (2, b"B"), (2, b"B"), (1, b"C"), (2, b"D")), 1)
    ]
    assert [each.text for each in found] == [None, "AB", None, None, "CD"]
    assert found[3].gone == [1, 2, 3]
    assert [given_up(each) for each in found] == [None] * 5
    assert len(longs) == 0


def test_a_whole_message_that_comes_again_is_another_one(longs: Reassembly) -> None:
    """All parts come once more on a session that lives: the same text twice is two SMS, a third time
    three."""
    for time in range(3):
        add(longs, 10 * time + 1, ("udh8", 7, 2, 1), b"one", at=START_MS + time)
        assert add(longs, 10 * time + 2, ("udh8", 7, 2, 2), b"two", at=START_MS + time).text == "onetwo"


def test_a_complete_message_is_forgotten_in_time(longs: Reassembly) -> None:
    """Its digests go, and so do repeats of some of its parts, of which nobody is told: the message was
    complete."""
    add(longs, 1, ("udh8", 7, 2, 1), b"one")
    add(longs, 2, ("udh8", 7, 2, 2), b"two")
    add(longs, 3, ("udh8", 7, 2, 2), b"two", at=START_MS + 1)
    assert longs.expire(START_MS + REPEATABLE_MS - 1) == ([], [])
    assert longs.expire(START_MS + REPEATABLE_MS) == ([], [1, 2, 3])
    assert longs.expire(START_MS + KEPT_MS + 1) == ([], [])
    assert add(longs, 4, ("udh8", 7, 2, 2), b"TWO", at=START_MS + 2 * REPEATABLE_MS).text is None
    assert add(longs, 5, ("udh8", 7, 2, 1), b"ONE", at=START_MS + 2 * REPEATABLE_MS).text == "ONETWO"


def test_repeats_take_no_room(longs: Reassembly) -> None:
    """A handset of whose complete messages some parts come again may begin as many others as ever."""
    for reference in range(SETS_PER_HANDSET + 1):
        add(longs, 10 * reference, ("udh8", reference, 2, 1), b"one")
        add(longs, 10 * reference + 1, ("udh8", reference, 2, 2), b"two")
        add(longs, 10 * reference + 2, ("udh8", reference, 2, 2), b"two")
    assert add(longs, 999, ("udh8", 99, 2, 1), b"one").stored is not None


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2), (3, 1, 2)])
def test_a_message_that_begins_like_the_last_one(longs: Reassembly, order: tuple[int, ...]) -> None:
    """A handset that always uses one reference writes the same long SMS with another end."""
    for place, octets in ((1, b"A"), (2, b"B"), (3, b"C")):
        add(longs, place, ("udh8", 7, 3, place), octets)
    new = {1: b"A", 2: b"B", 3: b"D"}
    found = [
        add(longs, 10 + place, ("udh8", 7, 3, place), new[place], at=START_MS + 60_000) for place in order
    ]
    if order == (1, 2, 3):
        assert found[-1].text == "ABD"
    else:  # what came before its end is taken for a repeat, or not known to be one: its sender is told
        assert all(each.text in (None, "ABD") for each in found)


def test_a_set_beyond_its_deadline_takes_no_part(longs: Reassembly) -> None:
    """The gateway was down for days: the part of today does not meet that of then."""
    add(longs, 1, ("udh8", 7, 2, 1), b"A")
    late = add(longs, 2, ("udh8", 7, 2, 2), b"D", at=START_MS + KEPT_MS)
    assert (late.text, given_up(late)) == (None, (1,))


def test_deadlines_do_not_pile_up(longs: Reassembly) -> None:
    """However many messages come and go, there are no more entries of deadlines than messages, and a few."""
    for number in range(3 * SLACK):
        add(longs, 2 * number, ("udh8", 7, 2, 1), b"%d" % number)
        add(longs, 2 * number + 1, ("udh8", 7, 2, 2), b"%d" % number)
    longs.expire(START_MS)
    assert len(longs._deadlines) <= SLACK + 2


@pytest.mark.parametrize(("pause", "text"), [(OLD_MS - 1, "NEWtwo"), (OLD_MS, None)])
def test_a_first_part_long_after_the_others(longs: Reassembly, pause: int, text: str | None) -> None:
    """The first part of a message whose reference an unfinished one had some minutes ago begins a new one."""
    add(longs, 1, ("udh8", 7, 2, 2), b"two")
    joined = add(longs, 2, ("udh8", 7, 2, 1), b"NEW", at=START_MS + pause)
    assert joined.text == text
    assert given_up(joined) == (None if text else (1,))


def test_a_message_is_given_up_at_its_deadline(longs: Reassembly) -> None:
    """Not complete in time: its parts are named once, to be deleted; others stay."""
    add(longs, 1, ("udh8", 7, 3, 1), b"one")
    add(longs, 2, ("udh8", 7, 3, 2), b"two", at=START_MS + 10)
    add(longs, 3, ("udh8", 8, 2, 1), b"later", at=START_MS + 10)
    assert longs.expire(START_MS + KEPT_MS - 1) == ([], [])
    [ended], gone = longs.expire(START_MS + KEPT_MS)
    assert (ended.numbers, gone) == ((1, 2), [1, 2])
    assert (ended.first.number, ended.first.msisdn, ended.first.destination) == (1, ALICE, "161")
    assert longs.expire(START_MS + KEPT_MS) == ([], [])
    assert len(longs) == 1


def test_sixteen_messages_per_handset(longs: Reassembly) -> None:
    """A handset's 17th unfinished message is refused; its others go on, and so do other handsets."""
    fill(longs)
    with pytest.raises(NoRoom, match="16"):
        add(longs, 1, ("udh8", 99, 2, 1), b"x")
    assert add(longs, 2, ("udh8", 99, 2, 1), b"x", source=BOB).stored is not None
    assert add(longs, 3, ("udh8", 0, 2, 2), b"y").text == "xy"
    assert add(longs, 4, ("udh8", 99, 2, 1), b"x").stored is not None


def test_40_kib_per_handset(longs: Reassembly) -> None:
    """A part that would take a handset's unfinished messages above 40 KiB is refused, in any of them."""
    most = OCTETS_PER_HANDSET // 2
    add(longs, 1, ("sar", 1, 3, 1), b"x" * most)
    add(longs, 2, ("sar", 2, 3, 1), b"x" * most)
    for header in (("sar", 3, 2, 1), ("sar", 1, 3, 2)):
        with pytest.raises(NoRoom, match="40960 octets"):
            add(longs, 3, header, b"x")
    assert add(longs, 4, ("sar", 3, 2, 1), b"x", source=BOB).stored is not None


def test_64_mib_over_all(longs: Reassembly) -> None:
    """Many handsets together are bounded as well, and room is given back."""
    count = OCTETS_IN_ALL // OCTETS_PER_HANDSET
    octets = b"x" * OCTETS_PER_HANDSET
    for handset in range(count):
        add(longs, handset, ("sar", 1, 2, 1), octets, source=f"1380000{handset:04}")
    beyond = b"x" * (OCTETS_IN_ALL % OCTETS_PER_HANDSET + 1)
    with pytest.raises(NoRoom, match="67108864"):
        add(longs, count, ("sar", 1, 2, 1), beyond)
    longs.expire(START_MS + KEPT_MS)
    assert add(longs, count, ("sar", 1, 2, 1), beyond).stored is not None


def test_a_batch_that_fails_is_undone(longs: Reassembly) -> None:
    """What a batch added, completed, closed or opened is as it was before it."""
    add(longs, 1, ("udh8", 1, 2, 1), b"one")
    add(longs, 2, ("udh8", 2, 3, 1), b"keep")
    add(longs, 3, ("udh8", 3, 2, 1), b"old")
    longs.begin()
    assert add(longs, 4, ("udh8", 1, 2, 2), b"two").text == "onetwo"
    add(longs, 5, ("udh8", 2, 3, 2), b"undone")
    assert add(longs, 6, ("udh8", 3, 2, 1), b"new").gone == [3]
    add(longs, 7, ("udh8", 4, 2, 1), b"opened")
    longs.roll_back()
    assert len(longs) == 3
    assert outcome(add(longs, 8, ("udh8", 1, 2, 2), b"two")) == ("onetwo", (1,))
    assert add(longs, 9, ("udh8", 2, 3, 2), b"again").stored is not None
    assert outcome(add(longs, 10, ("udh8", 2, 3, 3), b"!")) == ("keepagain!", (2, 9))
    assert outcome(add(longs, 11, ("udh8", 3, 2, 2), b"er")) == ("older", (3,))
    assert len(longs) == 0
    fill(longs)  # and the room that it took is free


def test_a_batch_that_was_stored_is_not_undone(longs: Reassembly) -> None:
    """A failing batch takes back its own changes only."""
    add(longs, 1, ("udh8", 1, 2, 1), b"one")
    longs.begin()
    longs.roll_back()
    assert add(longs, 2, ("udh8", 1, 2, 2), b"two").text == "onetwo"


def test_a_restart_in_the_middle(longs: Reassembly) -> None:
    """With the stored parts a new process goes on: deadlines, repeats and room are as before."""
    kept = [
        add(longs, 1, ("udh8", 7, 3, 3), b"three").stored,
        add(longs, 2, ("udh8", 7, 3, 1), b"one").stored,
        add(longs, 3, ("udh8", 8, 2, 1), b"other", at=START_MS + 5).stored,
    ]
    again = Reassembly()
    again.recover([part for part in kept if part is not None])
    again.begin()
    assert add(again, 4, ("udh8", 7, 3, 1), b"one") == Joined()
    assert outcome(add(again, 5, ("udh8", 7, 3, 2), b"two")) == ("onetwothree", (1, 2))
    assert expired(again, START_MS + KEPT_MS + 5) == [(3,)]


def test_a_restart_after_completion(longs: Reassembly) -> None:
    """What came again before and after a restart is known as a repeat."""
    kept = [
        add(longs, 1, ("udh8", 7, 2, 1), b"A").stored,
        add(longs, 2, ("udh8", 7, 2, 2), b"B").stored,
        add(longs, 3, ("udh8", 7, 2, 2), b"B").stored,
    ]
    parts = [part for part in kept if part is not None]
    parts[0].complete, parts[0].octets = True, b""
    again = Reassembly()
    again.recover(parts)
    again.begin()
    assert add(again, 4, ("udh8", 7, 2, 2), b"B") == Joined()
    assert add(again, 5, ("udh8", 7, 2, 1), b"C").gone == [1, 2, 3]
    assert add(again, 6, ("udh8", 7, 2, 2), b"D").text == "CD"


class Machine(RuleBasedStateMachine):
    """Messages of one reference, their parts in any order, some of them twice, some batches undone.

    The model: nobody gets a text that nobody wrote.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longs = Reassembly()
        self.written: set[str] = set()
        self.last: list[tuple[int, bytes]] = []
        self.number = 0
        self.at = START_MS

    def _add(self, place: int, octets: bytes) -> None:
        self.number += 1
        self.at += 1
        joined = add(self.longs, self.number, ("udh8", 9, 2, place), octets, at=self.at)
        assert joined.text is None or joined.text in self.written, "two messages met"

    @rule(order=strategies.sampled_from(["in order", "swapped", "with the tail of the last one"]))
    def write(self, order: str) -> None:
        """Both parts of a message come."""
        self.longs.begin()
        name = f"<{len(self.written)}"
        tail = (
            self.last[1][1] if self.last and order == "with the tail of the last one" else f"{name}>".encode()
        )
        self.written.add(name + tail.decode())
        self.last = [(1, name.encode()), (2, tail)]
        for place, octets in reversed(self.last) if order == "swapped" else self.last:
            self._add(place, octets)

    @rule(place=strategies.sampled_from([0, 1]), undone=strategies.booleans())
    def repeat(self, place: int, undone: bool) -> None:
        """A part of the last message comes again, perhaps in a batch that is not stored."""
        if self.last:
            self.longs.begin()
            self._add(*self.last[place])
            if undone:
                self.longs.roll_back()
            self.at += 60_000  # nobody retransmits at the moment in which the next message comes

    @rule()
    def wait(self) -> None:
        """Time passes until all is forgotten, and no part can come again."""
        self.last = []
        self.at += KEPT_MS + 1
        self.longs.expire(self.at)
        assert len(self.longs) == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
