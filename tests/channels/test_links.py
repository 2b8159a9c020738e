"""A gateway that dials SMS centres (smpp.links), on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.smpp.pdus import DataSm, DeliverSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from gateway.testing.running import RunningGateway, running_gateway
from tests.channels.small_centre import Peer, SmallCentre
from tests.proofs.served import ALPHABET, lines, until

ALICE = "13800138000"


def link(smsc: SmallCentre, **more: Any) -> dict[str, Any]:
    """A link to a centre."""
    return {
        "name": "north",
        "host": "127.0.0.1",
        "port": smsc.port,
        "system_id": "fetion",
        "password": "secret1",
        **more,
    }


@asynccontextmanager
async def dialling(folder: Path, *links: dict[str, Any], **more: Any) -> AsyncIterator[RunningGateway]:
    """A gateway with links."""
    smpp: dict[str, Any] = {"links": list(links), **more.pop("smpp", {})}
    async with running_gateway(folder, {"smpp": smpp, **more}) as gateway:
        yield gateway


def mo(text: str = "KTFX", to: str = "161", **more: Any) -> DeliverSm:
    """An SMS of a handset as a centre delivers it."""
    return DeliverSm(source_addr=ALICE, destination_addr=to, short_message=ALPHABET.encode(text)[1], **more)


def told(gateway: RunningGateway, event: str) -> list[dict[str, Any]]:
    """The lines of an event in the log."""
    return [line for line in lines(gateway.log_file()) if line["event"] == event]


async def reply_to(peer: Peer, request: DeliverSm | DataSm) -> str:
    """What the gateway answers to an SMS, on the same bind."""
    peer.send(request)
    response = await peer.answer()
    assert response.command_status == 0
    submit = await peer.submit()
    assert (submit.source_addr, submit.destination_addr) == (request.destination_addr, request.source_addr)
    return ALPHABET.decode(submit.short_message, submit.data_coding)


async def test_an_sms_comes_as_deliver_sm_and_its_reply_leaves_as_submit_sm(tmp_path: Path) -> None:
    """The way of an SMS over a link, in both directions; the response has no message_id."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        assert peer.bind is not None
        assert (peer.bind.name, peer.bind.system_id, peer.bind.password, peer.bind.interface_version) == (
            "bind_transceiver",
            "fetion",
            "secret1",
            0x34,
        )
        peer.send(mo())
        response = await peer.answer()
        assert (response.name, response.command_status) == ("deliver_sm_resp", 0)
        assert getattr(response, "message_id", None) == ""
        submit = await peer.submit()
        assert (submit.source_addr, submit.destination_addr) == ("161034", ALICE)
        await gateway.settle()
        [handled] = told(gateway, "sms.handled")
        [sent] = told(gateway, "sms.sent")
        assert (handled["system_id"], sent["system_id"]) == ("north", "north")
        [up] = told(gateway, "link.up")
        assert (up["name"], up["system_id"], up["mode"], up["session"]) == (
            "north",
            "north",
            "transceiver",
            handled["session"],
        )
        assert "secret1" not in gateway.log_file().read_text("utf-8")
        assert [line["links"] for line in told(gateway, "gateway.ready")] == ["north"]


async def test_data_sm_of_a_centre_is_an_sms_too(tmp_path: Path) -> None:
    """Its text stands in message_payload, and its response has our number of the SMS."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)):
        peer = await centre.bound()
        request = DataSm(
            source_addr=ALICE,
            destination_addr="161",
            tlvs={MESSAGE_PAYLOAD: ALPHABET.encode("KTFX")[1]},
        )
        peer.send(request)
        response = await peer.answer()
        assert (response.name, response.command_status) == ("data_sm_resp", 0)
        assert len(getattr(response, "message_id", "")) == 16
        assert (await peer.submit()).destination_addr == ALICE


async def test_what_is_no_message_is_refused(tmp_path: Path) -> None:
    """An SMS to a number that is not ours, and a user acknowledgement."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)):
        peer = await centre.bound()
        peer.send(mo(to="99999"))
        assert (await peer.answer()).command_status == CommandStatus.RINVDSTADR
        peer.send(mo(esm_class=0x10))
        assert (await peer.answer()).command_status == CommandStatus.RINVESMCLASS


async def test_a_pair_answers_on_its_transmitter(tmp_path: Path) -> None:
    """SMS come on the receiver, and the reply leaves on the other bind, though another link could take it."""
    async with SmallCentre() as centre, SmallCentre() as other:
        links = link(centre, bind="pair"), link(other, name="south", centre="north")
        async with dialling(tmp_path, *links) as gateway:
            peers = {
                peer.bind.name: peer for peer in (await centre.bound(), await centre.bound()) if peer.bind
            }
            assert set(peers) == {"bind_receiver", "bind_transmitter"}
            await other.bound()
            await until(lambda: len(gateway.app.binds.all()) == 3, "the binds")
            for _ in range(8):
                peers["bind_receiver"].send(mo())
                assert (await peers["bind_receiver"].answer()).command_status == 0
                assert (await peers["bind_transmitter"].submit()).destination_addr == ALICE
            assert other.peers[0].submitted.empty()
