"""Headers of the PROXY protocol, octet by octet; and what is none."""

from collections.abc import Callable
from ipaddress import ip_address
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.proxy import (
    ITSELF,
    LONGEST_V1,
    LONGEST_V2,
    PREFIX_V1,
    SIGNATURE_V2,
    ProxyError,
    ProxyHeader,
    Source,
)

BIND = b"\0\0\0\x10\0\0\0\x09" + bytes(8)
ENDLESS_V1 = b"PROXY UNKNOWN".ljust(LONGEST_V1 - 1, b"f")


def v1(source: str, port: int) -> bytes:
    """A header of version 1."""
    kind = "TCP6" if ":" in source else "TCP4"
    to = "::1" if ":" in source else "127.0.0.1"
    return f"PROXY {kind} {source} {to} {port} 2775\r\n".encode()


def v2(source: str, port: int, *, command: int = 1, family: int | None = None, tlvs: bytes = b"") -> bytes:
    """A header of version 2."""
    address = ip_address(source)
    if family is None:
        family = 0x21 if address.version == 6 else 0x11
    rest = address.packed * 2 + pack(">HH", port, 2775) + tlvs
    return SIGNATURE_V2 + bytes((0x20 | command, family)) + pack(">H", len(rest)) + rest


def read(octets: bytes) -> tuple[Source | None, bytes]:
    """What a header says, and what is behind it."""
    header = ProxyHeader()
    used = header.feed(octets)
    return header.source, octets[used:]


ADDRESSES = st.ip_addresses().map(str)
PORTS = st.integers(0, 65_535)


Made = Callable[[str, int], bytes]


@given(source=ADDRESSES, port=PORTS, made=st.sampled_from([v1, v2]), cuts=st.lists(st.integers(0, 80)))
def test_however_it_is_cut(source: str, port: int, made: Made, cuts: list[int]) -> None:
    """A header is understood in any pieces, and takes no octet of what is behind it."""
    stream = made(source, port) + BIND
    header, at = ProxyHeader(), 0
    for cut in [*sorted(cuts), len(stream)]:
        while header.source is None and at < cut:
            at += header.feed(stream[at:cut])
    assert header.source == Source(source, port)
    assert stream[at:] == BIND


@given(octets=st.binary(max_size=700), prefix=st.sampled_from([b"", PREFIX_V1, SIGNATURE_V2, b"PROXY TCP4 "]))
def test_any_octets(octets: bytes, prefix: bytes) -> None:
    """Any octets are a header, the beginning of one, or refused; a beginning never grows without an end."""
    header = ProxyHeader()
    try:
        used = header.feed(prefix + octets)
    except ProxyError:
        return
    assert used <= LONGEST_V2
    assert header.source is not None or used == len(prefix + octets) < LONGEST_V2


@pytest.mark.parametrize(
    ("octets", "source"),
    [
        (b"PROXY UNKNOWN\r\n", ITSELF),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", ITSELF),
        (ENDLESS_V1, None),
        (v2("10.0.0.1", 7, command=0), ITSELF),
        (SIGNATURE_V2 + b"\x20\0\0\0", ITSELF),
        (SIGNATURE_V2 + b"\x21\0\0\0", ITSELF),
        (SIGNATURE_V2 + b"\x21\x31\0\xd8" + bytes(216), ITSELF),
        (v2("10.0.0.1", 7, tlvs=b"\x04\0\x05" + bytes(5)), Source("10.0.0.1", 7)),
        (v2("::ffff:10.0.0.1", 7), Source("::ffff:a00:1", 7)),
        (v2("10.0.0.1", 7, tlvs=bytes(508)), Source("10.0.0.1", 7)),
        (b"PROX", None),
        (b"", None),
    ],
)
def test_what_it_says(octets: bytes, source: Source | None) -> None:
    """Health checks are of the balancer itself; TLVs are passed over; a beginning says nothing yet."""
    assert read(octets) == (source, b"")


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (BIND, "no header"),
        (b"\x16\x03\x01", "no header"),
        (b"proxy TCP4", "no header"),
        (b"PROXY\t", "no header"),
        (b"PROXY TCP4 " + b"1" * LONGEST_V1, "longer than 107"),
        (b"PROXY \r\n", "two addresses"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n", "two addresses"),
        (b"PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n", "two addresses"),
        (b"PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n", "two addresses"),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", "not of TCP4"),
        (b"PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n", "not of TCP6"),
        (b"PROXY TCP4 010.0.0.1 10.0.0.2 1 2\r\n", "not of TCP4"),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "zone"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n", "0 to 65535"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 -1 2\r\n", "0 to 65535"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 \xb2 2\r\n", "0 to 65535"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n", "begins with 0"),
        (SIGNATURE_V2 + b"\x11\x11\0\x0c" + bytes(12), "0x11"),
        (SIGNATURE_V2 + b"\x22\x11\0\x0c" + bytes(12), "0x22"),
        (SIGNATURE_V2 + b"\x21\x12\0\x0c" + bytes(12), "family 0x12"),
        (SIGNATURE_V2 + b"\x21\x11\0\x0b" + bytes(11), "11 octets"),
        (SIGNATURE_V2 + b"\x21\x11\xff\xff", "more than 536"),
    ],
)
def test_what_is_no_header(octets: bytes, words: str) -> None:
    """It is refused as soon as it can be none, with the reason."""
    with pytest.raises(ProxyError, match=words):
        ProxyHeader().feed(octets)
