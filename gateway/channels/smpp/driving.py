"""The SMPP channel as a driver, made from the section `smpp` of the configuration."""

from collections.abc import Callable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from gateway.channels.contract import Channel, ChannelOwner
from gateway.channels.driver import AccountTerms, Driver
from gateway.channels.smpp.channel import SmppChannel, SmppConfiguration
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.receipting import report_in
from gateway.observer import Observer
from gateway.settings import Settings

_PREFIXES: Final = {"national": "", "international": "86", "plus": "+86"}


def smpp_driver(
    settings: Settings, built: Callable[[SmppChannel], None], now_ms: Callable[[], int]
) -> Driver:
    """Return the driver. built: receives the channel when it is built. now_ms: milliseconds since the
    epoch."""
    configuration = SmppConfiguration.of(settings)
    report = report_in(ZoneInfo(settings.service.timezone))
    of_links = {link.account: Composition.of(link) for link in settings.smpp.links}
    composer = SmppComposer({**of_links, **configuration.compositions})

    def build(
        owner: ChannelOwner, observer: Observer, monotonic: Callable[[], float], numbers: Iterator[int]
    ) -> Channel:
        channel = SmppChannel(configuration, owner, observer, monotonic, numbers, now_ms)
        built(channel)
        return channel

    return Driver(
        {
            a.system_id: AccountTerms(
                composer, _PREFIXES[a.msisdn_format], a.ton, a.npi, int(a.duplicate * 1000), report
            )
            for a in settings.smpp.accounts
        },
        build,
    )
