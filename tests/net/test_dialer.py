"""When a dialer dials: places in order, pauses with full jitter, never in a tight loop. Real sockets, and a
clock that a test moves."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net import dialer as dialer_module
from gateway.net.client import CentreTerms, Client
from gateway.net.connection import Connection
from gateway.net.dialer import PAUSE_MOST, Dialer, DialState, pause_of
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import AlertNotification, BindResponse, BindTransceiver, DataSm, DeliverSm
from gateway.smpp.session import Limits, Noted, Refused, Timers
from gateway.smpp.status import CommandStatus
from tests.channels.small_centre import SmallCentre
from tests.events.certificates import Authority
from tests.ports import free_port
from tests.proofs.served import until
from tests.support import HandClock


class Remembers:
    """gateway.net.dialer.Told and gateway.net.client.Application."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.connections: set[Connection] = set()

    def opened(self, connection: Connection) -> None:
        """A connection stands."""
        self.connections.add(connection)

    def bound(self, client: Client, connection: Connection, response: BindResponse) -> Connection:
        """The bind was accepted."""
        self.said.append(("bound", connection.peer, response.name))
        assert client.connection is connection
        return connection

    def ready(self, bind: Connection) -> None:
        """Requests may leave."""
        self.said.append(("ready", bind.session.state.value))

    def failed(self, reason: str, failures: int, pause: float | None) -> None:
        """A round was in vain."""
        self.said.append(("failed", reason, failures, pause))

    def lost(self, client: Client, contexts: list[object], reason: str, pause: float | None) -> None:
        """A bind is gone."""
        assert client.bind is not None
        self.said.append(("lost", contexts, reason, pause))

    def gone(self, connection: Connection | None) -> None:
        """A connection is gone."""
        if connection is not None:
            self.connections.discard(connection)

    def delivered(self, bind: Connection, request: DeliverSm | DataSm) -> None:
        """An SMS."""
        assert request.response is not None
        bind.session.answer(request, request.response())

    def alerted(self, _bind: Connection, request: AlertNotification) -> None:
        """A handset can be reached."""
        self.said.append(("alerted", request.source_addr))

    def answered(self, bind: Connection, context: object, response: Pdu) -> None:
        """An answer."""

    def timed_out(self, bind: Connection, context: object) -> None:
        """None in time."""

    def late(self, bind: Connection, context: object, response: Pdu) -> None:
        """One too late."""

    def congested(self, bind: Connection, state: int) -> None:
        """It is busy."""

    def settled(self, bind: Connection) -> None:
        """The last of a run."""

    def broken(self, error: Exception) -> None:
        """A bug."""
        self.said.append(("broken", type(error).__name__))

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """An oddity."""

    def of(self, what: str) -> list[tuple[Any, ...]]:
        """What was told of that kind."""
        return [each for each in self.said if each[0] == what]


def terms(*places: tuple[str, int], **more: Any) -> CentreTerms:
    """How to bind."""
    timers, limits = more.pop("timers", Timers()), Limits(window_out=10)
    return CentreTerms(
        places, "transceiver", lambda: BindTransceiver(system_id="f", password="p"), timers, limits, **more
    )


class Rig:
    """A dialer, who hears of it, and its clock."""

    def __init__(self, terms: CentreTerms) -> None:
        self.clock = HandClock()
        self.told = Remembers()
        self.dialer = Dialer(terms, self.told, self.told, "north", self.clock.monotonic, Random(1))

    async def state(self, state: DialState) -> None:
        """Wait for it."""
        await until(lambda: self.dialer.state is state, state.value)

    async def pass_pause(self) -> float:
        """Let the pause pass that goes on; how long it was."""
        await self.state(DialState.WAITING)
        pause = self.dialer.due - self.clock.now
        self.clock.now = self.dialer.due
        self.dialer.tick()
        return pause


@asynccontextmanager
async def rig(*places: tuple[str, int], **more: Any) -> AsyncIterator[Rig]:
    """One that ends."""
    made = Rig(terms(*places, **more))
    made.dialer.start()
    try:
        yield made
    finally:
        made.dialer.stop()
        for connection in list(made.told.connections):
            connection.abort("test over")
        await until(lambda: not made.told.connections and not made.dialer.dialling, "the end")


@given(st.integers(1, 10**6), st.integers())
def test_a_pause_has_full_jitter_below_a_bound_that_doubles(failures: int, seed: int) -> None:
    """From 0 to 1, 2, 4 ... 60 s, after any number of failures."""
    assert 0 <= pause_of(Random(seed), failures) <= min(2.0 ** min(failures - 1, 60), PAUSE_MOST)


async def test_a_centre_that_accepts_and_cuts_is_dialled_ever_more_slowly() -> None:
    """The bound of the pauses grows though every bind succeeds; a bind that stood for a minute resets it."""
    async with SmallCentre() as centre:
        centre.cuts = True
        async with rig(("127.0.0.1", centre.port)) as made:
            pauses = [await made.pass_pause() for _ in range(9)]
            assert sum(pauses[5:]) > 60
            assert made.dialer.failures == 9
            assert all(pause <= min(2**n, 60) for n, pause in enumerate(pauses))
            centre.cuts = False
            await made.state(DialState.BOUND)
            made.clock.now += 60
            centre.peers[-1].connection.abort("cut")
            assert await made.pass_pause() <= 1
            assert made.dialer.failures == 1
            await made.state(DialState.BOUND)


async def test_places_in_order_and_each_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody knows, and one with a dead address before the right one."""
    async with SmallCentre() as centre:

        async def found(_loop: object, host: str, port: int, **_more: Any) -> list[Any]:
            if host == "two.example":
                return [(socket.AF_INET, 0, 0, "", (each, port)) for each in ("127.0.0.2", "127.0.0.1")]
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", found)
        async with rig(("none.example", 1), ("two.example", centre.port)) as made:
            await made.state(DialState.BOUND)
            assert made.told.of("bound") == [("bound", f"127.0.0.1:{centre.port}", "bind_transceiver_resp")]
            assert not made.told.of("failed")


async def test_each_place_and_its_reason_are_told() -> None:
    """Nobody who listens, no such name, a refusal."""
    dead = free_port()
    async with SmallCentre() as centre:
        centre.refuses = [CommandStatus.RBINDFAIL]
        places = ("127.0.0.1", dead), ("no such host", 2775), ("127.0.0.1", centre.port)
        async with rig(*places) as made:
            await made.state(DialState.WAITING)
            [(_, reason, failures, pause)] = made.told.of("failed")
            assert reason.split("; ") == [
                f"127.0.0.1:{dead}: Connection refused",
                "no such host:2775: has no address",
                f"127.0.0.1:{centre.port}: bind refused: ESME_RBINDFAIL",
            ]
            assert (failures, 0 <= pause <= 1) == (1, True)


async def test_a_wrong_password_ends_the_round() -> None:
    """The other place is not asked before 30 s are over; then it is the first."""
    async with SmallCentre() as first, SmallCentre() as second:
        first.refuses = [CommandStatus.RINVPASWD]
        async with rig(("127.0.0.1", first.port), ("127.0.0.1", second.port)) as made:
            await made.state(DialState.WAITING)
            assert second.connected == 0
            assert await made.pass_pause() >= 30
            await made.state(DialState.BOUND)
            assert (first.connected, second.connected) == (1, 1)


async def test_a_bind_without_an_answer_is_given_up() -> None:
    """After the response timer."""
    async with SmallCentre() as centre:
        centre.refuses = [None, 0]
        async with rig(("127.0.0.1", centre.port)) as made:
            await centre.bound()
            made.clock.now += 61
            next(iter(made.told.connections)).tick()
            await made.state(DialState.WAITING)
            assert made.told.of("failed")[0][1].endswith("bind not answered")


async def test_an_address_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After CONNECTING seconds, for the next place."""
    monkeypatch.setattr(dialer_module, "CONNECTING", 0.05)
    with contextlib.closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with contextlib.ExitStack() as fillers:
            for _ in range(4):  # the queue is full: SYN packets get no answer
                filler = fillers.enter_context(contextlib.closing(socket.socket()))
                filler.settimeout(0)
                filler.connect_ex(("127.0.0.1", port))
            async with SmallCentre() as centre, rig(("127.0.0.1", port), ("127.0.0.1", centre.port)) as made:
                await made.state(DialState.BOUND)


async def test_pause_and_resume_at_any_moment() -> None:
    """In the middle of a round, of a bind, of an unbind: what was said last holds."""
    async with SmallCentre() as centre:
        centre.refuses = [None]
        async with rig(("127.0.0.1", centre.port)) as made:
            made.dialer.pause()
            made.dialer.start()
            made.dialer.pause()
            await made.state(DialState.PAUSED)
            made.dialer.start()
            await centre.bound()
            await made.state(DialState.BINDING)
            made.dialer.pause()
            await made.state(DialState.PAUSED)
            made.dialer.start()
            await made.state(DialState.BOUND)
            made.dialer.pause()
            assert made.dialer.state is DialState.UNBINDING
            made.dialer.start()
            await made.pass_pause()
            await made.state(DialState.BOUND)
            made.dialer.pause()
            await made.state(DialState.PAUSED)
            assert not made.told.connections
            assert [each[3] is None for each in made.told.of("lost")] == [False, True]


async def test_a_bug_at_the_bind_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends, and the centre is dialled again after a pause."""

    def bug(*_: object) -> Any:
        raise ZeroDivisionError

    async with SmallCentre() as centre, rig(("127.0.0.1", centre.port)) as made:
        monkeypatch.setattr(made.told, "bound", bug)
        await made.state(DialState.WAITING)
        assert made.told.of("broken") == [("broken", "ZeroDivisionError")]
        assert made.told.of("failed")[0][1:3] == ("a bug met the bind", 1)
        monkeypatch.undo()
        await made.pass_pause()
        await made.state(DialState.BOUND)


async def test_an_alert_is_passed_on() -> None:
    """alert_notification: nothing answers it."""
    async with SmallCentre() as centre, rig(("127.0.0.1", centre.port)) as made:
        await made.state(DialState.BOUND)
        centre.peers[0].send(AlertNotification(source_addr="13800138000"))
        await until(lambda: made.told.of("alerted"), "the alert")
        assert made.told.of("alerted") == [("alerted", "13800138000")]


async def test_a_context_that_cannot_be_made_is_a_failure() -> None:
    """A certificate that is missing, and a bug: the centre is dialled again, and never without TLS."""

    def missing() -> ssl.SSLContext:
        raise FileNotFoundError(2, "No such file or directory")

    def bug() -> ssl.SSLContext:
        raise ZeroDivisionError

    for context, reason in ((missing, "No such file or directory"), (bug, "ZeroDivisionError")):
        async with SmallCentre() as centre, rig(("127.0.0.1", centre.port), tls=context) as made:
            await made.state(DialState.WAITING)
            assert made.told.of("failed")[0][1].endswith(reason)
            assert centre.connected == 0


async def test_tls_is_what_the_terms_say(tmp_path: Path) -> None:
    """The name of the certificate is the host that is dialled, or another one; a stranger's is refused."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.sign("centre"))

    def trusting(who: Authority) -> Any:
        return lambda: ssl.create_default_context(cafile=who.ca)

    async with SmallCentre(tls=server) as centre:
        place = ("127.0.0.1", centre.port)
        async with rig(place, tls=trusting(authority)) as made:
            await made.state(DialState.BOUND)
        async with rig(place, tls=trusting(authority), server_name="10.0.0.9") as made:
            await made.state(DialState.WAITING)
            assert "certificate verify failed: IP address mismatch" in made.told.of("failed")[0][1]
        async with rig(place, tls=trusting(stranger)) as made:
            await made.state(DialState.WAITING)
            assert "certificate verify failed" in made.told.of("failed")[0][1]
        assert centre.connected == 1
