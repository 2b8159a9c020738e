"""Where a link is dialled: `host:port` of its alternatives."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.channels.smpp.centre import place_of
from gateway.channels.smpp.settings import LinkSettings
from gateway.net.admission import peer_of

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
