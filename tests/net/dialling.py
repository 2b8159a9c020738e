"""Connections to a listener that begin with something else than SMPP: a header of a balancer, TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.net.certificates import Authority, Pair
from tests.support import Wire


def believing(authority: Authority, own: Pair | None = None) -> ssl.SSLContext:
    """The context of a peer that verifies us, with a certificate of its own where one is given."""
    context = ssl.create_default_context(cafile=authority.file)
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


@asynccontextmanager
async def dial(
    port: int, first: bytes = b"", tls: ssl.SSLContext | None = None, source: str | None = None
) -> AsyncIterator[Wire]:
    """Connect, send `first`, begin TLS where a context is given. Closes without unbind."""
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
    try:
        writer.write(first)
        if tls is not None:
            await writer.start_tls(tls, server_hostname="127.0.0.1")
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
