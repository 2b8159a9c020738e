"""`stats` and `stats rebuild`: beside a running gateway, without one, and what is wrong."""

import asyncio
import csv
import io
import json
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.operations.figures.table import table
from gateway.storage.engines import open_reader
from gateway.storage.figures import PeriodKind, begin_of
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import RunningGateway, running_gateway
from tests.proofs.served import until

ALICE, BOB = "13800138000", "13900000002"


async def command(*words: str) -> int:
    """Run it in a thread: a gateway may answer it from this one."""
    return await asyncio.to_thread(main, [*words])


async def folded(gateway: RunningGateway) -> None:
    """All that is stored is in the figures."""
    consumer = gateway.app.figures.consumer
    assert consumer is not None
    await gateway.settle()
    await until(lambda: not consumer.backlog, "figures")


async def fill(gateway: RunningGateway) -> None:
    """Two customers open on 1 June 2007, one cancels on the 2nd; it is the 3rd."""
    alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
    await alice.send("KTFX", "161")
    await bob.send("KTFX", "12520")
    await gateway.advance(days=1)
    await bob.send("QXFX", "161")
    question = await bob.expect("取消飞信")
    await bob.send("是", question.sender)
    await gateway.advance(days=1)
    await folded(gateway)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """JSON Lines."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def damage(folder: Path) -> None:
    """Put wrong figures into a store of which nobody is the owner."""
    store = SqliteStore.open(folder / "fetion.db")
    store._db.execute("UPDATE figure SET count = 77 WHERE measure = 'uplink'")
    store.release()


async def test_figures_of_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By day, month, way, instruction and province; as JSON, as CSV, as a table."""
    async with running_gateway(tmp_path) as gateway:
        await fill(gateway)
    config, span = ["--config", str(tmp_path / "config.yaml")], ["--from", "2007-06-01", "--to", "2007-06-30"]
    assert main(["stats", *span, "--json", *config]) == 0
    first, second = printed(capsys)
    assert first == {
        "period": "2007-06-01",
        "received": 2,
        "received_parts": 2,
        "sent": 2,
        "failed": 0,
        "opened": 2,
        "cancelled": 0,
        "active": 2,
        "registered": 2,
    }
    assert (second["period"], second["cancelled"], second["active"], second["registered"]) == (
        "2007-06-02",
        1,
        1,
        1,
    )
    assert main(["stats", "--by", "month", *span, "--json", *config]) == 0
    [month] = printed(capsys)
    assert (month["period"], month["received"], month["active"], month["registered"]) == (
        "2007-06-01",
        4,
        2,
        1,
    )
    assert main(["stats", "show", "--by", "way", *span, "--csv", *config]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0][:2] == ["way", "received"]
    assert [row[:2] for row in rows[1:]] == [["12520", "2"], ["161", "2"]]
    assert main(["stats", "--by", "instruction", *span, *config]) == 0
    assert "service.open" in capsys.readouterr().out
    assert main(["stats", "--by", "province", *span, "--province", "999", *config]) == 0
    assert "no figures of these days, and no province 999 in the tables" in capsys.readouterr().out
    assert main(["stats", "--from", "2001-01-01", "--to", "2001-01-02", "--province", "200", *config]) == 0
    assert capsys.readouterr().out == "no figures of these days\n"


async def test_days_that_are_not_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the figures that they touch; the registered customers add up all days before."""
    async with running_gateway(tmp_path) as gateway:
        await fill(gateway)
        await gateway.app.store.mark_days(["2007-06-01", "2007-06-02", "2007-07-15"])
    config, said = ["--config", str(tmp_path / "config.yaml")], "figures of these days may not be complete"
    told = {
        ("--to", "2007-06-30"): "2007-06-01 - 2007-06-02",
        ("--by", "month", "--to", "2007-07-01"): "2007-06-01 - 2007-06-02, 2007-07-15",
        ("--by", "way", "--from", "2007-06-02", "--to", "2007-06-30"): "2007-06-02",
        ("--by", "day", "--from", "2007-06-03", "--to", "2007-06-03"): "2007-06-01 - 2007-06-02",
    }
    for words, days in told.items():
        assert main(["stats", *words, "--csv", *config]) == 0
        assert capsys.readouterr().err == f"fetion-gateway: {said}: {days}\n"
    assert main(["stats", "--by", "way", "--from", "2007-06-03", "--to", "2007-07-14", *config]) == 0
    assert capsys.readouterr().err == ""


async def test_a_rebuild_beside_the_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days that are over are counted again; today's are kept."""
    async with running_gateway(tmp_path) as gateway:
        await fill(gateway)
    damage(tmp_path)
    config = ["--config", str(tmp_path / "config.yaml")]
    span = ["--from", "2007-06-01", "--to", "2007-06-02"]
    async with running_gateway(tmp_path) as gateway:
        await gateway.advance(days=2)
        assert await command("stats", "rebuild", *span, "--json", *config) == 0
        assert [(each["day"], each["records"]) for each in printed(capsys)] == [
            ("2007-06-01", 6),
            ("2007-06-02", 5),
        ]
        assert await command("stats", "rebuild", *span, *config) == 0
        assert "2 days rebuilt" in capsys.readouterr().out
    assert main(["stats", *span, "--json", *config]) == 0
    assert [each["received"] for each in printed(capsys)] == [2, 2]


async def test_a_rebuild_without_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store alone does; what waits is folded first."""
    async with running_gateway(tmp_path) as gateway:
        await fill(gateway)
    damage(tmp_path)
    config = ["--config", str(tmp_path / "config.yaml")]
    assert await command("stats", "rebuild", "--from", "2007-06-01", "--to", "2007-06-02", *config) == 0
    said = capsys.readouterr().out
    assert "0 days rebuilt, 2 kept" in said  # in the years since, journal_days are over


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stats", "--from", "2007-06-02", "--to", "2007-06-01"], "is after"),
        (["stats", "--from", "2007-6-1"], "no day such as"),
        (["stats", "--province", "20"], "three digits"),
        (["stats", "--json", "--csv"], "exclude"),
        (["stats", "rebuild", "--to", "today"], "no day such as"),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Said at once, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said with the remedy."""
    config = tmp_path / "config.yaml"
    config.write_text("storage: {url: 'sqlite:///none.db', key_file: key}\n", "utf-8")
    for words in (["stats"], ["stats", "rebuild"]):
        assert main([*words, "--config", str(config)]) == 1
        assert "there is no store" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["2007-12-31", "2007-11-28", "2008-02-29", "2007-03-01"])
def test_the_periods_that_are_shown(end: str, tmp_path: Path) -> None:
    """31 days, 13 weeks, 12 months up to the last one, whatever day that is; early dates have fewer."""
    last = date.fromisoformat(end)
    path = tmp_path / "fetion.db"
    store = SqliteStore.open(path)
    store._db.executemany(
        "INSERT INTO figure VALUES (?, 'uplink', ?, '100', '161', '', 'done', 1, 1)",
        {
            (kind.value, begin_of(kind, last - timedelta(days=ago)).isoformat())
            for kind in PeriodKind
            for ago in range(500)
        },
    )
    store.release()
    with closing(open_reader(path)) as reader:
        for by, count in (("day", 31), ("week", 13), ("month", 12)):
            assert len(table(reader, by, last, None, end, None)[1]) == count
            assert table(reader, by, last, None, "0001-01-05", None)[1] == []
