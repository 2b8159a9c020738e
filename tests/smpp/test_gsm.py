"""gateway.smpp.gsm: the default alphabet, its extension table, packed septets."""

import pytest
import smpplib.gsm
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smpp import gsm

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"

gsm_texts = st.text(st.sampled_from(BASIC + EXTENSION))


@given(gsm_texts)
@example("")
@example("€€\f[@]")
def test_decode_of_encode_is_the_text(text: str) -> None:
    """Every text of the two tables comes back unchanged."""
    octets = gsm.encode(text)
    assert octets is not None
    assert max(octets, default=0) < 0x80
    assert gsm.decode(octets) == text


@given(gsm_texts)
def test_an_extension_character_takes_two_septets(text: str) -> None:
    """The length is one septet a character, two for those of the extension table."""
    octets = gsm.encode(text)
    assert octets is not None
    assert len(octets) == len(text) + sum(character in EXTENSION for character in text)


@given(st.text(st.sampled_from((BASIC + EXTENSION).replace("§", "").replace("\f", ""))))
def test_the_septets_equal_those_of_smpplib(text: str) -> None:
    """smpplib writes the same septets, apart from its faults: it has no §, no form feed, but a backquote."""
    assert gsm.encode(text) == smpplib.gsm.gsm_encode(text)


def test_the_basic_table_has_127_characters_and_the_escape() -> None:
    """Each septet below 0x80 except the escape is a character of its own, and no other has a code."""
    decoded = [gsm.decode(bytes((code,))) for code in range(128) if code != gsm.ESCAPE]
    assert sorted(decoded) == sorted(BASIC)
    assert {chr(code) for code in range(0x10000) if gsm.encode(chr(code)) is not None} == set(
        BASIC + EXTENSION
    )


@pytest.mark.parametrize(
    ("text", "septets"),
    [
        ("@", "00"),
        ("$", "02"),
        ("_", "11"),
        ("Ç", "09"),
        ("§", "5f"),
        ("à", "7f"),
        ("\f", "1b0a"),
        ("^{}\\", "1b141b281b291b2f"),
        ("[~]|", "1b3c1b3d1b3e1b40"),
        ("€[]", "1b651b3c1b3e"),
        ("HY#138*+", b"HY#138*+".hex()),
    ],
)
def test_characters_that_are_easily_wrong(text: str, septets: str) -> None:
    """The codes where GSM differs from ASCII, and what stays equal to it."""
    assert gsm.encode(text) == bytes.fromhex(septets)
    assert gsm.decode(bytes.fromhex(septets)) == text


@pytest.mark.parametrize("text", ["`", "ç", "飞", "a飞", "\t", "\0", "\x1b", "\x7f", "\xa0", "😀"])
def test_a_character_without_a_code_gives_none(text: str) -> None:
    """encode says None for the whole text when one character has no code."""
    assert gsm.encode(text) is None


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        ("1b41", "A"),
        ("611b", "a "),
        ("1b1b65", " e"),
        ("1b1b", " "),
        ("1b801b", "\ufffd "),
        ("4b80ff", "K\ufffd\ufffd"),
        ("1b0d1b0a", "\r\f"),
    ],
)
def test_what_no_table_has_is_shown(septets: str, text: str) -> None:
    """Unknown second codes show the basic table's character, a lone escape shows a space, an octet U+FFFD."""
    assert gsm.decode(bytes.fromhex(septets)) == text


@given(st.binary())
def test_any_octets_decode(octets: bytes) -> None:
    """decode and unpack take any octets."""
    assert len(gsm.decode(octets)) <= len(octets)
    assert max(gsm.unpack(octets), default=0) < 0x80


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("", ""),
        ("a", "61"),
        ("hello", "e8329bfd06"),
        ("hellohello", "e8329bfd4697d9ec37"),
        ("1234567", "31d98c56b3dd1a"),
        ("12345678", "31d98c56b3dd70"),
    ],
)
def test_packed_septets(text: str, packed: str) -> None:
    """Septets are packed from the low bits on; seven spare bits hold a CR."""
    assert gsm.pack(text.encode()) == bytes.fromhex(packed)
    assert gsm.unpack(bytes.fromhex(packed)) == text.encode()


def test_seven_zero_bits_at_the_end_are_fill() -> None:
    """Zeros after the seventh septet of a block are no eighth character."""
    assert gsm.unpack(bytes.fromhex("31d98c56b3dd00")) == b"1234567"


@given(st.binary().map(lambda octets: bytes(octet & 0x7F for octet in octets)))
def test_unpack_of_pack_is_the_septets(septets: bytes) -> None:
    """Packed septets come back, except one that cannot be told from fill: CR or `@` as every eighth, last."""
    if len(septets) % 8 == 0 and septets.endswith((b"\r", b"\0")):
        septets = septets[:-1]
    assert gsm.unpack(gsm.pack(septets)) == septets


@given(st.binary(max_size=30))
def test_a_nul_holds_no_other_character(packed: bytes) -> None:
    """At most one octet 0x00 goes, and with it nothing but zeros."""
    shorter = gsm.without_nul(packed)
    assert packed in (shorter, shorter + b"\0")
    before, after = gsm.septets_of(packed), gsm.septets_of(shorter)
    assert before.startswith(after)
    assert not any(before[len(after) :])


def test_zero_bits_of_another_character_are_no_nul() -> None:
    """The second of two septets has its high bits in the second octet: zeros there may be its own."""
    assert gsm.without_nul(gsm.pack(b"a\x01")) == gsm.pack(b"a\x01") == b"\xe1\x00"
    assert gsm.without_nul(b"\xe1\x00\x00") == b"\xe1\x00"
    assert gsm.without_nul(b"") == b""
