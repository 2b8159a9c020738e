"""The section `smpp` of the configuration: the listener, the accounts that bind there, and the links that the
gateway dials."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.errors import Verdict
from gateway.events.broker import NodeName
from routing.tablefile import Closed, nearest

SHIPPED_ACCOUNT: Mapping[str, object] = {"system_id": "smsc", "password": "fetion16", "default": True}
"""Its password is documented: usable on the own machine only."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNever = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""SMS a second; 0: any number."""
Positive = Annotated[int, Field(gt=0)]
Octet = Annotated[int, Field(ge=0, le=255)]
Port = Annotated[int, Field(ge=1, le=65535)]
Window = Annotated[int, Field(ge=1, le=100_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Way = Literal["udh8", "udh16", "sar", "payload"]
Address = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}$")]
Mode = Literal["transmitter", "receiver", "transceiver"]
Operation = Literal[
    "submit_sm", "data_sm", "submit_multi", "query_sm", "cancel_sm", "replace_sm",
    "broadcast_sm", "query_broadcast_sm", "cancel_broadcast_sm",
]  # fmt: skip

TYPE_OF_NUMBER = {"national": 0, "international": 1, "plus": 1}
"""TON for each spelling of a mobile number: unknown, international (SMPP 3.4 section 5.2.5)."""

TYPES_OF_NUMBER: Mapping[int, str] = MappingProxyType(
    {
        0: "unknown",
        1: "international",
        2: "national",
        3: "network specific",
        4: "subscriber",
        5: "alphanumeric",
        6: "abbreviated",
    }
)
"""SMPP 3.4 section 5.2.5."""

NUMBERING_PLANS: Mapping[int, str] = MappingProxyType(
    {
        0: "unknown",
        1: "E.164",
        3: "X.121",
        4: "telex",
        6: "E.212",
        8: "national",
        9: "private",
        10: "ERMES",
        14: "IP",
        18: "WAP client",
    }
)
"""SMPP 3.4 section 5.2.6."""


def _without_port(host: str) -> str:
    """A name, an address, or a network."""
    if ":" in host:
        try:
            ip_network(host, strict=False)
        except ValueError:
            raise ValueError("must be a name or an address alone: the port has a key of its own") from None
    return host


Host = Annotated[str, Field(pattern=r"^\S+$"), AfterValidator(_without_port)]


def _between(least: int, most: int) -> BeforeValidator:
    """A number that is written in hexadecimal digits."""

    def check(value: object) -> object:
        if not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a number from 0x{least:X} to 0x{most:X}, without quotes")
        return value

    return BeforeValidator(check)


Tag = Annotated[int, _between(0x1400, 0x3FFF)]
"""The tag of a TLV of a vendor (SMPP 3.4 section 5.3.1)."""
Status = Annotated[int, _between(1, 0x4FF)]
"""A command_status other than that of success."""
VendorStatus = Annotated[int, _between(0x400, 0x4FF)]
"""A command_status of a vendor (SMPP 3.4 section 5.1.3)."""


def _verdict(name: object) -> object:
    """The name of a verdict, in small letters."""
    known = [verdict.name.lower() for verdict in Verdict]
    if name not in known:
        raise ValueError(f"no verdict of that name; {nearest(str(name), known)}")
    return name


VerdictName = Annotated[str, BeforeValidator(_verdict)]


def _octets(most: int) -> AfterValidator:
    """Printable ASCII of 1 to `most` octets: a C-octet string of SMPP without its NUL."""

    def check(text: str) -> str:
        if not (text.isascii() and text.isprintable() and 1 <= len(text) <= most):
            raise ValueError(f"must be 1 to {most} printable ASCII characters")
        return text

    return AfterValidator(check)


def _digits(value: object) -> object:
    """YAML reads digits without quotes as a number; none of these begins with 0, so they are the same."""
    return str(value) if type(value) is int and value > 0 else value


_DIGITS = BeforeValidator(_digits)


def _one_of(names: Mapping[int, str]) -> AfterValidator:
    """One of the values that a table names."""

    def check(value: int) -> int:
        if value not in names:
            known = ", ".join(f"{number} {name}" for number, name in names.items())
            raise ValueError(f"must be one of: {known}")
        return value

    return AfterValidator(check)


def _network(value: object) -> IPv4Network | IPv6Network:
    """A network; ::ffff:10.0.0.0/104 is 10.0.0.0/8, as the addresses in it are IPv4 addresses."""
    try:
        wide = ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8 or ::1/128") from None
    try:
        network = ip_network(str(value))
    except ValueError:
        raise ValueError(f"must be a network, not an address in one: {wide} has this one") from None
    mapped = isinstance(network, IPv6Network) and network.prefixlen >= 96 and network[0].ipv4_mapped
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped else network


def _host_name(text: str) -> str:
    """A name that can stand in a certificate: TLS raises at the handshake for any other."""
    try:
        text.encode("idna")
    except UnicodeError:
        raise ValueError("must be a host name or an address") from None
    return text


class ServerTls(Closed):
    """TLS of the listener. cert, key: of the gateway, PEM. client_ca: certificates that vouch for peers,
    which must then have one; null: they need none."""

    cert: Path
    key: Path
    client_ca: Path | None = None


class ClientTls(Closed):
    """TLS of a link. ca: certificates that vouch for the peer; null: those of the machine. cert, key: of the
    gateway, where the peer wants one. verify false: anybody is believed to be the peer. name: the one that
    the certificate of the peer must have; null: the host that is dialled."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True
    name: Annotated[Host, AfterValidator(_host_name)] | None = None


class Listen(Closed):
    """The SMPP listener. port 0: any free one.

    connections: maximum in all. per_address: maximum of one IPv4 address or IPv6 /64. unbound: maximum of
    connections that have not bound; beyond it the oldest one of the address with the most is closed. tls:
    null for none. balancers: networks whose connections begin with a PROXY protocol header, version 1 or 2,
    that names the peer.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 2775
    connections: Positive = 1000
    per_address: Positive = 250
    unbound: Positive = 200
    tls: ServerTls | None = None
    balancers: tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...] = ()


class Timers(Closed):
    """Timers of a session, in seconds (SMPP 3.4 section 7.2). inactivity 0: never."""

    session_init: Seconds = 30
    enquire_link: Seconds = 30
    inactivity: SecondsOrNever = 0
    response: Seconds = 60


class ReceiptSettings(Closed):
    """Receipts of the SMS that leave to a peer. ask: for which of them. id: how the peer's responses write
    the number that its receipts write in the other form; text: both write it alike. wait: seconds after which
    a receipt that has not come is reported."""

    ask: Literal["never", "failure", "always"] = "never"
    id: Literal["text", "hex", "decimal"] = "text"
    wait: Seconds = 86_400


class Errors(Closed):
    """Statuses that a peer wants or gives beside the usual ones. send: status by name of a verdict, such as
    queue_full (gateway.errors.Verdict). temporary, permanent: statuses of a vendor, and what becomes of the
    SMS."""

    send: Mapping[VerdictName, Status] = {}
    temporary: frozenset[VendorStatus] = frozenset()
    permanent: frozenset[VendorStatus] = frozenset()

    @model_validator(mode="after")
    def _either(self) -> Self:
        both = ", ".join(f"0x{status:08X}" for status in sorted(self.temporary & self.permanent))
        if both:
            raise ValueError(f"cannot be both temporary and permanent: {both}")
        return self


class Source(Closed):
    """What SMS to handsets have as source, where the peer wants another one than ours. prefix: put before a
    number of the service. ton, npi: of it; null: as usual."""

    prefix: Annotated[str, Field(pattern=r"^\d{0,8}$")] = ""
    ton: Annotated[int, _one_of(TYPES_OF_NUMBER)] | None = None
    npi: Annotated[int, _one_of(NUMBERING_PLANS)] | None = None


class Conventions(Closed):
    """What an account and a link have alike: the conventions of the peer.

    window_in: requests of the peer that may wait for our response. msisdn_format, ton, npi: how the peer
    spells mobile numbers (13..., 8613..., +8613...). alphabet: codec for a data_coding, where it differs from
    the usual one. latin: the alphabet of data_coding 0 in SMS to handsets. duplicate: seconds for which a
    retransmission is recognised; 0: never. nodes: names of the nodes at which it may bind, or which dial it;
    null: all (docs/nodes.md). default: SMS to a handset that never wrote, and whose province no link has,
    leave here. access_codes: numbers of the service that the peer may use, both ways; []: all.

    SMS to handsets: message: the PDU; usual: deliver_sm on an account, submit_sm on a link. long: how a text
    that fits into no single SMS leaves. parts: of the longest SMS. service_type, priority: as the peer wants
    them. validity: seconds that the peer may try to deliver, 0: as long as it likes, but no longer than the
    gateway itself would. source: as it writes numbers of the service. tlvs: TLVs of a vendor that every SMS
    carries, tag and octets in hexadecimal digits. pass_tlvs: those that a reply takes over from its cause.
    """

    window_in: Window = 1000
    msisdn_format: Literal["national", "international", "plus"] = "national"
    ton: Annotated[int, _one_of(TYPES_OF_NUMBER)]
    npi: Annotated[int, _one_of(NUMBERING_PLANS)] = 1
    alphabet: Mapping[Octet, str] = {}
    latin: Literal["gsm", "ascii"] = "gsm"
    duplicate: SecondsOrNever = 3_600
    nodes: Annotated[tuple[NodeName, ...], Field(min_length=1)] | None = None
    default: bool = False
    access_codes: frozenset[Annotated[str, _DIGITS, Field(pattern=r"^\d+$")]] = frozenset()
    message: Literal["usual", "data_sm"] = "usual"
    long: Way = "udh8"
    parts: Annotated[int, Field(ge=1, le=255)] = 255
    service_type: Annotated[str, Field(pattern=r"^[\x21-\x7E]{0,5}$")] = ""
    priority: Annotated[int, Field(ge=0, le=3)] = 0
    validity: SecondsOrNever = 0
    source: Source = Source()
    tlvs: Mapping[Tag, Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})*$")]] = {}
    pass_tlvs: frozenset[Tag] = frozenset()
    receipts: ReceiptSettings = ReceiptSettings()
    errors: Errors = Errors()

    @model_validator(mode="before")
    @classmethod
    def _with_ton(cls, data: object) -> object:
        """Derive the type of number from the spelling, if none is given."""
        if not isinstance(data, Mapping):
            return data
        return {"ton": TYPE_OF_NUMBER.get(str(data.get("msisdn_format")), 0), **data}


class AccountOutbind(Closed):
    """Where to dial and say outbind while SMS wait for an account and none of its receivers is bound.
    password: what the outbind says."""

    host: Host
    port: Port = 2775
    password: Annotated[str, _octets(8), Field(repr=False)]


class AccountSettings(Conventions):
    """An account that may bind, and the conventions of its peer.

    window_out: requests of ours that may wait for the peer's response. allow_from: networks from which it may
    connect. modes, binds: how it may bind, and how often at one time. sources: mobiles from which it may
    submit, digits or digits* for all that begin so; []: all. operations: requests that it may send.
    max_per_second: SMS that it may submit; 0: any number. outbind: null for none.
    """

    system_id: Annotated[str, _octets(15)]
    password: Annotated[str, _octets(8), Field(repr=False)]
    window_out: Window = 100
    allow_from: tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...] = (
        IPv4Network("127.0.0.0/8"),
    )
    modes: frozenset[Mode] = frozenset({"transmitter", "receiver", "transceiver"})
    binds: Positive = 250
    sources: frozenset[Annotated[str, _DIGITS, Field(pattern=r"^\d{1,11}\*?$")]] = frozenset()
    operations: frozenset[Operation] = frozenset(
        {"submit_sm", "data_sm", "submit_multi", "query_sm", "cancel_sm", "replace_sm", "broadcast_sm",
         "query_broadcast_sm", "cancel_broadcast_sm"}
    )  # fmt: skip
    max_per_second: Rate = 0
    outbind: AccountOutbind | None = None

    @property
    def name(self) -> str:
        """By which the store and the log know it."""
        return self.system_id


class Breaker(Closed):
    """When a link rests: of at least `least` SMS in the last minute a share of `share` failed. rest: seconds,
    doubled each time that it fails again at once, up to ten times."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    least: Positive = 20
    rest: Seconds = 30


class LinkSettings(Conventions):
    """An SMS centre that the gateway dials.

    name: of the link. centre: links with the same centre are one account: they share its SMS, and one resends
    what another has lost; null: the name. host, port, alternatives ("host:port"): tried in this order.
    system_id, password, system_type, address_range, version: what the bind says. bind: one transceiver, a
    transmitter and a receiver, or one of these alone. window: requests of ours that may wait for a response.
    rate, burst: SMS a second that may leave, and at once; rate 0: any number. provinces: codes of the
    provinces whose mobiles' SMS leave here. backup: name of the centre or account where SMS leave when this
    centre has been down for backup_after seconds. paused: it is not dialled until `links resume`. tls: null
    for none. unanswered: what becomes of an SMS that is not answered in time: repeat: it leaves again;
    reconnect: the session is closed too; wait: it waits for the answer as long as the session lasts.
    outbind: the password with which the centre asks us to bind by connecting to our listener from host, an
    address or network, and says our system_id; then nobody is dialled, and of a pair only the transmitter.
    null: the gateway dials.
    """

    name: Name
    centre: Name | None = None
    host: Host
    port: Port = 2775
    alternatives: tuple[Address, ...] = ()
    system_id: Annotated[str, _octets(15)]
    password: Annotated[str, _octets(8), Field(repr=False)]
    system_type: Annotated[str, Field(pattern=r"^[\x20-\x7E]{0,12}$")] = ""
    address_range: Annotated[str, Field(pattern=r"^[\x20-\x7E]{0,40}$")] = ""
    version: Literal["3.3", "3.4", "5.0"] = "3.4"
    bind: Literal["transceiver", "pair", "transmitter", "receiver"] = "transceiver"
    window: Window = 10
    rate: Rate = 0
    burst: Positive = 1
    provinces: frozenset[Annotated[str, _DIGITS]] = frozenset()
    backup: Name | None = None
    backup_after: SecondsOrNever = 60
    paused: bool = False
    tls: ClientTls | None = None
    unanswered: Literal["repeat", "reconnect", "wait"] = "repeat"
    outbind: Annotated[Annotated[str, _octets(8)] | None, Field(repr=False)] = None
    breaker: Breaker = Breaker()

    @property
    def account(self) -> str:
        """The name of the account that it belongs to."""
        return self.centre or self.name

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """From where a centre with `outbind` may come: `host`; () where that is no address or network."""
        try:
            return (_network(self.host),)
        except ValueError:
            return ()


ONE_OF_A_CENTRE: tuple[str, ...] = (
    "alphabet", "latin", "msisdn_format", "ton", "npi", "duplicate", "message", "long", "parts", "receipts",
    "backup", "backup_after", "access_codes",
)  # fmt: skip
"""Settings in which all links of one centre agree: they are of its account, not of a link, for its SMS leave
on whichever link has room."""


class Smpp(Closed):
    """The SMPP side. One account or link, or one of several, is the default one."""

    listen: Listen = Listen()
    timers: Timers = Timers()
    accounts: tuple[AccountSettings, ...] = (AccountSettings.model_validate(SHIPPED_ACCOUNT),)
    links: tuple[LinkSettings, ...] = ()

    @property
    def default_account(self) -> AccountSettings | None:
        """The account that a simulated handset binds at: the default one, else the first; None where there
        are only links."""
        return next((each for each in self.accounts if each.default), next(iter(self.accounts), None))

    @property
    def default_name(self) -> str:
        """The name of the account or centre through which SMS to a handset that never wrote leave."""
        names = [each.name for each in self.accounts if each.default]
        names += [each.account for each in self.links if each.default]
        return names[0] if names else self.names[0]

    @property
    def provinces(self) -> Mapping[str, str]:
        """By province, the account through which SMS to its mobiles leave: that of the first link for it."""
        return {code: each.account for each in reversed(self.links) for code in each.provinces}

    @property
    def backups(self) -> Mapping[str, tuple[str, float]]:
        """By account, the backup of the first of its links that has one, and after how many seconds."""
        with_backup = [each for each in reversed(self.links) if each.backup]
        return {each.account: (each.backup or "", each.backup_after) for each in with_backup}

    @property
    def names(self) -> tuple[str, ...]:
        """Of all accounts, the centres of links among them."""
        return tuple(
            dict.fromkeys([*(a.name for a in self.accounts), *(each.account for each in self.links)])
        )
