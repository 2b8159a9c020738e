"""Tables that are replaced while SMS come: each SMS has one version from its reading to its replies."""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.tables import Tables
from gateway.operations.control import CommandRefused, ask, follow
from gateway.simulator.esme import Esme
from gateway.smpp.pdus import DeliverSm
from gateway.testing import running_gateway
from tests.operations.swapped import TEXTS, UNLIMITED, VERSIONS, answers, write_version
from tests.processing.machine_service import LiveGateway, live_gateway
from tests.proofs.served import accepted, bind, delivered, events, lines, rows, sms, text_of, until
from tests.support import store_of

JOURNAL = """SELECT msisdn, text, instruction, json_extract(detail, '$.tables') AS tables
    FROM journal ORDER BY number"""


@asynccontextmanager
async def swapping(folder: Path) -> AsyncIterator[LiveGateway]:
    """A gateway with version A in its folder."""
    write_version(folder / "tables", "A")
    async with live_gateway(folder, tables={"folder": str(folder / "tables")}, limits=UNLIMITED) as live:
        yield live


async def reload(live: LiveGateway, dry_run: str = "no") -> list[dict[str, Any]]:
    """Reload over the control socket: all that is answered, but that it has begun."""
    asked = follow(store_of(live.folder), "tables reload", 60, dry_run=dry_run)
    return [item async for item in asked if "reading" not in item]


async def sending(esme: Esme, over: asyncio.Event, sent: dict[str, str]) -> None:
    """Send wave after wave, each SMS from a handset of its own, until it is over."""
    random = Random(7)
    while not over.is_set():
        wave = {f"1380{len(sent) + place:07d}": random.choice(TEXTS) for place in range(40)}
        await asyncio.gather(*(accepted(esme, sms(who, "161", text)) for who, text in wave.items()))
        sent |= wave


async def receiving(esme: Esme, got: dict[str, str]) -> None:
    """Note what each handset gets."""
    while True:
        delivery = await esme.inbox.get()
        assert isinstance(delivery, DeliverSm)
        got[delivery.destination_addr] = text_of(delivery)


@pytest.mark.parametrize("swaps", [6, pytest.param(100, marks=pytest.mark.long)])
async def test_tables_are_swapped_under_load(tmp_path: Path, swaps: int) -> None:
    """Every SMS is handled by one version, which its journal row and its log line name: what was understood
    and the sentence of the reply are of that version. None is refused, none is lost."""
    sent: dict[str, str] = {}
    got: dict[str, str] = {}
    over = asyncio.Event()
    async with swapping(tmp_path) as live, await bind(live.port) as esme:
        names = {live.gateway.tables: "A"}
        tasks = [asyncio.create_task(sending(esme, over, sent)), asyncio.create_task(receiving(esme, got))]
        for swap in range(1, swaps + 1):
            write_version(tmp_path / "tables", VERSIONS[swap % 2])
            [head, *changes] = await reload(live)
            assert head["applied"]
            assert {change["kind"] for change in changes} <= {"changed", "added", "removed"}
            names[head["version"]] = VERSIONS[swap % 2]
            seen = len(sent)
            await until(lambda seen=seen: len(sent) > seen, "SMS between two swaps")  # type: ignore[misc]
        over.set()
        await tasks[0]
        await until(lambda: len(got) == len(sent), "a reply to each SMS")
        tasks[1].cancel()
    journal = rows(store_of(tmp_path), JOURNAL)
    assert {row["msisdn"]: row["text"] for row in journal} == sent
    for row in journal:
        version = names[row["tables"]]
        assert got[row["msisdn"]] == answers(version)[row["text"]]
        assert (row["instruction"] == "service.state") is (row["text"] == f"CXF{version}")
    assert len(set(names)) == 2
    assert len(Counter(row["tables"] for row in journal)) == 2
    said = lines(tmp_path / "gateway.log")
    assert not [line for line in said if line["event"] in {"sms.rejected", "sms.failed", "tables.refused"}]
    told = {line["msisdn"]: line["table_version"] for line in said if line["event"] == "sms.handled"}
    assert told == {row["msisdn"]: row["tables"] for row in journal}
    assert [line["event"] for line in said].count("tables.loaded") == swaps + 1


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tables]:
    """Both versions, read once."""
    found = {}
    for name in VERSIONS:
        folder = tmp_path_factory.mktemp(name)
        write_version(folder, name)
        found[name] = Tables.load(folder)
    return found


STEPS = st.lists(st.sampled_from((*TEXTS, *TEXTS, *VERSIONS, "wait")), min_size=1, max_size=40)


@settings(max_examples=8, deadline=None)
@given(steps=STEPS)
def test_any_order_of_swaps_and_sms(
    steps: list[str], versions: dict[str, Tables], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the order: each reply is what the version of its SMS alone would have given."""
    asyncio.run(_play(steps, versions, tmp_path_factory.mktemp("order")))


async def _play(steps: list[str], versions: dict[str, Tables], folder: Path) -> None:
    async with (
        running_gateway(folder, {"limits": UNLIMITED}) as running,
        await bind(running.account.port) as esme,
    ):
        running.app._in_force.tables = versions["A"]
        answering: list[asyncio.Task[str]] = []
        sent = {}
        for place, step in enumerate(steps):
            if step in VERSIONS:
                running.app._in_force.tables = versions[step]
            elif step == "wait":  # let some of what is under way get on
                await asyncio.sleep(0)
            else:
                sent[f"1380{place:07d}"] = step
                answering.append(asyncio.create_task(accepted(esme, sms(f"1380{place:07d}", "161", step))))
                await asyncio.sleep(0)
        await asyncio.gather(*answering)
        await running.settle()
        got: dict[str, str] = {}
        while len(got) < len(sent):
            delivery = await delivered(esme)
            got[delivery.destination_addr] = text_of(delivery)
    journal = rows(folder / "fetion.db", JOURNAL)
    named = {tables.version: name for name, tables in versions.items()}
    assert len(journal) == len(sent)
    for row in journal:
        assert got[row["msisdn"]] == answers(named[row["tables"]])[sent[row["msisdn"]]]


async def test_a_long_message_has_the_version_of_its_last_part(
    tmp_path: Path, versions: dict[str, Tables]
) -> None:
    """Parts read with the old tables, the last one with the new: the whole is understood by the new ones."""
    async with running_gateway(tmp_path) as running, await bind(running.account.port) as esme:
        running.app._in_force.tables = versions["A"]
        halves = [b"\x05\x00\x03\x07\x02\x01CX", b"\x05\x00\x03\x07\x02\x02FB"]
        for octets, version in zip(halves, "AB", strict=True):
            running.app._in_force.tables = versions[version]
            request = sms("13800138000", "161", "")
            request.short_message, request.esm_class = octets, 0x40
            await accepted(esme, request)
        assert text_of(await delivered(esme)) == answers("B")["CXFB"]
        await running.settle()
    part, whole = rows(tmp_path / "fetion.db", JOURNAL)
    assert (part["tables"], whole["tables"]) == (versions["A"].version, versions["B"].version)


def test_replaced_tables_are_gone_at_once(tmp_path: Path) -> None:
    """Nothing of them waits for a collection: tables that are replaced a hundred times take the memory of
    two."""
    write_version(tmp_path, "A")
    tables = Tables.load(tmp_path)
    tables.resolve("12520")
    gone: list[weakref.ref[Any]] = [weakref.ref(tables), weakref.ref(tables.routing)]
    gc.disable()
    try:
        del tables
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It says what would change, row by row with old and new value, and nothing is in force."""
    async with swapping(tmp_path) as live:
        before = live.gateway.tables
        write_version(tmp_path / "tables", "B")
        head, *changes = await reload(live, "yes")
        assert (head["was"], head["applied"], live.gateway.tables) == (before, False, before)
        assert {change["table"] for change in changes} == {"appendix8.yaml", "replies/zh.yaml"}
        [words] = [each for each in changes if each["table"] == "appendix8.yaml"]
        assert (words["row"], words["kind"]) == ("rows service.state", "changed")
        assert words["cells"] == {"words[1]": {"was": "CXFA", "is": "CXFB"}}
        assert (await reload(live))[0]["applied"]
        assert live.gateway.tables == head["version"]
        assert await reload(live) == [{**(await reload(live))[0], "seconds": pytest.approx(0, abs=60)}]
        report = await ask(store_of(tmp_path), "tables")
        assert (report["version"], report["folder"]) == (head["version"], str(tmp_path / "tables"))


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("a wrong key", "appendix8.yaml:1: x"),
        ("half a file", "zh.yaml:"),
        ("no UTF-8", "zh.yaml:1: (file): not UTF-8"),
        ("a link to nowhere", "tariffs.yaml:1: (file): cannot be read"),
        ("a folder in its place", "tariffs.yaml:1: (file): cannot be read"),
        ("a foreign file", "apendix7.yaml: (file): replaces no table; did you mean 'appendix7.yaml'?"),
        ("no folder", "tables: (folder): cannot be read: No such file or directory"),
    ],
)
async def test_faulty_tables_are_refused_whole(tmp_path: Path, fault: str, place: str) -> None:
    """File, line and reason are told and logged; the old tables stay, and SMS are answered meanwhile."""
    async with swapping(tmp_path) as live, await bind(live.port) as esme:
        folder, before = tmp_path / "tables", live.gateway.tables
        write_version(folder, "B")
        sentences = folder / "replies" / "zh.yaml"
        if fault == "a wrong key":
            (folder / "appendix8.yaml").write_text(
                "x: 1\n" + (folder / "appendix8.yaml").read_text("utf-8"), "utf-8"
            )
        elif fault == "half a file":
            sentences.write_bytes(sentences.read_bytes()[: sentences.stat().st_size // 2])
        elif fault == "no UTF-8":
            sentences.write_bytes(b"\xd6\xd0" + sentences.read_bytes())
        elif fault == "a link to nowhere":
            (folder / "tariffs.yaml").symlink_to(tmp_path / "nowhere")
        elif fault == "a folder in its place":
            (folder / "tariffs.yaml").mkdir()
        elif fault == "a foreign file":
            (folder / "apendix7.yaml").write_text("")
        else:
            folder.rename(tmp_path / "elsewhere")
        answer = await reload(live)
        assert answer
        assert all("refused" in item for item in answer)
        assert live.gateway.tables == before
        await accepted(esme, sms("13800138000", "161", "CXFA"))
        assert text_of(await delivered(esme)) == answers("A")["CXFA"]
    [line] = [each for each in lines(tmp_path / "gateway.log") if each["event"] == "tables.refused"]
    assert place in line["reason"]
    assert line["version"] == before


async def test_one_reload_at_a_time(tmp_path: Path) -> None:
    """A second one meanwhile is refused, and the first one is not disturbed."""
    async with swapping(tmp_path) as live:
        write_version(tmp_path / "tables", "B")
        both = await asyncio.gather(reload(live), reload(live), return_exceptions=True)
        [refused] = [each for each in both if isinstance(each, BaseException)]
        assert isinstance(refused, CommandRefused)
        assert "another reload is under way" in str(refused)
        [[head, *_]] = [each for each in both if not isinstance(each, BaseException)]
        assert live.gateway.tables == head["version"]


async def test_a_stop_during_a_reload(tmp_path: Path) -> None:
    """The gateway stops in order, and the client hears that it has."""
    async with swapping(tmp_path):
        write_version(tmp_path / "tables", "B")
        begun = asyncio.Event()

        async def reloading() -> list[dict[str, Any]]:
            found = []
            async for item in follow(store_of(tmp_path), "tables reload", 60, dry_run="no"):
                begun.set()
                found.append(item)
            return found

        task = asyncio.create_task(reloading())
        await begun.wait()
    answer = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(answer, (list, CommandRefused))
    assert events(tmp_path / "gateway.log")[-1] == "gateway.stopped"


async def test_a_reload_of_a_stopping_gateway_is_refused(tmp_path: Path) -> None:
    """Its next start reads the tables anyway."""
    async with swapping(tmp_path) as live:
        live.gateway.queue.stopping = True
        with pytest.raises(CommandRefused, match="the gateway is stopping"):
            await reload(live)
