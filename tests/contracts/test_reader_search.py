"""Every Reader: the search among the SMS of one direction."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.message import Commit, Delivery, JournalEntry
from gateway.storage.contract import Store
from gateway.storage.reader import SLACK_MS, DownlinkRecord, JournalRecord, Position, Reader, Searched, Wanted
from tests.contracts.engines import ENGINES, opening, put
from tests.support import ALICE, BOB, START_MS, leaving, received

MINUTE = 60_000


def came(
    number: int, at: int, msisdn: str = ALICE, instruction: str = "", outcome: str = "done"
) -> JournalEntry:
    """An SMS in, so many ms after the start."""
    sms = received(number, at=START_MS + at)
    return sms._replace(msisdn=msisdn, instruction=instruction, outcome=outcome)


def numbers(step: Searched[JournalRecord] | Searched[DownlinkRecord]) -> list[int]:
    """Of what a step found."""
    return [sms.number for sms in step.found]


def all_in(reader: Reader, wanted: Wanted, rows: int = 3, limit: int = 2) -> list[int]:
    """What all steps of a search give."""
    found, before = list[int](), Position()
    while True:
        step = reader.search_in(wanted, before, rows, limit)
        assert len(step.found) <= limit
        assert step.rows <= rows
        found += numbers(step)
        before = step.before
        if not before:
            return found


async def test_what_is_wanted(store: Store, reader: Reader) -> None:
    """Each filter alone, and together; newest first."""
    rows = [
        came(1, 0, ALICE, instruction="KTFX", outcome="done"),
        came(2, 10, BOB, instruction="KTFX", outcome="refused"),
        came(3, 20, ALICE, instruction="CXFX", outcome="done"),
        came(4, 30, BOB, instruction="", outcome="misunderstood"),
    ]
    await put(store, Commit(messages=rows))
    assert all_in(reader, Wanted()) == [4, 3, 2, 1]
    assert all_in(reader, Wanted(handset=ALICE)) == [3, 1]
    assert all_in(reader, Wanted(handset=BOB[:4])) == [4, 2]
    assert all_in(reader, Wanted(handset="%")) == []
    assert all_in(reader, Wanted(instruction="KTFX")) == [2, 1]
    assert all_in(reader, Wanted(outcome="done")) == [3, 1]
    assert all_in(reader, Wanted(since=START_MS + 10, until=START_MS + 30)) == [3, 2]
    assert all_in(reader, Wanted(since=START_MS + 31)) == []
    assert all_in(reader, Wanted(until=START_MS)) == []
    assert all_in(reader, Wanted(sees=lambda msisdn: msisdn == BOB)) == [4, 2]
    assert all_in(reader, Wanted(handset=ALICE, instruction="CXFX", outcome="done")) == [3]


async def test_sms_out(store: Store, reader: Reader) -> None:
    """By state, and by the instruction of their cause."""
    sms = [leaving(number, (ALICE, BOB)[number % 2]) for number in range(10, 14)]
    for each, cause in zip(sms, (1, 1, 2, 3), strict=True):
        each.cause = cause
    causes = [came(1, 0, instruction="KTFX"), came(2, 0, instruction="CXFX")]
    await put(store, Commit(messages=causes, outgoing=sms))
    sms[0].state, sms[0].closed_at = Delivery.SENT, START_MS
    await put(store, Commit(closed=[sms[0]]))
    assert numbers(reader.search_out(Wanted(), (), 9, 9)) == [13, 12, 11, 10]
    assert numbers(reader.search_out(Wanted(state=Delivery.SENT), (), 9, 9)) == [10]
    assert numbers(reader.search_out(Wanted(state=Delivery.WAITING), (), 9, 9)) == [13, 12, 11]
    assert numbers(reader.search_out(Wanted(instruction="KTFX"), (), 9, 9)) == [11, 10]
    assert numbers(reader.search_out(Wanted(handset=ALICE), (), 9, 9)) == [12, 10]
    first = reader.search_out(Wanted(), (), 9, 3)
    assert numbers(first) == [13, 12, 11]
    assert numbers(reader.search_out(Wanted(), first.before, 9, 3)) == [10]


async def test_an_empty_store(store: Store, reader: Reader) -> None:
    """Nothing was looked at, and nothing is left."""
    assert store is not None
    assert reader.search_in(Wanted(), (), 5, 5) == Searched([], (), 0, 0)
    assert reader.search_out(Wanted(until=START_MS), (), 5, 5) == Searched([], (), 0, 0)


async def test_a_step_is_bounded(store: Store, reader: Reader) -> None:
    """It looks at so many rows and says how far that was, also where nothing of it is wanted."""
    await put(store, Commit(messages=[came(n, n) for n in range(1, 31)]))
    step = reader.search_in(Wanted(handset=BOB), (), 10, 5)
    assert (step.found, step.at, step.rows) == ([], START_MS + 21, 10)
    step = reader.search_in(Wanted(handset=BOB), step.before, 25, 5)
    assert (step.found, step.before, step.at, step.rows) == ([], (), START_MS + 1, 20)


async def test_a_search_begins_near_its_end(store: Store, reader: Reader) -> None:
    """SMS that came much later than what is wanted are not looked at, nor those that came much earlier."""
    day = 24 * 60 * MINUTE
    await put(store, Commit(messages=[came(n, n * day) for n in range(1, 101)]))
    wanted = Wanted(since=START_MS + 48 * day, until=START_MS + 51 * day)
    step = reader.search_in(wanted, (), 5, 5)
    assert numbers(step) == [50, 49, 48]
    assert (step.rows, step.before) == (5, ())


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=25)
@given(
    times=st.lists(st.integers(0, 2 * SLACK_MS), max_size=12),
    span=st.tuples(st.integers(0, 2 * SLACK_MS), st.integers(0, 2 * SLACK_MS)),
    rows=st.integers(1, 13),
    limit=st.integers(1, 5),
)
async def test_a_search_is_exact(
    name: str, times: list[int], span: tuple[int, int], rows: int, limit: int
) -> None:
    """However large the steps: together they give each wanted SMS once, the newest number first; times that
    are out of order by less than the slack are found too."""
    grown = [at // 2 + n * MINUTE for n, at in enumerate(times)]
    since, until = START_MS + span[0], START_MS + span[1]
    engine = ENGINES[name]()
    with TemporaryDirectory() as folder:
        async with opening(engine, Path(folder)) as store:
            messages = [came(n + 1, at, (ALICE, BOB)[n % 2]) for n, at in enumerate(grown)]
            await put(store, Commit(messages=messages))
            with closing(engine.read(Path(folder))) as reader:
                found = all_in(reader, Wanted(since=since, until=until), rows, limit)
                theirs = all_in(reader, Wanted(until=until, sees=lambda each: each == BOB), rows, limit)
    assert found == [sms.number for sms in messages if since <= sms.at < until][::-1]
    assert theirs == [sms.number for sms in messages if sms.at < until and sms.msisdn == BOB][::-1]
