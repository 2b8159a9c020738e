"""One bind of the load generator: octets in and out.

Two things come by the hundred thousand: submit_sm_resp, and deliver_sm without a service_type. They are
recognised by their octets: the header has fixed places (SMPP 3.4 section 3.2), and in such a deliver_sm the
destination address begins 3 octets behind the NUL that ends the source address (section 4.6.1). Whatever else
comes goes through the codec.
"""

import asyncio
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final, cast

from gateway.simulator.errors import BindRefusedError, CannotSendError, NotConnectedError
from gateway.simulator.handset import Account
from gateway.simulator.load.traffic import Traffic
from gateway.simulator.sms import bare
from gateway.smpp.codec import decode, encode
from gateway.smpp.errors import EncodeError, FrameError, PduError
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.status import CommandStatus, name_of

PEER_UNBOUND: Final = "the gateway has unbound: it is stopping, or has ended this bind"
UNSENT: Final = 1 << 20
"""Octets that may wait for the peer to read; above that no message is sent."""

MOST_UNSENT: Final = 16 << 20
"""Octets at which a peer that delivers but never reads is cut off."""

_BIND, _UNBIND = 1, 2  # sequence numbers of our own requests
_SUBMIT_SM_RESP: Final = SubmitSmResp.command_id
_DELIVER_SM: Final = DeliverSm.command_id
_DELIVERED: Final = encode(DeliverSmResp())[:12]  # all but the sequence number, and the empty message_id
_NO_MESSAGE_ID: Final = b"\0"
_SERVICE_TYPE: Final = 16
_SOURCE: Final = 19  # service_type (empty), its TON, its NPI
_NOT_PLAIN: Final = 0x3C  # esm_class: a receipt or another kind of message (SMPP 3.4 section 5.2.12)

_header = Struct(">III").unpack_from


class Link(asyncio.Protocol):
    """A connection that is to be bound, and then carries messages of a Traffic.

    free: see traffic.Link. lost: called once with the reason when it is gone. progress: called after
    octets that came were worked.
    """

    def __init__(
        self,
        traffic: Traffic,
        window: int,
        clock: Callable[[], int],
        lost: Callable[[str], None],
        progress: Callable[[], None],
    ) -> None:
        self.free = window
        self._traffic = traffic
        self._clock = clock
        self._lost = lost
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._bound: asyncio.Future[int | None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._splitter = FrameSplitter()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._clogged = False
        self._sends = False
        self._reason = ""

    async def bind(self, account: Account) -> None:
        """Bind as transceiver. Raises NotConnectedError, BindRefusedError, CannotSendError."""
        request = BindTransceiver(
            sequence_number=_BIND, system_id=account.system_id, password=account.password
        )
        try:
            octets = encode(request)
        except EncodeError as error:
            raise CannotSendError(str(error)) from error
        self._write(octets)
        status = await self._bound
        if status is None:
            raise NotConnectedError(f"connection lost before the bind was answered: {self._reason}")
        if status != CommandStatus.ROK:
            raise BindRefusedError(account.system_id, name_of(status))
        self._sends = True

    async def close(self, within: float = 5.0) -> None:
        """Unbind, and wait until the connection is gone; abort it after the given seconds."""
        self._sends = False
        if self._gone.done():
            return
        if not self._bound.done():
            await self.abort()
            return
        self._reason = self._reason or "closed by us"
        self._write(encode(Unbind(sequence_number=_UNBIND)))
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._gone)
        except TimeoutError:
            await self.abort()

    async def abort(self) -> None:
        """Drop the connection, and wait until it is gone."""
        self._sends = False
        self._reason = self._reason or "dropped by us"
        if self._transport is not None:
            self._transport.abort()
            await asyncio.shield(self._gone)

    def push(self, most: int | None = None) -> None:
        """Send the messages that are due, as far as the window has room, at most the given number."""
        if not self._sends or self._clogged or self.free <= 0:
            return
        traffic = self._traffic
        now = self._clock()
        number = min(self.free, traffic.allowed(now))
        if most is not None:
            number = min(number, most)
        if number <= 0:
            return
        self._out += [traffic.send(self, now) for _ in range(number)]
        self._flush()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the transport is ready."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNSENT)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """asyncio: octets arrived."""
        now = self._clock()
        reason = ""
        try:
            frames = self._splitter.feed(data)
        except FrameError as error:
            frames, reason = list(error.frames), str(error)
        out = self._out
        respond, deliver = self._traffic.take_response, self._traffic.take_delivery
        for frame in frames:
            _, command, status = _header(frame)
            if command == _SUBMIT_SM_RESP:
                respond(int.from_bytes(frame[12:16]), status, now)
                continue
            if command == _DELIVER_SM and not frame[_SERVICE_TYPE]:
                start = frame.find(0, _SOURCE) + 3
                end = frame.find(0, start)
                if (
                    0 < end < len(frame) - 1
                    and not frame[end + 1] & _NOT_PLAIN
                    and deliver(frame[start:end], now)
                ):
                    out += (_DELIVERED, frame[12:16], _NO_MESSAGE_ID)
                    continue
            self._take_irregular(frame, now)
        if reason:
            self._give_up(reason)
        self.push()
        self._flush()
        self._progress()

    def pause_writing(self) -> None:
        """asyncio: the peer does not read."""
        self._clogged = True

    def resume_writing(self) -> None:
        """asyncio: the peer reads again."""
        self._clogged = False
        self.push()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is gone."""
        self._sends = False
        self._reason = self._reason or (f"connection error: {exc}" if exc else "closed by the gateway")
        self._gone.set_result(None)
        if not self._bound.done():
            self._bound.set_result(None)
        self._lost(self._reason)

    def _take_irregular(self, frame: bytes, now: int) -> None:
        """Handle what the fast path does not know."""
        try:
            pdu = decode(frame)
        except PduError as error:
            nack = GenericNack(command_status=error.command_status, sequence_number=error.sequence_number)
            self._out.append(encode(nack))
            return
        sequence = pdu.sequence_number
        match pdu:
            case DeliverSm() | DataSm():
                self._take_delivery(pdu.destination_addr, plain=not pdu.esm_class & _NOT_PLAIN, now=now)
                self._out.append(encode(pdu.response(sequence_number=sequence)))
            case BindTransceiverResp() if not self._bound.done():
                self._bound.set_result(pdu.command_status)
            case GenericNack() if sequence == _BIND and not self._bound.done():
                self._bound.set_result(pdu.command_status)
            case GenericNack():
                self._traffic.take_response(sequence, pdu.command_status or CommandStatus.RUNKNOWNERR, now)
            case Unbind():
                self._out.append(encode(UnbindResp(sequence_number=sequence)))
                self._give_up(PEER_UNBOUND)
            case UnbindResp():
                self._give_up("closed by us")
            case EnquireLink():
                self._out.append(encode(EnquireLinkResp(sequence_number=sequence)))
            case Request() if pdu.response is not None:
                self._out.append(
                    encode(pdu.response(command_status=CommandStatus.RINVCMDID, sequence_number=sequence))
                )
            case _:
                pass

    def _take_delivery(self, address: str, *, plain: bool, now: int) -> None:
        """Handle a delivery on the slow path: its number may only be spelled differently from ours."""
        number = b"86" + bare(address).encode("ascii", "replace")
        if not (plain and self._traffic.take_delivery(number, now)):
            self._traffic.unasked_deliveries += 1

    def _give_up(self, reason: str) -> None:
        """Close after writing what is queued."""
        self._sends = False
        self._reason = self._reason or reason
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            self._write(octets)

    def _write(self, octets: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(octets)
        if self._clogged and transport.get_write_buffer_size() > MOST_UNSENT:
            self._reason = self._reason or "the gateway does not read"
            transport.abort()
