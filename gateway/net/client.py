"""One connection on which we are the ESME: it binds, then passes everything to the application.

Who dialled does not matter: we did (gateway.net.dialer), or the SMS centre, which asked us by outbind to
bind.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.net.connection import Connection
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import AlertNotification, BindRequest, BindResponse, DataSm, DeliverSm
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
    State,
    TimedOut,
    Timers,
)
from gateway.smpp.status import name_of

SERVED: Final = frozenset({DeliverSm.command_id, DataSm.command_id})
ALLOWANCE: Final = 16_384
"""Octets that a centre may send before it has answered the bind."""
BINDING: Final = object()
"""The context of the bind."""


@dataclass(frozen=True, slots=True)
class CentreTerms:
    """How to bind at an SMS centre. places: host and port, in the order in which they are tried. mode: of the
    bind. request: makes the bind. tls: makes the context of a connection; None: there is no TLS. server_name:
    the name that the certificate must have; None: the host."""

    places: tuple[tuple[str, int], ...]
    mode: str
    request: Callable[[], BindRequest]
    timers: Timers
    limits: Limits
    tls: Callable[[], ssl.SSLContext] | None = None
    server_name: str | None = None


class Application(Protocol):
    """Handles the sessions that we bind. `bind` is what Holder.bound() returned."""

    def ready(self, bind: Any) -> None:
        """Requests may leave."""

    def delivered(self, bind: Any, request: DeliverSm | DataSm) -> None:
        """An SMS or a receipt came; answer it through the session of the bind, now or later."""

    def alerted(self, bind: Any, request: AlertNotification) -> None:
        """A handset can be reached again."""

    def answered(self, bind: Any, context: object, response: Pdu) -> None:
        """The centre answered one of our requests."""

    def timed_out(self, bind: Any, context: object) -> None:
        """The centre did not answer one of our requests in time."""

    def late(self, bind: Any, context: object, response: Pdu) -> None:
        """The centre answered a request after it was told as timed out."""

    def congested(self, bind: Any, state: int) -> None:
        """The centre said how busy it is."""

    def settled(self, bind: Any) -> None:
        """The last of a run of responses was passed on."""

    def broken(self, error: Exception) -> None:
        """A bug met one event; the others are processed."""

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """The session refused a request, or noted an irregularity of the peer: for the log."""


class Holder(Protocol):
    """Who made the connection, and hears how it fares."""

    def opened(self, client: "Client", connection: Connection) -> None:
        """It stands; the bind leaves now."""

    def bound(self, client: "Client", connection: Connection, response: BindResponse) -> Any:
        """The centre has accepted the bind. Gives what the application calls it."""

    def ended(self, client: "Client", contexts: list[object], reason: str) -> None:
        """The connection is gone. contexts: our requests that were not answered. client.bind tells whether it
        was bound, and client.status how the centre refused that."""


class Client:
    """The owner of the connection (gateway.net.connection.Owner).

    account: for the log. connection: once it stands. bind: what the application made of it; None before.
    status: command_status of a refused bind, 0 for none. polite: the peer has read our answers.
    """

    __slots__ = (
        "_application", "_clock", "_holder", "account", "bind", "connection", "polite", "status", "terms",
    )  # fmt: skip

    def __init__(
        self,
        terms: CentreTerms,
        application: Application,
        account: str,
        clock: Callable[[], float],
        holder: Holder,
    ) -> None:
        self.terms = terms
        self.account = account
        self.connection: Connection | None = None
        self.bind: Any = None
        self.status = 0
        self.polite = False
        self._application = application
        self._clock = clock
        self._holder = holder

    def session(self) -> Session:
        """A session for it."""
        return Session(
            Side.ESME,
            now=self._clock(),
            timers=self.terms.timers,
            limits=self.terms.limits,
            serves=SERVED,
        )

    def protocol(self) -> Connection:
        """A connection for it, to be dialled."""
        return Connection(self.session(), self, self._clock)

    def opened(self, connection: Connection) -> None:
        """Send the bind."""
        connection.allowance = ALLOWANCE
        self.connection = connection
        self._holder.opened(self, connection)
        connection.session.send(self.terms.request(), BINDING, self._clock())
        connection.flush()

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Dispatch events; the hot path is DeliverSm and Answered."""
        application = self._application
        bind = self.bind
        answers = False
        for event in events:
            try:
                if type(event) is DeliverSm or type(event) is DataSm:
                    application.delivered(bind, event)
                elif type(event) is Answered:
                    if event.context is BINDING:
                        self._bind_answered(connection, event.response)
                        bind = self.bind
                        continue
                    answers = True
                    application.answered(bind, event.context, event.response)
                elif type(event) is TimedOut:
                    if event.context is BINDING:
                        connection.abort("bind not answered")
                        continue
                    answers = True
                    application.timed_out(bind, event.context)
                elif type(event) is Late and event.context is not BINDING:
                    answers = True
                    application.late(bind, event.context, event.response)
                elif type(event) is Congested and bind is not None:
                    application.congested(bind, event.state)
                elif isinstance(event, Refused | Noted):
                    self._remark(connection, event)
                elif isinstance(event, Closing):
                    self.polite = event.polite
            except Exception as error:  # the boundary for bugs in what an event leads to
                application.broken(error)
        if self.bind is None and connection.session.state not in (State.OPEN, State.CLOSED):
            connection.abort("a bug met the bind")
        elif answers:
            application.settled(bind)

    def _bind_answered(self, connection: Connection, response: Pdu) -> None:
        if response.command_status or not isinstance(response, BindResponse):
            self.status = response.command_status
            said = name_of(self.status) if self.status else response.name
            connection.close(f"bind refused: {said}")
            return
        connection.allowance = None
        self.bind = self._holder.bound(self, connection, response)
        self._application.ready(self.bind)

    def _remark(self, connection: Connection, event: Refused | Noted) -> None:
        if isinstance(event, Noted) and isinstance(event.pdu, AlertNotification) and self.bind is not None:
            self._application.alerted(self.bind, event.pdu)
        else:
            self._application.remarked(connection.peer, self.account, event)

    def lost(self, _connection: Connection, contexts: list[object], reason: str) -> None:
        """Tell the holder that the connection is gone."""
        self._holder.ended(self, [each for each in contexts if each is not BINDING], reason)
