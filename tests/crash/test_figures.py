"""Two nodes that count at once, of which one is killed and taken over: figures are a count of the records."""

from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from commands.tables import Tables
from gateway.settings import load
from gateway.storage.engines import open_reader
from gateway.storage.figures import PeriodKind
from tests.conftest import Report
from tests.crash.test_nodes import BETWEEN, SHORT_LEASE, finish, kill, pair
from tests.operations.figures.counts import Count, stored
from tests.postgresql import missing, schema_of, shared, url_of

pytestmark = [pytest.mark.skipif(bool(missing()), reason=missing()), pytest.mark.long]
WAITING = "SELECT count(*) FROM event WHERE family = 'figures'"


async def test_two_nodes_count(tmp_path: Path, report: Report) -> None:
    """One is killed and comes back, the other is killed and stays away: nothing is lost or counts twice."""
    async with pair(tmp_path, SHORT_LEASE, 1) as both:
        one, other = both.nodes
        both.load.begin_round(0)
        await both.go_on(BETWEEN)
        await kill(both, one)
        await both.go_on(BETWEEN)
        await kill(both, other, again=False)
        await both.go_on(BETWEEN)
        assert await finish(both, report) == []
    assert shared().execute(WAITING, schema_of(tmp_path)) == [(0,)]
    tables = Tables.load(load(None, {}).tables.folder)
    with closing(open_reader(url_of(tmp_path))) as reader:
        counted = Count(
            reader,
            ZoneInfo("Asia/Shanghai"),
            lambda msisdn: tables.home(msisdn) if msisdn else "000",
            lambda address: tables.routing.resolve(address).access_code,
        )
        for kind in PeriodKind:
            assert stored(reader, kind) == counted.of(kind)
        assert sum(row[0] for row in stored(reader, PeriodKind.DAY).values()) > 3 * BETWEEN
