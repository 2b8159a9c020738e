"""The SMPP listener: accepts connections, authenticates binds, hands everything else to the application.

Settings come as values. A failed bind is answered late: 0.1 s doubling to 5 s per address and
system_id; a good one clears that.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final, Protocol

from gateway.net.connection import Connection
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindResponse,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    SubmitSm,
)
from gateway.smpp.session import (
    Answered,
    Closing,
    Event,
    Limits,
    Noted,
    Refused,
    Session,
    Side,
    TimedOut,
    Timers,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import SC_INTERFACE_VERSION

DELAY_FIRST: Final = 0.1
DELAY_MOST: Final = 5.0
OFFENDERS: Final = 10_000
"""Address and system_id pairs whose failed binds are remembered; beyond it the oldest is forgotten."""
SERVED: Final = frozenset(
    request.command_id for request in (BindReceiver, BindTransmitter, BindTransceiver, SubmitSm, DataSm)
)
CONNECTIONS: Final = 1_000
"""Open connections at most; beyond it a new one is closed at once."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may bind: what the listener needs of an account."""

    system_id: str
    password: str
    window_in: int
    window_out: int
    allow_from: tuple[IPv4Network | IPv6Network, ...]
    modes: frozenset[str]


class Application(Protocol):
    """What happens with the sessions that the listener lets in. `bind` is what bound() returned."""

    def bound(self, connection: Connection, request: BindRequest, account: str) -> Any:
        """A bind was accepted; the answer is queued, not yet written."""

    def ready(self, bind: Any) -> None:
        """The answer to the bind has been written: requests may follow."""

    def submitted(self, bind: Any, request: SubmitSm | DataSm) -> None:
        """An SMS for us; to be answered through bind's session, now or later."""

    def answered(self, bind: Any, context: object, response: Pdu) -> None:
        """One of our requests was answered."""

    def timed_out(self, bind: Any, context: object) -> None:
        """One of our requests was not answered in time."""

    def settled(self, bind: Any) -> None:
        """The last of a run of answers was handed over."""

    def lost(self, bind: Any, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bound session is gone; polite: the peer has read our answers."""

    def disconnected(self) -> None:
        """A connection is gone, bound or not."""

    def refused_bind(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """Somebody was not let in."""

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """Something for the log: a request that the session refused, an oddity of the peer."""


class Listener:
    """Listens on one address. `close` stops listening; connections are ended by the application."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        application: Application,
        timers: Timers,
        clock: Callable[[], float],
        system_id: str = "fetion",
    ) -> None:
        self.connections: set[Connection] = set()
        self.port = 0
        self._accounts = accounts
        self._application = application
        self._timers = timers
        self._clock = clock
        self._system_id = system_id
        self._server: asyncio.Server | None = None
        self._failures: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def start(self, host: str, port: int) -> None:
        """Open the port (0: any free one). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening; what is connected stays connected."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connection(self) -> Connection:
        session = Session(
            Side.MC,
            now=self._clock(),
            timers=self._timers,
            limits=Limits(),
            serves=SERVED,
        )
        return Connection(session, _Peer(self), self._clock)

    def check(self, connection: Connection, request: BindRequest) -> str:
        """Why a bind is refused, "" when it is not. The time it takes does not depend on the password."""
        account = self._accounts.get(request.system_id)
        expected = account.password if account is not None else ""
        same = hmac.compare_digest(request.password.encode("latin-1"), expected.encode("latin-1"))
        if account is None:
            return "unknown system_id"
        if not same:
            return "wrong password"
        address = ip_address(connection.peer_host.partition("%")[0])
        if not any(address.version == net.version and address in net for net in account.allow_from):
            return "address not in allow_from"
        return ""

    def bind(self, peer: "_Peer", connection: Connection, request: BindRequest) -> None:
        """Answer a bind request: at once when it is right, later when it is wrong."""
        reason = self.check(connection, request)
        status = CommandStatus.RINVPASWD
        mode = request.name.removeprefix("bind_")
        if not reason and mode not in self._accounts[request.system_id].modes:
            reason, status = f"mode {mode} not allowed", CommandStatus.RBINDFAIL
        offender = (connection.peer_host, request.system_id)
        if reason:
            delay = self._failures.pop(offender, DELAY_FIRST / 2) * 2
            self._failures[offender] = min(delay, DELAY_MOST)
            if len(self._failures) > OFFENDERS:
                self._failures.popitem(last=False)
            self._application.refused_bind(connection.peer, request.system_id, reason, status)
            asyncio.get_running_loop().call_later(
                min(delay, DELAY_MOST), _refuse_later, connection, request, int(status)
            )
            return
        self._failures.pop(offender, None)
        account = self._accounts[request.system_id]
        session = connection.session
        session.limits = Limits(window_in=account.window_in, window_out=account.window_out)
        assert request.response is not None
        response = request.response()
        assert isinstance(response, BindResponse)
        response.system_id = self._system_id
        if request.interface_version >= 0x34:
            response.tlvs = {SC_INTERFACE_VERSION: 0x34}
        session.answer(request, response)
        peer.account = account.system_id
        peer.bind = self._application.bound(connection, request, account.system_id)
        connection.flush()
        self._application.ready(peer.bind)


def _refuse_later(connection: Connection, request: Request, command_status: int) -> None:
    if not connection.closed:
        connection.session.refuse(request, command_status)
        connection.flush()


class _Peer:
    """The owner of one accepted connection (gateway.net.connection.Owner)."""

    __slots__ = ("_listener", "account", "bind", "polite")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.bind: Any = None
        self.account = ""
        self.polite = False

    def opened(self, connection: Connection) -> None:
        """A peer has connected."""
        listener = self._listener
        if len(listener.connections) >= CONNECTIONS:
            connection.abort("too many connections")
            return
        listener.connections.add(connection)

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Sort events; the hot path is SubmitSm and Answered."""
        application = self._listener._application
        bind = self.bind
        answers = False
        for event in events:
            if type(event) is SubmitSm or type(event) is DataSm:
                application.submitted(bind, event)
            elif type(event) is Answered:
                answers = True
                application.answered(bind, event.context, event.response)
            elif type(event) is TimedOut:
                answers = True
                application.timed_out(bind, event.context)
            elif isinstance(event, BindRequest):
                self._listener.bind(self, connection, event)
                bind = self.bind
            elif isinstance(event, Refused | Noted):
                application.remarked(connection.peer, self.account, event)
            elif isinstance(event, Closing):
                self.polite = event.polite
        if answers:
            application.settled(bind)

    def lost(self, connection: Connection, contexts: list[object], reason: str) -> None:
        """The connection is gone."""
        self._listener.connections.discard(connection)
        if self.bind is not None:
            self._listener._application.lost(self.bind, contexts, reason, polite=self.polite)
        self._listener._application.disconnected()
