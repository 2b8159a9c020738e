"""The header of the PROXY protocol, versions 1 and 2, without I/O: with it a balancer names the peer.

The specification is doc/proxy-protocol.txt of HAProxy. A header is read strictly: it decides who may bind, so
a malformed one is refused, and nothing in it is guessed. TLVs of version 2 are passed over.
"""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

LONGEST_V1: Final = 107
"""Octets of a header of version 1, CRLF included (section 2.1)."""
LONGEST_V2: Final = 536
"""Octets of a header of version 2 with its TLVs: what the smallest segment of TCP holds (section 2.2)."""

PREFIX_V1: Final = b"PROXY "
SIGNATURE_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_V2: Final = 16
_VERSION_2: Final = 0x20
_LOCAL, _PROXY = 0x0, 0x1
_TCP4, _TCP6 = 0x11, 0x21
_ELSEWHERE: Final = frozenset({0x00, 0x31})
"""No family, and a stream of the machine of the balancer: no address that we could use."""
_ADDRESSES: Final = {0x00: 0, _TCP4: 12, _TCP6: 36, 0x31: 216}
"""Octets of both addresses and ports, by family and protocol."""


class ProxyError(ValueError):
    """Octets that are no header; the text says why, without repeating them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whom a balancer speaks for. host "": itself, as in a health check."""

    host: str = ""
    port: int = 0


ITSELF: Final = Source()


class ProxyHeader:
    """A header that comes octet by octet. source: None until it is whole."""

    __slots__ = ("_begun", "source")

    def __init__(self) -> None:
        self._begun = bytearray()
        self.source: Source | None = None

    @property
    def begun(self) -> bool:
        """Whether any octet of it has come."""
        return bool(self._begun)

    def feed(self, octets: bytes) -> int:
        """Take what belongs to the header, and return how many octets that is: the rest is what is behind it.

        Raises ProxyError as soon as it can be no header.
        """
        before = len(self._begun)
        self._begun += octets[: LONGEST_V2 + 1]
        end = self._end()
        if end:
            del self._begun[end:]
            self.source = _read(bytes(self._begun))
        return len(self._begun) - before

    def _end(self) -> int:
        """Where the header ends; 0 where that has not come yet."""
        begun = self._begun
        if begun[: len(PREFIX_V1)] == PREFIX_V1[: len(begun)]:
            end = begun.find(b"\r\n", 0, LONGEST_V1)
            if end < 0 and len(begun) >= LONGEST_V1:
                raise ProxyError(f"a header of version 1 longer than {LONGEST_V1} octets")
            return end + 2 if end > 0 else 0
        if begun[: len(SIGNATURE_V2)] != SIGNATURE_V2[: len(begun)]:
            raise ProxyError("no header of the PROXY protocol")
        if len(begun) < _FIXED_V2:
            return 0
        end = _FIXED_V2 + int.from_bytes(begun[14:16], "big")
        if end > LONGEST_V2:
            raise ProxyError(f"a header of version 2 with {end} octets, more than {LONGEST_V2}")
        return end if len(begun) >= end else 0


def _read(header: bytes) -> Source:
    return _read_v1(header) if header.startswith(PREFIX_V1) else _read_v2(header)


def _read_v1(header: bytes) -> Source:
    """PROXY TCP4 10.0.0.1 10.0.0.2 40000 2775, ended by CRLF."""
    words = header[:-2].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return ITSELF
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ProxyError("a header of version 1 that is not PROXY, TCP4 or TCP6, two addresses, two ports")
    kind = IPv4Address if words[1] == "TCP4" else IPv6Address
    try:
        source, _ = kind(words[2]), kind(words[3])
    except AddressValueError:
        raise ProxyError(f"a header of version 1 whose addresses are not of {words[1]}") from None
    if isinstance(source, IPv6Address) and source.scope_id:
        raise ProxyError("a header of version 1 whose address has a zone")
    port, _ = _port(words[4]), _port(words[5])
    return Source(str(source), port)


def _port(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= 65_535):
        raise ProxyError("a header of version 1 whose ports are not 0 to 65535")
    if word != str(int(word)):
        raise ProxyError("a header of version 1 with a port that begins with 0")
    return int(word)


def _read_v2(header: bytes) -> Source:
    version, command, family = header[12] & 0xF0, header[12] & 0x0F, header[13]
    if version != _VERSION_2 or command not in (_LOCAL, _PROXY):
        raise ProxyError(f"a header of version 2 with version and command 0x{header[12]:02X}")
    if command == _LOCAL:
        return ITSELF
    addresses = header[_FIXED_V2:]
    if family not in _ADDRESSES or len(addresses) < _ADDRESSES[family]:
        raise ProxyError(
            f"a header of version 2 of family 0x{family:02X} with {len(addresses)} octets of addresses"
        )
    if family in _ELSEWHERE:
        return ITSELF
    if family == _TCP4:
        return Source(str(IPv4Address(addresses[:4])), int.from_bytes(addresses[8:10], "big"))
    return Source(str(IPv6Address(addresses[:16])), int.from_bytes(addresses[32:34], "big"))
