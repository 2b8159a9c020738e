"""One suite for every Reader; one that is not in ENGINES fails a test."""

from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from commands.model import Customer, CustomerState, Hidden, Order
from gateway.message import (
    Commit,
    Delivery,
    JournalEntry,
    MobileTerminated,
    ProductRecord,
    Retransmission,
)
from gateway.storage.contract import Store, StoreUnusable
from gateway.storage.reader import ClosedDownlink, CustomerOrders, DownlinkRecord, JournalRecord, Reader
from tests.contracts.engines import ENGINES, Engine, classes_with, durable, opening, put
from tests.support import ALICE, BOB, SESSIONS, START_MS, leaving, received

MANY = 12_000
"""More than any reader looks at once."""


def numbers(reader: Reader) -> list[int]:
    """Of the whole journal."""
    return [sms.number for sms in reader.journal()]


def in_order(*numbers: int) -> list[JournalEntry]:
    """SMS that came a millisecond after one another."""
    return [received(number, at=START_MS + place) for place, number in enumerate(numbers)]


def reply(number: int, cause: int) -> MobileTerminated:
    """An SMS that another one led to."""
    sms = leaving(number)
    sms.cause = cause
    return sms


async def close(store: Store, sms: MobileTerminated, state: Delivery, at: int = START_MS) -> None:
    """What became of an SMS out."""
    sms.state, sms.closed_at = state, at
    await put(store, Commit(closed=[sms]))


def test_every_reader_is_in_the_list() -> None:
    """No class that reads a journal is left out of this suite."""
    assert classes_with("journal_record") - {Reader} == {make().read_by for make in ENGINES.values()}


def test_a_new_store_has_nothing_to_read(reader: Reader) -> None:
    """Of a store without anything in it, every call gives nothing."""
    assert (reader.journal_record(1), reader.downlink(1)) == (None, None)
    assert (reader.caused_by(1), reader.waiting(10)) == ([], [])
    span = 0, 2 * START_MS
    iterators = (reader.journal(), reader.closed(*span), reader.products(*span), reader.orders())
    assert [list(each) for each in iterators] == [[]] * 4


async def test_an_sms_in_is_read_whole(store: Store, reader: Reader) -> None:
    """Every field of an SMS in is read as it was committed; what came again says when."""
    events = [{"event": "service/opened", "msisdn": ALICE, "data": {"a": 1}}]
    detail = {"replies": ["service.opened"], "code": 520, "joined": (3, 4), "events": events}
    sms = received(5, digest=b"\0\xff")._replace(esm_class=0x40, data_coding=8, parts=3, detail=detail)
    await put(store, Commit(messages=[sms], repeats=[Retransmission(5, SESSIONS + 2, START_MS + 9)]))
    read = {**sms._asdict(), "detail": {**detail, "joined": [3, 4]}, "hidden": Hidden.NONE}
    expected = JournalRecord(**read, repeated_at=START_MS + 9)
    assert reader.journal_record(5) == expected
    assert list(reader.journal()) == [expected]
    assert expected.code == 520


async def test_an_sms_without_details(store: Store, reader: Reader) -> None:
    """An SMS that led to nothing remarkable has no details, and the code of success."""
    await put(store, Commit(messages=[received(1)]))
    found = reader.journal_record(1)
    assert found is not None
    assert (found.detail, found.code, found.repeated_at) == ({}, 200, 0)


@pytest.mark.parametrize("hidden", [Hidden.PASSWORD, Hidden.ATTEMPT])
async def test_a_hidden_text_is_not_read(store: Store, reader: Reader, hidden: Hidden) -> None:
    """Of an SMS whose text is hidden a reader gives the reason and no text."""
    await put(store, Commit(messages=[received(1)._replace(hidden=hidden, text="")]))
    found = reader.journal_record(1)
    assert found is not None
    assert (found.hidden, found.text) == (hidden, "")


async def test_an_sms_out_is_read_whole(store: Store, reader: Reader) -> None:
    """Every field of an SMS out is read: first as it waits, then as it was parked, then as it was closed."""
    sms = leaving(2, BOB, "好的")
    sms.parts, sms.source_ton, sms.source_npi = 3, 5, 0
    await put(store, Commit(outgoing=[sms]))
    names = DownlinkRecord.__slots__
    new = DownlinkRecord(**{name: getattr(sms, name) for name in names})
    assert reader.downlink(2) == new
    sms.parts_done, sms.attempts, sms.losses, sms.error, sms.repeat = 1, 4, 2, "timeout", True
    sms.state = Delivery.PARKED
    await put(store, Commit(changed=[sms]))
    parked = replace(
        new, state=Delivery.PARKED, parts_done=1, attempts=4, losses=2, error="timeout", repeat=True
    )
    assert reader.downlink(2) == parked
    sms.parts, sms.parts_done, sms.attempts, sms.remote_id, sms.error = 4, 4, 5, "abc", ""
    await close(store, sms, Delivery.SENT, START_MS + 7)
    closed = replace(parked, state=Delivery.SENT, closed_at=START_MS + 7, remote_id="abc", error="")
    assert reader.downlink(2) == replace(closed, parts=4, parts_done=4, attempts=5)


async def test_a_secret_is_not_read(store: Store, reader: Reader) -> None:
    """Of a secret SMS a reader gives neither text nor sealed octets, while it waits and afterwards."""
    sms = leaving(1, text="your password is hunter77")
    sms.secret, sms.sealed = True, b"sealed octets"
    await put(store, Commit(outgoing=[sms]))
    [waiting] = reader.waiting(10)
    await close(store, sms, Delivery.FAILED)
    [(closed, *_)] = reader.closed(0, 2 * START_MS)
    for found in (waiting, closed):
        assert (found.secret, found.text) == (True, "")
        assert b"sealed octets" not in asdict(found).values()


async def test_replies_are_found_by_their_cause(store: Store, reader: Reader) -> None:
    """An SMS in leads to its replies, by their numbers, in whatever state they are; others are left out."""
    replies = [reply(13, 10), reply(11, 10), reply(12, 9)]
    await put(store, Commit(messages=in_order(9, 10), outgoing=replies))
    await close(store, replies[0], Delivery.SENT)
    assert [sms.number for sms in reader.caused_by(10)] == [11, 13]
    assert [sms.number for sms in reader.caused_by(9)] == [12]


async def test_what_is_parked_comes_before_what_waits(store: Store, reader: Reader) -> None:
    """The parked SMS come first, then those that wait, each by number, so many at most; closed ones do
    not."""
    outgoing = [leaving(number) for number in (1, 2, 3, 4, 5)]
    await put(store, Commit(outgoing=outgoing))
    for sms in (outgoing[4], outgoing[2]):
        sms.state = Delivery.PARKED
    await put(store, Commit(changed=[outgoing[4], outgoing[2]]))
    await close(store, outgoing[0], Delivery.EXPIRED)
    assert [sms.number for sms in reader.waiting(10)] == [3, 5, 2, 4]
    assert [sms.number for sms in reader.waiting(3)] == [3, 5, 2]
    assert [sms.number for sms in reader.waiting(1)] == [3]
    assert [sms.state for sms in reader.waiting(3)] == [Delivery.PARKED, Delivery.PARKED, Delivery.WAITING]


async def test_the_journal_comes_by_number(store: Store, reader: Reader) -> None:
    """The whole journal is read by number, however many SMS are in it."""
    await put(store, Commit(messages=[received(number) for number in range(MANY)]))
    assert numbers(reader) == list(range(MANY))


async def test_the_journal_of_a_time(store: Store, reader: Reader) -> None:
    """The begin of a time belongs to it, its end does not; order is that of numbers, not of times."""
    rows = in_order(1, 2, 3, 4)
    rows[0] = rows[0]._replace(at=START_MS + 2)
    await put(store, Commit(messages=rows))
    assert [sms.number for sms in reader.journal(START_MS + 2, START_MS + 3)] == [1, 3]
    assert [sms.number for sms in reader.journal(START_MS + 2)] == [1, 3, 4]
    assert list(reader.journal(START_MS + 4, START_MS + 9)) == []


async def test_closed_sms_of_a_time(store: Store, reader: Reader) -> None:
    """SMS that were closed within a time come by number, with the instruction of their cause where the store
    has that; those that wait or are parked do not."""
    sent, failed, expired, waits, parked = outgoing = [reply(number, 9) for number in (14, 11, 12, 13, 15)]
    expired.cause = 1
    await put(store, Commit(messages=in_order(9), outgoing=outgoing))
    parked.state = Delivery.PARKED
    await put(store, Commit(changed=[parked]))
    for place, (sms, state) in enumerate(
        [(sent, Delivery.SENT), (failed, Delivery.FAILED), (expired, Delivery.EXPIRED)]
    ):
        await close(store, sms, state, START_MS + place)
    assert waits.state is Delivery.WAITING

    def found(begin: int, end: int) -> list[tuple[int, Delivery, str]]:
        closed = [*reader.closed(begin, end)]
        assert [each.sender for each in closed] == [ALICE if each.instruction else "" for each in closed]
        return [(sms.number, sms.state, instruction) for sms, instruction, _ in closed]

    of_all = [
        (11, Delivery.FAILED, "service.open"),
        (12, Delivery.EXPIRED, ""),
        (14, Delivery.SENT, "service.open"),
    ]
    assert found(START_MS, START_MS + 3) == of_all
    assert found(START_MS, START_MS + 2) == [of_all[0], of_all[2]]
    assert found(START_MS + 1, START_MS + 3) == of_all[:2]
    assert all(isinstance(each, ClosedDownlink) for each in reader.closed(START_MS, START_MS + 3))


async def test_product_records_of_a_time(store: Store, reader: Reader) -> None:
    """Product records are read as they were committed, in that order, within their time."""
    first = ProductRecord(9, ALICE, "MCHAT", "order", START_MS + 1, trial=True, province="100")
    second = ProductRecord(3, BOB, "IIC", "cancel", START_MS, trial=False, province="200")
    await put(store, Commit(messages=in_order(1), products=[first]))
    await put(store, Commit(messages=in_order(2), products=[second]))
    assert list(reader.products(START_MS, START_MS + 2)) == [first, second]
    assert list(reader.products(START_MS, START_MS + 1)) == [second]


async def test_orders_of_customers(store: Store, reader: Reader) -> None:
    """Customers who ever ordered something come by mobile, with all of their orders; the others do not."""
    ended = (Order("MCHAT", 5, 6), Order("MCHAT", 7, first=False))
    running = (Order("IIC", 1),)
    customers = [
        Customer(BOB, CustomerState.OPEN, "400000002", orders=running),
        Customer(ALICE, CustomerState.CLOSED, orders=ended),
        Customer("13700137000", CustomerState.OPEN, "400000003"),
    ]
    await put(store, Commit(messages=in_order(1), customers=customers))
    assert list(reader.orders()) == [CustomerOrders(ALICE, ended), CustomerOrders(BOB, running)]


async def test_a_reader_sees_the_last_commit(store: Store, reader: Reader) -> None:
    """Every call sees what was committed before it, also what a reader gave before."""
    await put(store, Commit(messages=in_order(1), outgoing=[sms := leaving(2)]))
    assert numbers(reader) == [1]
    assert [each.number for each in reader.waiting(10)] == [2]
    await put(store, Commit(messages=in_order(3)))
    await close(store, sms, Delivery.SENT)
    assert numbers(reader) == [1, 3]
    assert reader.waiting(10) == []


async def test_commits_go_on_while_somebody_reads(store: Store, reader: Reader) -> None:
    """A commit does not wait for an iterator that is half used; the iterator goes on, each SMS once, in
    order."""
    await put(store, Commit(messages=[received(number) for number in range(MANY)]))
    found = []
    for sms in reader.journal():
        found.append(sms.number)
        if sms.number in {0, MANY // 2}:
            await put(store, Commit(messages=[received(MANY + sms.number)]))
    assert found[:MANY] == list(range(MANY))
    assert found == sorted(set(found))


async def test_a_store_is_read_when_nobody_has_it_open(engine: Engine, tmp_path: Path) -> None:
    """A closed store can be read, by two readers at once, and opened again beside them."""
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(messages=in_order(1)))
    with closing(engine.read(tmp_path)) as one, closing(engine.read(tmp_path)) as other:
        assert numbers(one) == numbers(other) == [1]
        async with opening(engine, tmp_path) as store:
            await put(store, Commit(messages=in_order(2)))
        assert numbers(one) == [1, 2]


def test_where_no_store_is(engine: Engine, tmp_path: Path) -> None:
    """A reader of no store is refused with its path, and makes none."""
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=engine.place(tmp_path)):
            engine.read(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_another_schema_is_refused(engine: Engine, tmp_path: Path) -> None:
    """A reader refuses a store of another version, and names both."""
    kind = durable(engine)
    await engine.open(tmp_path).close()
    kind.age(tmp_path)
    with pytest.raises(StoreUnusable, match=f"version {kind.version + 1}.*{kind.version}"):
        engine.read(tmp_path)
