"""What happens between accept and the session: a balancer names the peer, and TLS begins. In bounded time.

Octets are looked at before they are taken: behind a header of the PROXY protocol they belong to TLS or the
session.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.net.admission import Network
from gateway.net.proxy import LONGEST_V2, PREFIX_V1, SIGNATURE_V2, ProxyError, ProxyHeader, Source
from gateway.net.tls import Maker

HEADER_TIME: Final = 5.0
"""Seconds that a balancer has for its header."""
FAREWELL: Final = 1.0
"""Seconds that a peer has to answer our end of TLS before the connection is closed."""
_NO_BALANCER: Final = (
    "it sends a header of the PROXY protocol, and its address is not in smpp.listen.balancers"
)
_HTTP: Final = "it speaks HTTP"
_OTHERS: Final = {
    PREFIX_V1: _NO_BALANCER,
    SIGNATURE_V2[:4]: _NO_BALANCER,
    b"\x16\x03": "it speaks TLS, and smpp.listen.tls is not set",
    b"GET ": _HTTP,
    b"HEAD ": _HTTP,
    b"POST ": _HTTP,
    b"OPTIONS ": _HTTP,
}
"""Beginnings that no PDU has, and what they mean at a port without TLS."""
_HANDSHAKE: Final = 0x16
"""The first octet of TLS (RFC 8446 section 5.1)."""


def _nobody_hears(_peer: str, _balancer: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Entrance:
    """balancers: from there connections begin with a header of the PROXY protocol. tls: gives the context for
    the next connection; None: no TLS. introduced: called with the peer that a balancer has named, and the
    balancer."""

    balancers: tuple[Network, ...] = ()
    tls: Maker | None = None
    introduced: Callable[[str, str], None] = _nobody_hears


class Unopened(Exception):
    """There will be no session. The text says why; "": nobody needs to know."""


def speaks(begins: bytes) -> str:
    """Say what a peer speaks that does not speak SMPP, by its first octets; "" where they do not tell."""
    return next((said for prefix, said in _OTHERS.items() if begins.startswith(prefix)), "")


async def read_header(accepted: socket.socket) -> Source:
    """Read the header that a balancer sends first, and nothing behind it. Raises Unopened."""
    header = ProxyHeader()
    try:
        async with asyncio.timeout(HEADER_TIME):
            while header.source is None:
                seen = await _look(accepted, LONGEST_V2 + 1)
                if not seen:
                    raise Unopened("balancer: closed within its header" if header.begun else "")
                accepted.recv(header.feed(seen))
    except TimeoutError:
        raise Unopened(f"balancer: no header of the PROXY protocol within {HEADER_TIME:g} s") from None
    except ProxyError as error:
        raise Unopened(
            f"balancer: {error}: make it send one, or take it out of smpp.listen.balancers"
        ) from None
    return header.source


async def establish(
    connection: asyncio.Protocol,
    accepted: socket.socket,
    tls: Maker | None,
    seconds: float,
) -> None:
    """Connect a socket with its session, through TLS where there is a context. seconds: for the handshake.

    Raises Unopened, OSError.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        await loop.connect_accepted_socket(lambda: connection, accepted)
        return
    try:
        async with asyncio.timeout(seconds):
            await _expect_tls(accepted)
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls(),
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=FAREWELL,
            )
    except (TimeoutError, ConnectionAbortedError):
        raise Unopened(f"no TLS handshake within {seconds:g} s") from None


async def _expect_tls(accepted: socket.socket) -> None:
    """Wait for the first octets. Raises Unopened where they are not of TLS."""
    seen = await _look(accepted, 16)
    if not seen:
        raise Unopened("")  # somebody looks whether we are there
    if seen[0] != _HANDSHAKE:
        smpp = seen[:1] == b"\0" and seen[4:7] == bytes(3)
        spoken = "it speaks SMPP in clear" if smpp else speaks(seen) or "it speaks something else"
        raise Unopened(f"no TLS: {spoken}")


def why_not(error: OSError | Unopened) -> str:
    """Why a connection did not become a session; "": nobody needs to know."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'not spoken as it must be').replace('_', ' ').lower()}"
    if isinstance(error, ConnectionError):
        return "closed by the peer within the TLS handshake"
    return str(error)


async def _look(accepted: socket.socket, most: int) -> bytes:
    """The next octets, which stay where they are. b"": the peer has closed, or is gone."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return accepted.recv(most, socket.MSG_PEEK)
        except BlockingIOError:
            pass
        except ConnectionError:
            return b""
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(accepted, _wake, ready)
        try:
            await ready
        finally:
            loop.remove_reader(accepted)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
