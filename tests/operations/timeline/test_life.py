"""The life of an SMS is read from a store, and read again."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.message import PART, Commit, Delivery, PartReceipt
from gateway.operations.timeline.life import FORWARDING, is_over, life_again, life_of, record_in
from gateway.operations.timeline.steps import Life
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore
from tests.contracts.test_reader_trace import part, whole
from tests.operations.timeline.test_steps import outgoing
from tests.support import ALICE, BOB, START_MS, attempt_of, leaving, received


async def test_it_is_read_again(tmp_path: Path) -> None:
    """What has moved meanwhile is found, as if it were read for the first time; it is over with the last SMS
    out."""
    store = SqliteStore.open(tmp_path / "fetion.db")
    replies = [leaving(2, ALICE), leaving(3, BOB)]
    for each in replies:
        each.cause = 1
    await store.commit(Commit(messages=[received(1)], outgoing=replies))
    with closing(SqliteReader.open(tmp_path / "fetion.db")) as reader:
        first = life_of(1, reader)
        assert not is_over(first)
        for each in replies:
            each.state, each.closed_at, each.attempts = Delivery.SENT, START_MS, 2
        await store.commit(Commit(closed=replies, attempts=[attempt_of(2, 1)]))
        again = life_again(first, 1, reader)
        assert again == life_of(1, reader)
        assert len(again.attempts[2]) == 1
        assert is_over(again)
        assert record_in(again, 3) == reader.downlink(3)
        assert record_in(again, 4) is None
    await store.close()


def test_a_receipt_is_waited_for() -> None:
    """An SMS that was sent is not over before its receipts have come, or their time is up."""
    sms = outgoing()
    awaited = PartReceipt(2, 1, 1, ALICE, "smsc", "7", START_MS, until=START_MS + 1)
    assert not is_over(Life(None, (), [sms], {}, receipts={2: [awaited]}))
    assert is_over(Life(None, (), [sms], {}, receipts={2: [awaited._replace(until=0)]}))


@pytest.mark.parametrize("instruction", [FORWARDING, "open"])
async def test_a_province_may_answer_later(tmp_path: Path, instruction: str) -> None:
    """Until then an SMS to it is not over; its reply is found."""
    store = SqliteStore.open(tmp_path / "fetion.db")
    await store.commit(Commit(messages=[received(1)._replace(instruction=instruction, outcome="done")]))
    with closing(SqliteReader.open(tmp_path / "fetion.db")) as reader:
        life = life_of(1, reader)
        assert is_over(life) == (instruction != FORWARDING)
        reply = leaving(2)
        reply.cause = 1
        await store.commit(Commit(outgoing=[reply]))
        assert [each.number for each in life_again(life, 1, reader).outgoing] == [2]
    await store.close()


async def test_a_part_waits_for_its_whole(tmp_path: Path) -> None:
    """It is not over before that, then it is that."""
    store = SqliteStore.open(tmp_path / "fetion.db")
    await store.commit(Commit(messages=[part(1)]))
    with closing(SqliteReader.open(tmp_path / "fetion.db")) as reader:
        life = life_of(1, reader)
        assert life.message is not None
        assert life.message.outcome == PART
        assert not is_over(life)
        await store.commit(Commit(messages=[whole(2, 1)]))
        joined = life_again(life, 1, reader)
        assert is_over(joined)
        assert record_in(joined, 1) == reader.journal_record(1)
        assert record_in(joined, 2) == reader.journal_record(2)
    await store.close()
