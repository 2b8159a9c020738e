"""What of the section `smpp` can never match: valid, and useless. `check` warns of it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Final

from gateway.channels.smpp.certificates import unverified
from gateway.channels.smpp.settings import AccountSettings, LinkSettings, Smpp
from gateway.net.admission import Network
from routing.tablefile import KeyPath

Warned = tuple[KeyPath, str]

LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
MOBILE_DIGITS: Final = 11


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables have. is_code: whether the service has this access code. begins: with what mobiles
    begin. provinces: codes."""

    is_code: Callable[[str], bool]
    begins: tuple[str, ...]
    provinces: Collection[str]


def unmatched(smpp: Smpp, known: Known) -> Iterator[Warned]:
    """Yield each setting that can never match, with what is wrong about it."""
    reach = _reachable(smpp.listen.host)
    yield from _networks(("smpp", "listen", "balancers"), smpp.listen.balancers, reach, smpp.listen.host)
    yield from _everybody(smpp.listen.balancers, reach)
    for position, account in enumerate(smpp.accounts):
        place: KeyPath = ("smpp", "accounts", position)
        if not account.allow_from:
            yield (*place, "allow_from"), "is empty: nobody can bind to this account"
        if not smpp.listen.balancers:  # else peers of any family may come
            yield from _networks((*place, "allow_from"), account.allow_from, reach, smpp.listen.host)
        yield from _sources(place, account, known)
        if account.modes == {"transmitter"}:
            yield (*place, "modes"), "no receiver: SMS to its handsets wait in vain"
        elif account.modes == {"receiver"} and account.receipts.ask != "never":
            yield (*place, "receipts", "ask"), "no transmitter: no receipt can come"
        yield from _codes(place, account, known)
    yield from _provinces(smpp.links, known)
    yield from _directions(smpp.links)
    yield from _of_3_3(smpp.links)
    for position, link in enumerate(smpp.links):
        yield from _codes(("smpp", "links", position), link, known)
    for key in unverified(smpp):
        yield key, "whoever answers is believed to be the SMS centre: set tls.ca, and tls.verify: true"


def _reachable(host: str) -> tuple[Network, ...] | None:
    """The networks from which peers can come to a listener; None where its name does not tell."""
    if host == "localhost":
        return LOOPBACK
    try:
        address = ip_address(host)
    except ValueError:
        return None
    everything = tuple(ip_network(each) for each in ("0.0.0.0/0", "::/0"))
    if address.version == 6 and address.is_unspecified:
        return everything
    kinds = LOOPBACK if address.is_loopback else everything
    return tuple(each for each in kinds if each.version == address.version)


def _networks(
    place: KeyPath, networks: Iterable[Network], reach: tuple[Network, ...] | None, host: str
) -> Iterator[Warned]:
    for position, network in enumerate(networks):
        if reach is not None and not any(
            network.version == each.version and network.overlaps(each) for each in reach
        ):
            yield (*place, position), f"nobody from {network} can connect to smpp.listen.host {host}"


def _everybody(balancers: Sequence[Network], reach: tuple[Network, ...] | None) -> Iterator[Warned]:
    """With such a network allow_from, per_address and the delay of failed binds are of no use."""
    for position, network in enumerate(balancers):
        reached = reach is None or any(network.version == each.version for each in reach)
        if reached and not network.prefixlen:
            reason = f"{network} lets everybody say whose connection it is: name the balancers only"
            yield ("smpp", "listen", "balancers", position), reason


def _sources(place: KeyPath, account: AccountSettings, known: Known) -> Iterator[Warned]:
    for source in sorted(account.sources):
        digits = source.removesuffix("*")
        begins = any(digits.startswith(each) or each.startswith(digits) for each in known.begins)
        if not begins or (source == digits and len(digits) != MOBILE_DIGITS):
            yield (
                (*place, "sources"),
                f"{source}: no mobile number is or begins so: give {MOBILE_DIGITS} digits, or fewer and a *",
            )


def _codes(place: KeyPath, peer: AccountSettings | LinkSettings, known: Known) -> Iterator[Warned]:
    for code in sorted(peer.access_codes):
        if not known.is_code(code):
            yield (*place, "access_codes"), f"{code}: the tables have no such access code"


def _directions(links: Sequence[LinkSettings]) -> Iterator[Warned]:
    """Centres of which all links go one way. Replies wait, or receipts never come."""
    for position, link in enumerate(links):
        place: KeyPath = ("smpp", "links", position)
        binds = {each.bind for each in links if each.account == link.account}
        if binds == {"receiver"} and link.backup is None:
            yield (
                (*place, "bind"),
                f"no link of {link.account} transmits: SMS to its handsets wait in vain",
            )
        elif binds == {"transmitter"} and link.receipts.ask != "never":
            yield (*place, "receipts", "ask"), f"no link of {link.account} receives: no receipt can come"


_NOT_IN_3_3: Final[Mapping[str, tuple[Collection[object], str]]] = MappingProxyType(
    {
        "long": (("sar", "payload"), "SMPP 3.3 has no TLVs: long SMS leave with a user data header"),
        "message": (("data_sm",), "SMPP 3.3 has no data_sm: submit_sm is sent"),
    }
)
"""By key, the values that a link of version 3.3 cannot follow, and what it does."""


def _of_3_3(links: Iterable[LinkSettings]) -> Iterator[Warned]:
    """What links of version 3.3 cannot do."""
    for position, link in enumerate(links):
        if link.version != "3.3":
            continue
        place: KeyPath = ("smpp", "links", position)
        for key, (values, reason) in _NOT_IN_3_3.items():
            if getattr(link, key) in values:
                yield (*place, key), reason
        for key in ("tlvs", "pass_tlvs"):
            if getattr(link, key):
                yield (*place, key), "SMPP 3.3 has no TLVs: none is sent"


def _provinces(links: Iterable[LinkSettings], known: Known) -> Iterator[Warned]:
    centres: dict[str, str] = {}
    for position, link in enumerate(links):
        place: KeyPath = ("smpp", "links", position, "provinces")
        for code in sorted(link.provinces):
            if code not in known.provinces:
                yield place, f"{code}: the tables have no such province"
            centre = centres.setdefault(code, link.account)
            if centre != link.account:
                yield place, f"{code}: is also a province of {centre}, where its SMS leave"
