"""A rebuild while retention deletes what it counts."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gateway.message import Commit, Watermark
from gateway.operations.figures.rebuild import Rebuilding
from gateway.settings import load
from gateway.storage.figures import PeriodKind
from tests.operations.figures.counts import stored
from tests.operations.figures.test_history import MOBILES, PLACE, History
from tests.support import received

DAY = date(2007, 3, 1)
KEPT_DAYS = 4


async def test_records_go_while_a_day_is_counted() -> None:
    """Midnight passes, and retention takes the SMS of the oldest day: its figures stay as they are,
    and those of the next one, of which some may be gone."""
    history = History("Asia/Shanghai")
    store, noon = history.store, round(datetime(2007, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000
    for number in range(1, 10):
        at = noon + (number - 1) // 3 * 86_400_000
        commit = Commit(messages=[received(number, source=MOBILES[number % 5], at=at)])
        history.counting.note(commit, at)
        await store.commit(commit)
    await store.commit(Commit(settled=Watermark(number, at)))
    await history.consumer.catch_up()
    before = stored(history.stores.open_reader(PLACE), PeriodKind.DAY)
    today = [DAY + timedelta(days=KEPT_DAYS - 1)]
    readers = []

    def reader() -> Any:
        readers.append(today[0])
        if len(readers) == 2:  # it is about to count
            assert asyncio.run(store.forget(noon + 1, 100)) == 3
            today[0] += timedelta(days=1)
        return history.stores.open_reader(PLACE)

    settings = load(None, {"FETION__STORAGE__RETENTION__JOURNAL_DAYS": str(KEPT_DAYS)})
    rebuilding = Rebuilding(store, reader, history._recounting, settings, lambda: today[0], history.consumer)
    items = [item async for some in rebuilding.run("", "") for item in some]
    assert [item["day"] for item in items if item.get("gone")] == ["2007-03-01", "2007-03-02"]
    assert [item["day"] for item in items if item.get("done")] == ["2007-03-03"]
    assert stored(history.stores.open_reader(PLACE), PeriodKind.DAY) == before
