"""A gateway that dials SMS centres (smpp.links), on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.smpp.pdus import AlertNotification, DataSm, DeliverSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from gateway.testing.running import RunningGateway, running_gateway
from tests.channels.small_centre import Peer, SmallCentre
from tests.proofs.served import ALPHABET, inside, lines, settings_of, until, write_config
from tests.proofs.test_store_faults import TriedStore
from tests.simulator.fake_smsc import deliveries

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
    assert submit.destination_addr == request.source_addr
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
        assert (await peer.answer()).command_status == CommandStatus.RX_R_APPN
        peer.send(mo(esm_class=0x18))
        assert (await peer.answer()).command_status == CommandStatus.RX_R_APPN


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


async def test_a_centre_that_cuts_or_unbinds_is_dialled_again(tmp_path: Path) -> None:
    """What was not answered leaves again on the next bind. The log says why it was down, and for how long."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        centre.silent = True
        peer.send(mo())
        await peer.answer()
        first = await peer.submit()
        peer.connection.abort("cut")
        centre.silent = False
        await until(lambda: told(gateway, "link.down"), "the end of the link")
        await gateway.advance(seconds=1)
        peer = await centre.bound()
        again = await peer.submit()
        assert again.short_message == first.short_message
        [down] = told(gateway, "link.down")
        assert (down["level"], down["name"], down["reason"], down["unanswered"]) == (
            "warning",
            "north",
            "closed by peer",
            1,
        )
        assert 0 <= down["pause_s"] <= 1
        peer.connection.unbind()
        assert await peer.end() == "unbound"
        await gateway.advance(seconds=2)
        await centre.bound()
        assert told(gateway, "link.down")[1]["reason"] == "unbound by peer"


async def test_a_centre_that_falls_silent_is_dialled_again(tmp_path: Path) -> None:
    """It does not answer an enquire_link: the session is closed after the response timer."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        await until(lambda: gateway.app.binds.all(), "the bind")
        peer.connection.pause_writing()  # it reads no more, and so answers nothing
        await until(lambda: told(gateway, "link.up"), "the link")
        gateway.clock.move_to(gateway.clock.now_ms() + 31_000)
        gateway.app.tick_connections()
        gateway.clock.move_to(gateway.clock.now_ms() + 61_000)
        gateway.app.tick_connections()
        await until(lambda: told(gateway, "link.down"), "the end of the link")
        assert told(gateway, "link.down")[0]["reason"] == "enquire_link not answered"
        await gateway.advance(seconds=1)
        await centre.bound()


async def test_garbage_of_a_centre_ends_the_session(tmp_path: Path) -> None:
    """Octets that are no PDU: generic_nack, the end, and a new bind."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        await until(lambda: gateway.app.binds.all(), "the bind")
        peer.connection._transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.end()
        await until(lambda: told(gateway, "link.down"), "the end of the link")
        assert "command_length" in told(gateway, "link.down")[0]["reason"]
        await gateway.advance(seconds=1)
        await centre.bound()


async def test_a_refused_password_is_tried_seldom(tmp_path: Path) -> None:
    """Not within 30 s; the log says why, at a bounded rate, without the password."""
    async with SmallCentre() as centre:
        centre.refuses = [CommandStatus.RINVPASWD, CommandStatus.RALYBND, 0]
        async with dialling(tmp_path, link(centre)) as gateway:
            await centre.bound()
            await until(lambda: told(gateway, "link.failed"), "the failure")
            await gateway.advance(seconds=29)
            assert centre.binds.empty()
            await gateway.advance(seconds=1)
            await centre.bound()
            await until(lambda: len(told(gateway, "link.failed")) == 2, "the second failure")
            await gateway.advance(seconds=2)
            await centre.bound()
            first, second = told(gateway, "link.failed")
            where = f"127.0.0.1:{centre.port}"
            assert (first["reason"], first["failures"], first["pause_s"]) == (
                f"{where}: bind refused: ESME_RINVPASWD",
                1,
                30,
            )
            assert (second["reason"], second["failures"]) == (f"{where}: bind refused: ESME_RALYBND", 2)
            assert "secret1" not in gateway.log_file().read_text("utf-8")


async def test_the_next_address_takes_over(tmp_path: Path) -> None:
    """Where nobody listens, or the bind is refused, the alternatives are tried at once, in order."""
    async with SmallCentre() as closed:
        pass
    async with SmallCentre() as refusing, SmallCentre() as centre:
        refusing.refuses = [CommandStatus.RBINDFAIL]
        alternatives = [f"127.0.0.1:{refusing.port}", f"127.0.0.1:{centre.port}"]
        async with dialling(tmp_path, link(closed, alternatives=alternatives)) as gateway:
            await refusing.bound()
            assert await reply_to(await centre.bound(), mo())
            assert told(gateway, "link.failed") == []


async def test_a_stop_unbinds_and_dials_no_more(tmp_path: Path) -> None:
    """The centre gets its answer, then an unbind; a link that cannot be bound does not hold up the stop."""
    async with SmallCentre() as closed:
        pass
    async with SmallCentre() as centre:
        async with dialling(tmp_path, link(centre), link(closed, name="south")) as gateway:
            peer = await centre.bound()
            await reply_to(peer, mo())
            await gateway.settle()
        assert (await peer.end(), peer.polite) == ("unbound by peer", True)
        [down] = told(gateway, "link.down")
        assert (down["level"], down["reason"], down["pause_s"]) == ("info", "unbound", None)
        assert told(gateway, "gateway.stop_deadline") == []
        assert centre.binds.empty()


async def test_a_paused_link_is_dialled_when_it_is_resumed(tmp_path: Path) -> None:
    """It unbinds politely when it is paused, and then binds no more."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, paused=True)) as gateway:
        links = gateway.app.links
        assert links is not None
        assert [line["links"] for line in told(gateway, "gateway.ready")] == ["north (paused)"]
        assert links.report()[0]["state"] == "paused"
        assert centre.connected == 0
        assert links.resume("north") == "dials"
        peer = await centre.bound()
        await until(lambda: links.report()[0]["state"] == "bound", "the bind")
        assert links.pause("north") == "unbinds"
        assert (await peer.end(), peer.polite) == ("unbound by peer", True)
        await until(lambda: links.report()[0]["state"] == "paused", "the end of the bind")
        await gateway.advance(minutes=2)
        assert centre.binds.empty()
        assert [line["event"] for line in lines(gateway.log_file()) if line["event"].startswith("link.")] == [
            *("link.resumed", "link.up", "link.paused", "link.down")
        ]


async def test_a_link_of_another_node_is_not_dialled(tmp_path: Path) -> None:
    """`nodes` names those that dial it."""
    async with SmallCentre() as centre:
        settings = link(centre, nodes=["west"])
        async with dialling(tmp_path, settings, node={"name": "east"}) as gateway:
            assert gateway.app.links is not None
            assert gateway.app.links.report()[0]["state"] == "dialled by other nodes"
            assert centre.connected == 0


async def test_a_failing_store_is_a_temporary_fault(tmp_path: Path) -> None:
    """RX_T_APPN to deliver_sm, which an ESME has for it, and RSYSERR to data_sm; then the SMS is taken."""
    store = TriedStore.of(tmp_path / "var/fetion.db")
    async with SmallCentre() as centre:
        config = write_config(tmp_path, smpp={"links": [link(centre)]})
        async with inside(config, open_store=lambda _: store) as gateway:
            peer = await centre.bound()
            await until(lambda: gateway.binds.all(), "the bind")
            store.broken = True
            peer.send(mo())
            assert (await peer.answer()).command_status == CommandStatus.RX_T_APPN
            text = {MESSAGE_PAYLOAD: ALPHABET.encode("KTFX")[1]}
            peer.send(DataSm(source_addr=ALICE, destination_addr="161", tlvs=text))
            assert (await peer.answer()).command_status == CommandStatus.RSYSERR
            store.broken = False
            status: int = CommandStatus.RX_T_APPN
            while status == CommandStatus.RX_T_APPN:
                peer.send(mo())
                status = (await peer.answer()).command_status
            assert status == 0


async def test_a_repeat_on_another_link_of_the_centre_is_recognised(tmp_path: Path) -> None:
    """The centre lost our answer with its session, and sends the SMS through its other link: one reply."""
    async with SmallCentre() as first, SmallCentre() as second:
        links = link(first), link(second, name="south", centre="north")
        async with dialling(tmp_path, *links) as gateway:
            one, two = await first.bound(), await second.bound()
            assert await reply_to(one, mo())
            one.connection.abort("cut")
            await until(lambda: told(gateway, "link.down"), "the end of the first")
            two.send(mo())
            assert (await two.answer()).command_status == 0
            await gateway.settle()
            assert [line["system_id"] for line in told(gateway, "sms.duplicate")] == ["north"]
            assert two.submitted.empty()


async def test_the_parts_of_a_long_message_come_over_two_links(tmp_path: Path) -> None:
    """Links of one centre are one account: they share its long messages."""
    async with SmallCentre() as first, SmallCentre() as second:
        links = link(first), link(second, name="south", centre="north")
        async with dialling(tmp_path, *links) as gateway:
            one, two = await first.bound(), await second.bound()
            part, other = deliveries(ALICE, "161", "NC#" + "x" * 200)
            one.send(part)
            assert (await one.answer()).command_status == 0
            two.send(other)
            assert (await two.answer()).command_status == 0
            await gateway.settle()
            assert [line["parts"] for line in told(gateway, "sms.handled")][-1] == 2


async def test_an_alert_ends_a_pause(tmp_path: Path) -> None:
    """The centre took an SMS for a while not, and says that the handset can be reached: it leaves at once,
    however the number is spelt."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        for spelt in (ALICE, f"+86{ALICE}", f"86{ALICE} ", f"0086{ALICE}"):
            centre.silent = True
            peer.send(mo())
            await peer.answer()
            refused = await peer.submit()
            peer.connection.session.refuse(refused, CommandStatus.RX_T_APPN)
            peer.connection.flush()
            await until(lambda: gateway.app.outbox.next_retry() is not None, "the pause")
            centre.silent = False
            peer.send(AlertNotification(source_addr=spelt))
            assert (await peer.submit()).destination_addr == ALICE
            await until(lambda: not gateway.app.outbox.depth, "the response")


async def test_unread_receipts_are_answered(tmp_path: Path) -> None:
    """Whatever stands in them, the centre need not send them again."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)):
        peer = await centre.bound()
        for esm_class in (0x04, 0x20):
            peer.send(mo(text="id:77 stat:DELIVRD", esm_class=esm_class))
            assert (await peer.answer()).command_status == 0


async def test_a_gateway_of_links_only(tmp_path: Path) -> None:
    """Without an account nobody may bind; the centre of the only link is the default one."""
    async with SmallCentre() as centre:
        config = write_config(tmp_path, smpp={"accounts": [], "links": [link(centre)]})
        async with inside(config) as gateway:
            assert gateway.settings.smpp.default_name == "north"
            assert await reply_to(await centre.bound(), mo())


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    """Each configuration that docs/links.md shows is one."""
    page = (Path(__file__).parents[2] / "docs" / "links.md").read_text("utf-8")
    blocks = page.split("```yaml\n")[1:]
    assert len(blocks) == 2
    for block in blocks:
        path = tmp_path / "config.yaml"
        path.write_text(block.split("```")[0].replace("smsc\n", "smsc\n      default: true\n"), "utf-8")
        assert settings_of(path).smpp.names
