"""`replay`: recorded messages through the tables and handlers of today."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import commands.service
from commands.model import Hidden, ServiceLimits
from commands.service import Commands
from gateway.cli.main import main
from gateway.message import BY
from gateway.operations.replay import Replay
from gateway.processing.operator_bind import Action
from gateway.simulator.demo import SCENARIO, converse
from gateway.storage.engines import open_reader
from gateway.storage.reader import JournalRecord
from gateway.testing import NOON, running_gateway
from routing.table import Routing
from tests.proofs.served import accepted, bind, sms
from tests.support import ALICE, BOB, part_of_many

SCENARIOS = [SCENARIO, *sorted(Path(__file__).parents[1].joinpath("scenarios").glob("*.yaml"))]
TABLES = Path(commands.service.__file__).parent
MINUTE = 60.0
DETAIL = 17
"""The place of the column."""
INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def replay(limits: ServiceLimits | None = None) -> Replay:
    """With the shipped tables."""
    routing = Routing.load()
    return Replay(routing, Commands.load(routing), limits or ServiceLimits(), ZoneInfo("Asia/Shanghai"))


def journal(store: Path) -> list[JournalRecord]:
    """Everything in a store's journal."""
    with closing(open_reader(store)) as reader:
        return list(reader.journal())


def record(
    number: int,
    at: int,
    source: str,
    destination: str,
    instruction: str,
    outcome: str,
    text: str,
    detail: Mapping[str, Any] | None = None,
) -> JournalRecord:
    """An SMS that somebody sent; where it has an instruction, he is a customer."""
    msisdn = source if instruction else ""
    place = ("smsc", 0, 0, source, destination, msisdn, destination, "", "000")
    return JournalRecord(
        number, at, *place, 0, 0, 1, instruction, outcome, text, detail or {}, b"", 0, Hidden.NONE
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
async def test_what_just_happened_happens_again(scenario: Path, tmp_path: Path) -> None:
    """A journal that the code of today wrote has no difference, whatever was said in it."""
    async with running_gateway(tmp_path) as gateway:
        await converse(gateway.account, scenario=scenario, advance=gateway.advance_seconds)
    run = replay()
    assert list(run.run(journal(tmp_path / "fetion.db"))) == []
    assert run.compared > 1


async def test_what_the_journal_does_not_hold(tmp_path: Path) -> None:
    """Parts and masked texts are counted as skipped, and so are senders that are no mobiles, which older
    versions took; passwords, which are not there either, end as they did; a long message is compared as a
    whole."""
    attempt = "P abc12345"
    async with running_gateway(tmp_path) as gateway, await bind(gateway.account.port) as esme:
        for sender, to, text in (
            (ALICE, "161", "KTFX"),
            (BOB, "161", "KTFX"),
            (ALICE, "161", "P"),
            (ALICE, "12520050", "secret77"),
            (ALICE, "12520050", "x"),
            (ALICE, "161", attempt),
            (ALICE, "12520", f"HY#{BOB}"),
            (BOB, "1252003300001", "是"),
        ):
            await accepted(esme, sms(sender, to, text))
        for number, octets in ((1, b"first half, "), (2, b"second half")):
            await accepted(esme, part_of_many(7, 2, number, octets, to=f"12520{BOB}"))
        await gateway.settle()
    run = replay()
    machine = record(1 << 60, 0, "10086", "161", "", "refused", "")
    assert list(run.run([*journal(tmp_path / "fetion.db"), machine])) == []
    assert run.compared == 8
    assert run.skipped == {"part": 1, "no mobile": 1, "not stored": 1}


async def test_actions_of_operators_are_executed_again(tmp_path: Path) -> None:
    """With the SMS around them: what they changed matters to these. One that nobody knows now is skipped."""
    async with running_gateway(tmp_path) as gateway, await bind(gateway.account.port) as esme:
        act = gateway.app.actions.act
        await act(Action("r1", "li", "open", ALICE, "called"))
        await accepted(esme, sms(ALICE, "161", "NC#1"))
        for place, action in enumerate(("suspend", "open", "resume", *["reset_password"] * 6, "cancel")):
            await act(Action(f"s{place}", "li", action, ALICE, "called"))
        await accepted(esme, sms(ALICE, "161", "CXFX"))
        await gateway.settle()
    run = replay()
    rows = list(journal(tmp_path / "fetion.db"))
    unknown = replace(rows[0], detail={**rows[0].detail, BY: {"action": "promote"}})
    assert list(run.run([*rows, unknown])) == []
    assert (run.compared, run.skipped) == (13, {"unknown action": 1})


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """The store of a gateway to which somebody has opened and asked for his state."""
    async with running_gateway(tmp_path / "gateway") as gateway, await bind(gateway.account.port) as esme:
        for text in ("KTFX", "CXFX"):
            await accepted(esme, sms(ALICE, "161", text))
        await gateway.settle()
    return tmp_path / "gateway" / "fetion.db"


def tables_without(word: str, folder: Path) -> Path:
    """A folder with the instruction table, with another word in its place."""
    folder.mkdir()
    text = (TABLES / "appendix8.yaml").read_text("utf-8")
    (folder / "appendix8.yaml").write_text(text.replace(word, "QQQQ"), "utf-8")
    return folder


def test_a_changed_table_shows(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message that other tables understand otherwise is printed: id, what was, what is; exit 1."""
    tables = tables_without("CXFX", tmp_path / "tables")
    words = ["replay", "--journal", str(store), "--tables", str(tables)]
    assert main(words) == 1
    head, was, is_now, summary = capsys.readouterr().out.splitlines()
    number = journal(store)[1].number
    assert head == f"{number:016x}  {ALICE} -> 161  'CXFX'"
    assert was.startswith("  was  service.state  done  says service.state")
    assert is_now.startswith("  is   misunderstood  misunderstood  says ")
    assert summary == "2 compared, 1 differ; skipped: none"

    assert main([*words, "--json"]) == 1
    told, counts = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["message_id"], told["was"]["outcome"]) == (f"{number:016x}", "done")
    assert counts == {"compared": 2, "differ": 1, "skipped": {}}


def test_no_difference(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing differs: only the summary, exit 0. The store is as it was, octet by octet."""
    before = store.read_bytes()
    assert main(["replay", "--journal", str(store)]) == 0
    assert capsys.readouterr().out == "2 compared, 0 differ; skipped: none\n"
    assert store.read_bytes() == before


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A journal or tables that are not there are said in one line, exit 1."""
    assert main(["replay", "--journal", str(tmp_path / "none.db")]) == 1
    assert "none.db" in capsys.readouterr().err
    assert main(["replay", "--tables", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def rows_of(*texts: str, outcome: str = "done") -> Iterator[JournalRecord]:
    """Messages of one customer to 161, a second apart."""
    for number, text in enumerate(texts):
        given = {"given": {"fetion_numbers": ["512345678"]}}
        at = NOON + number * 1000
        yield record(number, at, ALICE, "161", "service.open", outcome, text, given)


def test_what_failed_changed_nothing() -> None:
    """A message that a bug had failed is shown with what it does now; what followed it is still compared with
    the world that it followed."""
    failed = next(rows_of("KTFX", outcome="failed"))
    add = record(1, NOON, ALICE, "161", "buddy.add", "done", f"HY#{BOB}")
    first, second = replay().run([failed, add])
    assert (first.was["outcome"], first.is_now["outcome"]) == ("failed", "done")
    assert second.is_now["outcome"] == "refused"  # he had not opened


def test_a_bug_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that raises now is shown as failed, with the kind of error, and the replay goes on."""
    run = replay()

    def handle(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Commands, "handle", handle)
    found = list(run.run(rows_of("KTFX", "KTFX")))
    assert [(each.is_now["outcome"], each.is_now["error"]) for each in found] == [
        ("failed", "ZeroDivisionError")
    ] * 2


def test_an_address_that_is_refused_now() -> None:
    """A destination that the tables of today do not know is a difference with its reason."""
    row = record(1, NOON, ALICE, "99999", "service.open", "done", "KTFX")
    [found] = replay().run([row])
    assert found.is_now["outcome"] == "rejected"
    assert found.is_now["reason"]


@pytest.mark.long
async def test_a_hundred_thousand_in_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A journal of 100,000 messages is replayed in under a minute, without a difference."""
    async with running_gateway(tmp_path) as gateway:
        await converse(gateway.account, advance=gateway.advance_seconds)
    count = multiply(tmp_path / "fetion.db", 100_000)
    began = time.perf_counter()
    assert main(["replay", "--journal", str(tmp_path / "fetion.db")]) == 0
    assert time.perf_counter() - began < MINUTE
    assert capsys.readouterr().out.startswith(f"{count} compared, 0 differ")
    assert count >= 100_000


def multiply(store: Path, wanted: int) -> int:
    """Repeat the conversation in a store's journal with other people, until there are so many messages."""
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute("SELECT * FROM journal ORDER BY number").fetchall()
        drawn = [given["fetion_numbers"] for row in rows if (given := json.loads(row[DETAIL]).get("given"))]
        numbers = [number for numbers in drawn for number in numbers]
        people = [ALICE, BOB, *numbers]
        for copy in range(1, -(-wanted // len(rows))):
            others = [
                f"{person[:-8]}{place * 20_000_000 + copy:08}" for place, person in enumerate(people[:2])
            ]
            others += [str(500_000_000 + copy * len(numbers) + place) for place in range(len(numbers))]
            names = dict(zip(people, others, strict=True))
            database.executemany(INSERT, [_renamed(row, names, copy) for row in rows])
        database.commit()
        return int(database.execute("SELECT count(*) FROM journal").fetchone()[0])


def _renamed(row: tuple[object, ...], names: dict[str, str], copy: int) -> list[object]:
    """A journal row of other people, later."""
    changed: list[object] = []
    for value in row:
        if isinstance(value, str):
            for old, new in names.items():
                value = value.replace(old, new)
        changed.append(value)
    number, at = row[:2]
    assert isinstance(number, int)
    assert isinstance(at, int)
    changed[:2] = number + copy * 1000, at + copy * 1000
    return changed
