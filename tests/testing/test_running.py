"""The aids for tests: clock, running gateway, session pair, bad link."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.simulator.errors import NoResponseError, NotConnectedError
from gateway.simulator.handset import Centre, Handset
from gateway.simulator.sms import MissedError, UnexpectedError
from gateway.simulator.smsc.centre import SmsCentre
from gateway.smpp.pdus import BindReceiver, SubmitSm, SubmitSmResp
from gateway.smpp.session import Answered, State
from gateway.smpp.status import CommandStatus
from gateway.testing import (
    NOON,
    BadLink,
    FakeClock,
    RunningGateway,
    running_gateway,
    session_pair,
)
from routing.tablefile import TableError
from tests.proofs.served import bind, lines, rows, until

ALICE, BOB = "13800138000", "13900139000"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[RunningGateway, Handset, Handset]]:
    """A gateway with two customers."""
    async with running_gateway(folder) as gateway:
        alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
        for each in (alice, bob):
            await each.send("KTFX", to="161")
            await each.expect("飞信号")
        yield gateway, alice, bob


async def test_a_gateway_with_links_only(tmp_path: Path) -> None:
    """Its SMS come from an SMS centre; a handset has no account to bind at, and is told so."""
    async with SmsCentre() as centre:
        link = {"name": "north", "host": "127.0.0.1", "port": centre.port, "system_id": "us", "password": "x"}
        async with running_gateway(tmp_path, {"smpp": {"accounts": [], "links": [link]}}) as gateway:
            assert await centre.deliver(ALICE, "161", "KTFX") == 0
            await centre.expect("飞信号", to=ALICE)
            with pytest.raises(ValueError, match=r"smpp\.accounts is empty"):
                await gateway.handset(ALICE)


def test_the_clock_stands_until_it_is_moved() -> None:
    """Both readings show one time, which goes forward only."""
    clock = FakeClock()
    assert (clock.monotonic(), clock.now_ms()) == (0.0, NOON)
    clock.move_to(NOON + 1500)
    assert (clock.monotonic(), clock.now_ms()) == (1.5, NOON + 1500)
    with pytest.raises(ValueError, match="500 ms beyond"):
        clock.move_to(NOON + 1000)


async def test_deadlines_come_with_the_clock(tmp_path: Path) -> None:
    """A question is open a millisecond before its 24 hours are over, and lapsed when they are."""
    for folder, hours, answer in (("before", 24 - 1 / 3_600_000, "成为"), ("after", 24, "回答时间")):
        async with opened(tmp_path / folder) as (gateway, alice, bob):
            await alice.send(f"HY#{BOB}", to="12520")
            question = await bob.expect(ALICE)
            await gateway.advance(hours=hours)
            await bob.send("是", to=question.sender)
            await bob.expect(answer)


async def test_expiry_comes_with_the_clock(tmp_path: Path) -> None:
    """An SMS that nobody takes expires after 72 hours of the clock, not before."""
    async with running_gateway(tmp_path) as gateway, await bind(gateway.account.port, "transmitter") as esme:
        await esme.submit(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX"))
        for hours, state in ((71.9, 0), (0.2, 3)):
            await gateway.advance(hours=hours)
            assert [row["state"] for row in rows(tmp_path / "fetion.db", "SELECT state FROM outbox")] == [
                state
            ]


async def test_retries_are_made_at_their_times(tmp_path: Path) -> None:
    """Moving the clock makes every retry on the way at its time, not one for all of them at the end."""
    offered = 0

    def refuse(_: object) -> int:
        nonlocal offered
        offered += 1
        return CommandStatus.RMSGQFUL

    async with running_gateway(tmp_path) as gateway, await bind(gateway.account.port, take=refuse) as esme:
        await esme.submit(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX"))
        await gateway.settle()
        assert offered == 1
        await gateway.advance(seconds=1)
        assert offered == 2
        await gateway.advance(minutes=10)
        assert 8 < offered < 16


async def test_sessions_live_through_any_wait(tmp_path: Path) -> None:
    """Binds stay up over days of the clock: they are asked whether they live, and answer."""
    async with opened(tmp_path) as (gateway, alice, _):
        for _ in range(3):
            await gateway.advance(days=30)
        await alice.send("CXFX", to="161")
        await alice.expect("飞信号")
    closed = [line["reason"] for line in lines(tmp_path / "gateway.log") if line["event"] == "bind.closed"]
    assert closed == ["unbound by peer"] * 2


async def test_the_log_has_the_time_of_the_clock(tmp_path: Path) -> None:
    """What the gateway logs and stores is dated by the clock that the test moves."""
    async with opened(tmp_path) as (gateway, alice, _):
        await gateway.advance(days=1)
        await alice.send("CXFX", to="161")
    handled = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.handled"]
    assert [line["timestamp"][:16] for line in handled] == ["2007-06-01T04:00"] * 2 + ["2007-06-02T04:00"]


async def test_equal_seeds_draw_equal_numbers(tmp_path: Path) -> None:
    """Fetion numbers are the same in each run of one seed, and others with another."""
    texts = []
    for place, seed in enumerate((1, 1, 2)):
        async with running_gateway(tmp_path / str(place), seed=seed) as gateway:
            alice = await gateway.handset(ALICE)
            await alice.send("KTFX", to="161")
            texts.append((await alice.expect()).text)
    assert texts[0] == texts[1] != texts[2]


async def test_the_configuration_is_checked(tmp_path: Path) -> None:
    """What is handed in as configuration goes over the defaults, and mistakes are told as in a file."""
    with pytest.raises(TableError, match=r"limits\.buddys: unknown key"):
        async with running_gateway(tmp_path, {"limits": {"buddys": 1}}):
            pass
    with pytest.raises(ValueError, match="no mobile number"):
        async with running_gateway(tmp_path) as gateway:
            await gateway.handset("161")


async def test_silence_is_told_from_noise(tmp_path: Path) -> None:
    """expect_nothing passes where all is still, and names the SMS that should not have come; with a pattern
    it minds only what fits."""
    async with opened(tmp_path) as (_, alice, bob):
        await alice.expect_nothing()
        await alice.send(f"HY#{BOB}", to="12520")
        await bob.expect_nothing(regex="飞信号")
        with pytest.raises(
            UnexpectedError, match=rf"{BOB} expected not to get an SMS\n  came: 12520033\d+: "
        ):
            await bob.expect_nothing()


async def test_silence_sees_what_waits_behind_another(tmp_path: Path) -> None:
    """SMS to one handset leave one after the other; silence is seen only behind the last of them."""
    async with opened(tmp_path) as (_, alice, bob):
        await alice.send(f"HY#{BOB}", to="12520")
        await bob.send("是", to=(await bob.expect(ALICE)).sender)
        await bob.expect("好友")
        for number in range(5):
            await alice.send(f"chat {number}", to="12520" + BOB)
        await bob.expect_nothing(regex="nothing of this")
        assert [sms.text for sms in bob.mailbox.unread] == [f"chat {number}" for number in range(5)]


async def test_a_gateway_that_is_gone_is_no_silence(tmp_path: Path) -> None:
    """Silence that cannot be shown is an error: the connection is lost, or the line says nothing."""
    async with (
        running_gateway(tmp_path) as gateway,
        BadLink("127.0.0.1", gateway.account.port) as link,
    ):
        account = dataclasses.replace(gateway.account, port=link.port)
        async with await Centre.connect(account, [ALICE]) as centre:
            link.stall()
            with pytest.raises(NoResponseError, match="within"):
                await centre.handsets[ALICE].expect_nothing(within=0.05)
            link.cut()
            with pytest.raises(NotConnectedError):
                await centre.handsets[ALICE].expect_nothing()


def test_a_session_pair_is_bound() -> None:
    """Both sides are bound in the wished mode, and a request goes over and back."""
    centre, esme = session_pair()
    assert centre.state is esme.state is State.BOUND_TRX
    esme.send(SubmitSm(destination_addr="161"), "mine", 0.0)
    [request] = centre.receive(esme.output(), 0.0)
    assert isinstance(request, SubmitSm)
    centre.answer(request, SubmitSmResp(message_id="7"))
    [answered] = esme.receive(centre.output(), 0.0)
    assert isinstance(answered, Answered)
    assert answered.context == "mine"
    assert session_pair(BindReceiver())[0].state is State.BOUND_RX


@pytest.mark.parametrize(("pieces", "delay"), [(0, 0.0), (1, 0.0), (7, 0.0), (0, 0.001)])
async def test_a_link_passes_everything_on(pieces: int, delay: float, tmp_path: Path) -> None:
    """However a link splits and delays, the conversation goes through it."""
    async with (
        running_gateway(tmp_path) as gateway,
        BadLink("127.0.0.1", gateway.account.port, pieces=pieces, delay=delay) as link,
    ):
        account = dataclasses.replace(gateway.account, port=link.port)
        async with await Centre.connect(account, [ALICE]) as centre:
            await centre.handsets[ALICE].send("KTFX", to="161")
            await centre.handsets[ALICE].expect("飞信号")
        assert link.passed > 200


async def test_a_stalled_link_keeps_octets_back(tmp_path: Path) -> None:
    """Nothing passes while a link is stalled, and everything afterwards."""
    async with (
        running_gateway(tmp_path) as gateway,
        BadLink("127.0.0.1", gateway.account.port) as link,
    ):
        account = dataclasses.replace(gateway.account, port=link.port)
        async with await Centre.connect(account, [ALICE]) as centre:
            alice = centre.handsets[ALICE]
            link.stall()
            sending = asyncio.create_task(alice.send("KTFX", to="161"))
            with pytest.raises(MissedError):
                await alice.expect(within=0.05)
            assert not sending.done()
            link.resume()
            await sending
            await alice.expect("飞信号")


async def test_a_link_breaks_after_so_many_octets(tmp_path: Path) -> None:
    """cut_after passes exactly that many octets and then cuts; a new connection is taken."""
    async with (
        running_gateway(tmp_path) as gateway,
        BadLink("127.0.0.1", gateway.account.port) as link,
    ):
        esme = await bind(link.port)
        before = link.passed
        link.cut_after(5)
        with pytest.raises(NotConnectedError):
            await esme.submit(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX"))
        assert link.passed == before + 5
        await until(lambda: not gateway.app.binds.all(), "the loss at the gateway")
        async with await bind(link.port) as again:
            await again.enquire()


async def test_a_link_to_nowhere_ends() -> None:
    """Where nobody listens behind the link, whoever connects to it is closed."""
    async with BadLink("127.0.0.1", 1) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_the_same_help_comes_once(tmp_path: Path) -> None:
    """As the guide says: the same help is silent for limits.help_period, and comes again behind it."""
    async with opened(tmp_path) as (gateway, alice, _):
        for text in ("BZ", "hello there"):
            await alice.send(text, to="12520")
            await alice.expect()
            await alice.expect_nothing()
            await alice.send(text, to="12520")
            await alice.expect_nothing()
            await gateway.advance(seconds=600)
            await alice.send(text, to="12520")
            await alice.expect()


async def test_no_limits(tmp_path: Path) -> None:
    """With the configuration of the guide a handset gets an answer each time."""
    limits = {"help_period": 1, "instructions_per_minute": 0, "same_text": 0}
    async with running_gateway(tmp_path, {"limits": limits}) as gateway:
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", to="161")
        await alice.expect("飞信号")
        for _ in range(40):
            await gateway.advance(seconds=1)
            await alice.send("BZ", to="12520")
            await alice.expect()
            while alice.mailbox.unread:
                await alice.expect()
