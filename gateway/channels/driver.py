"""A channel before it is built: what a gateway has to know of it, and how to build it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.channels.contract import Channel, ChannelOwner, Composer, Report
from gateway.message import MobileTerminated
from gateway.observer import Observer

Build: TypeAlias = Callable[[ChannelOwner, Observer, Callable[[], float], Iterator[int]], Channel]
"""Makes a channel: who hears it, who observes it, the monotonic clock (seconds), numbers of binds:
next() gives one that no other bind has in the lifetime of the store."""


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What the gateway has to know of one account, whatever its protocol.

    composer: cuts the SMS that leave through it. prefix, ton, npi: how it writes a mobile that never wrote to
    us. retransmission_ms: how long a retransmission is looked for; 0 = never. report: writes a receipt for
    its peers; None: they cannot ask for any.
    """

    composer: Composer
    prefix: str = ""
    ton: int = 0
    npi: int = 1
    retransmission_ms: int = 0
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """One channel for a gateway to build. accounts: by name; a name is one account over all channels."""

    accounts: Mapping[str, AccountTerms]
    build: Build


def accounts_of(drivers: Sequence[Driver]) -> dict[str, AccountTerms]:
    """The accounts of all channels. Raises ValueError for a name that two channels have."""
    accounts: dict[str, AccountTerms] = {}
    for driver in drivers:
        for name, terms in driver.accounts.items():
            if name in accounts:
                raise ValueError(f"two channels have an account {name!r}")
            accounts[name] = terms
    return accounts


def composer_of(accounts: Mapping[str, AccountTerms]) -> Composer:
    """One composer for all accounts. Where all have the same, it is given back: it costs nothing more."""
    composers = {name: terms.composer for name, terms in accounts.items()}
    first, *others = composers.values()
    return first if all(each is first for each in others) else _ByAccount(composers)


class _ByAccount:
    def __init__(self, composers: Mapping[str, Composer]) -> None:
        self._composers = composers

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """The composer of its account does it."""
        return self._composers[sms.account].compose(sms)
