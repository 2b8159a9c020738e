"""The optional part of a PDU."""

import time

import pytest

from gateway.smpp.tlvs import (
    BY_TAG,
    MOST_NOTES,
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


@pytest.mark.parametrize(("tag", "length"), [(0x0381, 0), (0x0302, 1), (0x0204, 2), (0x1500, 0)])
def test_a_pdu_full_of_one(tag: int, length: int) -> None:
    """70,000 octets of one TLV cost as much time as any others, and a note that fits into a line of a log."""
    count = 70_000 // (4 + length)
    stream = (tag.to_bytes(2, "big") + length.to_bytes(2, "big") + bytes(length)) * count
    began = time.process_time()
    values, notes, fault = decode_tlvs(stream, 0)
    assert time.process_time() - began < 0.3  # one that took the square of the number needed a second
    assert not fault
    assert len("; ".join(notes)) < 1000
    value = values[tag]
    assert not isinstance(value, tuple) or len(value) == count


def test_too_many_notes_are_counted() -> None:
    """The first ones, and how many more there are."""
    stream = bytes((0x15, 0, 0, 0)) * 100
    _, notes, _ = decode_tlvs(stream, 0)
    assert (len(notes), notes[-1]) == (MOST_NOTES + 1, f"{99 - MOST_NOTES} more of that kind")


def test_a_repeated_one_keeps_its_place() -> None:
    """The TLVs stand in the order in which each came first, a repeated one with all of its values."""
    stream = bytes.fromhex("0302000101 1500000107 0302000102 0204000200ff")
    values, notes, fault = decode_tlvs(stream, 0)
    assert (list(values.items()), notes, fault) == (
        [(0x0302, (1, 2)), (0x1500, b"\7"), (0x0204, 255)],
        (),
        "",
    )
