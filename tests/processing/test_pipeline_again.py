"""Retransmissions and honest repeats in a running gateway, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from gateway.message import Commit, Expected
from gateway.simulator.esme import Esme
from gateway.storage.sqlite.store import SqliteStore
from tests.processing.machine_service import (
    QUERY,
    LiveGateway,
    accounts,
    drained,
    live_gateway,
    opened,
)
from tests.processing.test_pipeline_stalls import stall
from tests.proofs.served import accepted, bind, delivered, sms, text_of, until
from tests.support import ALICE, BOB, START_MS, at_once, received, store_at, store_of


async def cut(live: LiveGateway, esme: Esme) -> None:
    """The connection is gone without an unbind, and the gateway knows it."""
    await esme.abort()
    await until(lambda: not live.gateway.binds.all(), "the end of the bind")


async def test_what_the_peer_has_read_may_be_said_again(tmp_path: Path) -> None:
    """Buddies chat: the answer was read, as the acknowledged delivery behind it shows. Twenty seconds later
    the bind is cut; the same word to the same buddy is another SMS, and comes through."""
    async with live_gateway(tmp_path) as live:
        first = await bind(live.port)
        await opened(first, ALICE, BOB)
        await accepted(first, sms(ALICE, "161", f"HY#{BOB}"))
        await accepted(first, sms(BOB, "161", "是", 8))
        await drained(first)
        one = await accepted(first, sms(ALICE, f"12520{BOB}", "hi"))
        assert text_of(await delivered(first)) == "hi"
        await until(lambda: not live.gateway.outbox.depth, "its acknowledgement")
        live.clock.ahead += 20
        await cut(live, first)
        async with await bind(live.port) as second:
            assert await accepted(second, sms(ALICE, f"12520{BOB}", "hi")) != one
            assert text_of(await delivered(second)) == "hi"


@pytest.mark.parametrize("ends", ["politely", "in time"])
async def test_a_late_answer_is_no_reason_for_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """An answer came six seconds late. The same text is executed after two response timers, and at once after
    a polite unbind."""
    async with live_gateway(tmp_path) as live:
        esme = await bind(live.port)
        stall(live, monkeypatch, 6.0, 1)
        number = await accepted(esme, sms(ALICE, "161", QUERY))
        await delivered(esme)
        if ends == "politely":
            await esme.close()
            await until(lambda: not live.gateway.binds.all(), "the end of the bind")
            esme = await bind(live.port)
        else:
            live.clock.ahead += 2 * live.gateway.settings.smpp.timers.response + 1
        assert await accepted(esme, sms(ALICE, "161", QUERY)) != number
        assert len(live.journal()) == 2
        await esme.close()


async def test_an_account_waits_for_its_candidates_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session was cut, and what may come again is not all known yet: SMS of that account wait until it is,
    those of another are worked. Then the retransmission is recognised."""
    go_on, expect = asyncio.Event(), SqliteStore.expect

    async def wait(self: SqliteStore, limit: int) -> Expected:
        if not go_on.is_set():
            return Expected(1, 0)
        return await expect(self, limit)

    both = {"accounts": [*accounts()["accounts"], {"system_id": "other", "password": "secret"}]}
    async with live_gateway(tmp_path, smpp={**both, "listen": {"port": 0}}) as live:
        first = await bind(live.port)
        number = await accepted(first, sms(ALICE, "161", QUERY))
        await delivered(first)
        monkeypatch.setattr(SqliteStore, "expect", wait)
        await cut(live, first)
        second = await bind(live.port)
        async with await Esme.connect("127.0.0.1", live.port, "other", "secret") as other:
            again = asyncio.create_task(accepted(second, sms(ALICE, "161", QUERY)))
            await accepted(other, sms(BOB, "161", QUERY))
            assert not again.done()
            go_on.set()
            assert await again == number
        await second.close()


async def test_a_crash_with_more_in_doubt_than_is_kept(tmp_path: Path) -> None:
    """So many answers were in doubt when the process died that the oldest are not looked for: the newest are,
    the log says how many are not, and the start is no slower for it."""
    store = store_at(store_of(tmp_path))
    messages = [received(number, digest=b"%d" % number, at=START_MS) for number in range(1, 101)]
    at_once(store.commit(Commit(messages=messages)))
    store._candidates._most = 30
    at_once(store.recover(START_MS + 1000))
    found = at_once(store.expect(1000))
    assert (found.candidates, found.dropped, found.ranges) == (30, 70, 0)
    digests = [m.digest for m in messages]
    assert sorted(number for _, number in at_once(store.candidates(digests, START_MS))) == list(
        range(71, 101)
    )
    store.release()
