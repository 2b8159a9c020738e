"""Actions of operators in every Store, and customers in every Reader."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from commands.model import Customer, CustomerState, Order, Question
from gateway.message import OPERATOR, Acted, Commit, Watermark
from gateway.storage.contract import Conflict, Store
from tests.contracts.engines import Engine, opening, put
from tests.support import ALICE, BOB, START_MS, received


def acted(request: str, number: int, at: int = START_MS) -> Acted:
    """An action."""
    return Acted(request, number, at, "li", "unlock", ALICE, "客户来电 '; --")


async def test_a_request_is_executed_once(engine: Engine, tmp_path: Path) -> None:
    """Known after another opening; the same request again is a Conflict, and nothing of it is stored."""
    async with opening(engine, tmp_path) as store:
        assert await store.actions([]) == {}
        await put(store, Commit(messages=[received(1)], acted=[acted("r1", 1), acted("r'2", 2)]))
        with pytest.raises(Conflict):
            await put(store, Commit(messages=[received(3)], acted=[acted("r3", 3), acted("r1", 4)]))
    async with opening(engine, tmp_path) as store:
        assert await store.actions(["r1", "r'2", "r3", "x"]) == {"r1": 1, "r'2": 2}
    with closing(engine.read(tmp_path)) as reader:
        assert reader.journal_record(3) is None


async def test_actions_are_forgotten_by_their_time(store: Store) -> None:
    """With the SMS of their days, some at a time."""
    many = [acted(f"r{n}", n, START_MS + n) for n in range(5)]
    await put(store, Commit(messages=[received(1)], acted=many, settled=Watermark(0, 0)))
    while await store.forget(START_MS + 4, 2) >= 2:
        pass
    assert await store.actions([each.request for each in many]) == {"r4": 4}


async def test_the_guard_does_not_hear_of_actions(store: Store) -> None:
    """The SMS that came lately are those of the handset."""
    row = received(2)._replace(account=OPERATOR)
    await put(store, Commit(messages=[received(1), row]))
    assert len(await store.recent(0, 10)) == 1


async def test_a_reader_gives_a_customer(engine: Engine, tmp_path: Path) -> None:
    """With all that is stored but the password; by mobile or Fetion number."""
    question = Question(7, "service.cancel", "12520", "", "", START_MS, START_MS + 5)
    customer = Customer(
        ALICE, CustomerState.OPEN, "888888888", START_MS, nickname="<b>'", password="hash", protected=True,
        refuse_until=START_MS, questions=(question,), orders=(Order("MCHAT", START_MS),),
    )  # fmt: skip
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(customers=[customer]))
        with closing(engine.read(tmp_path)) as reader:
            assert reader.customer(ALICE) == replace(customer, password="")
            assert (reader.customer(BOB), reader.holder("888888888")) == (None, ALICE)
            assert reader.holder("111111111") is None
