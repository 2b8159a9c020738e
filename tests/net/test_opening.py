"""What comes before the session: headers of balancers, TLS, and peers that speak neither. Real sockets."""

import asyncio
import ssl
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from struct import pack

import pytest

from gateway.net import opening
from gateway.net.admission import STRANGER, ConnectionLimits
from gateway.net.listener import CROWDED, STOPPING
from gateway.net.opening import Entrance, speaks
from gateway.net.proxy import SIGNATURE_V2
from gateway.net.tls import ServerFiles, load
from gateway.smpp.codec import encode
from gateway.smpp.errors import SmppError
from gateway.smpp.pdus import BindTransceiver, EnquireLink, EnquireLinkResp, SubmitSmResp
from gateway.smpp.session import Timers
from gateway.smpp.status import CommandStatus
from tests.net.certificates import Authority
from tests.net.dialling import believing, dial
from tests.net.test_listener import SMS, Remembers, listening, request
from tests.net.test_proxy import v1, v2
from tests.proofs.served import PASSWORD, SYSTEM_ID, until
from tests.support import Wire

BALANCER = "127.0.0.5"
BALANCERS = (IPv4Network("127.0.0.5/32"),)
PEERS = (IPv4Network("10.1.0.0/16"), IPv4Network("127.0.0.9/32"))
BIND = encode(BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1))
LOCAL = SIGNATURE_V2 + b"\x20\0\0\0"


class Hears:
    """What balancers have said."""

    def __init__(self) -> None:
        self.named: list[tuple[str, str]] = []

    def __call__(self, peer: str, balancer: str) -> None:
        """A balancer has named a peer."""
        self.named.append((peer, balancer.rpartition(":")[0]))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that signs."""
    return Authority(tmp_path)


def guarded(authority: Authority, *, strict: bool = False, balancers: bool = False) -> Entrance:
    """TLS with a certificate of this authority. strict: peers need one too."""
    pair = authority.sign("gateway")
    context = load(ServerFiles(pair.cert, pair.key, authority.file if strict else None)).context
    return Entrance(BALANCERS if balancers else (), lambda: context)


def turned_away(application: Remembers) -> list[str]:
    """For which reasons."""
    return [said[2] for said in application.said if said[0] == "turned away"]


@pytest.mark.parametrize("header", [v1("10.1.2.3", 4711), v2("10.1.2.3", 4711), v2("::ffff:10.1.2.3", 4711)])
async def test_a_balancer_names_the_peer(header: bytes) -> None:
    """What follows the header is SMPP, be it in the same segment; the peer is the one that it names."""
    hears, application = Hears(), Remembers()
    entrance = Entrance(BALANCERS, introduced=hears)
    async with (
        listening(application, allow_from=PEERS, entrance=entrance) as listener,
        dial(listener.port, header + BIND + encode(SMS), source=BALANCER) as wire,
    ):
        assert (await wire.read()).command_status == 0  # type: ignore[union-attr]
        await wire.reads(SubmitSmResp)
        [connection] = listener.connections
        assert (connection.peer, connection.peer_host) == ("10.1.2.3:4711", "10.1.2.3")
    assert hears.named == [("10.1.2.3:4711", BALANCER)]


async def test_a_header_in_pieces() -> None:
    """Octet by octet, each in a segment of its own."""
    application = Remembers()
    async with (
        listening(application, allow_from=PEERS, entrance=Entrance(BALANCERS)) as listener,
        dial(listener.port, source=BALANCER) as wire,
    ):
        for octet in v1("10.1.2.3", 1):
            wire.send(bytes([octet]))
            await asyncio.sleep(0)
        assert (await wire.bind()).command_status == 0


async def test_the_true_peer_is_checked() -> None:
    """A balancer may bring peers of allow_from only; what it brings counts for the peer, failed binds too."""
    application = Remembers()
    limits = ConnectionLimits(per_address=1)
    entrance = Entrance(BALANCERS)
    async with listening(application, limits=limits, allow_from=PEERS, entrance=entrance) as listener:
        async with dial(listener.port, v1("10.2.0.1", 1), source=BALANCER) as stranger:
            assert await stranger.read() is None
        async with (
            dial(listener.port, v1("10.1.0.1", 1), source=BALANCER) as one,
            dial(listener.port, v1("10.1.0.2", 1), source=BALANCER) as two,
        ):
            for wire in (one, two):
                assert (await wire.bind()).command_status == 0
            async with dial(listener.port, v1("10.1.0.1", 2), source=BALANCER) as third:
                assert await third.read() is None
        async with dial(listener.port, v2("127.0.0.9", 1), source=BALANCER) as wire:
            answer = await wire.bind(request(password="wrong"))
            assert answer.command_status == CommandStatus.RINVPASWD
        assert list(listener._failures) == [("127.0.0.9", SYSTEM_ID)]
    away = [said[1:] for said in application.said if said[0] == "turned away"]
    assert away == [
        ("10.2.0.1", STRANGER),
        ("10.1.0.1", "1 connections of one address: smpp.listen.per_address"),
    ]


@pytest.mark.parametrize("octets", [b"", LOCAL, b"PROXY UNKNOWN\r\n", LOCAL + BIND, v1(BALANCER, 9)])
async def test_health_checks_are_quiet(octets: bytes) -> None:
    """A balancer that looks whether we are there, in no allow_from: closed without a word in the log."""
    application = Remembers()
    async with listening(application, allow_from=PEERS, entrance=Entrance(BALANCERS)) as listener:
        async with dial(listener.port, octets, source=BALANCER) as wire:
            if octets:
                assert await wire.read() is None
        await until(application.has("disconnected"), "its end")
    assert application.said == [("disconnected",)]


async def test_a_balancer_that_may_bind_itself() -> None:
    """Where allow_from has it, a LOCAL connection is one of its own."""
    networks = (IPv4Network("127.0.0.0/8"),)
    application = Remembers()
    async with (
        listening(application, allow_from=networks, entrance=Entrance(BALANCERS)) as listener,
        dial(listener.port, LOCAL, source=BALANCER) as wire,
    ):
        assert (await wire.bind()).command_status == 0
        [connection] = listener.connections
        assert connection.peer_host == BALANCER


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (BIND, "no header of the PROXY protocol"),
        (b"PROXY TCP4 10.1.0.1\r\n", "two addresses"),
        (b"PROXY TCP4 " + b"1" * 200, "longer than 107"),
        (SIGNATURE_V2 + b"\x21\x11" + pack(">H", 60_000), "more than 536"),
        (b"PROXY", "no header of the PROXY protocol within 0.05 s"),
    ],
)
async def test_a_balancer_without_a_header(
    octets: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed with the reason, in bounded time, and nothing is answered."""
    if octets == b"PROXY":
        monkeypatch.setattr(opening, "HEADER_TIME", 0.05)
    application = Remembers()
    async with listening(application, allow_from=PEERS, entrance=Entrance(BALANCERS)) as listener:
        async with dial(listener.port, octets, source=BALANCER) as wire:
            assert await wire.read() is None
        await until(lambda: not listener.connections, "its end")
    [said] = turned_away(application)
    assert reason in said


async def test_a_header_of_nobody_known() -> None:
    """From another address it is garbage to the session, and the log says what it was."""
    application = Remembers()
    async with listening(application, entrance=Entrance(BALANCERS)) as listener:
        for header in (v1("127.0.0.9", 1), v2("127.0.0.9", 1)):
            async with dial(listener.port, header + BIND) as wire:
                assert (await wire.read()).command_status == CommandStatus.RINVCMDLEN  # type: ignore[union-attr]
                assert await wire.read() is None
        await until(lambda: not listener.connections, "their end")
    assert not application.has("bound")()
    assert ["smpp.listen.balancers" in said for said in turned_away(application)] == [True, True]


def test_what_speaks_no_smpp() -> None:
    """The beginnings that tell; no PDU has one."""
    assert "TLS" in speaks(b"\x16\x03\x01\x02\0\x01\0\x01")
    assert "HTTP" in speaks(b"GET / HTTP/1.1\r\n")
    assert speaks(BIND) == speaks(b"") == ""


async def test_smpp_over_tls(authority: Authority) -> None:
    """Bind, SMS, unbind; the peer verifies our certificate."""
    application = Remembers()
    async with (
        listening(application, entrance=guarded(authority)) as listener,
        dial(listener.port, tls=believing(authority)) as wire,
    ):
        assert (await wire.bind()).command_status == 0
        wire.send(SMS, EnquireLink(sequence_number=3))
        await wire.reads(EnquireLinkResp)
        await wire.reads(SubmitSmResp)
        [connection] = listener.connections
        assert connection.peer.startswith("127.0.0.1:")
        assert connection.local == f"127.0.0.1:{listener.port}"
        connection.unbind()
        await wire.read()
    assert turned_away(application) == []


async def test_a_balancer_in_front_of_tls(authority: Authority) -> None:
    """The header is in clear, TLS begins behind it."""
    application = Remembers()
    entrance = guarded(authority, balancers=True)
    async with (
        listening(application, allow_from=PEERS, entrance=entrance) as listener,
        dial(listener.port, v2("10.1.0.1", 9), tls=believing(authority), source=BALANCER) as wire,
    ):
        assert (await wire.bind()).command_status == 0
        [connection] = listener.connections
        assert connection.peer == "10.1.0.1:9"


async def test_certificates_of_peers(authority: Authority, tmp_path: Path) -> None:
    """With client_ca a peer without a certificate, or with one of somebody else, is not let in."""
    own, other = authority.sign("peer"), Authority(tmp_path / "other", "other").sign("stranger")
    application = Remembers()
    async with listening(application, entrance=guarded(authority, strict=True)) as listener:
        async with dial(listener.port, tls=believing(authority, own)) as wire:
            assert (await wire.bind()).command_status == 0
        for context in (believing(authority), believing(authority, other)):
            async with dial(listener.port, tls=context) as wire:
                wire.send(BIND)
                with suppress(ssl.SSLError):
                    assert await wire.read() is None
        await until(lambda: not listener.connections, "their end")
    assert turned_away(application) == [
        "TLS: peer did not return a certificate",
        "TLS: its certificate: unable to get local issuer certificate",
    ]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_of_tls(authority: Authority) -> None:
    """TLS 1.1 is not spoken."""
    application = Remembers()
    old = believing(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(application, entrance=guarded(authority)) as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with dial(listener.port, tls=old):
                pass
        await until(lambda: not listener.connections, "its end")
    [reason] = turned_away(application)
    assert "unsupported protocol" in reason


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (BIND, "no TLS: it speaks SMPP in clear"),
        (b"GET / HTTP/1.1\r\n\r\n", "no TLS: it speaks HTTP"),
        (v1("127.0.0.9", 1), "no TLS: it sends a header of the PROXY protocol, and its address"),
        (b"\xff" * 40, "no TLS: it speaks something else"),
        (b"\x16\x03\x01\0\x05hello", "TLS: "),
        (b"\x16\x03\x01\x02", "no TLS handshake within 0.1 s"),
    ],
)
async def test_no_tls(authority: Authority, octets: bytes, reason: str) -> None:
    """Who speaks something else, or nothing, is closed in bounded time, with one line."""
    application = Remembers()
    timers = Timers(session_init=0.1 if "0.1 s" in reason else 30)
    async with listening(application, timers=timers, entrance=guarded(authority)) as listener:
        async with dial(listener.port, octets) as wire:
            with suppress(SmppError):  # an alert of TLS is no PDU
                assert await wire.read() is None
        await until(lambda: not listener.connections, "its end")
    [said] = turned_away(application)
    assert said.startswith(reason)


async def test_who_connects_and_goes(authority: Authority) -> None:
    """A peer that sends nothing and closes needs no line."""
    application = Remembers()
    async with listening(application, entrance=guarded(authority)) as listener:
        async with dial(listener.port):
            await until(lambda: listener.connections, "the connection")
        await until(lambda: not listener.connections, "its end")
    assert turned_away(application) == []


async def test_handshakes_count_as_unbound(authority: Authority) -> None:
    """Peers that sit in a handshake give way as those do that do not bind."""
    application = Remembers()
    limits = ConnectionLimits(unbound=2)
    async with (
        listening(application, limits=limits, entrance=guarded(authority)) as listener,
        dial(listener.port, b"\x16") as first,
        dial(listener.port, b"\x16\x03") as second,
    ):
        await until(lambda: len(listener.connections) == 2, "both")
        async with dial(listener.port, tls=believing(authority)) as third:
            assert (await third.bind()).command_status == 0
            assert await first.read() is None
            async with Wire.to(listener.port):
                await until(lambda: len(listener.connections) == 3, "a third one")
                assert not second._reader.at_eof()
    assert turned_away(application)[0] == CROWDED


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x01\x02", v1("127.0.0.9", 1)[:9]])
async def test_a_stop_waits_for_no_handshake(authority: Authority, octets: bytes) -> None:
    """Who is about to open at the stop is closed at once, and no connection of it remains."""
    entrance = guarded(authority, balancers=True)
    async with listening(Remembers(), entrance=entrance) as listener:
        source = BALANCER if octets[:1] == b"P" else None
        async with dial(listener.port, octets, source=source) as wire:
            await until(lambda: listener.connections, "the connection")
            listener.close()
            assert await wire.read() is None
            await until(lambda: not listener.connections, "its end")


async def test_a_bind_at_the_stop() -> None:
    """Refused with RSYSERR at once, so that the peer comes again; a wrong password is still wrong."""
    application = Remembers()
    async with (
        listening(application) as listener,
        Wire.to(listener.port) as wire,
        Wire.to(listener.port) as other,
    ):
        for each in (wire, other):
            each.send(EnquireLink(sequence_number=1))
            await each.reads(EnquireLinkResp)
        listener.close()
        assert (await wire.bind()).command_status == CommandStatus.RSYSERR
        answer = await other.bind(request(password="wrong"))
        assert answer.command_status == CommandStatus.RINVPASWD
    assert application.has("refused bind", SYSTEM_ID, STOPPING, CommandStatus.RSYSERR)()
