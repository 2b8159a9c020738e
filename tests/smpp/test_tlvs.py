"""The optional part of a PDU."""

import pytest

from gateway.smpp.tlvs import (
    BY_TAG,
    TAGS,
    TLVS,
    USER_MESSAGE_REFERENCE,
    TlvValue,
    decode_tlvs,
    encode_tlvs,
    name_of,
)


def test_table() -> None:
    """Tags and names are unique, the least length is at most the most."""
    assert len(BY_TAG) == len(TLVS) == len({row.name for row in TLVS})
    assert all(row.least <= row.most for row in TLVS)


@pytest.mark.parametrize(
    ("octets", "value", "notes"),
    [
        ("001e0003343200", "42", ()),
        ("001e00023432", "42", ("TLV receipted_message_id without NUL",)),
        ("001e0005343200330" + "0", b"42\x003\0", ("TLV receipted_message_id with octets after its NUL",)),
        ("001e0000", b"", ("TLV receipted_message_id of 0 octets",)),
        ("001e0042" + "31" * 66, b"1" * 66, ("TLV receipted_message_id of 66 octets",)),
        ("001e0041" + "31" * 65, b"1" * 65, ("TLV receipted_message_id without NUL",)),
    ],
)
def test_c_string(octets: str, value: TlvValue, notes: tuple[str, ...]) -> None:
    """A text is read without its NUL; what is not a text of the right length stays octets, with a note."""
    assert decode_tlvs(bytes.fromhex(octets), 0) == ({TAGS["receipted_message_id"]: value}, notes, "")


def test_integer_of_another_length() -> None:
    """An integer of the wrong length stays octets with a note, and those octets can be sent on."""
    values, notes, broken = decode_tlvs(bytes.fromhex("0204000107"), 0)
    assert values == {USER_MESSAGE_REFERENCE: b"\x07"}
    assert notes == ("TLV user_message_reference of 1 octets",)
    assert not broken
    assert encode_tlvs(values) == bytes.fromhex("0204000107")


@pytest.mark.parametrize("octets", ["02", "0204", "020400", "02040002", "0204000200"])
def test_broken_stream(octets: str) -> None:
    """A stream that ends inside a TLV says so and keeps what stood in front."""
    values, _, broken = decode_tlvs(bytes.fromhex("14000001ff" + octets), 0)
    assert values == {0x1400: b"\xff"}
    assert broken


def test_unknown_tag_has_a_name_for_the_log() -> None:
    """A tag that is in no table shows in hex."""
    assert name_of(0x1403) == "0x1403"
    assert name_of(USER_MESSAGE_REFERENCE) == "user_message_reference"
