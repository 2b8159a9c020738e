"""The PDUs of the SMPP side for `pdus`."""

import time
from collections.abc import Callable

from gateway.channels.smpp.driving import SmppSide
from gateway.channels.smpp.showing import Display, Watching
from gateway.inbound.disclosure import Disclosure
from gateway.operations.pdus import Pdus
from gateway.settings import Settings


def smpp_pdus(smpp: SmppSide, settings: Settings, disclosure: Disclosure, now_ms: Callable[[], int]) -> Pdus:
    """What operators watch: the PDUs of the listener and of links."""
    configuration = smpp.configuration
    display = Display(
        configuration.alphabets,
        disclosure.reason_to_hide,
        masked=settings.logging.mask_msisdn,
        readers=configuration.readers(),
        centres=smpp.centres,
    )
    watching = Watching(smpp.channel.watches, display, now_ms, smpp.channel.broken)
    return Pdus(watching, time.monotonic, masked=settings.logging.mask_msisdn)
