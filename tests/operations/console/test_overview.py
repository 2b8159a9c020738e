"""The overview: what headquarters see, what a province sees, and the stream that keeps it up to date."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.console.refused import Refused
from gateway.operations.console.rendering import load_texts
from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.storage.contract import StorageError
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, browser
from tests.support import ALICE

HOME = "100"
"""Home of Alice."""
BAD_TEXT = "<script>alert(1)</script>"


async def converse(gateway: RunningGateway) -> None:
    """Alice opens the service and writes to somebody who is not there; a minute's sample is taken."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", "161")
    await alice.expect("飞信")
    with pytest.raises(Exception, match="ESME_RINVDSTADR"):
        await alice.send("KTFX", "99913900139000")
    await gateway.advance(seconds=2)


async def page(gateway: RunningGateway, province: str = HEADQUARTERS, language: str = "en") -> str:
    """The overview as an operator sees it."""
    answer = await browser(gateway, Role.OPERATOR, province).get("/", accept_language=language)
    assert answer.status == 200
    return answer.text


def shown(html: str, name: str) -> str:
    """The text that stands under a name."""
    found = re.search(rf'data-text="{name}">([^<]*)<', html)
    assert found, name
    return found[1]


def tile(html: str, province: str) -> str:
    """The value of the tile of a province."""
    found = re.search(rf'data-province="{province}">.*?tile-value">([^<]*)<', html, re.DOTALL)
    assert found, province
    return found[1]


async def test_headquarters_see_everything(tmp_path: Path) -> None:
    """Counts, tiles, accounts, the refusal with its numbers masked; no text of an SMS."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        home = gateway.app.metrics.tally._home(ALICE)
        await converse(gateway)
        html = await page(gateway)
    assert shown(html, "came") == "1"
    assert tile(html, home) == "1"
    assert shown(html, "ready") == "Ready"
    assert shown(html, "outbox") == "0 of 100,000"
    assert shown(html, "parked") == "0"
    assert html.count("data-province=") == 31 + 1  # the last one: home unknown
    assert "Home unknown" in html
    assert "138****8000" in html
    assert "999139****9000" in html
    assert ALICE not in html
    assert "KTFX" not in html
    assert "ESME_RINVDSTADR" in html
    assert "Loading" not in html
    assert "<style" not in html
    assert "style=" not in html


async def test_a_province_sees_its_own(tmp_path: Path) -> None:
    """Its own tile and counts and nothing of the gateway; another province's SMS are not counted."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        home = gateway.app.metrics.tally._home(ALICE)
        other = "200" if home != "200" else "210"
        await converse(gateway)
        own, foreign = await page(gateway, home), await page(gateway, other)
        async with browser(gateway, Role.READER, other).live("/live/overview") as events:
            _, data = await anext(events)
    assert (shown(own, "came"), tile(own, home), own.count("data-province=")) == ("1", "1", 1)
    assert (shown(foreign, "came"), tile(foreign, other), foreign.count("data-province=")) == ("0", "0", 1)
    for html in (own, foreign, data):
        for infrastructure in ("refusals", "alarms", "accounts", "138****8000", "outbox", "smsc"):
            assert infrastructure not in html
    assert set(json.loads(data)["tiles"]) == {other}


async def test_the_stream_says_what_the_page_says(tmp_path: Path) -> None:
    """The first event has every name of the page; a later one has what came since."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        html = await page(gateway, language="zh")
        async with browser(gateway, Role.READER).live("/live/overview") as events:
            name, data = await anext(events)
            board = json.loads(data)
            assert name == "overview"
            assert {key: shown(html, key) for key in board["texts"]} == board["texts"]
            assert set(re.findall(r'data-rows="([^"]*)"', html)) == set(board["rows"])
            assert set(re.findall(r'data-curve="([^"]*)"', html)) == set(board["curves"])
            assert set(re.findall(r'data-province="([^"]*)"', html)) == set(board["tiles"])
            await converse(gateway)
            assert (await until(events, lambda board: board["texts"]["came"] == "1"))["rows"]["refusals"]


async def until(events: Any, condition: Any) -> dict[str, Any]:
    """The first board of a stream that meets a condition."""
    async with asyncio.timeout(10):
        async for _, data in events:
            board: dict[str, Any] = json.loads(data)
            if condition(board):
                return board
    raise AssertionError("the stream has ended")


async def test_one_snapshot_serves_everybody(tmp_path: Path) -> None:
    """However many look, one snapshot is made a second; none while nobody looks."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        snapshots = gateway.app.metrics.snapshots
        await gateway.advance(seconds=5)
        assert snapshots.made == 0
        for _ in range(5):
            await page(gateway)
            await page(gateway, HOME, "zh")
        assert snapshots.made == 1
        await gateway.advance(seconds=1)
        await page(gateway)
        assert snapshots.made == 2


async def test_what_a_peer_says_is_escaped(tmp_path: Path) -> None:
    """A system_id that is HTML is shown as text, in the page and in the stream."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        gateway.app.observer.bind_refused(
            "192.0.2.1:5", BAD_TEXT[:15], f"\x1b[31m{BAD_TEXT}", "ESME_RBINDFAIL"
        )
        html = await page(gateway)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "\x1b" not in html


async def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    """What only the store knows is shown as not known; the rest is there."""

    async def read(function: object) -> Any:
        del function
        raise Refused(503, "the store cannot be read")

    async with running_gateway(tmp_path, CONSOLE) as gateway:
        assert gateway.app.console is not None
        gateway.app.console.application.services.boards._read = read
        html = await page(gateway)
    assert shown(html, "parked") == shown(html, "oldest") == "Not known"
    assert shown(html, "outbox") == "0 of 100,000"


async def test_faults_and_alarms_are_shown(tmp_path: Path) -> None:
    """A full outbox makes it not ready, with the reason; a failure of the store is an alarm."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        gateway.app.observer.storage_failed(StorageError("the disk of the store is full"), 1, 0.1)
        gateway.app.outbox.depth = gateway.app.outbox.limit
        html = await page(gateway)
        gateway.app.outbox.depth = 0
    assert shown(html, "ready") == "Not ready"
    assert "is a receiver bound?" in html
    assert "the disk of the store is full" in html


def test_every_text_is_in_both_languages() -> None:
    """Each text of the overview has Chinese and English, with the same values."""
    texts = {key: both for key, both in load_texts().items() if key.startswith("overview.")}
    assert texts
    for both in texts.values():
        assert set(both) == {"zh", "en"}
        assert re.findall(r"\{\w+\}", both["zh"]) == re.findall(r"\{\w+\}", both["en"])
