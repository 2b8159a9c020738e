"""Who may connect, and how many at once. Pure: addresses and counts; connections are only told apart.

An address that no account allows is a stranger and has no connection at all. Of the others each has so many,
and those that are not bound yet, of all addresses, have a smaller number of their own. Where that is used up
the oldest of the address that holds the most goes: whoever binds at once is always let in, whoever collects
connections closes his own. A bound connection is never closed for another one.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Generic, TypeVar

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
C = TypeVar("C", bound=Hashable)

STRANGER: Final = "address not in allow_from of any account"
SUBNET: Final = 64
"""Leading bits by which IPv6 addresses are told apart: within a /64 a host takes as many as it likes."""


def address_of(host: str) -> Address | None:
    """The address of a peer, None where there is none. An IPv4 address written as an IPv6 one
    (::ffff:127.0.0.1, as a listener on :: sees it) is the IPv4 address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def peer_of(host: str, port: int) -> str:
    """The two ends of an address as one text: 10.0.0.1:2775, [::1]:2775."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def group_of(address: Address | None) -> str:
    """What counts as one address: an IPv4 address, the SUBNET of an IPv6 one."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, SUBNET), strict=False))
    return str(address)


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Whether one of the networks has the address."""
    return address is not None and any(address.version == net.version and address in net for net in networks)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Connections at most: in all, of one address, and not yet bound."""

    connections: int = 1000
    per_address: int = 250
    unbound: int = 200


class Admission(Generic[C]):
    """Keeps the connections that are let in, by their addresses."""

    def __init__(self, limits: ConnectionLimits, networks: Iterable[Network]) -> None:
        self._limits = limits
        self._networks = frozenset(networks)
        self._groups: dict[C, str] = {}
        self._held: dict[str, int] = {}
        self._unbound: dict[str, dict[C, None]] = {}  # of each address in the order in which they came
        self._waiting = 0

    def allows(self, address: Address | None) -> bool:
        """Whether anybody may bind from there."""
        return is_within(address, self._networks)

    def enter(self, connection: C, address: Address | None) -> tuple[str, C | None]:
        """Let in a connection that is not bound yet: why not, or ""; and which other one has to go for it."""
        group, limits = group_of(address), self._limits
        held = self._held.get(group, 0)
        last: C | None = None
        if held >= limits.per_address:
            if group not in self._unbound:
                return f"{held} connections of one address: smpp.listen.per_address", None
            last = next(iter(self._unbound[group]))
        elif self._waiting >= limits.unbound or len(self._groups) >= limits.connections:
            if not self._unbound:
                return f"{len(self._groups)} connections: smpp.listen.connections", None
            fullest = max(self._unbound, key=lambda each: len(self._unbound[each]))
            last = next(iter(self._unbound[fullest]))
        if last is not None:
            self.leave(last)
        self._groups[connection] = group
        self._held[group] = self._held.get(group, 0) + 1
        self._unbound.setdefault(group, {})[connection] = None
        self._waiting += 1
        return "", last

    def bound(self, connection: C) -> None:
        """It is bound, and stays as long as it likes."""
        group = self._groups.get(connection)
        if group is None or connection not in self._unbound.get(group, ()):
            return
        del self._unbound[group][connection]
        if not self._unbound[group]:
            del self._unbound[group]
        self._waiting -= 1

    def leave(self, connection: C) -> None:
        """It is gone; nothing happens where it was gone before."""
        self.bound(connection)
        group = self._groups.pop(connection, None)
        if group is not None:
            self._held[group] -= 1
            if not self._held[group]:
                del self._held[group]
