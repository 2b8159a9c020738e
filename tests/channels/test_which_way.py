"""Which way SMS leave, on real sockets: provinces, backups, rates, rests, late responses, busy peers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.simulator.handset import Handset
from gateway.smpp.pdus import BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import CONGESTION_STATE
from gateway.testing.running import RunningGateway
from tests.channels.small_centre import Peer, SmallCentre
from tests.channels.test_links import dialling, link, mo, told
from tests.proofs.served import until
from tests.support import Wire

ALICE, BOB = "13800138000", "13900139000"
LIAONING = "210"
"""The province of Bob's number."""
RESPONSE = 60.0


def of(msisdn: str) -> DeliverSm:
    """An SMS of another handset."""
    request = mo()
    request.source_addr = msisdn
    return request


async def add_bob(gateway: RunningGateway) -> Handset:
    """Bob opens the service through the account, and Alice asks him to be her buddy: an SMS to him. Gives
    Bob."""
    bob, alice = await gateway.handset(BOB), await gateway.handset(ALICE)
    for each in (bob, alice):
        await each.send("KTFX", to="161")
        await each.expect("飞信")
    await alice.send(f"HY#{BOB}#小爱", to="12520")
    await alice.expect(".")
    await gateway.settle()
    return bob


def answer(peer: Peer, request: SubmitSm, status: int = 0) -> None:
    """Answer a submit_sm that the centre has left unanswered."""
    peer.connection.session.answer(request, SubmitSmResp(command_status=status, message_id="9"))
    peer.connection.flush()


async def test_the_province_of_the_receiver_decides(tmp_path: Path) -> None:
    """An SMS to a mobile of the province leaves on its link, spelled as that wants it, although the handset
    wrote through the account."""
    async with SmallCentre() as centre:
        north = link(centre, provinces=[LIAONING], msisdn_format="international")
        async with dialling(tmp_path, north) as gateway:
            peer = await centre.bound()
            await add_bob(gateway)
            submit = await peer.submit()
            assert (submit.destination_addr, submit.dest_addr_ton) == (f"86{BOB}", 1)


async def test_a_backup_takes_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The link of the province is down: after backup_after the SMS leaves through the account, and its trace
    says so."""
    async with SmallCentre() as closed:
        pass
    north = link(closed, provinces=[LIAONING], backup="smsc", backup_after=30)
    async with dialling(tmp_path, north) as gateway:
        await gateway.advance(seconds=6)  # the gateway has seen that nobody is there
        bob = await add_bob(gateway)
        await bob.expect_nothing(within=0.05)
        await gateway.advance(seconds=31)
        await bob.expect("小爱")
        await gateway.settle()
        [moved] = told(gateway, "sms.moved")
        assert moved["system_id"] == "smsc"
        assert told(gateway, "sms.sent")[-1]["message_id"] == moved["message_id"]
        words = ["trace", moved["message_id"], "--config", str(tmp_path / "config.yaml")]
        assert await asyncio.to_thread(main, words) == 0
        traced = capsys.readouterr().out
        assert "before it: no receiver, moved to account smsc" in traced
        assert traced.count("through account north") == traced.count("account smsc: accepted") == 1


async def unanswered(gateway: RunningGateway, centre: SmallCentre, peer: Peer) -> SubmitSm:
    """A reply of the gateway that the centre does not answer within the response timer."""
    centre.silent = True
    peer.send(mo())
    await peer.answer()
    submit: SubmitSm = await peer.submit()
    gateway.clock.move_to(gateway.clock.now_ms() + round(RESPONSE * 1000))
    gateway.app.tick_connections()
    await until(
        lambda: told(gateway, "sms.deferred") or told(gateway, "link.down"), "the end of the response timer"
    )
    return submit


async def test_a_late_response_ends_it(tmp_path: Path) -> None:
    """The SMS does not leave again."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        submit = await unanswered(gateway, centre, peer)
        answer(peer, submit)
        await until(lambda: told(gateway, "sms.sent"), "sms.sent")
        assert len(told(gateway, "sms.late")) == 1
        await gateway.advance(minutes=5)
        assert peer.submitted.empty()
        assert gateway.app.outbox.depth == 0


async def test_unanswered_reconnect(tmp_path: Path) -> None:
    """The session is ended, and the SMS leaves on the next one."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, unanswered="reconnect")) as gateway:
        peer = await centre.bound()
        await unanswered(gateway, centre, peer)
        await peer.end()
        [down] = told(gateway, "link.down")
        assert down["reason"] == "an SMS was not answered within 60 s"
        centre.silent = False
        gateway.clock.move_to(gateway.clock.now_ms() + 5_000)
        gateway.app.tick_connections()
        again = await centre.bound()
        await again.submit()
        await until(lambda: told(gateway, "sms.sent"), "sms.sent")


async def test_a_rate_needs_no_response(tmp_path: Path) -> None:
    """The window has room, nothing is answered, and still each SMS leaves when its time has come."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, rate=2)) as gateway:
        peer = await centre.bound()
        centre.silent = True
        peer.send(*(of(f"1380013800{n}") for n in range(3)))
        submits = [await peer.submit()]
        await until(lambda: len(told(gateway, "sms.handled")) == 3, "all to be handled")
        assert peer.submitted.empty()
        for _ in range(2):
            gateway.clock.move_to(gateway.clock.now_ms() + 500)
            submits.append(await peer.submit())
            assert peer.submitted.empty()
        for submit in submits:
            answer(peer, submit)


async def test_a_link_that_fails_rests(tmp_path: Path) -> None:
    """It says so, and one SMS decides after the rest."""
    breaker: dict[str, Any] = {"share": 0.5, "least": 2, "rest": 30}
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, breaker=breaker)) as gateway:
        peer = await centre.bound()
        centre.silent = True
        peer.send(*(of(f"1380013800{n}") for n in range(2)))
        for _ in range(2):
            answer(peer, await peer.submit(), int(CommandStatus.RSYSERR))
        await until(lambda: told(gateway, "link.resting"), "link.resting")
        peer.send(of("13800138009"))
        await until(lambda: len(told(gateway, "sms.handled")) == 3, "the third to be handled")
        assert peer.submitted.empty()
        assert gateway.app.links is not None
        [shown] = gateway.app.links.report()
        assert (shown["state"], shown["reason"]) == ("rests", "most of its SMS failed")
        assert 0 < shown["next_try_s"] <= 30
        [number] = [sms.number for sms in gateway.app.outbox._unbound["north"] if sms.msisdn == "13800138009"]
        wait = gateway.app.outbox.wait_of(number, "north", "13800138009", gateway.clock.monotonic())
        assert wait.reason == "no link of account north takes SMS now: `links list` says why"
        gateway.clock.move_to(gateway.clock.now_ms() + 30_000)
        answer(peer, await peer.submit())
        await until(lambda: told(gateway, "link.rested"), "link.rested")
        assert gateway.app.links.report()[0]["state"] == "bound"
        for _ in range(2):
            answer(peer, await peer.submit())
        await until(lambda: gateway.app.outbox.depth == 0, "the outbox to be empty")


async def test_a_busy_esme_of_smpp_5_is_left_alone_for_a_second(tmp_path: Path) -> None:
    """congestion_state 100 in a response: nothing leaves for a second."""
    async with dialling(tmp_path) as gateway:
        account = gateway.account
        async with Wire.to(account.port) as wire:
            await wire.bind(
                BindTransceiver(
                    system_id=account.system_id,
                    password=account.password,
                    interface_version=0x50,
                    sequence_number=1,
                )
            )
            await until(gateway.app.binds.all, "the bind")
            [bind] = gateway.app.binds.all()
            request = SubmitSm(
                source_addr=ALICE, destination_addr="161", short_message=b"KTFX", sequence_number=2
            )
            wire.send(request)
            await wire.reads(SubmitSmResp)
            first = await wire.reads(DeliverSm)
            busy = DeliverSmResp(sequence_number=first.sequence_number, tlvs={CONGESTION_STATE: 100})
            wire.send(busy)
            await until(lambda: told(gateway, "sms.sent"), "sms.sent")
            assert bind.room == 0
            gateway.clock.move_to(gateway.clock.now_ms() + 1_000)
            assert bind.room > 0
