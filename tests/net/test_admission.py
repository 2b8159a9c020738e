"""Before the bind: who may connect, how many, and what a peer may cost. The rules, and real sockets."""

import gc
import socket
from contextlib import AsyncExitStack
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.admission import (
    STRANGER,
    Admission,
    ConnectionLimits,
    address_of,
    group_of,
    is_within,
    peer_of,
)
from gateway.net.connection import TOO_MUCH, Connection
from gateway.net.listener import ALLOWANCE, CROWDED
from gateway.smpp.codec import encode
from gateway.smpp.pdus import BindTransceiver, EnquireLink, SubmitSm, SubmitSmResp
from gateway.smpp.status import CommandStatus
from tests.net.test_listener import LOOPBACK, OTHER, SMS, Remembers, listening, request
from tests.proofs.served import SYSTEM_ID, until
from tests.support import Wire


@pytest.mark.parametrize(
    ("host", "address", "group", "peer"),
    [
        ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1:7"),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1:7"),
        ("::FFFF:0a00:0001", "10.0.0.1", "10.0.0.1", "10.0.0.1:7"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::/64", "[2001:db8::1]:7"),
        ("2001:db8::ffff:0:1", "2001:db8::ffff:0:1", "2001:db8::/64", "[2001:db8::ffff:0:1]:7"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64", "[fe80::1]:7"),
    ],
)
def test_addresses(host: str, address: str, group: str, peer: str) -> None:
    """An IPv4 address in the clothes of IPv6 is an IPv4 address; IPv6 addresses of a /64 count as one."""
    found = address_of(host)
    assert (str(found), group_of(found), peer_of(str(found), 7)) == (address, group, peer)


def test_no_address_is_in_no_network() -> None:
    """A socket that no longer says where it comes from, and IPv4 in a network of IPv6: not allowed."""
    everything = (ip_network("::/0"), ip_network("0.0.0.0/0"))
    assert not is_within(address_of(""), everything)
    assert not is_within(address_of("10.0.0.1"), everything[:1])
    assert is_within(address_of("::ffff:10.0.0.1"), everything[1:])


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["enter", "enter", "enter", "bound", "leave"]), st.integers(0, 9)),
        max_size=80,
    ),
    limits=st.builds(ConnectionLimits, st.integers(1, 12), st.integers(1, 8), st.integers(1, 6)),
)
def test_whoever_comes_and_goes(steps: list[tuple[str, int]], limits: ConnectionLimits) -> None:
    """No number is ever exceeded; who has to go is not bound, is the oldest of its address, and that one
    holds the most or is the newcomer's own; nobody is refused while one who is not bound holds his place."""
    admission: Admission[int] = Admission(limits, ())
    held: dict[int, tuple[str, bool]] = {}  # connection -> address, whether it is bound
    for serial, (step, place) in enumerate(steps):
        host = f"10.0.0.{place % 4}"
        if step == "enter":
            waiting = {each: by for each, (by, bound) in held.items() if not bound}
            reason, last = admission.enter(serial, address_of(host))
            mine = [each for each, (by, _) in held.items() if by == host]
            if reason:
                rivals = (
                    waiting
                    if len(mine) < limits.per_address
                    else {each: by for each, by in waiting.items() if by == host}
                )
                assert rivals == {}
                continue
            if last is not None:
                of_last = [each for each, by in waiting.items() if by == waiting[last]]
                assert last == of_last[0]
                counts = [list(waiting.values()).count(by) for by in set(waiting.values())]
                assert waiting[last] == host or len(of_last) == max(counts)
                del held[last]
            held[serial] = host, False
        elif place < len(held):
            connection = list(held)[place]
            if step == "bound":
                admission.bound(connection)
                held[connection] = held[connection][0], True
            else:
                admission.leave(connection)
                del held[connection]
        by = [address for address, _ in held.values()]
        assert len(held) <= limits.connections
        assert max(map(by.count, by), default=0) <= limits.per_address
        assert sum(not bound for _, bound in held.values()) <= limits.unbound
    for connection in held:
        admission.leave(connection)
        admission.leave(connection)
    assert (admission._groups, admission._held, admission._unbound, admission._waiting) == ({}, {}, {}, 0)


async def test_a_stranger_is_closed_at_once() -> None:
    """From an address that no account allows: no answer, no session, not even an enquire_link; and said."""
    application = Remembers()
    async with listening(application, allow_from=(IPv4Network("127.0.0.1/32"),)) as listener:
        async with Wire.to(listener.port, source="127.0.0.2") as stranger:
            stranger.send(EnquireLink(sequence_number=1))
            assert await stranger.read() is None
        assert application.said == [("turned away", "127.0.0.2", STRANGER)]
        async with Wire.to(listener.port) as wire:
            assert (await wire.bind()).command_status == 0


async def test_one_address_cannot_take_all_places() -> None:
    """Many connections that never bind close their own oldest; bound ones and other addresses stay."""
    application = Remembers()
    limits = ConnectionLimits(connections=20, per_address=10, unbound=4)
    async with listening(application, limits=limits) as listener, AsyncExitStack() as stack:

        async def dial(source: str) -> Wire:
            return await stack.enter_async_context(Wire.to(listener.port, source=source))

        bound = await dial("127.0.0.2")
        await bound.bind()
        waiting = await dial("127.0.0.3")
        greedy = [await dial("127.0.0.2") for _ in range(30)]
        for wire in greedy[:-3]:
            assert await wire.read() is None
        for wire in (*greedy[-3:], waiting):
            assert (await wire.bind()).command_status == 0
        bound.send(SMS)
        await bound.reads(SubmitSmResp)
        assert set(application.said) >= {("turned away", "127.0.0.2", CROWDED)}
        assert ("turned away", "127.0.0.3", CROWDED) not in application.said


async def test_bound_connections_of_one_address_are_counted() -> None:
    """Beyond the number of its address a new one is closed at once, and has room when one has gone."""
    application = Remembers()
    async with listening(application, limits=ConnectionLimits(per_address=2)) as listener:
        async with Wire.to(listener.port) as first, Wire.to(listener.port) as second:
            await first.bind()
            await second.bind()
            async with Wire.to(listener.port) as third:
                assert await third.read() is None
            async with Wire.to(listener.port, source="127.0.0.2") as elsewhere:
                assert (await elsewhere.bind()).command_status == 0
        await until(lambda: not listener.connections, "the end of all")
        async with Wire.to(listener.port) as fourth:
            assert (await fourth.bind()).command_status == 0
    [told] = [said for said in application.said if said[0] == "turned away"]
    assert told[2] == "2 connections of one address: smpp.listen.per_address"


async def test_connections_are_counted() -> None:
    """Beyond the number in all a new one is closed at once; who is not bound gives way; when one has gone
    there is room."""
    application = Remembers()
    async with listening(application, limits=ConnectionLimits(connections=2)) as listener:
        async with Wire.to(listener.port) as first, Wire.to(listener.port) as idle:
            await first.bind()
            async with Wire.to(listener.port) as second:
                assert await idle.read() is None
                await second.bind()
                async with Wire.to(listener.port) as third:
                    assert await third.read() is None
        await until(lambda: not listener.connections, "the end of all")
        async with Wire.to(listener.port) as fourth:
            assert (await fourth.bind()).command_status == 0
    assert application.has("turned away", "127.0.0.1", "2 connections: smpp.listen.connections")()


@pytest.mark.parametrize(
    "octets",
    [
        encode(EnquireLink(sequence_number=1)) * 4096,
        encode(SMS) * 2000,
        b"\0\1\0\0" + bytes(12) + b"x" * 60_000,
    ],
    ids=["enquire_link", "submit_sm", "one large PDU"],
)
async def test_octets_before_the_bind(octets: bytes) -> None:
    """Who talks on without a bind is cut off."""
    application = Remembers()
    async with listening(application) as listener, Wire.to(listener.port) as wire:
        wire.send(octets[:ALLOWANCE])
        wire.send(octets[ALLOWANCE:])
        while await wire.read() is not None:
            pass
    assert application.has("turned away", "127.0.0.1", TOO_MUCH)()


async def test_octets_behind_the_bind() -> None:
    """After the bind as much may come as before this rule, even in one write with it."""
    async with listening(Remembers(), window_in=2) as listener, Wire.to(listener.port) as wire:
        await wire.bind()
        wire.send(*[SubmitSm(destination_addr="161", short_message=b"x" * 200, sequence_number=9)] * 200)
        for _ in range(200):
            assert (await wire.reads(SubmitSmResp)).command_status in (0, CommandStatus.RTHROTTLED)


async def test_who_comes_and_goes_leaves_nothing() -> None:
    """A refusal that waits for its time does not keep a connection that is gone."""
    application = Remembers()
    async with listening(application) as listener:
        listener._failures["127.0.0.1", SYSTEM_ID] = 5.0
        for _ in range(20):
            async with Wire.to(listener.port) as wire:
                wire.send(request(BindTransceiver, password="wrong"))
                await until(lambda: application.said and application.said[-1][0] == "refused bind", "it")
            await until(lambda: not listener.connections, "the end")
        gc.collect()
        assert [each for each in gc.get_objects() if isinstance(each, Connection)] == []


async def test_ipv4_through_ipv6() -> None:
    """A listener on :: takes IPv4 peers that allow_from lists as IPv4, and no others; the guess guard and the
    log know them by their IPv4 address."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    application = Remembers()
    networks = (IPv4Network("127.0.0.1/32"), IPv6Network("::1/128"))
    async with listening(application, host="::", allow_from=networks) as listener:
        async with Wire.to(listener.port) as wire:
            assert (await wire.bind(request(password="wrong"))).command_status == CommandStatus.RINVPASWD
            assert list(listener._failures) == [("127.0.0.1", SYSTEM_ID)]
            assert (await wire.bind()).command_status == 0
            [connection] = listener.connections
            assert connection.peer.startswith("127.0.0.1:")
        async with Wire.to(listener.port, host="::1") as wire:
            assert (await wire.bind()).command_status == 0
            assert (await wire.bind(request(system_id=OTHER))).command_status == CommandStatus.RALYBND
        async with Wire.to(listener.port, source="127.0.0.2") as stranger:
            assert await stranger.read() is None
    assert application.has("turned away", "127.0.0.2", STRANGER)()


async def test_a_name_with_several_addresses() -> None:
    """localhost is listened on under all its addresses, on one port."""
    async with listening(
        Remembers(), host="localhost", allow_from=(*LOOPBACK, IPv6Network("::1/128"))
    ) as one:
        for host in {
            found[4][0] for found in socket.getaddrinfo("localhost", one.port, type=socket.SOCK_STREAM)
        }:
            async with Wire.to(one.port, host=str(host)) as wire:
                assert (await wire.bind()).command_status == 0


async def test_a_port_in_use() -> None:
    """The second listener on a port is refused, and leaves no socket behind."""
    async with listening(Remembers()) as first:
        with pytest.raises(OSError, match="in use"):
            await type(first)({}, Remembers(), first._timers, first._clock).start("127.0.0.1", first.port)
