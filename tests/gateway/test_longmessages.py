"""Long messages on their way in: joined in any order, bounded, given up in time, undone with their batch."""

import pytest
from hypothesis import given, strategies

from gateway.longmessages import (
    KEPT_MS,
    OCTETS_IN_ALL,
    OCTETS_PER_HANDSET,
    SETS_PER_HANDSET,
    Joined,
    LongMessages,
    NoRoom,
)
from gateway.model import StoredPart
from gateway.smpp.long import Kind, PartHeader
from tests.gateway.support import ALICE, BOB, GSM, START_MS, received

Header = tuple[Kind, int, int, int]


@pytest.fixture
def longs() -> LongMessages:
    """A fresh one, in its first batch."""
    longs = LongMessages()
    longs.begin()
    return longs


def add(
    longs: LongMessages,
    number: int,
    header: Header,
    octets: bytes,
    *,
    source: str = ALICE,
    account: str = "smsc",
    at: int = START_MS,
) -> Joined:
    """A part arrives as SMS `number`. header: kind, reference, total, place."""
    m = received(number, source=source, octets=octets, part=PartHeader(*header), at=at)
    m.account = account
    return longs.add(m, GSM)


def fill(longs: LongMessages, source: str = ALICE) -> None:
    """As many unfinished messages as a handset may have."""
    for reference in range(SETS_PER_HANDSET):
        add(longs, 1000 + reference, ("udh8", reference, 2, 1), b"x", source=source)


@given(order=strategies.permutations(range(1, 6)), kind=strategies.sampled_from(["udh8", "udh16", "sar"]))
def test_parts_come_in_any_order(order: list[int], kind: Kind) -> None:
    """The last part completes the text, whichever it is, and says which stored parts are done with."""
    longs = LongMessages()
    longs.begin()
    joined = [add(longs, 10 + place, (kind, 9, 5, place), b"%d-" % place) for place in order]
    assert [each.text for each in joined] == [None, None, None, None, "1-2-3-4-5-"]
    assert joined[-1].gone == [10 + place for place in order[:-1]]
    assert joined[-1].stored is None
    assert [each.stored.number for each in joined[:-1] if each.stored] == joined[-1].gone
    assert len(longs) == 0


def test_a_part_waits_with_its_deadline(longs: LongMessages) -> None:
    """What is stored of a part is all that it takes to go on after a restart. All share one deadline."""
    first = add(longs, 1, ("udh8", 7, 3, 2), b"two")
    assert first.stored == StoredPart(
        1, "smsc", ALICE, "161", PartHeader("udh8", 7, 3, 2), 0, b"two", START_MS + KEPT_MS
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
def test_what_makes_a_message_one(longs: LongMessages, header: Header, source: str, account: str) -> None:
    """Parts belong together by account, source, destination, kind of reference, reference and total."""
    add(longs, 1, ("udh8", 7, 2, 1), b"one")
    assert add(longs, 2, header, b"two", source=source, account=account).text is None
    assert len(longs) == 2
    assert add(longs, 3, ("udh8", 7, 2, 2), b"two").text == "onetwo"


def test_an_equal_repeat_changes_nothing(longs: LongMessages) -> None:
    """A part that is there already is neither stored nor counted again."""
    add(longs, 1, ("udh8", 7, 2, 1), b"one")
    assert add(longs, 2, ("udh8", 7, 2, 1), b"one") == Joined(None, [], None)
    assert add(longs, 3, ("udh8", 7, 2, 2), b"two") == Joined("onetwo", [1], None)


def test_a_conflict_closes_the_older_message(longs: LongMessages) -> None:
    """Other octets in the same place begin another message: the parts of the older one are gone."""
    add(longs, 1, ("udh8", 7, 3, 1), b"one")
    add(longs, 2, ("udh8", 7, 3, 2), b"two")
    conflict = add(longs, 3, ("udh8", 7, 3, 1), b"ONE", at=START_MS + 5)
    assert (conflict.text, conflict.gone) == (None, [1, 2])
    assert conflict.stored is not None
    assert conflict.stored.deadline == START_MS + 5 + KEPT_MS
    add(longs, 4, ("udh8", 7, 3, 2), b"TWO")
    assert add(longs, 5, ("udh8", 7, 3, 3), b"THREE") == Joined("ONETWOTHREE", [3, 4], None)


def test_a_message_is_given_up_at_its_deadline(longs: LongMessages) -> None:
    """Not complete in time: its parts are named once, to be deleted; others stay."""
    add(longs, 1, ("udh8", 7, 3, 1), b"one")
    add(longs, 2, ("udh8", 7, 3, 2), b"two", at=START_MS + 10)
    add(longs, 3, ("udh8", 8, 2, 1), b"later", at=START_MS + 10)
    assert longs.expire(START_MS + KEPT_MS - 1) == []
    assert [numbers for _, numbers in longs.expire(START_MS + KEPT_MS)] == [[1, 2]]
    assert longs.expire(START_MS + KEPT_MS) == []
    assert len(longs) == 1


def test_sixteen_messages_per_handset(longs: LongMessages) -> None:
    """A handset's 17th unfinished message is refused; its others go on, and so do other handsets."""
    fill(longs)
    with pytest.raises(NoRoom, match="16"):
        add(longs, 1, ("udh8", 99, 2, 1), b"x")
    assert add(longs, 2, ("udh8", 99, 2, 1), b"x", source=BOB).stored is not None
    assert add(longs, 3, ("udh8", 0, 2, 2), b"y").text == "xy"
    assert add(longs, 4, ("udh8", 99, 2, 1), b"x").stored is not None


def test_32_kib_per_handset(longs: LongMessages) -> None:
    """A part that would take a handset's unfinished messages above 32 KiB is refused, in any of them."""
    most = OCTETS_PER_HANDSET // 2
    add(longs, 1, ("sar", 1, 3, 1), b"x" * most)
    add(longs, 2, ("sar", 2, 3, 1), b"x" * most)
    for header in (("sar", 3, 2, 1), ("sar", 1, 3, 2)):
        with pytest.raises(NoRoom, match="32768 octets"):
            add(longs, 3, header, b"x")
    assert add(longs, 4, ("sar", 3, 2, 1), b"x", source=BOB).stored is not None


def test_64_mib_over_all(longs: LongMessages) -> None:
    """Many handsets together are bounded as well, and room is given back."""
    count = OCTETS_IN_ALL // OCTETS_PER_HANDSET
    octets = b"x" * OCTETS_PER_HANDSET
    for handset in range(count):
        add(longs, handset, ("sar", 1, 2, 1), octets, source=f"1380000{handset:04}")
    with pytest.raises(NoRoom, match="67108864"):
        add(longs, count, ("sar", 1, 2, 1), b"x")
    longs.expire(START_MS + KEPT_MS)
    assert add(longs, count, ("sar", 1, 2, 1), b"x").stored is not None


def test_a_batch_that_fails_is_undone(longs: LongMessages) -> None:
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
    assert add(longs, 8, ("udh8", 1, 2, 2), b"two") == Joined("onetwo", [1], None)
    assert add(longs, 9, ("udh8", 2, 3, 2), b"again").stored is not None
    assert add(longs, 10, ("udh8", 2, 3, 3), b"!") == Joined("keepagain!", [2, 9], None)
    assert add(longs, 11, ("udh8", 3, 2, 2), b"er") == Joined("older", [3], None)
    assert len(longs) == 0
    fill(longs)  # and the room that it took is free


def test_a_batch_that_was_stored_is_not_undone(longs: LongMessages) -> None:
    """A failing batch takes back its own changes only."""
    add(longs, 1, ("udh8", 1, 2, 1), b"one")
    longs.begin()
    longs.roll_back()
    assert add(longs, 2, ("udh8", 1, 2, 2), b"two").text == "onetwo"


def test_what_was_given_up_meanwhile_stays_so(longs: LongMessages) -> None:
    """A message that was given up while its batch was being stored does not come back with the undo."""
    add(longs, 1, ("udh8", 1, 3, 1), b"one")
    longs.begin()
    add(longs, 2, ("udh8", 1, 3, 2), b"two")
    longs.expire(START_MS + KEPT_MS)
    longs.roll_back()
    assert len(longs) == 0
    fill(longs)


def test_a_restart_in_the_middle(longs: LongMessages) -> None:
    """With the stored parts a new process goes on: deadlines, repeats and room are as before."""
    kept = [
        add(longs, 1, ("udh8", 7, 3, 3), b"three").stored,
        add(longs, 2, ("udh8", 7, 3, 1), b"one").stored,
        add(longs, 3, ("udh8", 8, 2, 1), b"other", at=START_MS + 5).stored,
    ]
    again = LongMessages()
    again.recover([part for part in kept if part is not None])
    again.begin()
    assert add(again, 4, ("udh8", 7, 3, 1), b"one") == Joined(None, [], None)
    assert add(again, 5, ("udh8", 7, 3, 2), b"two") == Joined("onetwothree", [1, 2], None)
    assert [numbers for _, numbers in again.expire(START_MS + KEPT_MS + 5)] == [[3]]
