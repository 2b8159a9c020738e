"""A bind at an SMS centre: what is asked of it, and how it answers. There the gateway is the ESME."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.settings import LinkSettings
from gateway.channels.smpp.verdicts import DELIVERY_STATUS, STATUS
from gateway.errors import Verdict
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
from gateway.smpp.session import Limits, State, Timers
from gateway.smpp.status import name_of

TlsOf = Callable[[LinkSettings], Callable[[], ssl.SSLContext] | None]
"""Makes the contexts of the connections of a link; None: it has no TLS. They raise OSError."""

MODES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "transceiver": ("transceiver",),
        "pair": ("receiver", "transmitter"),
        "receiver": ("receiver",),
        "transmitter": ("transmitter",),
    }
)
"""The binds of a link, by its setting `bind`."""
VERSIONS: Final[Mapping[str, int]] = MappingProxyType({"3.3": 0x33, "3.4": 0x34, "5.0": 0x50})
_BINDS: Final[Mapping[str, type[BindRequest]]] = MappingProxyType(
    {"transceiver": BindTransceiver, "receiver": BindReceiver, "transmitter": BindTransmitter}
)
_TRANSCEIVER: Final = State.BOUND_TRX
_TRANSMITTER: Final = State.BOUND_TX


def without_tls(link: LinkSettings) -> Callable[[], ssl.SSLContext] | None:
    """TlsOf where nobody can make a context: a link that wants TLS is never dialled without it."""
    if link.tls is None:
        return None

    def refuse() -> ssl.SSLContext:
        raise OSError("this gateway was built without TLS for links")

    return refuse


def terms_of(link: LinkSettings, mode: str, timers: Timers, tls: TlsOf) -> CentreTerms:
    """What a dialer needs of a link, for one of its binds."""
    made = _BINDS[mode]

    def request() -> BindRequest:
        return made(
            system_id=link.system_id,
            password=link.password,
            system_type=link.system_type,
            interface_version=VERSIONS[link.version],
            address_range=link.address_range,
        )

    return CentreTerms(
        ((link.host, link.port), *map(place_of, link.alternatives)),
        mode,
        request,
        timers,
        Limits(window_in=link.window_in, window_out=link.window),
        tls(link),
        link.tls.name if link.tls is not None else None,
    )


def place_of(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[address]:port`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(slots=True, eq=False)
class CentreBind(SmppBind):
    """A bind that we made. SMS to handsets leave as requests of an ESME, those from handsets come as
    deliver_sm or data_sm."""

    @property
    def receives(self) -> bool:
        """Whether SMS may leave here: we are bound as transmitter or transceiver, and not unbinding."""
        state = self.session.state
        return state is _TRANSCEIVER or state is _TRANSMITTER

    def accept(self, origin: object, message_id: str) -> None:
        """deliver_sm_resp, whose message_id is empty (SMPP 3.4 section 4.6.2), or data_sm_resp."""
        if isinstance(origin, DeliverSm):
            self.session.answer(origin, DeliverSmResp())
        else:
            assert isinstance(origin, DataSm)
            self.session.acknowledge(origin, message_id)

    def reject(self, origin: object, verdict: Verdict) -> str:
        """The same with an error status."""
        assert isinstance(origin, DeliverSm | DataSm)
        status = (DELIVERY_STATUS if isinstance(origin, DeliverSm) else STATUS)[verdict]
        self.session.refuse(origin, status)
        return name_of(status)
