"""Decides who may connect, and limits the number of connections. Pure: addresses and counts.

An address that no account allows is a stranger and gets no connection. Each other address may have a limited
number of connections, and all unbound connections together have a smaller limit. When that is reached, the
oldest unbound connection of the address with the most of them is closed: a peer that binds at once is always
let in, and a peer that collects connections closes its own. No bound connection is closed for another one.
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
"""Leading bits that count of an IPv6 address: one host may use any number of addresses in a /64."""


def address_of(host: str) -> Address | None:
    """Parse the address of a peer; None if it is not one.

    An IPv4 address in IPv6 form (::ffff:127.0.0.1, as a listener on :: sees it) becomes the IPv4 address.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def peer_of(host: str, port: int) -> str:
    """Join host and port: 10.0.0.1:2775, [::1]:2775."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def group_of(address: Address | None) -> str:
    """Return what counts as one address: an IPv4 address, or the SUBNET of an IPv6 address."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, SUBNET), strict=False))
    return str(address)


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Return whether one of the networks contains the address."""
    return address is not None and any(address.version == net.version and address in net for net in networks)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Maximum numbers of connections: in all, of one address, and unbound ones."""

    connections: int = 1000
    per_address: int = 250
    unbound: int = 200


class Admission(Generic[C]):
    """Counts the connections that are let in, by address."""

    def __init__(self, limits: ConnectionLimits, networks: Iterable[Network]) -> None:
        self._limits = limits
        self._networks = frozenset(networks)
        self._groups: dict[C, str] = {}
        self._held: dict[str, int] = {}
        self._unbound: dict[str, dict[C, None]] = {}  # of each address in the order in which they came
        self._waiting = 0

    def allow(self, networks: Iterable[Network]) -> None:
        """Let peers come from these networks as well."""
        self._networks |= frozenset(networks)

    def allows(self, address: Address | None) -> bool:
        """Return whether any account may bind from the address."""
        return is_within(address, self._networks)

    def enter(self, connection: C, address: Address | None) -> tuple[str, C | None]:
        """Let in an unbound connection.

        Returns the reason why not ("": it is let in), and the connection that must be closed for it, or None.
        """
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
        """Note that a connection is bound."""
        group = self._groups.get(connection)
        if group is None or connection not in self._unbound.get(group, ()):
            return
        del self._unbound[group][connection]
        if not self._unbound[group]:
            del self._unbound[group]
        self._waiting -= 1

    def leave(self, connection: C) -> None:
        """Remove a connection; does nothing when it was removed before."""
        self.bound(connection)
        group = self._groups.pop(connection, None)
        if group is not None:
            self._held[group] -= 1
            if not self._held[group]:
                del self._held[group]
