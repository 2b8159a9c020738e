"""The end of the series of SMS numbers: nothing is numbered twice, and no SMS is refused for it."""

from pathlib import Path

import pytest

from gateway import message_numbers
from gateway.message import message_id
from gateway.message_numbers import COUNTER, RESERVE, RUNS, MessageNumbers, NumbersUsedUp
from gateway.storage.contract import StoreUnusable
from gateway.storage.sqlite.store import SqliteStore
from tests.processing.machine_service import live_gateway
from tests.proofs.served import accepted, bind, delivered, rows, sms
from tests.support import store_at, store_of


def test_a_run_goes_over_into_the_one_that_the_store_gave() -> None:
    """Near its end the series wants another run; the numbers go on there, each once."""
    near = MessageNumbers(0, 3, COUNTER - RESERVE)
    wanted = [near.wants_run]
    near.add_run(5)
    assert [*wanted, near.wants_run] == [True, False]
    numbers = MessageNumbers(0, 3, COUNTER - 3)
    numbers.add_run(5)
    drawn = [numbers.draw() for _ in range(4)]
    assert drawn == [(3 << 32) + COUNTER - 2, (3 << 32) + COUNTER - 1, (5 << 32) + 1, (5 << 32) + 2]


def test_the_end_without_another_run() -> None:
    """No number of the next process is given: drawing raises, and whoever asks first knows it."""
    numbers = MessageNumbers(0, 3, COUNTER - 2)
    last = numbers.draw()
    assert last == (4 << 32) - 1
    used_up = [numbers.used_up]
    with pytest.raises(NumbersUsedUp):
        numbers.draw()
    numbers.add_run(4)
    assert [*used_up, numbers.used_up] == [True, False]
    assert numbers.draw() == (4 << 32) + 1


def test_the_widest_number_has_sixteen_digits() -> None:
    """Node, run and counter at their ends give a message id of 16 digits that SQLite keeps as it is."""
    numbers = MessageNumbers(127, RUNS - 1, COUNTER - 2)
    assert message_id(numbers.draw()) == "7fffffffffffffff"


def test_a_store_without_another_run_is_refused(tmp_path: Path) -> None:
    """When the runs of a store are used up it says so and names the remedy, instead of beginning again."""
    store = store_at(tmp_path / "fetion.db")
    store._db.execute("UPDATE meta SET value = ? WHERE key = 'run'", (RUNS - 1,))
    store.release()
    with pytest.raises(StoreUnusable, match=r"runs are used up.*set storage\.url to a new store"):
        SqliteStore.open(tmp_path / "fetion.db")


async def test_a_gateway_at_the_end_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run has 60 numbers only: 100 SMS with their replies are numbered once each, over three runs and a
    restart."""
    monkeypatch.setattr(message_numbers, "COUNTER", 60)
    monkeypatch.setattr(message_numbers, "RESERVE", 30)
    ids: list[str] = []
    for _ in range(2):
        async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
            for number in range(50):
                ids.append(await accepted(esme, sms(f"138001380{number:02}", "161", "CXFX")))
                await delivered(esme)
    assert len(set(ids)) == 100
    numbers = [
        row["number"]
        for row in rows(store_of(tmp_path), "SELECT number FROM journal UNION SELECT number FROM outbox")
    ]
    assert len(numbers) == 200
    assert len({number >> 32 for number in numbers}) >= 4
