"""The PDUs of the SMPP channel for `pdus`."""

import time
from collections.abc import Callable

from gateway.channels.smpp.channel import SmppChannel, SmppConfiguration
from gateway.channels.smpp.showing import Watching
from gateway.inbound.disclosure import Disclosure
from gateway.operations.pdus import Pdus
from gateway.settings import Settings


def smpp_pdus(
    channel: SmppChannel, settings: Settings, disclosure: Disclosure, now_ms: Callable[[], int]
) -> Pdus:
    """What operators watch: the PDUs of a channel."""
    masked = settings.logging.mask_msisdn
    configuration = SmppConfiguration.of(settings)
    watching = Watching(
        channel.watches,
        configuration.alphabets,
        disclosure.reason_to_hide,
        now_ms,
        channel.broken,
        masked=masked,
        readers=configuration.readers,
    )
    return Pdus(watching, time.monotonic, masked=masked)
