"""The SMPP listener: accepts connections, authenticates binds, passes everything else to the application.

Settings come as values. Before its bind a peer costs little: a stranger is closed at once; the others are
counted (gateway.net.admission) and may send ALLOWANCE octets. The response to a failed bind is delayed:
0.1 s, doubling up to 5 s, per address and system_id; a successful bind resets that. Behind a balancer that is
named as one, address is that of the peer which it names (gateway.net.opening).
"""

import asyncio
import hmac
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from gateway.net.acceptor import Acceptor
from gateway.net.admission import (
    STRANGER,
    Admission,
    ConnectionLimits,
    Network,
    address_of,
    group_of,
    is_within,
    peer_of,
)
from gateway.net.connection import TOO_MUCH, Connection
from gateway.net.opening import Entrance, Unopened, establish, read_header, speaks, why_not
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindResponse,
    BindTransceiver,
    BindTransmitter,
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    DataSm,
    Outbind,
    QueryBroadcastSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)
from gateway.smpp.session import (
    Answered,
    Closing,
    Congested,
    Event,
    Late,
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
from gateway.smpp.versions import Congestion

DELAY_FIRST: Final = 0.1
DELAY_MOST: Final = 5.0
OFFENDERS: Final = 10_000
"""Pairs of address and system_id whose failed binds are remembered; beyond that the oldest is dropped."""
SERVED: Final = frozenset(
    request.command_id
    for request in (
        BindReceiver, BindTransmitter, BindTransceiver, SubmitSm, DataSm, SubmitMulti, QuerySm, CancelSm,
        ReplaceSm, BroadcastSm, QueryBroadcastSm, CancelBroadcastSm,
    )
)  # fmt: skip
ALLOWANCE: Final = 16_384
"""Octets that a peer may send before it is bound: many binds, and some requests after the right one."""
CROWDED: Final = "gave way to a newer one: too many connections that are not bound"
STOPPING: Final = "the gateway stops"

_ENTRANCE: Final = Entrance()
_CONNECTION_LIMITS: Final = ConnectionLimits()


@dataclass(frozen=True, slots=True)
class BindAccount:
    """An account that may bind: what the listener needs of it. elsewhere: why it may not bind here, "": it
    may. binds: how many of its binds may stand at one time."""

    system_id: str
    password: str
    window_in: int
    window_out: int
    allow_from: tuple[Network, ...]
    modes: frozenset[str]
    elsewhere: str = ""
    binds: int = 250

    def refusal(self, mode: str, standing: int) -> str:
        """Why it may not bind in this mode while so many of its binds stand; "": it may."""
        if mode not in self.modes:
            return f"mode {mode} not allowed"
        if standing >= self.binds:
            return f"{standing} binds of the account stand: smpp.accounts.binds"
        return self.elsewhere


class Outbinds(Protocol):
    """Who binds at a centre that comes to us and says outbind."""

    def take(self, connection: Connection, outbind: Outbind, gone: Callable[[Connection], None]) -> str:
        """Bind on this connection, whose end gone() is told of. Gives why not; "": it is taken."""


class Application(Protocol):
    """Handles the sessions that the listener lets in. `bind` is what bound() returned."""

    def connected(self, connection: Connection) -> None:
        """A connection is open, and not bound yet."""

    def bound(self, connection: Connection, request: BindRequest, account: str) -> Any:
        """A bind was accepted; the response is queued, not yet written."""

    def ready(self, bind: Any) -> None:
        """The response to the bind has been written: requests may follow."""

    def submitted(self, bind: Any, request: SubmitSm | DataSm) -> None:
        """A mobile originated SMS arrived; answer it through the session of the bind, now or later."""

    def requested(self, bind: Any, request: Request) -> None:
        """Another request that is served arrived; answer it so too."""

    def answered(self, bind: Any, context: object, response: Pdu) -> None:
        """The peer answered one of our requests."""

    def timed_out(self, bind: Any, context: object) -> None:
        """The peer did not answer one of our requests in time."""

    def late(self, bind: Any, context: object, response: Pdu) -> None:
        """The peer answered a request after it was told as timed out."""

    def congested(self, bind: Any, state: int) -> None:
        """The peer said how busy it is."""

    def settled(self, bind: Any) -> None:
        """The last of a run of responses was passed on."""

    def lost(self, bind: Any, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bound session is gone. polite: by unbind, the peer has read our responses."""

    def disconnected(self) -> None:
        """A connection is gone, bound or not."""

    def refused_bind(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """A bind was refused."""

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was closed before a bind."""

    def accepting(self, error: OSError | None) -> None:
        """No connection can be accepted, for this reason; None: accepting works again."""

    def broken(self, error: Exception) -> None:
        """A bug met one event; the others are processed."""

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """The session refused a request, or noted an irregularity of the peer: for the log."""


class Listener:
    """Listens on one address. `close` stops listening; the application ends the connections.

    congestion: what responses to peers of 5.0 say of us.
    """

    def __init__(
        self,
        accounts: Mapping[str, BindAccount],
        application: Application,
        timers: Timers,
        clock: Callable[[], float],
        system_id: str = "fetion",
        limits: ConnectionLimits = _CONNECTION_LIMITS,
        entrance: Entrance = _ENTRANCE,
    ) -> None:
        self.connections: set[Connection] = set()
        self.port = 0
        self.congestion = Congestion()
        self.outbinds: Outbinds | None = None
        self._accounts = accounts
        self._application = application
        self._timers = timers
        self._clock = clock
        self._system_id = system_id
        networks = (network for account in accounts.values() for network in account.allow_from)
        self._admission: Admission[Connection] = Admission(limits, networks)
        self._acceptor = Acceptor(self._taken, application.accepting)
        self._entrance = entrance
        self._stopping = False
        self._opening: dict[Connection, asyncio.Task[None]] = {}
        self._failures: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._standing: Counter[str] = Counter()  # binds by account

    async def start(self, host: str, port: int) -> None:
        """Open the port (0: any free one). Raises OSError when it is in use."""
        self.port = await self._acceptor.start(host, port)

    def close(self) -> None:
        """Stop listening, and take no bind any more; connections that are open stay so, those that are about
        to open do not."""
        self._stopping = True
        self._acceptor.close()
        for connection in list(self._opening):
            self._end(connection, STOPPING)

    def take_outbinds(self, outbinds: Outbinds, networks: Iterable[Network]) -> None:
        """Let centres come from these networks, and ask us to bind."""
        self.outbinds = outbinds
        self._admission.allow(networks)

    async def summon(self, host: str, port: int, password: str) -> Connection:
        """Connect to an ESME and ask it to bind; its bind is served as one that came in. Raises OSError."""
        connection = self._connection(Outbind(system_id=self._system_id, password=password))
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, host, port)
        return connection

    def _taken(self, accepted: socket.socket, where: tuple[str, int]) -> None:
        """Let in a new connection, or close it. A stranger costs no more than this."""
        host, port = where[:2]
        address = address_of(host)
        proxied = is_within(address, self._entrance.balancers)
        if not proxied and not self._admission.allows(address):
            accepted.close()
            self._application.turned_away(peer_of(str(address), port), STRANGER)
            return
        connection = self._connection()
        connection.comes_from(host, port)
        if reason := self._enter(connection, nameless=proxied):
            accepted.close()
            self._application.turned_away(connection.peer, reason)
            return
        self.connections.add(connection)
        accepted.settimeout(0)
        opening = asyncio.get_running_loop().create_task(
            self._open(connection, accepted, proxied=proxied), name=f"accept {connection.peer}"
        )
        self._opening[connection] = opening
        opening.add_done_callback(partial(self._opened, connection, accepted))

    def _enter(self, connection: Connection, *, nameless: bool = False) -> str:
        """Count a connection, for which another one may have to go. Why it is not let in; "": it is."""
        reason, last = self._admission.enter(connection, connection.address, nameless=nameless)
        if last is not None:
            self._application.turned_away(last.peer, CROWDED)
            self._end(last, CROWDED)
        return reason

    def _end(self, connection: Connection, reason: str) -> None:
        connection.abort(reason)
        if opening := self._opening.get(connection):
            opening.cancel()

    async def _open(self, connection: Connection, accepted: socket.socket, *, proxied: bool) -> None:
        """From the socket to the session. Raises Unopened, OSError."""
        if proxied:
            await self._introduce(connection, accepted)
        await establish(connection, accepted, self._entrance.tls, self._timers.session_init)

    async def _introduce(self, connection: Connection, accepted: socket.socket) -> None:
        """Let a balancer name the peer, which is admitted in its place. Raises Unopened."""
        source, balancer = await read_header(accepted), connection.peer
        if source.host:
            connection.comes_from(source.host, source.port)
        if not self._admission.allows(connection.address):
            # A balancer that names nobody, or itself (HAProxy in version 1), looks whether we are there.
            itself = not source.host or is_within(connection.address, self._entrance.balancers)
            raise Unopened("" if itself else STRANGER)
        self._admission.leave(connection)
        if reason := self._enter(connection):
            raise Unopened(reason)
        if source.host:
            self._entrance.introduced(connection.peer, balancer)

    def _opened(self, connection: Connection, accepted: socket.socket, opening: "asyncio.Task[None]") -> None:
        """Clean up when no session could be made of the socket. Who has cancelled that has said why."""
        self._opening.pop(connection, None)
        error = None if opening.cancelled() else opening.exception()
        if error is None and not opening.cancelled():
            return
        accepted.close()
        self.gone(connection)
        if isinstance(error, OSError | Unopened):
            if reason := why_not(error):
                self._application.turned_away(connection.peer, reason)
        elif isinstance(error, Exception):
            self._application.broken(error)

    def gone(self, connection: Connection, account: str = "") -> None:
        """Remove a connection that has ended."""
        if account:
            self._standing[account] -= 1
        self.connections.discard(connection)
        self._admission.leave(connection)
        self._application.disconnected()

    def _connection(self, outbind: Outbind | None = None) -> Connection:
        session = Session(
            Side.MC,
            now=self._clock(),
            timers=self._timers,
            limits=Limits(),
            serves=SERVED,
            congestion=self.congestion,
        )
        connection = Connection(session, _Peer(self, outbind), self._clock)
        connection.allowance = ALLOWANCE
        return connection

    def check(self, connection: Connection, request: BindRequest) -> str:
        """Return why a bind is refused; "": it is not. The time taken does not depend on the password."""
        account = self._accounts.get(request.system_id)
        expected = account.password if account is not None else ""
        same = hmac.compare_digest(request.password.encode("latin-1"), expected.encode("latin-1"))
        if account is None:
            return "unknown system_id"
        if not same:
            return "wrong password"
        if not is_within(connection.address, account.allow_from):
            return "address not in allow_from"
        return ""

    def bind(self, peer: "_Peer", connection: Connection, request: BindRequest) -> None:
        """Answer a bind request: at once if it succeeds, with a delay if it fails."""
        reason = self.check(connection, request)
        status = CommandStatus.RINVPASWD
        mode = request.name.removeprefix("bind_")
        if not reason:
            standing = self._standing[request.system_id]
            reason, status = (
                self._accounts[request.system_id].refusal(mode, standing),
                CommandStatus.RBINDFAIL,
            )
        if not reason and self._stopping:
            self._application.refused_bind(
                connection.peer, request.system_id, STOPPING, CommandStatus.RSYSERR
            )
            connection.session.refuse(request, CommandStatus.RSYSERR)
            return
        offender = (group_of(connection.address), request.system_id)
        if reason:
            delay = self._delay(offender)
            self._application.refused_bind(connection.peer, request.system_id, reason, status)
            peer.refusal = asyncio.get_running_loop().call_later(
                delay, _refuse_later, connection, request, int(status)
            )
            return
        self._failures.pop(offender, None)
        self._admission.bound(connection)
        connection.allowance = None
        account = self._accounts[request.system_id]
        session = connection.session
        session.limits = Limits(window_in=account.window_in, window_out=account.window_out)
        assert request.response is not None
        response = request.response()
        assert isinstance(response, BindResponse)
        response.system_id = self._system_id
        if session.version.tlvs:
            response.tlvs = {SC_INTERFACE_VERSION: session.version.octet}
        session.answer(request, response)
        peer.account = account.system_id
        self._standing[peer.account] += 1
        peer.bind = self._application.bound(connection, request, account.system_id)
        connection.flush()
        self._application.ready(peer.bind)

    def outbound(self, peer: "_Peer", connection: Connection, outbind: Outbind) -> bool:
        """A centre asks us to bind. Gives whether the connection has another owner now; else it ends after a
        delay, as that of a failed bind does."""
        if self.outbinds is None or peer.bind is not None or peer.refusal is not None:
            return False
        offender = (group_of(connection.address), outbind.system_id)
        reason = self.outbinds.take(connection, outbind, self.gone)
        if not reason:
            self._failures.pop(offender, None)
            self._admission.bound(connection)
            return True
        delay = self._delay(offender)
        self._application.refused_bind(
            connection.peer, outbind.system_id, f"outbind: {reason}", CommandStatus.RBINDFAIL
        )
        peer.refusal = asyncio.get_running_loop().call_later(delay, connection.abort, "outbind refused")
        return False

    def _delay(self, offender: tuple[str, str]) -> float:
        """Count a failure; the seconds until it is answered."""
        delay = min(self._failures.pop(offender, DELAY_FIRST / 2) * 2, DELAY_MOST)
        self._failures[offender] = delay
        if len(self._failures) > OFFENDERS:
            self._failures.popitem(last=False)
        return delay


def _refuse_later(connection: Connection, request: Request, command_status: int) -> None:
    if not connection.closed:
        connection.session.refuse(request, command_status)
        connection.flush()


class _Peer:
    """The owner of one accepted connection (gateway.net.connection.Owner)."""

    __slots__ = ("_listener", "_outbind", "account", "bind", "polite", "refusal")

    def __init__(self, listener: Listener, outbind: Outbind | None = None) -> None:
        self._listener = listener
        self._outbind = outbind
        self.bind: Any = None
        self.account = ""
        self.polite = False
        self.refusal: asyncio.TimerHandle | None = None

    def opened(self, connection: Connection) -> None:
        """Tell the application; the listener knows the connection since accept, or has dialled it."""
        listener = self._listener
        listener.connections.add(connection)
        listener._application.connected(connection)
        if self._outbind is not None:
            connection.session.send(self._outbind, None, listener._clock())
            connection.flush()

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Dispatch events; the hot path is SubmitSm and Answered."""
        application = self._listener._application
        bind = self.bind
        answers = False
        for event in events:
            try:
                if type(event) is SubmitSm or type(event) is DataSm:
                    application.submitted(bind, event)
                elif type(event) is Answered:
                    answers = True
                    application.answered(bind, event.context, event.response)
                elif type(event) is TimedOut:
                    answers = True
                    application.timed_out(bind, event.context)
                elif type(event) is Late:
                    answers = True
                    application.late(bind, event.context, event.response)
                elif type(event) is Congested:
                    if bind is not None:  # a stranger may say what it likes
                        application.congested(bind, event.state)
                elif isinstance(event, BindRequest):
                    self._listener.bind(self, connection, event)
                    bind = self.bind
                elif isinstance(event, Noted) and isinstance(event.pdu, Outbind):
                    if self._listener.outbound(self, connection, event.pdu):
                        return  # it has another owner now
                    application.remarked(connection.peer, self.account, event)
                elif isinstance(event, Refused | Noted):
                    application.remarked(connection.peer, self.account, event)
                elif isinstance(event, Closing):
                    self.polite = event.polite
                elif isinstance(event, Request):
                    application.requested(bind, event)
            except Exception as error:  # the boundary for bugs in what an event leads to
                application.broken(error)
        if answers:
            application.settled(bind)

    def lost(self, connection: Connection, contexts: list[object], reason: str) -> None:
        """Tell application and listener that the connection is gone."""
        if self.refusal is not None:
            self.refusal.cancel()  # or peers that come and go leave timers behind
        application = self._listener._application
        if self.bind is not None:
            application.lost(self.bind, contexts, reason, polite=self.polite)
        elif reason == TOO_MUCH:
            application.turned_away(connection.peer, reason)
        elif what := speaks(connection.begins):
            application.turned_away(connection.peer, what)
        self._listener.gone(connection, self.account)
