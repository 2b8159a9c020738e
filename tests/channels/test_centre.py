"""What a link becomes for a dialer."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.channels.smpp.centre import place_of, terms_of, without_tls
from gateway.channels.smpp.settings import LinkSettings
from gateway.net.admission import peer_of
from gateway.smpp.codec import decode, encode
from gateway.smpp.timers import Timers

HOSTS = st.from_regex(r"\A[a-z0-9.-]{1,30}\Z") | st.integers(0, 2**128 - 1).map(lambda n: str(IPv6Address(n)))
GIVEN = {"name": "north", "host": "a.example", "system_id": "f", "password": "p"}


@given(HOSTS, st.integers(1, 65535))
def test_a_place_is_read_as_it_is_written(host: str, port: int) -> None:
    """A name, an IPv4 address, an IPv6 address in brackets; the schema takes each."""
    written = peer_of(host, port)
    link = LinkSettings.model_validate({**GIVEN, "alternatives": [written]})
    assert place_of(link.alternatives[0]) == (host, port)


@pytest.mark.parametrize("text", ["a.example", "a:b:1", "::1:2775", ":2775", "a b:1", "[::1]", "a:", "[]:1"])
def test_what_is_no_place_is_refused(text: str) -> None:
    """By the schema, before anybody dials."""
    with pytest.raises(ValidationError):
        LinkSettings.model_validate({**GIVEN, "alternatives": [text]})


@pytest.mark.parametrize(("version", "octet"), [("3.3", 0x33), ("3.4", 0x34), ("5.0", 0x50)])
@pytest.mark.parametrize("mode", ["transceiver", "receiver", "transmitter"])
def test_the_bind_says_what_the_link_says(version: str, octet: int, mode: str) -> None:
    """All that the schema takes fits into a PDU."""
    more = {"system_id": "x" * 15, "password": "y" * 8, "system_type": "z" * 12, "address_range": "1" * 40}
    link = LinkSettings.model_validate({**GIVEN, **more, "version": version, "bind": mode})
    terms = terms_of(link, mode, Timers(), without_tls)
    bind = terms.request()
    assert (bind.name, bind.interface_version) == (f"bind_{mode}", octet)
    read = decode(encode(bind))
    assert {key: getattr(read, key) for key in more} == more
    assert terms.places == (("a.example", 2775),)


def test_a_link_that_wants_tls_is_never_dialled_without_it() -> None:
    """Where nobody can make a context, dialling fails."""
    link = LinkSettings.model_validate({**GIVEN, "tls": {"name": "smsc.example"}})
    terms = terms_of(link, "transceiver", Timers(), without_tls)
    assert terms.server_name == "smsc.example"
    assert terms.tls is not None
    with pytest.raises(OSError, match="without TLS"):
        terms.tls()
