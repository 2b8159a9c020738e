"""Who is let in, and what reaches the application. Real sockets, an application that only remembers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from gateway.net import listener as listener_module
from gateway.net.admission import ConnectionLimits
from gateway.net.connection import Connection
from gateway.net.listener import DELAY_FIRST, BindAccount, Listener
from gateway.smpp.codec import encode
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindRequest,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.session import Timers
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import SC_INTERFACE_VERSION
from tests.proofs.served import PASSWORD, SYSTEM_ID, until
from tests.support import Wire

POLITE = True
OTHER = "other"
LOOPBACK: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.0/8"),)
MODES = frozenset({"transmitter", "receiver", "transceiver"})
SMS = SubmitSm(source_addr="13800138000", destination_addr="161", short_message=b"KTFX", sequence_number=2)


@dataclass
class Remembers:
    """gateway.net.listener.Application. Its binds are connections; SMS are answered unless it is silent."""

    silent: bool = False
    said: list[tuple[Any, ...]] = field(default_factory=list)

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        assert not connection.closed

    def bound(self, connection: Connection, request: BindRequest, account: str) -> Connection:
        """A bind was accepted."""
        self.said.append(("bound", account, request.name))
        return connection

    def ready(self, bind: Connection) -> None:
        """The answer to the bind has been written."""
        self.said.append(("ready", bind.session.state.value))

    def submitted(self, bind: Connection, request: SubmitSm | DataSm) -> None:
        """An SMS for us."""
        self.said.append(("submitted", request.sequence_number))
        if not self.silent:
            assert request.response is not None
            bind.session.answer(request, request.response())

    def answered(self, bind: Connection, context: object, response: Pdu) -> None:
        """One of our requests was answered."""
        assert not bind.closed
        self.said.append(("answered", context, response.command_status))

    def timed_out(self, bind: Connection, context: object) -> None:
        """One of our requests was not answered in time."""
        assert not bind.closed
        self.said.append(("timed out", context))

    def requested(self, bind: Connection, request: Request) -> None:
        """Something else for us."""
        self.said.append(("requested", request.name))
        bind.session.refuse(request, CommandStatus.RSYSERR)

    def late(self, _bind: Connection, context: object, response: Pdu) -> None:
        """It was answered after all."""
        self.said.append(("late", context, response.command_status))

    def congested(self, _bind: Connection, state: int) -> None:
        """The peer said how busy it is."""
        self.said.append(("congested", state))

    def settled(self, bind: Connection) -> None:
        """The last of a run of answers was handed over."""
        assert not bind.closed
        self.said.append(("settled",))

    def lost(self, bind: Connection, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bound session is gone."""
        assert bind.closed
        self.said.append(("lost", contexts, reason, polite))

    def disconnected(self) -> None:
        """A connection is gone."""
        self.said.append(("disconnected",))

    def refused_bind(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """Somebody was not let in."""
        assert peer.startswith("127.0.0.")
        self.said.append(("refused bind", system_id, reason, command_status))

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was closed before a bind."""
        self.said.append(("turned away", peer.rpartition(":")[0], reason))

    def accepting(self, error: OSError | None) -> None:
        """Why no connection can be taken."""
        self.said.append(("accepting", error))

    def broken(self, error: Exception) -> None:
        """A bug of ours."""
        self.said.append(("broken", error))

    def remarked(self, _peer: str, account: str, event: Refused | Noted) -> None:
        """Something for the log."""
        self.said.append(("remarked", account, event.reason))

    def has(self, *what: object) -> Callable[[], bool]:
        """Whether something was said that begins so."""
        return lambda: any(said[: len(what)] == what for said in self.said)


@asynccontextmanager
async def listening(
    application: Remembers,
    timers: Timers | None = None,
    limits: ConnectionLimits | None = None,
    host: str = "127.0.0.1",
    **changes: Any,
) -> AsyncIterator[Listener]:
    """A listener with the shipped account, and another one, on a free port. changes: of the shipped one."""
    way = limits or ConnectionLimits(), changes.pop("entrance", listener_module._ENTRANCE)
    usual: dict[str, Any] = {"window_in": 10, "window_out": 10, "allow_from": LOOPBACK, "modes": MODES}
    accounts = {
        SYSTEM_ID: BindAccount(SYSTEM_ID, PASSWORD, **{**usual, **changes}),
        OTHER: BindAccount(OTHER, PASSWORD, **{**usual, "allow_from": (IPv4Network("127.0.0.1/32"),)}),
    }
    loop = asyncio.get_running_loop()
    listener = Listener(accounts, application, timers or Timers(), loop.time, "fetion", *way)
    await listener.start(host, 0)
    try:
        yield listener
    finally:
        listener.close()
        for connection in list(listener.connections):
            connection.abort("the test is over")
        await until(lambda: not listener.connections, "the end of the connections")


@asynccontextmanager
async def dialled(
    application: Remembers, timers: Timers | None = None, **changes: Any
) -> AsyncIterator[tuple[Listener, Wire]]:
    """The same, and a connection to it that is not bound yet."""
    async with listening(application, timers, **changes) as listener, Wire.to(listener.port) as wire:
        yield listener, wire


def request(kind: type[BindRequest] = BindTransceiver, **fields: Any) -> BindRequest:
    """A bind of the shipped account."""
    return kind(**{"system_id": SYSTEM_ID, "password": PASSWORD, "sequence_number": 1, **fields})


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        (BindTransmitter, BindTransmitterResp),
        (BindReceiver, BindReceiverResp),
        (BindTransceiver, BindTransceiverResp),
    ],
)
async def test_every_kind_of_bind(kind: type[BindRequest], response: type[Pdu]) -> None:
    """An account may bind as what it likes; the answer is written before the application may send."""
    application = Remembers()
    async with dialled(application) as (_, wire):
        answer = await wire.bind(request(kind))
        assert type(answer) is response
        assert (answer.command_status, answer.sequence_number, answer.system_id) == (0, 1, "fetion")
        assert answer.tlvs == {SC_INTERFACE_VERSION: 0x34}
    assert [said[0] for said in application.said[:2]] == ["bound", "ready"]
    assert application.said[0][1:] == (SYSTEM_ID, kind.name)
    assert application.said[1] != ("ready", "open")


async def test_an_older_peer_is_told_no_version() -> None:
    """A peer of SMPP 3.3 knows no TLVs: it gets none."""
    async with dialled(Remembers()) as (_, wire):
        assert not (await wire.bind(request(interface_version=0x33))).tlvs


async def test_wrong_password_and_unknown_name_look_the_same() -> None:
    """Both get RINVPASWD and nothing else; only the log knows which it was."""
    application, answers = Remembers(), []
    for bind in (
        request(password="wrong"),
        request(system_id="nobody"),
        request(system_id="", password=""),
    ):
        async with dialled(application) as (_, wire):
            answers.append(encode(await wire.bind(bind)))
    assert set(answers) == {encode(BindTransceiverResp(command_status=0x0E, sequence_number=1))}
    reasons = [said[2] for said in application.said if said[0] == "refused bind"]
    assert reasons == ["wrong password", "unknown system_id", "unknown system_id"]
    assert not application.has("bound")()


async def test_a_password_is_compared_whole() -> None:
    """A part of it, more than it, another case: all wrong."""
    for password in ("", PASSWORD[:-1], PASSWORD.upper(), "é" + PASSWORD[1:]):
        async with dialled(Remembers()) as (_, wire):
            answer = await wire.bind(request(password=password))
            assert answer.command_status == CommandStatus.RINVPASWD


async def test_failed_binds_are_answered_later_and_later() -> None:
    """Each failure of one address and system_id doubles the wait for its answer, over connections too;
    another system_id has its own count, a good bind waits for nothing and clears it."""
    loop = asyncio.get_running_loop()
    async with listening(Remembers()) as listener:

        async def wait(**fields: Any) -> float:
            async with Wire.to(listener.port) as wire:
                since = loop.time()
                await wire.bind(request(**fields))
                return loop.time() - since

        assert [await wait(password="wrong") >= DELAY_FIRST * times for times in (1, 2)] == [True, True]
        assert await wait(system_id="nobody") < DELAY_FIRST * 3
        assert listener._failures == {("127.0.0.1", SYSTEM_ID): 0.2, ("127.0.0.1", "nobody"): 0.1}
        assert await wait() < DELAY_FIRST
        assert listener._failures == {("127.0.0.1", "nobody"): 0.1}


async def test_the_wait_ends_at_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doubling has an end, and only so many offenders are remembered, the latest."""
    monkeypatch.setattr(listener_module, "OFFENDERS", 2)
    async with dialled(Remembers()) as (listener, wire):
        await wire.bind()
        [connection] = listener.connections
        for name in ("a", "b", *("c" * 20)):
            peer = listener_module._Peer(listener)
            listener.bind(peer, connection, BindTransceiver(system_id=name))
        assert listener._failures == {("127.0.0.1", "b"): 0.1, ("127.0.0.1", "c"): 5.0}


async def test_a_failed_bind_may_be_tried_again() -> None:
    """A refusal leaves the connection open: the next bind on it may be right."""
    async with dialled(Remembers()) as (_, wire):
        assert (await wire.bind(request(password="wrong"))).command_status == CommandStatus.RINVPASWD
        assert (await wire.bind()).command_status == 0


async def test_address_and_mode_are_checked() -> None:
    """From another network: RINVPASWD like any stranger. In a mode that is not allowed: RBINDFAIL."""
    application = Remembers()
    async with dialled(application, allow_from=(IPv4Network("10.0.0.0/8"), IPv6Network("::/0"))) as (_, wire):
        assert (await wire.bind()).command_status == CommandStatus.RINVPASWD
    async with dialled(application, modes=frozenset({"receiver"})) as (_, wire):
        assert (await wire.bind()).command_status == CommandStatus.RBINDFAIL
    reasons = [said[2] for said in application.said if said[0] == "refused bind"]
    assert reasons == ["address not in allow_from", "mode transceiver not allowed"]


async def test_a_second_bind_is_refused() -> None:
    """On a bound connection RALYBND, and the first goes on; behind a refused one it is the first bind."""
    async with dialled(Remembers()) as (_, wire):
        await wire.bind()
        assert (await wire.bind()).command_status == CommandStatus.RALYBND
        wire.send(SMS)
        assert (await wire.reads(SubmitSmResp)).command_status == 0
    async with dialled(Remembers()) as (_, wire):
        wire.send(request(password="wrong"), request(sequence_number=2))
        answers = [await wire.reads(BindTransceiverResp) for _ in range(2)]
        assert [(a.sequence_number, a.command_status) for a in answers] == [(1, 0x0E), (2, 0)]


async def test_nothing_but_a_bind_before_the_bind() -> None:
    """Before a bind there is no SMS, only enquire_link."""
    application = Remembers()
    async with dialled(application) as (_, wire):
        wire.send(SMS, EnquireLink(sequence_number=3))
        assert (await wire.reads(SubmitSmResp)).command_status == CommandStatus.RINVBNDSTS
        assert (await wire.reads(EnquireLinkResp)).command_status == 0
    assert not application.has("submitted")()


async def test_a_receiver_may_not_submit() -> None:
    """submit_sm and data_sm on a bind_receiver: RINVBNDSTS, and the session lives."""
    async with dialled(Remembers()) as (_, wire):
        await wire.bind(request(BindReceiver))
        wire.send(SMS, DataSm(sequence_number=3), EnquireLink(sequence_number=4))
        statuses = [pdu.command_status for pdu in [await wire.read(), await wire.read()] if pdu]
        assert statuses == [CommandStatus.RINVBNDSTS] * 2
        await wire.reads(EnquireLinkResp)


@pytest.mark.parametrize(
    ("pdu", "response"),
    [
        (QuerySm(message_id="1", source_addr="1"), QuerySmResp),
        (CancelSm(message_id="1"), CancelSmResp),
        (ReplaceSm(message_id="1"), ReplaceSmResp),
        (SubmitMulti(), SubmitMultiResp),
    ],
)
async def test_other_requests(pdu: Pdu, response: type[Pdu]) -> None:
    """They go to the application, which answers each with its own response; the session lives."""
    application = Remembers()
    pdu.sequence_number = 9
    async with dialled(application) as (_, wire):
        await wire.bind()
        wire.send(pdu, SMS)
        answer = await wire.reads(response)
        assert (answer.command_status, answer.sequence_number) == (CommandStatus.RSYSERR, 9)
        assert (await wire.reads(SubmitSmResp)).command_status == 0
    assert application.has("requested", pdu.name)()


async def test_what_only_we_may_send() -> None:
    """deliver_sm from an ESME gets its response with RINVBNDSTS; outbind is only noted; neither ends it."""
    async with dialled(Remembers()) as (_, wire):
        await wire.bind()
        wire.send(DeliverSm(sequence_number=5), Outbind(sequence_number=6), SMS)
        assert (await wire.reads(DeliverSmResp)).command_status == CommandStatus.RINVBNDSTS
        assert (await wire.reads(SubmitSmResp)).command_status == 0


async def test_the_windows_of_the_account() -> None:
    """More unanswered requests than window_in: RTHROTTLED at once; window_out bounds ours."""
    application = Remembers(silent=True)
    async with dialled(application, window_in=2, window_out=3) as (listener, wire):
        await wire.bind()
        wire.send(*(SubmitSm(destination_addr="161", sequence_number=n) for n in (11, 12, 13)))
        answer = await wire.reads(SubmitSmResp)
        assert (answer.sequence_number, answer.command_status) == (13, CommandStatus.RTHROTTLED)
        assert [said[1] for said in application.said if said[0] == "submitted"] == [11, 12]
        [connection] = listener.connections
        assert connection.session.window_free == 3


async def test_answers_reach_the_application_in_one_run() -> None:
    """Several answers that come together are handed over together, and the end of the run is said once."""
    application = Remembers()
    async with dialled(application) as (listener, wire):
        await wire.bind()
        [connection] = listener.connections
        for context in ("a", "b"):
            connection.session.send(DeliverSm(), context, asyncio.get_running_loop().time())
        connection.flush()
        first, second = await wire.reads(DeliverSm), await wire.reads(DeliverSm)
        wire.send(
            DeliverSmResp(sequence_number=second.sequence_number, command_status=0x14),
            DeliverSmResp(sequence_number=first.sequence_number),
        )
        await until(application.has("settled"), "the end of the run")
    assert application.said[2:5] == [("answered", "b", 0x14), ("answered", "a", 0), ("settled",)]


@pytest.mark.parametrize("polite", [True, False])
async def test_the_end_of_a_session(*, polite: bool) -> None:
    """With unbind it is polite; a cut is not, and gives back what was not answered."""
    application = Remembers()
    async with listening(application) as listener:
        async with Wire.to(listener.port) as wire:
            await wire.bind()
            [connection] = listener.connections
            if polite:
                wire.send(Unbind(sequence_number=8))
                assert (await wire.reads(UnbindResp)).sequence_number == 8
                assert await wire.read() is None
            else:
                connection.session.send(DeliverSm(), "unanswered", asyncio.get_running_loop().time())
                connection.flush()
                await wire.reads(DeliverSm)
        await until(application.has("disconnected"), "the end")
    [lost] = [said for said in application.said if said[0] == "lost"]
    assert (lost[1], lost[3]) == ([] if polite else ["unanswered"], polite)


def waiting(connection: Connection) -> Request:
    """The request that waits for its answer."""
    [request] = connection.session._owed.values()
    return request


async def test_we_unbind() -> None:
    """Our unbind leaves behind the answers that we owe; its response ends the session politely."""
    application = Remembers(silent=True)
    async with dialled(application) as (listener, wire):
        await wire.bind()
        wire.send(SMS)
        await until(application.has("submitted"), "the SMS")
        [connection] = listener.connections
        connection.unbind()
        connection.session.refuse(waiting(connection), CommandStatus.RMSGQFUL)
        connection.flush()
        assert (await wire.reads(SubmitSmResp)).command_status == CommandStatus.RMSGQFUL
        unbind = await wire.reads(Unbind)
        wire.send(UnbindResp(sequence_number=unbind.sequence_number))
        assert await wire.read() is None
    assert application.said[-2] == ("lost", [], "unbound", POLITE)


async def test_after_close_nobody_new_comes_in() -> None:
    """Closing stops listening; what is connected goes on."""
    async with dialled(Remembers()) as (listener, wire):
        await wire.bind()
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            async with Wire.to(listener.port):
                pass
        wire.send(SMS)
        await wire.reads(SubmitSmResp)
