"""What the console and the figures cost a gateway under load: two gateways in turns, one of which counts and
is watched. It prints rates; timings fail nothing."""

import asyncio
import contextlib
import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.operations.console.browser import PASSWORD, Browser
from tests.ports import free_port
from tests.proofs.served import Served, serving, write_config

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROUNDS = 5
COUNT = 40_000
"""Round trips of a round: about four seconds."""
WINDOW = 100
FIRST = 13_500_000_000
PHONE = "13900000000"
BROWSERS = 50
LARGE = ("/", "/statistics", "/messages", "/tables/segments", "/customers", "/statistics/uplink?period=week")
SLOWLY = ("--rate", "50", "--count", "300")
"""SMS one after the other, as a quiet night has them: the event loop is busy by pages alone."""
REPORTS = ("uplink", "downlink", "customers", "active", "averages")
KINDS = ("day", "week", "month")


def say(line: str) -> None:
    """What the proof has measured."""
    sys.stdout.write(f"{line}\n")


async def program(config: Path, *words: str, given: str = "") -> str:
    """Run a command; gives what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *words, "--config", str(config)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given.encode())
    assert process.returncode == 0, (words, out.decode(), err.decode())
    return out.decode()


async def loaded(served: Served, first: int, name: str, *more: str) -> dict[str, Any]:
    """One round: the report of `load`, with the seconds of the processor that the gateway used."""
    config, report = served.folder / "config.yaml", served.folder / f"{name}.json"
    before = processor(served)
    await program(
        config,
        *("load", "--port", str(served.port), "--count", str(COUNT), "--window", str(WINDOW)),
        *("--first", str(first), "--json", str(report), *more),
    )
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return {**found, "processor": processor(served) - before}


def processor(served: Served) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{served.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def log_in(served: Served, port: int) -> Browser:
    """A browser of an administrator."""
    config = served.folder / "config.yaml"
    await program(config, "user", "add", "ada", "--role", "administrator", given=f"{PASSWORD}\n")
    visitor = Browser(port)
    answer = await visitor.post("/login", {"name": "ada", "password": PASSWORD})
    assert answer.status == 303, answer.text
    visitor.cookie = answer.headers["set-cookie"].partition(";")[0]
    return visitor


async def watch(visitor: Browser, path: str, seen: Counter[str]) -> None:
    """A live page, until it is cancelled."""
    async with visitor.live(path) as events:
        async for _ in events:
            seen[path] += 1


async def ask(visitor: Browser, seen: Counter[str]) -> None:
    """Ask for pages of the statistics, one after the other, until it is cancelled."""
    for path in pages():
        answer = await visitor.get(path)
        assert answer.status == 200, (path, answer.text)
        seen["pages"] += 1


def pages() -> Iterator[str]:
    """Addresses, without an end."""
    while True:
        yield "/statistics"
        for report in REPORTS:
            yield from (f"/statistics/{report}?period={kind}" for kind in KINDS)


@contextlib.asynccontextmanager
async def watched(visitor: Browser) -> AsyncIterator[Counter[str]]:
    """Three browsers and a client look on; gives how often each was told something."""
    seen: Counter[str] = Counter()
    number = (await visitor.get("/api/v1/messages")).json["messages"][0]["message_id"]
    lives = ("/live/overview", f"/live/messages/{number}", f"/live/phones?number={PHONE}")
    tasks = [asyncio.create_task(watch(visitor, path, seen)) for path in lives]
    tasks.append(asyncio.create_task(ask(visitor, seen)))
    try:
        yield seen
        for task in tasks:
            if task.done():  # a page of an SMS that moves no more ends by itself
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_rate_while_it_counts_and_is_watched(tmp_path: Path) -> None:
    """A: nothing is counted, no console. B: everything, watched by three browsers and a client."""
    port = free_port()
    quiet = {"logging": {"level": "info"}}
    plain = write_config(tmp_path / "a", **quiet, statistics={"enabled": False})
    console = {"listen": {"host": "127.0.0.1", "port": port}, "phones": [f"{PHONE}-13900000009"]}
    counting = write_config(tmp_path / "b", **quiet, console=console)
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    async with serving(plain) as a, serving(counting) as b:
        for served in (a, b):
            await loaded(served, FIRST, "warm")
        visitor = await log_in(b, port)
        for number in range(1, ROUNDS + 1):
            first = FIRST + number * COUNT
            before = await loaded(a, first, f"round-{number}")
            async with watched(visitor) as seen:
                rounds.append((before, await loaded(b, first, f"round-{number}")))
            assert seen["pages"], "nobody asked for a page"
            assert seen["/live/overview"], "nobody watched"
            say(f"{line_of(*rounds[-1])}; {dict(seen)}")
    ratios = sorted(told["rate"] / before["rate"] for before, told in rounds)
    say(f"ratio: median {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def line_of(before: dict[str, Any], told: dict[str, Any]) -> str:
    """Both sides of a round."""
    sides = [
        f"{each['rate']:,.0f} SMS/s, p99 {each['latency_ms']['reply']['p99']:.1f} ms, "
        f"{1e6 * each['processor'] / COUNT:.1f} us of the processor an SMS"
        for each in (before, told)
    ]
    return f"{' | '.join(sides)} | {told['rate'] / before['rate']:.2f}"


async def test_an_sms_beside_browsers_that_ask_without_a_pause(tmp_path: Path) -> None:
    """Their pages are large, and refused where they are too many."""
    port = free_port()
    console = {"listen": {"host": "127.0.0.1", "port": port}}
    config = write_config(tmp_path / "a", logging={"level": "info"}, console=console)
    async with serving(config) as served:
        visitor = await log_in(served, port)
        for number in range(ROUNDS):
            first = FIRST + 2 * number * COUNT
            alone = await loaded(served, first, f"alone-{number}", *SLOWLY)
            seen: Counter[int] = Counter()
            tasks = [asyncio.create_task(ask_on(visitor, place, seen)) for place in range(BROWSERS)]
            beside = await loaded(served, first + COUNT, f"beside-{number}", *SLOWLY)
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
            assert seen[200], seen
            say(f"reply p50, p99: alone {reply(alone)}, beside {reply(beside)}; statuses {dict(seen)}")


async def ask_on(visitor: Browser, place: int, seen: Counter[int]) -> None:
    """Ask for large pages, one after the other, until it is cancelled."""
    while True:
        for path in (*LARGE[place % len(LARGE) :], *LARGE[: place % len(LARGE)]):
            seen[(await visitor.get(path)).status] += 1


def reply(report: dict[str, Any]) -> str:
    """Milliseconds until the reply came."""
    found = report["latency_ms"]["reply"]
    return f"{found['p50']:.1f}, {found['p99']:.1f} ms"
