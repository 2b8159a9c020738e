"""The SMPP side of a gateway as drivers, made from the section `smpp` of the configuration: one channel for
the listener, and one for the links where there are any."""

from collections.abc import Callable, Iterator
from itertools import chain
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from gateway.channels.contract import Channel, ChannelOwner
from gateway.channels.driver import AccountTerms, Driver
from gateway.channels.smpp.channel import Dialled, SmppChannel, SmppConfiguration
from gateway.channels.smpp.composing import SmppComposer
from gateway.channels.smpp.links import Dialling, LinkChannel, LinkTold
from gateway.channels.smpp.receipting import report_in
from gateway.channels.smpp.settings import Conventions
from gateway.net.connection import Connection
from gateway.net.outbind import Summoner, Summons
from gateway.observer import Observer
from gateway.settings import Settings

_PREFIXES: Final = {"national": "", "international": "86", "plus": "+86"}


class SmppSide:
    """The drivers, and the channels when they are built. centres: the accounts of links. links: None where
    there are none.

    random: of the pauses of dialers. waiting: whether SMS wait for an account without a receiver. told: hears
    which links are up. now_ms: the wall clock (ms since the epoch).
    """

    channel: SmppChannel
    links: LinkChannel | None = None

    def __init__(
        self,
        settings: Settings,
        random: Random,
        waiting: Callable[[str], bool],
        told: LinkTold,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._random = random
        self._waiting = waiting
        self._told = told
        self._now_ms = now_ms
        self.configuration = SmppConfiguration.of(settings)
        self._dialled: set[Connection] = set()
        self._report = report_in(ZoneInfo(settings.service.timezone))
        smpp = settings.smpp
        peers = self.configuration.peers
        self._composer = SmppComposer({name: each.composition for name, each in peers.items()})
        self.centres = frozenset(each.account for each in smpp.links)
        self.drivers = [Driver({a.name: self._terms(a) for a in smpp.accounts}, self._build)]
        if smpp.links:
            centres = {each.account: self._terms(each) for each in smpp.links}
            self.drivers.append(Driver(centres, self._build_links))

    @property
    def connections(self) -> list[Connection]:
        """All that are open now."""
        return [*self.channel.listener.connections, *self._dialled]

    def tick(self) -> None:
        """See what the time means, for whoever moves the clock."""
        for connection in self.connections:
            connection.tick()
        for summoner in self.channel.summoners:
            summoner.tick()
        if self.links is not None:
            self.links.tick()

    def _terms(self, each: Conventions) -> AccountTerms:
        prefix = _PREFIXES[each.msisdn_format]
        duplicate_ms = int(each.duplicate * 1000)
        return AccountTerms(self._composer, prefix, each.ton, each.npi, duplicate_ms, self._report)

    def _build(
        self, owner: ChannelOwner, observer: Observer, monotonic: Callable[[], float], numbers: Iterator[int]
    ) -> Channel:
        self.channel = SmppChannel(
            self.configuration,
            owner,
            observer,
            monotonic,
            numbers,
            self._now_ms,
            Dialled(self._dialled, self.centres),
        )
        self.channel.summoners = [
            Summoner(
                Summons(a.system_id, a.outbind.host, a.outbind.port, a.outbind.password),
                self.channel.listener,
                self._waiting,
                observer,
                monotonic,
                self._random,
            )
            for a in self._settings.smpp.accounts
            if a.outbind is not None
        ]
        return self.channel

    def _build_links(
        self, owner: ChannelOwner, observer: Observer, monotonic: Callable[[], float], numbers: Iterator[int]
    ) -> Channel:
        """Behind the listener's channel: they share the watches."""
        dialling = Dialling(
            self._settings.smpp.links,
            self.configuration.timers,
            self._random,
            self.channel.watches,
            self._dialled,
            self._settings.node.name,
            self._told,
        )
        peers = self.configuration.peers
        self.links = LinkChannel(dialling, peers, owner, observer, monotonic, numbers, self._now_ms)
        awaited = [each for each in self._settings.smpp.links if each.outbind is not None]
        if awaited:
            self.channel.listener.take_outbinds(self.links, chain(*(each.networks for each in awaited)))
        return self.links
