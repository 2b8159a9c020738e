"""`status`: what the screen shows of a gateway, and the exit code that health checks read."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.cli.main import main
from gateway.cli.status import NOT_RUNNING, duration, octets, screen
from tests.cli.test_inspect import ask
from tests.proofs.served import accepted, bind, delivered, inside, serving, sms, until, write_config
from tests.proofs.test_store_faults import TriedStore

ALICE = "13800138000"


def status(config: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", "status", "--config", str(config), *words],
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_process_from_start_to_end(tmp_path: Path) -> None:
    """Not running 3, nobody bound 0, and 3 again after its end, with the reason and the remedy."""
    config = write_config(tmp_path)
    assert status(config).returncode == NOT_RUNNING
    async with serving(config) as served:
        running = await asyncio.to_thread(status, config)
        assert (running.returncode, running.stderr) == (0, "")
        assert await served.stop() == 0
    stopped = status(config)
    assert stopped.returncode == NOT_RUNNING
    assert stopped.stdout.splitlines()[0] == "not running"
    assert "no gateway runs on" in stopped.stdout
    assert stopped.stdout.splitlines()[-1].startswith("remedy    ")
    lines = running.stdout.splitlines()
    assert lines[0] == "healthy"
    assert re.fullmatch(r"up +\d+ s, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d Asia/Shanghai", lines[1])
    assert re.fullmatch(rf"process +{served.process.pid}, version [\w.]+, tables \w+\.\w+", lines[2])
    assert re.fullmatch(r"binds +smsc: not bound", lines[3])
    assert re.fullmatch(r"rates +in 0\.0/s, out 0\.0/s over the last \d+ s", lines[4])
    assert re.fullmatch(r"outbox +0 wait, 0 of them sent and unanswered; 0 parked", lines[5])
    assert re.fullmatch(
        rf"store +{tmp_path}/var/fetion\.db, [\d.]+ KiB; [\d.]+ \w+ free on its disk", lines[6]
    )
    assert re.fullmatch(r"log +0 lines lost", lines[7])


async def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json has the same in one object on one line: binds by mode, what came and left, what waits."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port, "transmitter") as sender:
        async with await bind(gateway.port) as handset:
            await accepted(handset, sms(ALICE, "161", "KTFX"))
            await delivered(handset)
            await gateway.drained()
            code, out, _ = await ask(capsys, config, "status", "--json")
            assert gateway.binds.totals() == (1, 1)
        await until(lambda: len(gateway.binds.all()) == 1, "the unbind")
        await accepted(sender, sms("13800138001", "161", "KTFX"))
        assert gateway.binds.totals() == (2, 1)
        _, later, _ = await ask(capsys, config, "status", "--json")
    report, after = json.loads(out), json.loads(later)
    assert (code, out.count("\n")) == (0, 1)
    assert (report["running"], report["healthy"], report["faults"]) == (True, True, [])
    assert report["binds"] == {"smsc": {"transceiver": 1, "transmitter": 1}}
    assert after["binds"] == {"smsc": {"transmitter": 1}}
    assert report["rates"]["in_per_s"] > 0
    assert report["outbox"] == {"depth": 0, "in_flight": 0, "limit": 100_000, "full": False, "parked": 0}
    assert after["outbox"]["depth"] == 1
    assert report["tables"] == gateway.tables
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", report["started_at"])


async def test_a_store_that_fails_is_not_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 with the reason while batches are not stored, and 0 when they are again."""
    config = write_config(tmp_path)
    stores: list[TriedStore] = []

    def open_store(path: Path) -> TriedStore:
        stores.append(TriedStore.of(path))
        return stores[-1]

    async with inside(config, open_store=open_store) as gateway, await bind(gateway.port) as handset:
        stores[0].broken = True
        await handset.submit(sms(ALICE, "161", "KTFX"))
        code, out, _ = await ask(capsys, config, "status")
        stores[0].broken = False
        response = await handset.submit(sms(ALICE, "161", "KTFX"))
        while response.command_status:
            response = await handset.submit(sms(ALICE, "161", "KTFX"))
        again, _, _ = await ask(capsys, config, "status")
    assert (code, again) == (1, 0)
    assert out.splitlines()[0] == "not healthy"
    assert re.match(r"fault +for [\d.]+ s the store has failed, and SMS are refused", out.splitlines()[1])


def test_a_configuration_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is known of the gateway: the faults are printed, and it is not taken for healthy."""
    config = tmp_path / "config.yaml"
    config.write_text("smpp: 7\n", "utf-8")
    with pytest.raises(SystemExit) as left:
        main(["status", "--config", str(config)])
    assert left.value.code == 1
    assert "config.yaml:1: smpp" in capsys.readouterr().err


def test_what_the_screen_says_of_events_and_parked_sms() -> None:
    """A line for each consumer; parked SMS with where to look; what the system does not say is a ?."""
    lines = screen(
        {
            "started_at": 0,
            "up_s": 3700.0,
            "pid": 1,
            "version": "1",
            "tables": "a.b",
            "binds": {"a": {"receiver": 2, "transmitter": 1}},
            "rates": {"in_per_s": 1.0, "out_per_s": 2.0, "over_s": 60.0},
            "outbox": {"depth": 3, "in_flight": 1, "parked": 2},
            "store": {"path": "x.db", "size": 3 << 20, "free": None},
            "log": {"lost": 4},
            "events": {"mqtt": {"waiting": 5, "parked": 6, "dropped": 7, "fault": "Not authorized"}},
        },
        ZoneInfo("Asia/Shanghai"),
    )
    said = dict(lines)
    assert said["up"] == "1 h 1 min, since 1970-01-01 08:00:00 Asia/Shanghai"
    assert said["binds"] == "a: 2 receiver, 1 transmitter"
    assert said["outbox"] == "3 wait, 1 of them sent and unanswered; 2 parked (outbox list shows them)"
    assert said["store"] == "x.db, 3.0 MiB; ? free on its disk"
    assert said["events"] == "mqtt: 5 wait, 6 parked, 7 dropped; no connection: Not authorized"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
)
def test_durations(seconds: float, shown: str) -> None:
    """In the two largest units."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")]
)
def test_octets(count: int, shown: str) -> None:
    """In the unit that fits."""
    assert octets(count) == shown
