"""A gateway that counts: SMS, events and products on their way, in the figures soon after."""

import time
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.operations.figures.consumer import EVERY
from gateway.storage.engines import open_reader
from gateway.storage.figures import Figures, PeriodKind
from gateway.storage.reader import Reader
from gateway.testing import RunningGateway, running_gateway
from tests.operations.figures.counts import Count, Counts, stored
from tests.proofs.served import until

ZONE = ZoneInfo("Asia/Shanghai")
ALICE, BOB = "13800138000", "13900000002"


async def folded(gateway: RunningGateway) -> None:
    """Wait until all that is stored is in the figures."""
    consumer = gateway.app.figures.consumer
    assert consumer is not None
    await gateway.settle()
    await until(lambda: not consumer.backlog, "figures")


def count(gateway: RunningGateway, reader: Reader) -> Count:
    """By brute force."""
    tables = gateway.app._in_force.tables
    return Count(reader, ZONE, tables.home, lambda address: tables.routing.resolve(address).access_code)


async def check(gateway: RunningGateway, folder: Path) -> Counts:
    """The figures equal a brute-force count. Gives those of days."""
    await folded(gateway)
    with closing(open_reader(folder / "fetion.db")) as reader:
        counted = count(gateway, reader)
        for kind in PeriodKind:
            assert stored(reader, kind) == counted.of(kind)
        return stored(reader, PeriodKind.DAY)


async def test_what_is_counted(tmp_path: Path) -> None:
    """Opening, buddies, nonsense, a product, a long SMS, a cancellation, over midnight and month's end."""
    async with running_gateway(tmp_path) as gateway:
        alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
        for phone, text in (
            (alice, "KTFX"),
            (bob, "KTFX"),
            (alice, f"HY#{BOB}"),
            (alice, "??"),
            (bob, "KTFXJY"),
            (bob, "是"),
        ):
            await phone.send(text, "161")
        await gateway.settle()
        await gateway.advance(days=29, hours=11, minutes=59, seconds=59)
        await bob.send("QXFX", to="12520")
        question = await bob.expect("取消飞信")
        await bob.send("是", question.sender)
        await gateway.advance(seconds=2)
        await alice.send("帮助" * 60, "161")
        found = await check(gateway, tmp_path)
    assert found["event", "2007-06-01", "100", "161", "service/opened", ""][0] >= 1
    assert {key[1] for key in found} == {"2007-06-01", "2007-06-30", "2007-07-01"}
    assert sum(times for key, (times, _) in found.items() if key[:4:3] == ("uplink", "12520")) == 2


async def test_a_fold_is_rare(tmp_path: Path) -> None:
    """However many commits there are, one fold each half second; a stop folds the rest."""
    async with running_gateway(tmp_path) as gateway:
        alice = await gateway.handset(ALICE)
        folds: list[int] = []
        fold = gateway.app.store.fold

        async def noted(name: str, sequence: int, figures: Figures, after: int | None = None) -> bool:
            folds.append(sequence)
            return await fold(name, sequence, figures, after)

        gateway.app.store.fold = noted  # type: ignore[method-assign,assignment]
        began = time.monotonic()
        for _ in range(10):
            await alice.send("KTFX", "161")
            await gateway.settle()
        assert len(folds) <= 2 + (time.monotonic() - began) / EVERY
    assert len(folds) >= 1
    with closing(open_reader(tmp_path / "fetion.db")) as reader:
        assert sum(row[0] for key, row in stored(reader, PeriodKind.DAY).items() if key[0] == "uplink") == 10


async def test_test_numbers_count_in_nothing(tmp_path: Path) -> None:
    """Nor do the SMS to them, or what they lead to; others do."""
    async with running_gateway(tmp_path, {"console": {"phones": [ALICE]}}) as gateway:
        alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
        await alice.send("KTFX", "161")
        await bob.send("KTFX", "161")
        await folded(gateway)
    with closing(open_reader(tmp_path / "fetion.db")) as reader:
        found = stored(reader, PeriodKind.DAY)
    assert {key[0]: times for key, (times, _) in found.items()} == {
        "uplink": 1,
        "downlink": 1,
        "event": 1,
        "order": 1,
        "active": 1,
    }


async def test_without_statistics(tmp_path: Path) -> None:
    """Nothing is counted, and nothing waits for it."""
    async with running_gateway(tmp_path, {"statistics": {"enabled": False}}) as gateway:
        await (await gateway.handset(ALICE)).send("KTFX", "161")
        await gateway.settle()
        assert gateway.app.store.last_counted == 0
