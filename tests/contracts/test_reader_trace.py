"""Every Reader: what a trace needs. Attempts, parts that were joined, short ids, the SMS of a handset."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.message import FIRST_KEPT, LAST_KEPT, PART, Answer, Attempt, Commit, Delivery, JournalEntry
from gateway.storage.contract import Store
from gateway.storage.reader import ENDLESS, LookedAt, Reader
from tests.contracts.engines import ENGINES, opening, put
from tests.support import ALICE, BOB, SESSIONS, START_MS, attempt_of, leaving, received

RUN = 1 << 32
"""Numbers of one run."""


async def test_an_attempt_is_read_whole(store: Store, reader: Reader) -> None:
    """Every field of an attempt is read as it was committed, each by its SMS and in order."""
    first = Attempt(
        5,
        1,
        2,
        START_MS,
        START_MS + 9,
        SESSIONS + 3,
        "10.0.0.1:99",
        Answer.REFUSED,
        "ESME_RTHROTTLED",
        "no receiver",
    )
    second = attempt_of(5, 2, Answer.OK)
    await put(store, Commit(outgoing=[leaving(5), leaving(6)], attempts=[first]))
    await put(store, Commit(attempts=[attempt_of(6, 1), second], changed=[leaving(6)]))
    assert reader.attempts(5) == [first, second]
    assert reader.attempts(6) == [attempt_of(6, 1)]
    assert reader.attempts(7) == []


async def test_attempts_of_an_unknown_sms_have_no_effect(store: Store, reader: Reader) -> None:
    """As everything that is written about a number that the store does not have."""
    await put(store, Commit(messages=[received(1)], attempts=[attempt_of(2, 1)]))
    assert reader.attempts(2) == []


async def test_attempts_of_one_sms_are_bounded(store: Store, reader: Reader) -> None:
    """The first ones and the last ones stay, however many there are; one that is written twice is one."""
    await put(store, Commit(outgoing=[leaving(1)]))
    last = FIRST_KEPT + 3 * LAST_KEPT + 7
    for ordinal in range(1, last + 1):
        await put(store, Commit(attempts=[attempt_of(1, ordinal)], changed=[leaving(1)]))
    await put(store, Commit(attempts=[attempt_of(1, last)], changed=[leaving(1)]))
    kept = [each.ordinal for each in reader.attempts(1)]
    assert kept == [*range(1, FIRST_KEPT + 1), *range(last - LAST_KEPT + 1, last + 1)]


async def test_the_session_that_answered_is_kept(store: Store, reader: Reader) -> None:
    """Of every closed SMS, however it was closed and with how many others at once; of one that waits, 0."""
    outgoing = [leaving(number) for number in range(1, 9)]
    await put(store, Commit(outgoing=outgoing))
    for sms in outgoing[:6]:
        sms.state, sms.closed_at, sms.attempts, sms.parts_done = (
            Delivery.SENT,
            START_MS + sms.number % 2,
            1,
            1,
        )
        sms.session = SESSIONS + sms.number % 3
    outgoing[5].attempts = 2
    outgoing[6].state, outgoing[6].closed_at, outgoing[6].session = Delivery.FAILED, START_MS, SESSIONS
    await put(store, Commit(closed=outgoing[:7]))
    found = [reader.downlink(sms.number) for sms in outgoing]
    assert [sms and sms.session for sms in found] == [sms.session for sms in outgoing]
    assert [sms and sms.closed_at for sms in found] == [sms.closed_at for sms in outgoing]
    assert outgoing[7].session == 0


def part(number: int, msisdn: str = ALICE) -> JournalEntry:
    """A part that waited for the others."""
    return received(number, source=msisdn)._replace(msisdn=msisdn, outcome=PART, instruction="")


def whole(number: int, *joined: int, msisdn: str = ALICE) -> JournalEntry:
    """The SMS that completed a long message."""
    return received(number, source=msisdn)._replace(
        msisdn=msisdn, parts=len(joined) + 1, detail={"joined": joined}
    )


async def test_a_part_leads_to_its_whole(store: Store, reader: Reader) -> None:
    """The SMS that it was joined into, behind others and also one of the next run; None where there is
    none."""
    last = RUN + 3
    rows = [part(1), part(2, BOB), part(3), part(4), whole(5, 1, 3), received(6), whole(7, 2, msisdn=BOB)]
    await put(store, Commit(messages=[*rows, whole(last, 4)]))
    found = {}
    for row in rows[:4]:
        record = reader.journal_record(row.number)
        assert record is not None
        joined = reader.joined_with(record)
        found[row.number] = joined and joined.number
    assert found == {1: 5, 2: 7, 3: 5, 4: last}
    await put(store, Commit(messages=[part(last + 1)]))
    record = reader.journal_record(last + 1)
    assert record is not None
    assert reader.joined_with(record) is None


async def test_short_ids(store: Store, reader: Reader) -> None:
    """The numbers with these last bits, in both directions, of every run, among the last ones only."""
    numbers = [0x12, 0x112, RUN + 0x12, RUN + 0x13]
    await put(store, Commit(messages=[received(n) for n in numbers], outgoing=[leaving(2 * RUN + 0x12)]))
    assert reader.ending(0x12, 8, 10) == [0x12, 0x112, RUN + 0x12, 2 * RUN + 0x12]
    assert reader.ending(0x012, 12, 10) == [0x12, RUN + 0x12, 2 * RUN + 0x12]
    assert reader.ending(0x12, 8, 2) == [RUN + 0x12, 2 * RUN + 0x12]
    assert reader.ending(0x14, 8, 10) == []


async def test_the_sms_of_a_handset(store: Store, reader: Reader) -> None:
    """Newest first, a step at a time, with how far each step went; one direction is not the other."""
    rows = [received(n, at=START_MS + n)._replace(msisdn=(ALICE, BOB)[n % 2]) for n in range(10)]
    out = [leaving(n + 100, (ALICE, BOB)[n % 2]) for n in range(4)]
    await put(store, Commit(messages=rows, outgoing=out))
    first = reader.of_handset(ALICE, ENDLESS, 4)
    assert ([sms.number for sms in first.found], first[1:]) == ([8, 6], (6, START_MS + 6, 4))
    second = reader.of_handset(ALICE, first.before, 4)
    assert ([sms.number for sms in second.found], second[1:]) == ([4, 2], (2, START_MS + 2, 4))
    third = reader.of_handset(ALICE, second.before, 4)
    assert ([sms.number for sms in third.found], third[1:]) == ([0], (0, START_MS, 2))
    assert [sms.number for sms in reader.to_handset(BOB, ENDLESS, 3).found] == [103, 101]
    assert reader.of_handset(ALICE, 0, 5) == LookedAt([], 0, 0, 0)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=30)
@given(who=st.lists(st.sampled_from([ALICE, BOB]), max_size=12), rows=st.integers(1, 13))
async def test_steps_find_each_sms_once(name: str, who: list[str], rows: int) -> None:
    """However large the steps: together they give each SMS of the handset once, and end."""
    engine = ENGINES[name]()
    with TemporaryDirectory() as folder:
        async with opening(engine, Path(folder)) as store:
            messages = [received(n + 1)._replace(msisdn=msisdn) for n, msisdn in enumerate(who)]
            await put(store, Commit(messages=messages))
            with closing(engine.read(Path(folder))) as reader:
                found, before, looked = list[int](), ENDLESS, 0
                while before:
                    step = reader.of_handset(ALICE, before, rows)
                    found += [sms.number for sms in step.found]
                    before, looked = step.before, looked + step.rows
    assert found == [n + 1 for n, msisdn in enumerate(who) if msisdn == ALICE][::-1]
    assert looked == len(who)


async def test_what_waits_is_counted(store: Store, reader: Reader) -> None:
    """Those that are parked and those that wait, before and after a restart; closed ones are not."""
    assert reader.count_waiting() == 0
    outgoing = [leaving(number) for number in range(1, 6)]
    await put(store, Commit(outgoing=outgoing))
    outgoing[0].state, outgoing[1].state = Delivery.PARKED, Delivery.SENT
    await put(store, Commit(changed=[outgoing[0], outgoing[2]], closed=[outgoing[1]]))
    assert reader.count_waiting() == 4
    await store.recover(START_MS)
    assert reader.count_waiting() == 4
    assert len(reader.waiting(10)) == 4
