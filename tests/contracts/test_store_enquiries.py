"""What peers ask about SMS that they sent, in every Store."""

from pathlib import Path

from gateway.message import PART, Commit, CompletePart, JournalEntry, PartHeader, StoredPart
from gateway.storage.contract import Earlier, PartState, Store
from tests.contracts.engines import Engine, opening, put
from tests.proofs.served import SYSTEM_ID
from tests.support import ALICE, START_MS, received


def part(number: int) -> StoredPart:
    """A part of a long message, of the SMS with that number."""
    header = PartHeader("udh8", 7, 2, 1)
    return StoredPart(number, SYSTEM_ID, ALICE, "161", header, 0, b"octets", START_MS + 1, msisdn=ALICE)


def earlier(entry: JournalEntry, state: PartState = PartState.GONE) -> Earlier:
    """What is found of it."""
    return Earlier(
        entry.number, entry.at, entry.account, entry.msisdn, entry.destination, entry.outcome, state
    )


async def test_sms_are_found_by_their_numbers(engine: Engine, tmp_path: Path) -> None:
    """Each once, by number, also after another opening; what nobody sent is not among them."""
    one, other = received(3), received(1 << 40, at=START_MS + 5)
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(messages=[one, other]))
    async with opening(engine, tmp_path) as store:
        assert await store.find([other.number, 7, 3, 3]) == [earlier(one), earlier(other)]
        assert await store.find([]) == []
        many = await store.find(range(100_000))
        assert many == [earlier(one)]


async def test_where_a_part_stands(store: Store) -> None:
    """It waits, is complete, or is gone."""
    entries = [received(number)._replace(outcome=PART) for number in (1, 2, 3, 4)]
    await put(store, Commit(messages=entries, parts=[part(1), part(2), part(3)]))
    assert [each.part for each in await store.find([1, 2, 3, 4])] == [*[PartState.WAITS] * 3, PartState.GONE]
    await put(store, Commit(parts_complete=[CompletePart(START_MS + 9, 2)], parts_gone=[3]))
    states = [PartState.WAITS, PartState.COMPLETE, PartState.GONE, PartState.GONE]
    assert await store.find([4, 3, 2, 1]) == [*map(earlier, entries, states)]
