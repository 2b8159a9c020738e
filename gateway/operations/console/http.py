"""One connection of a browser: HTTP by uvicorn, with bounds on what a slow or hostile one may hold."""

import asyncio
import logging
from http import HTTPStatus
from typing import Final, Protocol

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_SECONDS: Final = 10.0
"""For the first octet after the connection was made, and then for a whole head."""
BODY_SECONDS: Final = 20.0
"""For a whole body."""
IDLE_SECONDS: Final = 30.0
"""Between an answer and the next request."""
WRITE_SECONDS: Final = 30.0
"""After so many it is looked whether a browser reads what waits for it."""
SLOWEST: Final = 30_000
"""Octets that it must have read by then."""
HEAD_MOST: Final = 16_384
"""Octets of a request line and its headers."""
BETWEEN: Final = 4
"""Octets of a header beside its name and value."""
PIPELINED_MOST: Final = 8
"""Requests that may wait for the one before, on one connection."""
UNREAD_MOST: Final = 1_048_576
"""Octets of a body that are passed over after its request was answered without them."""


class Owner(Protocol):
    """Counts connections."""

    def busy(self, connection: "Connection") -> None:
        """A request has come."""

    def idle(self, connection: "Connection") -> None:
        """It is answered."""

    def gone(self, connection: "Connection") -> None:
        """The connection has ended."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol. fixed: headers of what it answers without the application."""

    def __init__(
        self, config: Config, state: ServerState, owner: Owner, fixed: list[tuple[bytes, bytes]]
    ) -> None:
        super().__init__(config, state, {}, asyncio.get_running_loop())
        # What uvicorn says of faulty requests, as often as somebody sends them, is no line of the log.
        self.logger = logging.Logger("console", logging.CRITICAL + 1)
        self.access_log = False
        self._owner = owner
        self._fixed = fixed
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head = 0  # octets that came since the last head, or part of a body
        self._counted = 0  # octets of the head that is being read
        self._unread = 0  # octets of a body that nobody wants

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It must send a request soon."""
        super().connection_made(transport)
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._relax()
        self._stop_watching()
        super().connection_lost(exc)
        self._owner.gone(self)

    def abort(self) -> None:
        """End it now, whatever waits for it."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """What comes of heads is counted, and what comes in a body beside it: names of chunks, trailers."""
        self._head += len(data)
        super().data_received(data)
        closing = self.transport is None or self.transport.is_closing()
        if not closing and self._head > HEAD_MOST:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first octet of a request."""
        if len(self.pipeline) >= PIPELINED_MOST:
            raise ValueError("too many requests wait")  # the parser gives up: send_400_response
        super().on_message_begin()
        self._in_head = True
        self._counted = 0
        self._expect(HEAD_SECONDS)

    def on_url(self, url: bytes) -> None:
        """A part of it."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the head."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + BETWEEN)

    def on_headers_complete(self) -> None:
        """The body follows."""
        self._in_head = False
        self._head = self._unread = 0
        super().on_headers_complete()
        self._owner.busy(self)
        self._expect(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        """A part of it."""
        super().on_body(body)
        self._head = 0
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD_MOST:
                self.abort()

    def on_message_complete(self) -> None:
        """The application works; it has bounds of its own."""
        super().on_message_complete()
        self._in_head = True
        self._head = 0
        if not self.cycle.response_complete:
            self._relax()

    def on_response_complete(self) -> None:
        """Another request may follow."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        self._owner.idle(self)
        self._expect(IDLE_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """The request is no HTTP, or its head is too large."""
        del msg
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST)

    def pause_writing(self) -> None:
        """The browser reads slowly, or not at all."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stop_watching()

    def _count(self, octets: int) -> None:
        self._counted += octets
        if self._counted > HEAD_MOST:
            raise ValueError("the head is too large")  # the parser gives up: send_400_response

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer and close. While another answer is under way, or waits, this one would be taken for it."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (answering and self.cycle.response_started):
            self.abort()
            return
        body = f"{status.value} {status.phrase}\n".encode()
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in self._fixed]
        lines += [b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(body)]
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", body]))
        self.transport.close()

    def _expect(self, seconds: float) -> None:
        self._relax()
        self._timer = self.loop.call_later(seconds, self.abort)

    def _relax(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, waiting: int) -> None:
        self._stop_watching()
        self._writing = self.loop.call_later(WRITE_SECONDS, self._look, waiting)

    def _look(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if before - waiting < SLOWEST:
            self.abort()
        else:
            self._watch(waiting)

    def _stop_watching(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
