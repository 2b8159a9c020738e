"""The time of day jumps while binds stand: sessions know another clock, and nothing happens to them."""

from pathlib import Path

from gateway.app import Gateway
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, EnquireLinkResp, SubmitSmResp
from tests.proofs.served import inside, lines, sms, text_of, write_config
from tests.support import ALICE, MovedClock, Wire

DAY = 86_400.0


async def nothing_more(gateway: Gateway, wire: Wire) -> None:
    """Everything that the time brings about has been done, and the peer was sent nothing."""
    await gateway.tick(housekeeping=True)
    gateway.tick_connections()
    wire.send(EnquireLink(sequence_number=1000))
    await wire.reads(EnquireLinkResp)


async def test_by_a_day_forth_and_back(tmp_path: Path) -> None:
    """With an SMS that waits for its answer across each jump: the bind stays, each SMS leaves once, and the
    log says what the clock did."""
    clock = MovedClock()
    async with inside(write_config(tmp_path), clock=clock) as gateway, Wire.to(gateway.port) as wire:
        assert (await wire.bind()).command_status == 0
        await gateway.tick(housekeeping=True)
        for number, wall in enumerate((DAY, -DAY, 0.0, DAY, 0.0)):
            request = sms(ALICE, "161", "CXFX")
            request.sequence_number = 10 + number
            wire.send(request)
            assert (await wire.reads(SubmitSmResp)).command_status == 0
            reply = await wire.reads(DeliverSm)
            assert text_of(reply)
            clock.wall = wall
            await nothing_more(gateway, wire)
            wire.send(DeliverSmResp(sequence_number=reply.sequence_number))
            await nothing_more(gateway, wire)
        wire.close()
        await gateway.drained()
    told = [line["event"] for line in lines(tmp_path / "gateway.log")]
    assert told.count("sms.handled") == told.count("sms.sent") == 5
    assert [event for event in told if event.startswith("clock.")][:2] == ["clock.jumped", "clock.behind"]
    assert not {"sms.deferred", "sms.parked", "sms.failed"}.intersection(told)
    assert told.index("bind.closed") > max(at for at, event in enumerate(told) if event == "sms.sent")
