"""A page of a search is bounded, whatever is in the store."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.operations.console.messages import searching
from gateway.operations.console.messages.query import IN, OUT, Query
from gateway.operations.console.messages.searching import PER_PAGE, Results, search
from gateway.storage.reader import Position, Wanted
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore
from tests.support import ALICE, BOB, START_MS, leaving, received, routing

ROWS = 3_000


async def filled(folder: Path) -> Path:
    """A store of many SMS of Alice, in and out, of which the first two are Bob's."""
    path = folder / "fetion.db"
    store = SqliteStore.open(path)
    messages, outgoing = [], []
    for n in range(1, ROWS + 1):
        msisdn = BOB if n <= 2 else ALICE
        messages.append(received(n, at=START_MS + n)._replace(msisdn=msisdn, instruction="open"))
        sms = leaving(n + ROWS, msisdn)
        sms.cause, sms.at = n, START_MS + n
        outgoing.append(sms)
    await store.commit(Commit(messages=messages, outgoing=outgoing))
    await store.close()
    return path


def asked(reader: SqliteReader, query: Query, *, sees: str = "") -> Results:
    """One page, for headquarters or for a province."""
    return search(reader, query, routing().home, (lambda code: code == sees) if sees else None)


async def test_a_page_is_full_soon(tmp_path: Path) -> None:
    """Where everything is wanted, few SMS are looked at; the next page goes on behind it."""
    with closing(SqliteReader.open(await filled(tmp_path))) as reader:
        first = asked(reader, Query(IN, Wanted(), ()))
        second = asked(reader, Query(IN, Wanted(), first.before))
    assert [hit.number for hit in first.hits] == list(range(ROWS, ROWS - PER_PAGE, -1))
    assert second.hits[0].number == ROWS - PER_PAGE
    assert first.rows <= searching.FIRST


@pytest.mark.parametrize("direction", [IN, OUT])
async def test_a_page_looks_at_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    """Where nothing is found soon, a page ends and says how far it looked; going on finds everything."""
    monkeypatch.setattr(searching, "MOST", 700)
    pages, found, before = 0, list[str](), Position()
    with closing(SqliteReader.open(await filled(tmp_path))) as reader:
        steps = list[int]()
        reader._db.set_progress_handler(lambda: steps.append(1), 1_000)
        while pages == 0 or before:
            results = asked(reader, Query(direction, Wanted(handset=BOB), before))
            pages, before = pages + 1, results.before
            found += [hit.home for hit in results.hits]
            assert results.rows <= 700
            assert len(steps) < 100, "thousands of steps of the engine, for 700 rows"
            steps.clear()
    assert found == ["210", "210"]
    assert pages == -(-ROWS // 700)


async def test_a_province_finds_its_own(tmp_path: Path) -> None:
    """By the homes of customers."""
    query = Query(IN, Wanted(), ())
    with closing(SqliteReader.open(await filled(tmp_path))) as reader:
        shanghai = asked(reader, query, sees="210")
        guangdong = asked(reader, query, sees="200")
        nobody = asked(reader, replace(query, wanted=Wanted(handset=ALICE)), sees="210")
    assert [hit.number for hit in shanghai.hits] == [2, 1]
    assert (guangdong.hits, guangdong.before, guangdong.rows) == ([], (), ROWS)
    assert nobody.hits == []


async def test_sms_out_have_the_instruction_of_their_cause(tmp_path: Path) -> None:
    """It is looked up for each that is shown."""
    with closing(SqliteReader.open(await filled(tmp_path))) as reader:
        results = asked(reader, Query(OUT, Wanted(), ()))
    assert {(hit.instruction, hit.result) for hit in results.hits} == {("open", "waiting")}
