"""gateway.smpp.coding: the alphabet of an account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import gsm
from gateway.smpp.coding import LATIN, UCS2, Alphabet

GSM = Alphabet.from_config({}, "gsm")
ASCII = Alphabet.from_config({}, "ascii")
LITTLE_ENDIAN = Alphabet.from_config({8: "ucs2-le"}, "gsm")
CODECS = ("gsm", "gsm-packed", "ascii", "latin-1", "ucs2", "ucs2-le", "gbk", "utf-8", "binary")


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        ("4b544658", 0, "KTFX"),
        ("1b651b3c1b3e00", 0, "€[]"),
        ("1b651b3c1b3e0000", 0, "€[]@"),
        ("4b544658", 1, "KTFX"),
        ("4be9", 1, "K\ufffd"),
        ("4be9", 3, "Ké"),
        ("662f", 8, "是"),
        ("ff2bff34ff26ff38", 8, "ＫＴＦＸ"),
        ("d83dde00", 8, "😀"),
        ("cac7", 15, "是"),
        ("b7f1", 15, "否"),
        ("b7c9d0c5", 15, "飞信"),
        ("a3cba3d4a3c6a3d8", 15, "ＫＴＦＸ"),
        ("a3a3a1a1", 15, "＃\u3000"),
        ("a3a4", 15, "￥"),
        ("a3fe", 15, "￣"),
        ("4b54b7c9", 15, "KT飞"),
        ("8139ee39", 15, "\u3400"),
        ("9439fc36", 15, "😀"),
    ],
)
def test_what_peers_send(octets: str, data_coding: int, text: str) -> None:
    """Octets as they come from Chinese message centres, under the usual map."""
    assert GSM.decode(bytes.fromhex(octets), data_coding) == text


def test_the_full_width_block_of_gbk() -> None:
    """A3A1 to A3FD are the full-width forms of ASCII, except A3A4, which is the yuan sign and no dollar."""
    for second in range(0xA1, 0xFE):
        full_width = "￥" if second == 0xA4 else chr(0xFF00 + second - 0xA0)
        assert GSM.decode(bytes((0xA3, second)), 15) == full_width


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        ("98de4f", 8, "飞"),
        ("4f", 8, ""),
        ("d83d0041", 8, "\ufffdA"),
        ("de000041", 8, "\ufffdA"),
        ("0041d83d", 8, "A\ufffd"),
        ("0041d83dde", 8, "A\ufffd"),
        ("feff662f", 8, "是"),
        ("662f0000", 8, "是"),
        ("feff0000", 8, ""),
        ("fefffeff", 8, "\ufeff"),
        ("b7c9d0", 15, "飞"),
        ("d0", 15, ""),
        ("4bff", 15, "K\ufffd"),
        ("4b80", 15, "K\ufffd"),
        ("ff4bd0", 15, "\ufffdK\ufffd"),
        ("4b8138", 15, "K\ufffd"),
        ("4b000000", 15, "K"),
        ("4b5400", 1, "KT"),
        ("4b5400", 3, "KT"),
        ("0000", 4, "\ufffd\ufffd"),
        ("4b544658", 4, "\ufffd\ufffd\ufffd\ufffd"),
    ],
)
def test_damaged_and_padded_octets(octets: str, data_coding: int, text: str) -> None:
    """A cut double byte, NULs at the end and a leading mark vanish; anything else undecodable is U+FFFD."""
    assert GSM.decode(bytes.fromhex(octets), data_coding) == text


@pytest.mark.parametrize(
    ("codec", "octets", "text"),
    [
        ("gsm", "0000", "@"),
        ("gsm", "00", ""),
        ("gsm-packed", "e8329bfd06", "hello"),
        ("ascii", "40", "@"),
        ("latin-1", "e9", "é"),
        ("ucs2", "662f", "是"),
        ("ucs2-le", "2f66", "是"),
        ("ucs2-le", "3dd8", "\ufffd"),
        ("ucs2-le", "2f6666", "是"),
        ("gbk", "cac7", "是"),
        ("utf-8", "e698af", "是"),
        ("utf-8", "efbbbfe698af", "是"),
        ("utf-8", "4be698", "K\ufffd"),
        ("binary", "4b", "\ufffd"),
    ],
)
def test_each_codec_by_name(codec: str, octets: str, text: str) -> None:
    """An account may give any data_coding any codec."""
    assert Alphabet.from_config({0x55: codec}, "gsm").decode(bytes.fromhex(octets), 0x55) == text


@pytest.mark.parametrize(
    ("data_codings", "codec"),
    [
        ((0, 0x10, 0x11, 0x13, 0xC0, 0xD8, 0xF0, 0xF1, 0xF3), "gsm"),
        ((1,), "ascii"),
        ((2, 4, 0x14, 0x17, 0x20, 0x28, 0xF4, 0xF5, 0xF6), "binary"),
        ((3,), "latin-1"),
        ((8, 0x18, 0x19, 0x1B, 0xE0), "ucs2"),
        ((15,), "gbk"),
    ],
)
def test_the_usual_map(data_codings: tuple[int, ...], codec: str) -> None:
    """What an account without changes makes of the data_codings in use."""
    assert {GSM.codec_of[data_coding] for data_coding in data_codings} == {codec}


@pytest.mark.parametrize("data_coding", [5, 6, 7, 9, 10, 13, 14, 0x1C, 0x80, 0xFF])
def test_an_unknown_data_coding_reads_as_zero(data_coding: int) -> None:
    """decode falls back to data_coding 0 of the account; the map does not have it."""
    assert data_coding not in GSM.codec_of
    assert GSM.decode(b"\x00$", data_coding) == "@¤"
    assert GSM.decode(b"$\x00", data_coding) == "¤"
    assert ASCII.decode(b"@$", data_coding) == "@$"


@given(
    st.binary(max_size=300),
    st.integers(0, 255),
    st.dictionaries(
        st.integers(0, 255).filter(lambda code: code != UCS2), st.sampled_from(CODECS), max_size=4
    ),
    st.sampled_from(("gsm", "ascii")),
)
def test_any_octets_decode(octets: bytes, data_coding: int, overrides: dict[int, str], latin: str) -> None:
    """Any octets, data_coding and map give a text that can be written as UTF-8."""
    text = Alphabet.from_config(overrides, latin).decode(octets, data_coding)
    text.encode()
    assert not text.endswith("\0")
    piece = Alphabet.from_config(overrides, latin).decode_piece(
        octets, data_coding, marked=False, padded=False
    )
    assert text in piece or octets[:2] in (b"\xff\xfe", b"\xfe\xff")


@given(st.sampled_from((GSM, ASCII, LITTLE_ENDIAN)), st.text())
def test_decode_of_encode_is_the_text(alphabet: Alphabet, text: str) -> None:
    """Any text comes back when nothing is taken for a mark or padding, and nearly any as a whole message."""
    data_coding, octets = alphabet.encode(text)
    assert alphabet.decode_piece(octets, data_coding, marked=False, padded=False) == text
    if data_coding == LATIN and alphabet.latin == "gsm":
        assert alphabet.decode(octets, data_coding) == text.removesuffix("@")
    elif not text.startswith("\ufffe"):
        assert alphabet.decode(octets, data_coding) == text.removeprefix("\ufeff").rstrip("\0")


GSM_DATA_CODINGS = [0, *range(0x10, 0x14), *range(0xC0, 0xE0), *range(0xF0, 0xF4)]


@given(st.sampled_from(GSM_DATA_CODINGS), st.text(alphabet="KTFXktfx019 @€[£é"))
def test_exactly_one_nul_goes_in_every_gsm_data_coding(data_coding: int, text: str) -> None:
    """A text that is closed by a NUL reads as the text; an @ that is meant stays when a NUL follows it."""
    octets = gsm.encode(text)
    assert octets is not None
    assert GSM.decode(octets + b"\0", data_coding) == text
    assert GSM.decode(octets, data_coding) == text.removesuffix("@")


@pytest.mark.parametrize("data_coding", GSM_DATA_CODINGS)
def test_an_instruction_that_a_nul_closes(data_coding: int) -> None:
    """KTFX and a NUL is KTFX, and no instruction with an @ behind it."""
    assert GSM.decode(b"KTFX\0", data_coding) == "KTFX"
    assert GSM.in_doubt(b"KTFX\0", data_coding)
    assert not GSM.in_doubt(b"KTFX", data_coding)


def test_the_account_says_where_gsm_is() -> None:
    """The NUL goes by codec and not by number: 0 may be ASCII, anything may be GSM."""
    alphabet = Alphabet.from_config({0: "latin-1", 3: "gsm", 0x55: "gsm-packed"}, "gsm")
    assert alphabet.decode(b"a@\0\0", 0) == "a@"
    assert alphabet.decode(b"a\0\0", 3) == "a@"
    assert [alphabet.in_doubt(b"a\0", data_coding) for data_coding in (0, 3, 8, 15, 0x99)] == [
        *(False, True, False, False, False)
    ]
    assert GSM.in_doubt(b"a\0", 0x99), "an unknown data_coding is read as 0"
    assert alphabet.in_doubt(gsm.pack(b"secret7") + b"\0", 0x55)
    assert not alphabet.in_doubt(gsm.pack(b"secret7"), 0x55)


@given(st.text(alphabet="KTFX019 £eé", max_size=40))
def test_a_packed_text_that_a_nul_closes(text: str) -> None:
    """One octet 0x00 behind packed septets goes, and never takes a character with it."""
    alphabet = Alphabet.from_config({0: "gsm-packed"}, "gsm")
    octets = gsm.encode(text)
    assert octets is not None
    assert alphabet.decode(gsm.pack(octets), 0) == text
    assert alphabet.decode(gsm.pack(octets) + b"\0", 0) == text


@given(st.sampled_from(("ucs2", "ucs2-le")), st.text().filter(lambda text: not text.startswith("\ufffe")))
def test_a_byte_order_mark_decides(codec: str, text: str) -> None:
    """With FF FE in front UCS-2 is little-endian, with FE FF big-endian, whatever the account says."""
    alphabet = Alphabet.from_config({8: codec}, "gsm")
    for mark, order in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert alphabet.decode(mark + text.encode(order), 8) == text.rstrip("\0")


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("fffe2f66", "是"),
        ("fffe2f660000", "是"),
        ("fffe", ""),
        ("fffe2f", ""),
        ("fffe2f6666", "是"),
        ("fffe3dd8", "\ufffd"),
        ("fffe4b0054004600580000", "KTFX"),
        ("feff662f", "是"),
    ],
)
def test_marks_in_front(octets: str, text: str) -> None:
    """What a handset or centre of the other byte order sends, and what is left of it when it is cut."""
    assert GSM.decode(bytes.fromhex(octets), 8) == text
    assert GSM.decode(bytes.fromhex(octets), 0x18) == text
    assert LITTLE_ENDIAN.decode(bytes.fromhex(octets), 8) == text


@pytest.mark.parametrize(
    ("text", "latin", "data_coding", "octets"),
    [
        ("", "gsm", LATIN, ""),
        ("KTFX", "gsm", LATIN, "4b544658"),
        ("KTFX", "ascii", LATIN, "4b544658"),
        ("@$_", "gsm", LATIN, "000211"),
        ("@$_", "ascii", LATIN, "40245f"),
        ("[|]", "gsm", LATIN, "1b3c1b401b3e"),
        ("[|]", "ascii", LATIN, "5b7c5d"),
        ("`", "gsm", UCS2, "0060"),
        ("`", "ascii", LATIN, "60"),
        ("€", "gsm", LATIN, "1b65"),
        ("€", "ascii", UCS2, "20ac"),
        ("é", "ascii", UCS2, "00e9"),
        ("A是", "gsm", UCS2, "0041662f"),
        ("是", "ascii", UCS2, "662f"),
        ("😀", "gsm", UCS2, "d83dde00"),
    ],
)
def test_outgoing_text(text: str, latin: str, data_coding: int, octets: str) -> None:
    """data_coding 0 when every character allows it, else UTF-16; the account says what 0 means."""
    assert Alphabet.from_config({}, latin).encode(text) == (data_coding, bytes.fromhex(octets))


def test_outgoing_follows_the_byte_order_of_the_account() -> None:
    """A peer whose data_coding 8 is little-endian gets it so."""
    assert LITTLE_ENDIAN.encode("是") == (UCS2, b"\x2f\x66")


def test_a_lone_surrogate_is_an_error() -> None:
    """What is no text is not sent, not even mended."""
    with pytest.raises(UnicodeEncodeError):
        GSM.encode("\ud83d")


@pytest.mark.parametrize(
    ("overrides", "latin", "words"),
    [
        ({15: "gb2312"}, "gsm", ["data_coding 15", "'gb2312'", *CODECS]),
        ({256: "gsm"}, "gsm", ["256", "0-255"]),
        ({-1: "gsm"}, "gsm", ["-1", "0-255"]),
        ({}, "latin-1", ["'latin-1'", "ascii, gsm"]),
        ({8: "gbk"}, "gsm", ["data_coding 8", "'gbk'", "ucs2, ucs2-le"]),
    ],
)
def test_a_wrong_map_is_refused(overrides: dict[int, str], latin: str, words: list[str]) -> None:
    """from_config names what is wrong and what would be right."""
    with pytest.raises(ValueError) as refused:
        Alphabet.from_config(overrides, latin)
    assert all(word in str(refused.value) for word in words)


def test_an_account_overrides_incoming_zero() -> None:
    """data_coding 0 may come in as something else than it goes out."""
    alphabet = Alphabet.from_config({0: "latin-1"}, "ascii")
    assert alphabet.decode(b"\xe9", 0) == "é"
    assert alphabet.encode("é") == (UCS2, b"\x00\xe9")


@given(st.sampled_from((GSM, ASCII, LITTLE_ENDIAN)), st.text(min_size=1), st.data())
def test_a_boundary_is_between_characters(alphabet: Alphabet, text: str, data: st.DataObject) -> None:
    """Cut at a boundary, both halves decode to the whole, and it is at most one unit below the wish."""
    data_coding, octets = alphabet.encode(text + "ab")
    end = data.draw(st.integers(2, len(octets)))
    cut = alphabet.boundary(octets, data_coding, end)
    assert end - 3 <= cut <= end
    encoding = {"ucs2": "utf-16-be", "ucs2-le": "utf-16-le"}[alphabet.codec_of[UCS2]]
    if data_coding == UCS2:
        assert octets[:cut].decode(encoding) + octets[cut:].decode(encoding) == text + "ab"
    else:
        pieces = (
            alphabet.decode_piece(half, LATIN, marked=False, padded=False)
            for half in (octets[:cut], octets[cut:])
        )
        assert "".join(pieces) == text + "ab"
