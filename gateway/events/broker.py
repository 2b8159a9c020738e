"""The sections `mqtt`, `provinces` and `node` of the configuration, and the broker that a URL names."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from routing.tablefile import Closed

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""The usual port of each scheme."""

_FORM = (
    "must be mqtt://host:port or mqtts://host:port, with user:password@ before the host where needed, "
    "special characters in them %-encoded"
)


class BadCertificate(OSError):
    """A file of certificates cannot be used. key: the setting that names it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is. tls: by mqtts. user, password: None where the URL has none."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def peer(self) -> str:
        """Host and port, for the log."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> "Broker":
        """Take a URL apart; what is special in user or password is %-encoded. Raises ValueError, whose words
        do not repeat the URL."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host.encode("idna")
        except ValueError:
            raise ValueError(_FORM) from None
        rest = (parts.path.rstrip("/"), parts.query, parts.fragment)
        if parts.scheme not in PORTS or not host or any(rest) or port == 0 or not url.isprintable():
            raise ValueError(_FORM)
        user, password = (
            None if part is None else unquote(part) for part in (parts.username, parts.password)
        )
        if password is not None and not user:
            raise ValueError("has a password without a user")
        return cls(host, port or PORTS[parts.scheme], parts.scheme == "mqtts", user or None, password)


def _broker_url(url: str) -> str:
    Broker.of(url)
    return url


Client = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$")]


class MqttSettings(Closed):
    """Events over MQTT (docs/mqtt.md).

    url: mqtt[s]://user:password@host:port; null: no MQTT. backlog: events that wait while the broker is away;
    beyond it the oldest go. client_id: null: fetion-gateway-NODE. ca_file: certificates that vouch for the
    broker; null: those of the machine. cert_file, key_file: our own certificate, where the broker wants one.
    """

    url: Annotated[str, AfterValidator(_broker_url)] | None = Field(default=None, repr=False)
    backlog: Annotated[int, Field(gt=0)] = 1_000_000
    client_id: Client | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) is not (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: set both or none")
        return self

    @property
    def broker(self) -> Broker | None:
        """What the URL names."""
        return None if self.url is None else Broker.of(self.url)

    def below(self, base: Path) -> Self:
        """Return the section with its relative paths below `base`."""
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        return self.model_copy(update={name: base / path for name, path in files.items() if path})

    def tls(self) -> ssl.SSLContext:
        """Read the certificates. Raises BadCertificate."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:
            reason = f"{self.ca_file}: has no certificates in PEM form: {error.reason or error}"
            raise BadCertificate("ca_file", reason) from None
        except OSError as error:
            raise BadCertificate("ca_file", f"{self.ca_file}: {error.strerror}") from None
        if self.cert_file and self.key_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password="")
            except ssl.SSLError as error:
                reason = (
                    f"{self.cert_file}: is not a certificate with {self.key_file} as its key, in PEM form and"
                )
                raise BadCertificate(
                    "cert_file", f"{reason} without a password: {error.reason or error}"
                ) from None
            except OSError as error:
                reason = f"{self.cert_file} or {self.key_file}: {error.strerror}"
                raise BadCertificate("cert_file", reason) from None
        return context


Code = Annotated[str, Field(pattern=r"^[0-9]{3}$")]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class ProvinceLimits(Closed):
    """What one province may send: rate SMS a second, burst of them at once, per_day in service.timezone."""

    rate: Annotated[float, Field(gt=0, le=100_000)] = 50.0
    burst: Count = 500
    per_day: Count = 200_000


class Provinces(ProvinceLimits):
    """The systems of provinces (docs/mqtt.md): limits for each, and `of` for those that have others.

    parts: of the longest SMS. client_id: the same on all nodes, which take turns in one session.
    """

    parts: Annotated[int, Field(ge=1, le=255)] = 8
    client_id: Client = "fetion-gateway-provinces"
    of: dict[Code, ProvinceLimits] = Field(default_factory=dict)

    def limits(self, province: str) -> ProvinceLimits:
        """Those of one province."""
        return self.of.get(province, self)


NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Node(Closed):
    """name: what this gateway is called in what leaves over MQTT; null: the name of the machine.

    On PostgreSQL, gateways with names share a store as its nodes (docs/nodes.md); without one a gateway wants
    it alone. lease: seconds after its last commit after which others take over what a node left.
    """

    name: NodeName | None = None
    lease: Annotated[int, Field(ge=3, le=60)] = 7


def node_of(machine: str) -> str:
    """Make a name of a node from that of its machine."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", machine)[:64] or "node"
