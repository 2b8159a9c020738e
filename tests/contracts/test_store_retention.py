"""Every Store: what is old is forgotten in small steps; what is still needed stays, however old it is."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.message import Commit, Delivery, MobileTerminated, ProductRecord, Uncertain, Watermark
from gateway.storage.contract import Store
from gateway.storage.reader import Reader
from tests.contracts.engines import ENGINES, made, opening, put
from tests.support import ALICE, START_MS, attempt_of, leaving, received

LATER = START_MS + 90 * 86_400_000


def closed(number: int, state: Delivery = Delivery.SENT) -> MobileTerminated:
    """An SMS that left, or did not."""
    sms = leaving(number)
    sms.state, sms.closed_at = state, START_MS
    return sms


async def fill(store: Store, count: int) -> None:
    """SMS in with even numbers, an SMS that was closed behind each of them, and a product record for each."""
    numbers = range(0, 2 * count, 2)
    states = (Delivery.SENT, Delivery.FAILED, Delivery.EXPIRED)
    out = [closed(number + 1, states[number % 3]) for number in numbers]
    products = [
        ProductRecord(number, ALICE, "MCHAT", "order", START_MS, trial=False, province="100")
        for number in numbers
    ]
    messages = [received(number) for number in numbers]
    settled = Watermark(2 * count, START_MS)
    await put(store, Commit(messages=messages, outgoing=out, products=products, settled=settled))
    await put(store, Commit(closed=out))


def left(reader: Reader) -> tuple[list[int], list[int], list[int]]:
    """Numbers of SMS in, of closed SMS out, and of the causes of product records."""
    return (
        [sms.number for sms in reader.journal()],
        [sms.number for sms, *_ in reader.closed(0, LATER)],
        [each.cause for each in reader.products(0, LATER)],
    )


async def test_a_step_is_small(store: Store, reader: Reader) -> None:
    """A step deletes at most so many of each kind, the oldest first, and says when there is no more."""
    await fill(store, 25)
    assert await store.forget(LATER, 10) == 10
    even, odd = list(range(20, 50, 2)), list(range(21, 50, 2))
    assert left(reader) == (even, odd, even)
    assert [await store.forget(LATER, 10) for _ in range(3)] == [10, 5, 0]
    assert left(reader) == ([], [], [])


async def test_what_is_younger_stays(store: Store, reader: Reader) -> None:
    """The limit is exact: what is as old as that stays, what is a millisecond older goes."""
    await fill(store, 2)
    await put(store, Commit(messages=[received(7, at=START_MS + 1)], settled=Watermark(7, START_MS)))
    assert await store.forget(START_MS, 10) == 0
    assert await store.forget(START_MS + 1, 10) == 2
    assert left(reader) == ([7], [], [])


@pytest.mark.parametrize("state", [Delivery.WAITING, Delivery.PARKED])
async def test_what_waits_or_is_parked_stays(store: Store, reader: Reader, state: Delivery) -> None:
    """An SMS that waits or is parked is never deleted, and keeps none of the others."""
    await fill(store, 3)
    kept = leaving(4)
    await put(store, Commit(outgoing=[kept]))
    kept.state = state
    await put(store, Commit(changed=[kept]))
    await store.forget(LATER, 10)
    assert left(reader) == ([], [], [])
    assert [(sms.number, sms.state) for sms in reader.waiting(10)] == [(4, state)]


async def test_an_sms_out_stays_with_its_cause(store: Store, reader: Reader) -> None:
    """What follows the first SMS in that is left stays, so that a trace finds all of it."""
    await fill(store, 3)
    young = received(2_000_000, at=LATER)
    await put(
        store, Commit(messages=[young], outgoing=[late := closed(2_000_001)], settled=Watermark(2_000_000, 1))
    )
    await put(store, Commit(closed=[late]))
    await store.forget(LATER, 10)
    assert left(reader) == ([2_000_000], [2_000_001], [])


async def test_attempts_go_with_their_sms(store: Store, reader: Reader) -> None:
    """What is kept of attempts goes when their SMS goes, and stays with one that is parked or young."""
    old, parked, young = leaving(1), leaving(2), leaving(3)
    await put(store, Commit(outgoing=[old, parked, young], settled=Watermark(10, START_MS)))
    parked.state, old.state, young.state = Delivery.PARKED, Delivery.FAILED, Delivery.FAILED
    old.closed_at, young.closed_at = START_MS, LATER
    tries = [attempt_of(number, ordinal) for number in (1, 2, 3) for ordinal in (1, 2)]
    await put(store, Commit(changed=[parked], closed=[old, young], attempts=tries))
    assert await store.forget(LATER, 10) == 1
    kept = {number: [each.ordinal for each in reader.attempts(number)] for number in (1, 2, 3)}
    assert kept == {1: [], 2: [1, 2], 3: [1, 2]}


async def test_what_may_come_again_stays(store: Store, reader: Reader) -> None:
    """SMS above the watermark of certain answers are kept, and those of an uncertain range until they are
    candidates; these stay candidates when their SMS is forgotten."""
    await fill(store, 5)
    doubt = Uncertain(0, 4, 4, START_MS + 50)
    await put(store, Commit(settled=Watermark(5, START_MS), uncertain=[doubt]))
    await store.forget(LATER, 10)
    assert left(reader)[0] == [4, 6, 8]
    await store.expect(10)
    await store.forget(LATER, 10)
    assert left(reader)[0] == [6, 8]
    assert [number for _, number in await store.candidates([b"digest"], START_MS)] == [4]


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=30)
@given(
    old=st.lists(st.booleans(), max_size=12),
    settled=st.integers(0, 12),
    uncertain=st.lists(st.integers(0, 12), max_size=2),
    limit=st.integers(1, 5),
)
async def test_nothing_needed_goes(
    name: str, old: list[bool], settled: int, uncertain: list[int], limit: int
) -> None:
    """Whatever the order of old and young, steps end, and then no SMS is gone that is young, uncertain, or
    not settled."""
    engine = made(name)
    with TemporaryDirectory() as folder:
        async with opening(engine, Path(folder)) as store:
            rows = [received(n, at=START_MS + (0 if is_old else 5)) for n, is_old in enumerate(old)]
            doubts = [Uncertain(0, n, n, LATER) for n in uncertain]
            await put(store, Commit(messages=rows, settled=Watermark(settled, START_MS), uncertain=doubts))
            while await store.forget(START_MS + 5, limit) >= limit:
                pass
            with closing(engine.read(Path(folder))) as reader:
                gone = set(range(len(old))) - set(left(reader)[0])
    assert all(old[n] and n <= settled and n not in uncertain for n in gone)
