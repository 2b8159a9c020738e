"""`settle`: charging records out of a real store, as files that other programs read."""

import asyncio
import csv
import json
import stat
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from commands.model import Customer, CustomerState, Hidden, Order
from gateway.billing.settlement import COLUMNS, Span
from gateway.cli.main import main
from gateway.message import (
    OPERATOR,
    Commit,
    Delivery,
    Kind,
    MobileTerminated,
    PartReceipt,
    ProductRecord,
    message_id,
)
from gateway.settings import load
from gateway.simulator.handset import Centre
from gateway.storage.sqlite import reader as sqlite_reader
from gateway.testing import running_gateway
from tests.proofs.served import write_config
from tests.support import ALICE, BOB, at_once, leaving, received, store_at

CHINA = ZoneInfo("Asia/Shanghai")


def at(text: str) -> int:
    """Milliseconds of a moment in China, written "2007-02-28 10:00"."""
    return round(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose store holds a few days of 2007."""
    path = write_config(tmp_path, storage={"retention": {"journal_days": 100_000}})
    store = store_at(load(path, {}).storage.path)
    at_once(store.commit(some_days()))
    store.release()
    return path


def closed(
    number: int, when: str, state: Delivery, *, text: str = "好的", error: str = ""
) -> MobileTerminated:
    """An SMS of ours, caused by the SMS with the number before."""
    sms = leaving(number, BOB, text)
    sms.cause, sms.state, sms.error, sms.secret = number - 1, state, error, not text
    sms.parts, sms.parts_done, sms.closed_at = 2, 2 if state is Delivery.SENT else 1, at(when)
    return sms


def some_days() -> Commit:
    """Messages around the midnights of 1 and 3 March, orders of three customers."""
    whole = received(5, at=at("2007-03-02 09:00"))
    whole = whole._replace(parts=3, instruction="chat", text="字" * 180)
    part = received(4, at=at("2007-03-02 08:59"))
    part = part._replace(outcome="part", instruction="", text="")
    secret = received(6, at=at("2007-03-02 10:00"))
    secret = secret._replace(text="", hidden=Hidden.PASSWORD.value)
    refused = received(7, at=at("2007-03-03 23:59"))
    refused = refused._replace(outcome="refused", detail={"code": 520})
    machine = received(8, at=at("2007-03-02 11:00"), source="10658000")
    machine = machine._replace(msisdn="", instruction="", text="")
    early, late = received(1, at=at("2007-02-28 23:59")), received(9, at=at("2007-03-04 00:00"))
    answers = [
        closed(22, "2007-03-02 09:01", Delivery.SENT),
        closed(24, "2007-03-02 09:02", Delivery.FAILED, error="ESME_RINVDSTADR"),
        closed(26, "2007-03-02 09:03", Delivery.SENT, text=""),
        closed(28, "2007-03-04 00:00", Delivery.EXPIRED),
    ]
    answers[0].cause = 5
    orders = (Order("MCHAT", at("2007-02-28 10:00"), at("2007-03-01 09:00")),)
    free = (Order("MCHAT", at("2007-03-10 10:00"), at("2007-03-11 10:00")),)
    return Commit(
        messages=[early, part, whole, secret, refused, machine, late],
        customers=[
            Customer(ALICE, CustomerState.OPEN, "400000001", orders=orders),
            Customer(BOB, CustomerState.OPEN, "400000002", orders=free),
            Customer("13700137000", CustomerState.OPEN, "400000003"),
        ],
        outgoing=answers,
        closed=answers,
        products=[
            ProductRecord(1, ALICE, "MCHAT", "order", at("2007-02-28 10:00"), trial=True, province="100"),
            ProductRecord(2, ALICE, "MCHAT", "cancel", at("2007-03-01 09:00"), trial=False, province="100"),
            ProductRecord(3, BOB, "IIC", "order", at("2007-03-02 00:00"), trial=False, province="200"),
        ],
    )


def settle(config: Path, out: Path, first: str, last: str, *more: str) -> int:
    """Exit code of the command."""
    return main(["settle", "--from", first, "--to", last, "--out", str(out), "--config", str(config), *more])


def records(out: Path, name: str) -> list[dict[str, str]]:
    """What a file holds."""
    with open(out / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def column(found: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    """Some columns of all records."""
    return [tuple(record[name] for name in names) for record in found]


def test_uplink(config: Path, tmp_path: Path) -> None:
    """A message is one record, with the fee of every SMS it took, under the day it came in China."""
    assert settle(config, tmp_path / "out", "2007-03-01", "2007-03-03") == 0
    found = records(tmp_path / "out", "uplink")
    assert column(found, "record_id", "segments", "communication_fee", "fee_type", "length") == [
        (message_id(5), "3", "30", "02", "180"),
        (message_id(6), "1", "10", "02", ""),
        (message_id(7), "1", "10", "02", "4"),
        (message_id(8), "1", "0", "01", "0"),
    ]
    assert found[0]["submitted_at"] == "2007-03-02T09:00:00.000+08:00"
    assert column(found, "direction", "msisdn", "charged_msisdn", "result", "outcome")[2:] == [
        ("0", ALICE, ALICE, "520", "refused"),
        ("0", "10658000", "", "200", "done"),
    ]
    assert column(found, "service_code", "service_id", "access_number", "home_province")[0] == (
        *("IIC", "chat", "161"),
        "100",
    )


def test_an_operators_action_is_no_uplink(tmp_path: Path) -> None:
    """The customer sent nothing, so he pays for no SMS. Orders, and SMS to him, have their records."""
    path = write_config(tmp_path, storage={"retention": {"journal_days": 100_000}})
    store = store_at(load(path, {}).storage.path)
    commit = some_days()
    commit.messages[2] = commit.messages[2]._replace(account=OPERATOR)
    at_once(store.commit(commit))
    store.release()
    assert settle(path, tmp_path / "out", "2007-03-01", "2007-03-03") == 0
    uplink = column(records(tmp_path / "out", "uplink"), "record_id")
    assert uplink == [(message_id(each),) for each in (6, 7, 8)]
    assert len(records(tmp_path / "out", "downlink")) == 3
    assert len(records(tmp_path / "out", "product")) == 2


def test_phones_of_the_console_are_not_charged(tmp_path: Path) -> None:
    """They count in no figure, and in no file."""
    more = {"console": {"phones": [BOB]}, "storage": {"retention": {"journal_days": 100_000}}}
    path = write_config(tmp_path, **more)
    store = store_at(load(path, {}).storage.path)
    commit = some_days()
    commit.messages[2] = commit.messages[2]._replace(msisdn=BOB, source=BOB)
    at_once(store.commit(commit))
    store.release()
    assert settle(path, tmp_path / "out", "2007-03-01", "2007-03-31") == 0
    found = {name: {row["msisdn"] for row in records(tmp_path / "out", name)} for name in COLUMNS}
    assert found == {"uplink": {ALICE, "10658000"}, "downlink": set(), "product": {ALICE}, "month": {ALICE}}


def test_downlink(config: Path, tmp_path: Path) -> None:
    """An SMS of ours is a record of the day it was closed, free, with the instruction that led to it."""
    settle(config, tmp_path / "out", "2007-03-02", "2007-03-03")
    found = records(tmp_path / "out", "downlink")
    assert column(
        found, "record_id", "cause_id", "service_id", "outcome", "result", "segments", "length"
    ) == [
        (message_id(22), message_id(5), "chat", "sent", "200", "2", "2"),
        (message_id(24), message_id(23), "", "failed", "ESME_RINVDSTADR", "1", "2"),
        (message_id(26), message_id(25), "", "sent", "200", "2", ""),
    ]
    assert {record["fee_type"] for record in found} == {"01"}
    assert found[0]["completed_at"] == "2007-03-02T09:01:00.000+08:00"
    assert column(found, "direction", "msisdn", "access_number")[0] == ("1", BOB, "161")


def test_what_receipts_say(tmp_path: Path) -> None:
    """Delivered is success, undelivered is none; a receipt of ours is no record."""
    path = write_config(tmp_path)
    store = store_at(load(path, {}).storage.path)
    ours = [closed(number, "2007-03-02 09:01", Delivery.SENT) for number in (22, 24, 26)]
    ours[2].kind, ours[2].msisdn = Kind.RECEIPT, ""
    outcomes = {22: Delivery.DELIVERED, 24: Delivery.UNDELIVERED}
    at_once(store.commit(Commit(outgoing=ours, closed=ours)))
    at_once(store.commit(Commit(outcomes=outcomes, receipts=[PartReceipt(22, 1, 1, BOB, "smsc", "1", 1)])))
    store.release()
    settle(path, tmp_path / "out", "2007-03-02", "2007-03-03")
    found = records(tmp_path / "out", "downlink")
    assert column(found, "record_id", "outcome", "result") == [
        (message_id(22), "delivered", "200"),
        (message_id(24), "undelivered", "undelivered"),
    ]


def test_products(config: Path, tmp_path: Path) -> None:
    """An order or cancellation is a record, with its trial and the monthly fee of the product."""
    settle(config, tmp_path / "out", "2007-03-01", "2007-03-03")
    found = records(tmp_path / "out", "product")
    assert column(found, "record_id", "service_code", "operation", "trial", "msisdn", "month_fee") == [
        (message_id(2), "MCHAT", "cancel", "0", ALICE, "500"),
        (message_id(3), "IIC", "order", "0", BOB, "0"),
    ]
    assert column(found, "fee_type", "home_province") == [("03", "100"), ("01", "200")]


def test_months(config: Path, tmp_path: Path) -> None:
    """A month is settled once it has ended: free hours cost nothing, the rest of 2007's examples the fee."""
    settle(config, tmp_path / "out", "2007-02-01", "2007-03-30")
    assert column(records(tmp_path / "out", "month"), "month", "msisdn", "month_fee", "fee_type") == [
        ("2007-02", ALICE, "0", "01")
    ]
    settle(config, tmp_path / "out", "2007-02-28", "2007-03-31")
    assert column(records(tmp_path / "out", "month"), "month", "msisdn", "month_fee", "fee_type") == [
        ("2007-02", ALICE, "0", "01"),
        ("2007-03", ALICE, "500", "03"),
        ("2007-03", BOB, "0", "01"),
    ]


def test_files(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are RFC 4180 in UTF-8, whole, for their owner alone; a second run gives the same octets."""
    out = tmp_path / "deep" / "out"
    assert settle(config, out, "2007-03-01", "2007-03-03", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"uplink": 4, "downlink": 3, "product": 2, "month": 0}
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(before) == {f"{name}.csv" for name in COLUMNS}
    for name, columns in COLUMNS.items():
        octets = before[f"{name}.csv"]
        assert octets.startswith(",".join(columns).encode() + b"\r\n")
        assert octets.endswith(b"\r\n")
        assert stat.S_IMODE((out / f"{name}.csv").stat().st_mode) == 0o600
    assert settle(config, out, "2007-03-01", "2007-03-03") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_days_without_records(config: Path, tmp_path: Path) -> None:
    """Days on which nothing happened give files with names of columns and nothing else."""
    assert settle(config, tmp_path, "2006-01-01", "2006-01-01") == 0
    assert all(records(tmp_path, name) == [] for name in COLUMNS)


def test_pages(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are read at a time, the files are the same."""
    settle(config, tmp_path / "all", "2007-02-01", "2007-03-31")
    monkeypatch.setattr(sqlite_reader, "PAGE", 1)
    settle(config, tmp_path / "each", "2007-02-01", "2007-03-31")
    for name in COLUMNS:
        assert records(tmp_path / "each", name) == records(tmp_path / "all", name)


def test_the_store_is_only_read(config: Path, tmp_path: Path) -> None:
    """Settling changes no row, and works beside a gateway that has the store open."""
    store = store_at(load(config, {}).storage.path)
    before = list(store._db.iterdump())
    assert settle(config, tmp_path / "out", "2007-03-01", "2007-03-03") == 0
    assert list(store._db.iterdump()) == before
    store.release()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--from", "2007-03-02", "--to", "2007-03-01", "--out", "x"], 2, "is after"),
        (["--from", "1 March", "--to", "2007-03-01", "--out", "x"], 2, "'1 March' is no day"),
        (["--from", "2007-03-01", "--to", "9999-12-31", "--out", "x"], 2, "no records of the year 9999"),
        (["--from", "2007-03-01", "--to", "2007-03-01"], 2, "--out"),
    ],
)
def test_wrong_usage(words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Days that are none, or in the wrong order: exit 2, and why."""
    try:
        left = main(["settle", *words])
    except SystemExit as leaving_with:
        left = int(leaving_with.code or 0)
    assert left == code
    assert told in capsys.readouterr().err


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a store: exit 1, with its path and no file left behind."""
    config = write_config(tmp_path)
    assert settle(config, tmp_path / "out", "2007-03-01", "2007-03-01") == 1
    assert "fetion.db" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_out_is_no_folder(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the files cannot be written: exit 1, and which place."""
    (tmp_path / "file").write_text("")
    assert settle(config, tmp_path / "file", "2007-03-01", "2007-03-01") == 1
    assert "file" in capsys.readouterr().err


def test_old_days_are_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days older than the journal is kept: a warning, for their files may lack records."""
    config = write_config(tmp_path)
    store_at(load(config, {}).storage.path).release()
    assert settle(config, tmp_path / "out", "2007-03-01", "2007-03-01") == 0
    assert "storage.retention.journal_days" in capsys.readouterr().err


def test_span() -> None:
    """Days include the last one; a month belongs to the days when its last day does."""
    span = Span(date(2007, 1, 31), date(2007, 3, 30), CHINA)
    assert (span.begin, span.end) == (at("2007-01-31 00:00"), at("2007-03-31 00:00"))
    assert list(span.months()) == [(2007, 1), (2007, 2)]


async def order_matching(folder: Path) -> None:
    """A gateway with its store in `folder`, and a handset that orders matching."""
    async with (
        running_gateway(folder) as gateway,
        await Centre.connect(gateway.account, [ALICE]) as centre,
    ):
        alice = centre.handsets[ALICE]
        await alice.send("KTFX", to="12520")
        await alice.expect("飞信号")
        await alice.send("KTFXJY", to="10086")
        question = await alice.expect("每月5元")
        await alice.send("是", to=question.sender)
        await alice.expect("开通成功")


def test_what_a_conversation_costs(tmp_path: Path) -> None:
    """Matching ordered over the air is in the files: three texts, their answers, two products."""
    asyncio.run(order_matching(tmp_path))
    config = write_config(tmp_path, storage={"url": f"sqlite:///{next(tmp_path.rglob('*.db'))}"})
    assert settle(config, tmp_path / "out", "2007-01-01", "2199-12-31") == 0
    uplink = records(tmp_path / "out", "uplink")
    assert column(uplink, "service_id", "outcome") == [
        ("service.open", "done"),
        ("matching.open", "asked"),
        ("answer.yes", "done"),
    ]
    assert sorted(column(records(tmp_path / "out", "product"), "service_code", "trial")) == [
        ("IIC", "0"),
        ("MCHAT", "1"),
    ]
    assert column(records(tmp_path / "out", "downlink"), "outcome") == [("sent",)] * 3
