"""Pages read the store in threads, few at a time."""

import asyncio
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.operations.console.reading import OF_ACCOUNT, OF_STRANGERS, PACED, THREADS, WAITING, Reading
from gateway.operations.console.refused import Refused
from gateway.storage.contract import StoreUnusable
from gateway.storage.engines import open_reader
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE


async def test_a_page_reads_the_store(tmp_path: Path) -> None:
    """A function gets a Reader, in another thread."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        reading = Reading(lambda: open_reader(gateway.app.settings.storage.path), bool)
        read = await reading.read(lambda reader: (reader.count_waiting(), threading.current_thread()))
        reading.close()
    assert read[0] == 0
    assert read[1] is not threading.main_thread()


async def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """It is a refusal with the reason, no bug."""
    reading = Reading(lambda: open_reader(tmp_path / "none.db"), bool)
    with pytest.raises(Refused, match="not_readable") as refused:
        await reading.read(lambda reader: reader.count_waiting())
    reading.close()
    assert refused.value.status == 503
    assert "none.db" not in str(refused.value)
    assert isinstance(refused.value.__cause__, StoreUnusable)


async def test_too_many_readings_are_refused() -> None:
    """Only so many run and wait; the next one is refused at once, and a place that is free is given again."""
    gate = threading.Event()
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, bool)
    held = [asyncio.ensure_future(reading.read(lambda _: gate.wait(10))) for _ in range(THREADS + WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="too_many_read"):
        await reading.read(lambda _: None)
    gate.set()
    assert all(await asyncio.gather(*held))
    assert await reading.read(lambda _: "free") == "free"
    reading.close()
    with pytest.raises(Refused, match="stopping"):
        await reading.read(lambda _: None)


async def test_the_loop_waits_little_for_a_reading() -> None:
    """Turns of threads are short while one reads."""
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, bool)
    usual = sys.getswitchinterval()
    assert await reading.read(lambda _: sys.getswitchinterval()) < usual / 10
    assert sys.getswitchinterval() == usual
    reading.close()


@pytest.mark.parametrize(("account", "most"), [("", OF_STRANGERS), ("ada", OF_ACCOUNT)])
async def test_one_visitor_keeps_nobody_from_large_pages(account: str, most: int) -> None:
    """Who asks for many has some of them drawn; others still have theirs, and what is short is read. A place
    is free again when a drawing ends, also one whose visitor went away."""
    gate = threading.Event()
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, bool)

    def drawn(account: str) -> asyncio.Future[bool]:
        return asyncio.ensure_future(reading.compute(lambda: gate.wait(10), account=account))

    held = [drawn(account) for _ in range(most + 5)]
    others = [drawn(f"bob{n}") for n in range(PACED)]
    short = asyncio.ensure_future(reading.read(lambda _: "short"))
    await asyncio.sleep(0)
    held[1].cancel()
    gate.set()
    answers = await asyncio.gather(*held, return_exceptions=True)
    assert sum(each is True for each in answers) >= most - 1
    assert sum(isinstance(each, Refused) for each in answers) == 5
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert sum(each is True for each in answers) == PACED - most
    assert await short == "short"
    assert await asyncio.gather(*(drawn(account) for _ in range(most))) == [True] * most
    reading.close()


async def test_what_waits_at_the_stop_is_refused() -> None:
    """It is told so; what is being read comes to its end."""
    gate = threading.Event()
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, bool)
    asked = [asyncio.ensure_future(reading.read(lambda _: gate.wait(10))) for _ in range(THREADS + 1)]
    await asyncio.sleep(0)
    reading.close()
    gate.set()
    *held, waiting = await asyncio.gather(*asked, return_exceptions=True)
    assert held == [True] * THREADS
    assert isinstance(waiting, Refused)
