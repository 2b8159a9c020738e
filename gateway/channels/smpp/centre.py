"""A bind at an SMS centre: what is asked of it, and how it answers. There the gateway is the ESME."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.channels.smpp.paced import PacedBind
from gateway.channels.smpp.settings import LinkSettings
from gateway.net.client import CentreTerms
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    DeliverSmResp,
)
from gateway.smpp.session import Limits, Timers
from gateway.smpp.versions import VERSIONS

MODES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "transceiver": ("transceiver",),
        "pair": ("receiver", "transmitter"),
        "receiver": ("receiver",),
        "transmitter": ("transmitter",),
    }
)
"""The binds of a link, by its setting `bind`."""
_BINDS: Final[Mapping[str, type[BindRequest]]] = MappingProxyType(
    {"transceiver": BindTransceiver, "receiver": BindReceiver, "transmitter": BindTransmitter}
)


def terms_of(
    link: LinkSettings, mode: str, timers: Timers, tls: Callable[[], ssl.SSLContext] | None
) -> CentreTerms:
    """What a dialer needs of a link, for one of its binds. tls: makes the context of a connection."""
    made = _BINDS[mode]

    def request() -> BindRequest:
        return made(
            system_id=link.system_id,
            password=link.password,
            system_type=link.system_type,
            interface_version=VERSIONS[link.version].octet,
            address_range=link.address_range,
        )

    return CentreTerms(
        ((link.host, link.port), *map(place_of, link.alternatives)),
        mode,
        request,
        timers,
        Limits(window_in=link.window_in, window_out=link.window),
        tls,
        link.tls.name if link.tls is not None else None,
    )


def place_of(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[address]:port`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(slots=True, eq=False)
class CentreBind(PacedBind):
    """A bind that we made. SMS to handsets leave as requests of an ESME, those from handsets come as
    deliver_sm or data_sm."""

    def accept(self, origin: object, message_id: str) -> None:
        """deliver_sm_resp, whose message_id is empty (SMPP 3.4 section 4.6.2), or data_sm_resp."""
        if isinstance(origin, DeliverSm):
            self.session.answer(origin, DeliverSmResp())
        else:
            assert isinstance(origin, DataSm)
            self.session.acknowledge(origin, message_id)
