"""The SMPP driver, client role: the SMS centres that the gateway dials (smpp.links).

A link has one bind, or two: as a pair of a receiver and a transmitter. Each is kept by a dialer; where the
centre comes to us and asks for the bind (outbind), the receiver or transceiver is awaited instead.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from gateway.channels.contract import ChannelOwner, Loss
from gateway.channels.smpp.centre import MODES, CentreBind, terms_of
from gateway.channels.smpp.certificates import of_link
from gateway.channels.smpp.paced import PacedTraffic, pace, rest_of
from gateway.channels.smpp.pacing import Pace
from gateway.channels.smpp.permissions import without_country
from gateway.channels.smpp.receipting import asked_by
from gateway.channels.smpp.settings import LinkSettings
from gateway.channels.smpp.terms import PeerTerms
from gateway.channels.smpp.watching import Watches
from gateway.channels.smpp.writing import writer_of
from gateway.message import MobileTerminated
from gateway.net.admission import is_within
from gateway.net.client import Client
from gateway.net.connection import Connection
from gateway.net.dialer import Dialer, DialState
from gateway.net.outbind import Awaited
from gateway.observer import Observer
from gateway.smpp.pdus import AlertNotification, BindResponse, DataSm, DeliverSm, Outbind, SubmitSm
from gateway.smpp.session import Timers

ELSEWHERE: Final = "dialled by other nodes"
RESTING: Final = "rests"
FAILING: Final = "most of its SMS failed"

LinkTold = Callable[[str, str], None]
"""Told of a link why it is down; "": it is up, all its binds stand."""


class CannotChange(ValueError):
    """A link cannot be paused or resumed; the text says why."""


@dataclass(frozen=True, slots=True)
class Dialling:
    """What links are dialled with. timers: of their sessions. random: of pauses. connections: filled with
    those that stand. node: the name of this one. told: see LinkTold."""

    links: Sequence[LinkSettings]
    timers: Timers
    random: Random
    watches: Watches
    connections: set[Connection]
    node: str | None
    told: LinkTold


class LinkChannel(PacedTraffic):
    """Dials the links (gateway.channels.contract.Channel, gateway.net.client.Application).

    monotonic: seconds. numbers: of binds (gateway.channels.driver.Build). now_ms: the wall clock (ms since
    the epoch). Raises TlsFault.
    """

    def __init__(
        self,
        dialling: Dialling,
        peers: Mapping[str, PeerTerms],
        owner: ChannelOwner,
        observer: Observer,
        monotonic: Callable[[], float],
        numbers: Iterator[int],
        now_ms: Callable[[], int],
    ) -> None:
        super().__init__(peers, owner, observer, monotonic, now_ms)
        self.now_ms = now_ms
        self.contexts = {each.name: of_link(each, observer) for each in dialling.links}
        self.dialling = dialling
        self.monotonic = monotonic
        self.numbers = numbers
        self._links = {each.name: Link(each, self) for each in dialling.links}
        self._closed = False

    # What the life cycle asks (gateway.channels.contract.Channel)

    async def start(self) -> dict[str, object]:
        """Begin to dial; nobody waits for a bind."""
        for contexts in self.contexts.values():
            if contexts is not None:
                contexts.tell()
        for link in self._links.values():
            link.start()
        said = [f"{each.name} ({each.idle})" if each.idle else each.name for each in self._links.values()]
        return {"links": ", ".join(said)} if said else {}

    def follow(self, now_ms: int, *, again: bool = False) -> None:
        """Certificates whose files have changed."""
        for contexts in self.contexts.values():
            if contexts is not None:
                contexts.follow(now_ms, again=again)

    @property
    def connections(self) -> int:
        """Those that we dialled, and rounds under way."""
        return len(self.dialling.connections) + sum(dialer.dialling for dialer in self._dialers())

    def close(self) -> None:
        """Dial no more."""
        self._closed = True
        for dialer in self._dialers():
            dialer.stop()

    def unbind(self) -> None:
        """Unbind everywhere."""
        for connection in list(self.dialling.connections):
            connection.unbind()

    def abort(self, reason: str) -> None:
        """End all connections at once."""
        for connection in list(self.dialling.connections):
            connection.abort(reason)

    def tick(self) -> None:
        """See which pauses are over, for whoever moves the clock."""
        for dialer in self._dialers():
            dialer.tick()

    def _dialers(self) -> Iterator[Dialer | Awaited]:
        return (half.dialer for link in self._links.values() for half in link.halves)

    # What operators ask

    def report(self) -> list[dict[str, Any]]:
        """Each bind of each link: what `links list` and `status` show. Ages in seconds."""
        now = self._monotonic()
        return [half.describe(now) for link in self._links.values() for half in link.halves]

    def pause(self, name: str) -> str:
        """Unbind a link, and dial it no more in this run. Gives its state. Raises CannotChange."""
        link = self._find(name)
        if not link.paused:
            link.pause()
            self._observer.link_paused(name, paused=True)
        return link.halves[0].state

    def resume(self, name: str) -> str:
        """Dial a link again. Gives its state. Raises CannotChange."""
        link = self._find(name)
        if self._closed:
            raise CannotChange("the gateway is stopping")
        if link.elsewhere:
            raise CannotChange(f"{name} is dialled at {', '.join(link.settings.nodes or ())} only")
        if link.paused:
            link.resume()
            self._observer.link_paused(name, paused=False)
        return link.halves[0].state

    def _find(self, name: str) -> "Link":
        if name not in self._links:
            raise CannotChange(f"no link {name!r}; there are: {', '.join(self._links) or 'none'}")
        return self._links[name]

    # What the listener asks (gateway.net.listener.Outbinds)

    def take(self, connection: Connection, outbind: Outbind, gone: Callable[[Connection], None]) -> str:
        """Bind at a centre that asks us to; see Outbinds. The time taken does not depend on the password."""
        reason = "unknown system_id"
        for link in self._links.values():
            if link.settings.outbind is None or link.settings.system_id != outbind.system_id:
                continue
            reason = link.refusal(connection, outbind)
            if not reason:
                link.halves[0].adopt(connection, gone)
                return ""
        return reason

    # What clients tell (gateway.net.client.Application)

    def delivered(self, bind: CentreBind, request: DeliverSm | DataSm) -> None:
        """An SMS from a handset, or a receipt."""
        self.submitted(bind, request)

    def alerted(self, bind: CentreBind, request: AlertNotification) -> None:
        """A handset can be reached again."""
        self._owner.available(bind, without_country(request.source_addr.strip(" ")))

    # What halves tell

    def has_bound(self, bind: CentreBind) -> None:
        """A bind stands."""
        pace(bind, self._owner, self._observer)
        self.dialling.watches.bound(bind.connection, bind.account)
        self._owner.bound(bind)
        self._observer.link_up(bind, bind.link, bind.mode)

    def has_lost(self, bind: CentreBind, contexts: list[object], loss: Loss, pause: float | None) -> None:
        """It is gone."""
        bind.stop()
        self.dialling.watches.lost(bind.connection)
        self._observer.link_down(bind, bind.link, bind.mode, loss.reason, len(contexts), pause)
        self._owner.lost(bind, [each for each in contexts if isinstance(each, MobileTerminated)], loss)

    def has_failed(
        self, link: LinkSettings, mode: str, reason: str, failures: int, pause: float | None
    ) -> None:
        """A link cannot be bound."""
        self._observer.link_failed(link.name, link.account, mode, reason, failures, pause)


class Link:
    """One link."""

    def __init__(self, settings: LinkSettings, channel: LinkChannel) -> None:
        self.settings = settings
        self.terms = PeerTerms.of(settings)
        self.writer = self.terms.permissions.writer(
            writer_of(SubmitSm, self.terms.manner, self.terms.composition, channel.now_ms)
        )
        self.read = channel.reader_for(self.terms)
        self.name = settings.name
        self.paused = settings.paused
        self.elsewhere = settings.nodes is not None and channel.dialling.node not in settings.nodes
        self._channel = channel
        self.rest = rest_of(settings)
        self._up = False
        self.halves = [Half(self, mode, channel) for mode in MODES[settings.bind]]

    @property
    def idle(self) -> str:
        """Why it is not dialled; "": it is."""
        return ELSEWHERE if self.elsewhere else DialState.PAUSED.value if self.paused else ""

    def start(self) -> None:
        """Dial, unless it is paused or others dial it."""
        if not self.elsewhere:  # a broker may still have the state of an earlier run
            self._channel.dialling.told(self.name, self.idle or "not bound yet")
        if not self.idle:
            for half in self.halves:
                half.start()

    def pause(self) -> None:
        """Unbind."""
        self.paused = True
        for half in self.halves:
            half.pause()

    def resume(self) -> None:
        """Dial again."""
        self.paused = False
        self.start()

    def refusal(self, connection: Connection, outbind: Outbind) -> str:
        """Why an outbind is not followed; "": it is."""
        expected = (self.settings.outbind or "").encode("latin-1")
        if not hmac.compare_digest(outbind.password.encode("latin-1"), expected):
            return "wrong password"
        if not is_within(connection.address, self.settings.networks):
            return f"address is not in host of link {self.name}"
        if self.elsewhere:
            return f"link {self.name} is {ELSEWHERE}"
        keeper = self.halves[0].dialer
        assert isinstance(keeper, Awaited)
        return keeper.refusal and f"link {self.name} {keeper.refusal}"

    def changed(self, reason: str) -> None:
        """A bind came or went: let the halves answer through each other, and tell when the whole is up."""
        binds = [half.bind for half in self.halves]
        if len(binds) == 2:
            receiver, transmitter = binds
            if receiver is not None:
                receiver.reply_on = transmitter.number if transmitter is not None else 0
        up = all(bind is not None for bind in binds)
        if up is not self._up:
            self._up = up
            self._channel.dialling.told(self.name, "" if up else reason)


class Half:
    """One bind of a link (gateway.net.dialer.Told)."""

    def __init__(self, link: Link, mode: str, channel: LinkChannel) -> None:
        settings = link.settings
        self.bind: CentreBind | None = None
        self.mode = mode
        self._link = link
        self._channel = channel
        terms = terms_of(settings, mode, channel.dialling.timers, channel.contexts[settings.name])
        about = terms, channel, self, settings.account, channel.monotonic
        comes = settings.outbind is not None and mode != "transmitter"
        self.dialer = Awaited(*about) if comes else Dialer(*about, channel.dialling.random)

    @property
    def state(self) -> str:
        """What it does."""
        return ELSEWHERE if self._link.elsewhere else self.dialer.state.value

    def start(self) -> None:
        """Dial."""
        self.dialer.start()

    def pause(self) -> None:
        """Unbind."""
        self.dialer.pause()

    def adopt(self, connection: Connection, gone: Callable[[Connection], None]) -> None:
        """Bind on a connection of the centre."""
        assert isinstance(self.dialer, Awaited)
        self.dialer.adopt(connection, gone)

    def describe(self, now: float) -> dict[str, Any]:
        """What `links list` shows of it."""
        bind, dialer, settings = self.bind, self.dialer, self._link.settings
        rest = self._link.rest
        rests = bind is not None and bind.carries and rest.rests
        due = rest.until if rests else dialer.due if dialer.state is DialState.WAITING else None
        return {
            "name": settings.name,
            "centre": settings.account,
            "mode": self.mode,
            "state": RESTING if rests else self.state,
            "session": bind.number if bind is not None else None,
            "remote": bind.peer if bind is not None else None,
            "bound_s": round(now - bind.since, 1) if bind is not None else None,
            "failures": dialer.failures,
            "reason": FAILING if rests else (dialer.reason or None) if bind is None else None,
            "next_try_s": round(max(0.0, due - now), 1) if due is not None else None,
        }

    # gateway.net.dialer.Told

    def opened(self, connection: Connection) -> None:
        """A connection stands."""
        self._channel.dialling.connections.add(connection)
        self._channel.dialling.watches.connected(connection)

    def bound(self, client: Client, connection: Connection, _response: BindResponse) -> CentreBind:
        """The bind was accepted."""
        channel, settings = self._channel, self._link.settings
        self.bind = CentreBind(
            next(channel.numbers),
            settings.account,
            connection.peer,
            self.mode,
            settings.address_range,
            None,
            connection,
            connection.session,
            channel.monotonic(),
            client.terms.timers.response,
            self._link.writer,
            self._link.read,
            link=settings.name,
            statuses=self._link.terms.statuses,
            permissions=self._link.terms.permissions,
            receipts=asked_by(settings.receipts),
            receipt_ids=settings.receipts.id,
            if_unanswered=settings.unanswered,
            pace=Pace(settings.rate, settings.burst, channel.monotonic()),
            monotonic=channel.monotonic,
            rest=self._link.rest,
        )
        channel.has_bound(self.bind)
        self._link.changed("another bind of it is missing")
        return self.bind

    def failed(self, reason: str, failures: int, pause: float | None) -> None:
        """A round was in vain."""
        self.bind = None
        self._channel.has_failed(self._link.settings, self.mode, reason, failures, pause)

    def lost(self, client: Client, contexts: list[object], reason: str, pause: float | None) -> None:
        """The bind is gone."""
        bind, self.bind = self.bind, None
        assert bind is not None
        self._link.changed(reason)
        blameless = bind.session.silent or bind.ending
        self._channel.has_lost(bind, contexts, Loss(reason, client.polite, blameless), pause)

    def gone(self, connection: Connection | None) -> None:
        """A connection is gone, or a round over."""
        if connection is not None:
            self._channel.dialling.connections.discard(connection)
        self._channel.disconnected()
