"""The SMPP driver, server role: binds that come in on one listener."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from gateway.channels.contract import ChannelOwner
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.certificates import of_listener
from gateway.channels.smpp.paced import PacedBind, pace
from gateway.channels.smpp.pacing import Pace
from gateway.channels.smpp.reading import Read, content, reader_of
from gateway.channels.smpp.receipting import asked_by
from gateway.channels.smpp.requests import Requests
from gateway.channels.smpp.settings import AccountSettings, ServerTls
from gateway.channels.smpp.terms import PeerTerms
from gateway.channels.smpp.traffic import Traffic
from gateway.channels.smpp.watching import Together, Watches
from gateway.channels.smpp.writing import writer_of
from gateway.net.admission import ConnectionLimits, Network
from gateway.net.connection import Connection
from gateway.net.listener import BindAccount, Listener
from gateway.net.opening import Entrance
from gateway.net.outbind import Summoner
from gateway.observer import Observer
from gateway.settings import Settings
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import BindRequest, DeliverSm
from gateway.smpp.status import name_of
from gateway.smpp.timers import Timers

RANGES_WARNED: Final = 1000
"""Useless address ranges that are remembered, so that each is warned of once."""


def _elsewhere(account: AccountSettings, node: str | None) -> str:
    """Why an account may not bind at a node; "": it may."""
    if account.nodes is None or node in account.nodes:
        return ""
    here = f"this is {node}" if node else "this gateway has no node.name"
    return f"the account binds at {', '.join(account.nodes)} only: {here}"


@dataclass(frozen=True, slots=True)
class SmppConfiguration:
    """What the driver needs of the configuration. accounts, peers: by account. zone: of times that are
    told."""

    host: str
    port: int
    accounts: Mapping[str, BindAccount]
    peers: Mapping[str, PeerTerms]
    timers: Timers
    limits: ConnectionLimits
    balancers: tuple[Network, ...] = ()
    tls: ServerTls | None = None
    zone: tzinfo = UTC

    @property
    def alphabets(self) -> dict[str, Alphabet]:
        """By account."""
        return {name: each.composition.alphabet for name, each in self.peers.items()}

    def readers(self, read: Read = content) -> dict[str, Read]:
        """How the PDUs of each account are read, on top of `read`, which reads those of any."""
        return {
            name: reader_of(read, each.manner.prefix, each.manner.passes) for name, each in self.peers.items()
        }

    @classmethod
    def of(cls, settings: Settings) -> "SmppConfiguration":
        """Taken from the section `smpp`."""
        smpp = settings.smpp
        listen, timers = smpp.listen, smpp.timers
        return cls(
            listen.host,
            listen.port,
            {
                a.system_id: BindAccount(
                    a.system_id,
                    a.password,
                    a.window_in,
                    a.window_out,
                    a.allow_from,
                    a.modes,
                    _elsewhere(a, settings.node.name),
                    a.binds,
                )
                for a in smpp.accounts
            },
            {each.account: PeerTerms.of(each) for each in smpp.links}
            | {each.name: PeerTerms.of(each) for each in smpp.accounts},
            Timers(
                session_init=timers.session_init,
                enquire_link=timers.enquire_link,
                inactivity=timers.inactivity,
                response=timers.response,
            ),
            ConnectionLimits(listen.connections, listen.per_address, listen.unbound),
            listen.balancers,
            listen.tls,
            ZoneInfo(settings.service.timezone),
        )


@dataclass(frozen=True, slots=True)
class Dialled:
    """What the gateway dials, and is watched with what comes in: connections, filled later, and accounts."""

    connections: Collection[Connection]
    accounts: Collection[str]


NOTHING_DIALLED: Final = Dialled((), ())


class SmppChannel(Traffic):
    """Takes binds that come in on one listener (gateway.net.listener.Application).

    monotonic: seconds. numbers: of binds (gateway.channels.driver.Build). now_ms: the wall clock (ms since
    the epoch). Raises TlsFault.
    """

    def __init__(
        self,
        configuration: SmppConfiguration,
        owner: ChannelOwner,
        observer: Observer,
        monotonic: Callable[[], float],
        numbers: Iterator[int],
        now_ms: Callable[[], int],
        dialled: Dialled = NOTHING_DIALLED,
    ) -> None:
        super().__init__(configuration.peers, owner, observer, monotonic, now_ms)
        self._configuration = configuration
        self._numbers = numbers
        self._warned: set[tuple[str, str]] = set()
        self._writers = {
            name: each.permissions.writer(writer_of(DeliverSm, each.manner, each.composition, now_ms))
            for name, each in configuration.peers.items()
        }
        self._readers = {name: self.reader_for(each) for name, each in configuration.peers.items()}
        self._contexts = of_listener(configuration.tls, observer)
        self.requested: Callable[[SmppBind, Request], None] = Requests(
            configuration.alphabets, owner, observer, configuration.zone, monotonic
        ).requested
        self.listener = Listener(
            configuration.accounts,
            self,
            configuration.timers,
            monotonic,
            limits=configuration.limits,
            entrance=Entrance(configuration.balancers, self._contexts, observer.introduced),
        )
        self.summoners: Sequence[Summoner] = ()
        self.watches = Watches(
            Together(self.listener.connections, dialled.connections),
            {*configuration.accounts, *dialled.accounts},
            self.broken,
        )

    def tell_congestion(self, state: int) -> None:
        """Set what responses to peers of 5.0 say of us: 0, idle, to 100."""
        self.listener.congestion.set(state)

    # What the life cycle asks (gateway.channels.contract.Channel)

    async def start(self) -> dict[str, object]:
        """Open the port."""
        if self._contexts is not None:
            self._contexts.tell()
        await self.listener.start(self._configuration.host, self._configuration.port)
        for summoner in self.summoners:
            summoner.start()
        return {"host": self._configuration.host, "smpp_port": self.listener.port}

    def follow(self, now_ms: int, *, again: bool = False) -> None:
        """Certificates whose files have changed."""
        if self._contexts is not None:
            self._contexts.follow(now_ms, again=again)

    @property
    def connections(self) -> int:
        """Of the listener, and those that are being opened to ESMEs."""
        return len(self.listener.connections) + sum(each.dialling for each in self.summoners)

    def close(self) -> None:
        """Stop listening, and ask nobody to bind."""
        self.listener.close()
        for summoner in self.summoners:
            summoner.stop()

    def unbind(self) -> None:
        """Each session ends with an unbind."""
        for connection in list(self.listener.connections):
            connection.unbind()

    def abort(self, reason: str) -> None:
        """Each connection is closed at once."""
        for connection in list(self.listener.connections):
            connection.abort(reason)

    # What the listener tells (gateway.net.listener.Application)

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        self.watches.connected(connection)

    def bound(self, connection: Connection, request: BindRequest, account: str) -> SmppBind:
        """A bind was accepted."""
        self.watches.bound(connection, account)
        wanted, fault = None, ""
        try:
            wanted = AddressRange.of(request.address_range)
        except ValueError as error:
            fault = str(error)
        terms = self._peers[account]
        # A peer of SMPP 5.0 may say how busy it is; no other one pays for it.
        kind = PacedBind if request.interface_version >= 0x50 else SmppBind
        bind = kind(
            next(self._numbers),
            account,
            connection.peer,
            request.name.removeprefix("bind_"),
            request.address_range,
            wanted,
            connection,
            connection.session,
            self._monotonic(),
            connection.session.timers.response,
            self._writers[account],
            self._readers[account],
            statuses=terms.statuses,
            permissions=terms.permissions,
        )
        bind.receipts, bind.receipt_ids = asked_by(terms.receipts), terms.receipts.id
        if isinstance(bind, PacedBind):
            bind.monotonic, bind.pace = self._monotonic, Pace(now=self._monotonic())
            pace(bind, self._owner, self._observer)
        self._owner.bound(bind)
        self._observer.bind_accepted(bind, bind.mode, bind.address_range)
        if fault and (account, request.address_range) not in self._warned:
            if len(self._warned) < RANGES_WARNED:
                self._warned.add((account, request.address_range))
            self._observer.useless_range(bind, fault)
        return bind

    def lost(self, bind: SmppBind, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bind is gone."""
        self.watches.lost(bind.connection)
        super().lost(bind, contexts, reason, polite=polite)

    def refused_bind(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """Somebody was not let in."""
        self._observer.bind_refused(peer, system_id, reason, name_of(command_status))

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was closed before a bind."""
        self._observer.turned_away(peer, reason)

    def accepting(self, error: OSError | None) -> None:
        """No connection can be taken for a while, or they can again."""
        self._observer.accepting(error, len(self.listener.connections))
