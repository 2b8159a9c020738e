"""gateway.smpp.long: a text cut into segments, and segments joined again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.coding import Alphabet
from gateway.smpp.long import (
    UDHI,
    Added,
    BrokenUdhError,
    Kind,
    MessageTooLongError,
    Method,
    PartHeader,
    PartSet,
    Segment,
    part_of,
    segments,
)
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS

GSM = Alphabet.from_config({}, "gsm")
ASCII = Alphabet.from_config({}, "ascii")
LITTLE_ENDIAN = Alphabet.from_config({8: "ucs2-le"}, "gsm")
KINDS: tuple[Kind, ...] = ("udh8", "udh16", "sar")
METHODS: tuple[Method, ...] = (*KINDS, "payload")

alphabets = st.sampled_from((GSM, ASCII, LITTLE_ENDIAN))
references = st.integers(0, 0xFFFF)
# Runs of few characters: long enough for several segments, quickly drawn, with pairs at every offset.
runs = st.lists(
    st.tuples(st.sampled_from(["a", "7", "@", "€", "[", "é", "飞", "😀", "\ufffd"]), st.integers(1, 170)),
    max_size=8,
).map(lambda drawn: "".join(character * times for character, times in drawn))
texts = st.one_of(runs, st.text(), st.tuples(runs, st.text()).map("".join))


def received(segment: Segment) -> tuple[PartHeader | None, bytes]:
    """What the receiver of a segment finds in it."""
    return part_of(segment.octets, segment.esm_class, segment.tlvs)


def joined(sent: list[Segment], alphabet: Alphabet) -> str:
    """The text of segments as they came, each of them once or several times, in any order."""
    header, octets = received(sent[0])
    if header is None:
        return alphabet.decode_piece(octets, sent[0].data_coding, marked=True, padded=False)
    parts = PartSet(header.total)
    outcomes = []
    for segment in sent:
        part, octets = received(segment)
        assert part is not None
        assert (part.kind, part.reference, part.total) == (header.kind, header.reference, header.total)
        outcomes.append(parts.add(part.number, octets, segment.data_coding))
    assert outcomes.count(Added.COMPLETE) == 1
    assert Added.CONFLICT not in outcomes
    return parts.text(alphabet, padded=False)


@given(alphabets, texts, references, st.sampled_from(METHODS), st.data())
def test_joining_gives_the_text_back(
    alphabet: Alphabet, text: str, reference: int, method: Method, data: st.DataObject
) -> None:
    """Any text by any method comes back from its segments in any order, repeats among them."""
    sent = segments(text, alphabet, reference, method)
    again = data.draw(st.lists(st.sampled_from(sent), max_size=4))
    arrived = data.draw(st.permutations(sent + again))
    if not text.startswith("\ufffe"):  # no character, but a mark of the other byte order
        assert joined(arrived, alphabet) == text.removeprefix("\ufeff")


@given(alphabets, texts, references, st.sampled_from(KINDS))
def test_every_segment_fits_into_one_sms(alphabet: Alphabet, text: str, reference: int, kind: Kind) -> None:
    """On the air no segment is longer than 140 octets, and none but the last could take one more unit."""
    sent = segments(text, alphabet, reference, kind)
    header = 0 if len(sent) == 1 else {"udh8": 6, "udh16": 7, "sar": 7}[kind]
    for segment in sent:
        octets = received(segment)[1]
        on_the_air = (len(octets) * 7 + 7) // 8 if segment.data_coding == 0 else len(octets)
        assert header + on_the_air <= 140
        assert len(segment.octets) <= 160
        if segment is not sent[-1]:
            assert header + on_the_air >= 140 - 4


@given(alphabets, runs, references, st.sampled_from(KINDS))
def test_no_pair_is_cut(alphabet: Alphabet, text: str, reference: int, kind: Kind) -> None:
    """Each segment decodes on its own: no escape pair and no surrogate pair lies across two."""
    sent = segments(text, alphabet, reference, kind)
    pieces = (
        alphabet.decode_piece(received(segment)[1], segment.data_coding, marked=False, padded=False)
        for segment in sent
    )
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("text", "kind", "units"),
    [
        ("中" * 70, "udh8", [70]),
        ("中" * 71, "udh8", [67, 4]),
        ("中" * 71, "udh16", [66, 5]),
        ("中" * 71, "sar", [66, 5]),
        ("中" * 180, "udh8", [67, 67, 46]),
        ("中" * 66 + "😀" + "中" * 10, "udh8", [66, 12]),
        ("中" * 65 + "😀" + "中" * 10, "udh8", [67, 10]),
        ("中" * 65 + "😀" + "中" * 10, "udh16", [65, 12]),
        ("中" * 68 + "😀", "udh8", [70]),
        ("a" * 160, "udh8", [160]),
        ("a" * 161, "udh8", [153, 8]),
        ("a" * 161, "udh16", [152, 9]),
        ("a" * 161, "sar", [152, 9]),
        ("a" * 152 + "€" + "a" * 10, "udh8", [152, 12]),
        ("a" * 151 + "€" + "a" * 10, "udh8", [153, 10]),
        ("a" * 151 + "€" + "a" * 10, "udh16", [151, 12]),
        ("€" * 80, "udh8", [160]),
        ("€" * 81, "udh8", [152, 10]),
        ("€" * 153, "udh8", [152, 152, 2]),
    ],
)
def test_sizes(text: str, kind: Kind, units: list[int]) -> None:
    """How many septets or UTF-16 units each segment has."""
    sent = segments(text, GSM, 7, kind)
    width = 2 if sent[0].data_coding else 1
    assert [len(received(segment)[1]) // width for segment in sent] == units


@pytest.mark.parametrize("method", METHODS)
def test_a_short_text_is_a_plain_sms(method: Method) -> None:
    """One SMS has no header and no TLV, whatever the method."""
    assert segments("KTFX", GSM, 1, method) == [Segment(b"KTFX", 0, 0, {})]
    assert segments("", GSM, 1, method) == [Segment(b"", 0, 0, {})]


def test_the_octets_of_each_method() -> None:
    """Header, TLVs and esm_class as the specifications have them; the reference counts modulo its size."""
    text = "a" * 161
    first = [segments(text, GSM, 0x11234, method)[0] for method in METHODS]
    assert first == [
        Segment(bytes.fromhex("050003340201") + b"a" * 153, 0, UDHI),
        Segment(bytes.fromhex("06080412340201") + b"a" * 152, 0, UDHI),
        Segment(b"a" * 152, 0, 0, {SAR_MSG_REF_NUM: 0x1234, SAR_TOTAL_SEGMENTS: 2, SAR_SEGMENT_SEQNUM: 1}),
        Segment(b"", 0, 0, {MESSAGE_PAYLOAD: b"a" * 161}),
    ]


@pytest.mark.parametrize(
    ("fits", "method", "needed"),
    [
        ("a" * 153 * 255, "udh8", 256),
        ("a" * 152 * 255, "udh16", 256),
        ("中" * 67 * 255, "udh8", 256),
        ("中" * 66 * 255, "sar", 256),
        ("a" * 65535, "payload", 65536),
    ],
)
def test_too_long_is_an_error(fits: str, method: Method, needed: int) -> None:
    """255 segments or 65,535 octets go; one character more raises, and nothing is cut off."""
    assert len(segments(fits, GSM, 1, method)) == (1 if method == "payload" else 255)
    with pytest.raises(MessageTooLongError, match=f"needs {needed} .* limit is {needed - 1}"):
        segments(fits + fits[0], GSM, 1, method)


@pytest.mark.parametrize(
    ("octets", "header", "text"),
    [
        ("0500032a020161", PartHeader("udh8", 42, 2, 1), b"a"),
        ("0608041234030261", PartHeader("udh16", 0x1234, 3, 2), b"a"),
        ("0b05040b8423f000032a020161", PartHeader("udh8", 42, 2, 1), b"a"),
        ("0b00032a020105040b8423f061", PartHeader("udh8", 42, 2, 1), b"a"),
        ("0d2401032501030608041234030261", None, b"a"),
        ("0c24010325010308041234030261", PartHeader("udh16", 0x1234, 3, 2), b"a"),
        ("0a00032a020100032b030261", PartHeader("udh8", 43, 3, 2), b"a"),
        ("0b00032a020108041234030261", PartHeader("udh16", 0x1234, 3, 2), b"a"),
        ("0500032a0201", PartHeader("udh8", 42, 2, 1), b""),
        ("0605040b8423f061", None, b"a"),
        ("0061", None, b"a"),
        ("00", None, b""),
        ("0500032a020061", None, b"a"),
        ("0500032a020361", None, b"a"),
        ("0500032a000161", None, b"a"),
        ("0500032a010161", None, b"a"),
        ("0400022a0261", None, b"a"),
        ("0600042a02010061", None, b"a"),
        ("0600032a02010061", None, b"a"),
        ("0500042a020161", None, b"a"),
        ("010061", None, b"a"),
    ],
)
def test_user_data_headers(octets: str, header: PartHeader | None, text: bytes) -> None:
    """The concatenation element is found anywhere, the last one counts, what makes no sense is no part."""
    assert part_of(bytes.fromhex(octets), UDHI, {}) == (header, text)
    assert part_of(b"", UDHI | 0x01, {MESSAGE_PAYLOAD: bytes.fromhex(octets)}) == (header, text)


@pytest.mark.parametrize("octets", ["", "05", "0500032a02", "1400030102016162", "ff"])
def test_a_header_longer_than_the_message_is_broken(octets: str) -> None:
    """BrokenUdhError, a ValueError, when UDHI is set and the message ends inside the header."""
    with pytest.raises(BrokenUdhError):
        part_of(bytes.fromhex(octets), UDHI, {})
    assert part_of(bytes.fromhex(octets), 0, {}) == (None, bytes.fromhex(octets))
    assert issubclass(BrokenUdhError, ValueError)


SAR = {SAR_MSG_REF_NUM: 0x1234, SAR_TOTAL_SEGMENTS: 3, SAR_SEGMENT_SEQNUM: 2}


@pytest.mark.parametrize(
    ("tlvs", "header"),
    [
        (SAR, PartHeader("sar", 0x1234, 3, 2)),
        ({SAR_TOTAL_SEGMENTS: 3, SAR_SEGMENT_SEQNUM: 2}, None),
        ({SAR_MSG_REF_NUM: 1, SAR_SEGMENT_SEQNUM: 2}, None),
        ({SAR_MSG_REF_NUM: 1, SAR_TOTAL_SEGMENTS: 3}, None),
        (SAR | {SAR_SEGMENT_SEQNUM: 0}, None),
        (SAR | {SAR_SEGMENT_SEQNUM: 4}, None),
        (SAR | {SAR_TOTAL_SEGMENTS: 0}, None),
        (SAR | {SAR_TOTAL_SEGMENTS: 1, SAR_SEGMENT_SEQNUM: 1}, None),
        (SAR | {SAR_TOTAL_SEGMENTS: 256}, None),
        (SAR | {SAR_MSG_REF_NUM: b"\x01"}, None),
        ({0x1403: b"x"}, None),
    ],
)
def test_sar_tlvs(tlvs: dict[int, int | bytes | str], header: PartHeader | None) -> None:
    """The three TLVs number a part; an incomplete or senseless triple does not."""
    assert part_of(b"a", 0, tlvs) == (header, b"a")


def test_the_user_data_header_wins_over_sar() -> None:
    """With both kinds of numbering the one in the header counts; without one in the header, SAR does."""
    assert part_of(bytes.fromhex("0500032a020161"), UDHI, SAR)[0] == PartHeader("udh8", 42, 2, 1)
    assert part_of(bytes.fromhex("0605040b8423f061"), UDHI, SAR) == (PartHeader("sar", 0x1234, 3, 2), b"a")


def test_message_payload_is_the_body() -> None:
    """It takes the place of short_message unless it is empty, and wins when both have octets."""
    assert part_of(b"", 0, {MESSAGE_PAYLOAD: b"long"}) == (None, b"long")
    assert part_of(b"short", 0, {MESSAGE_PAYLOAD: b"long"}) == (None, b"long")
    assert part_of(b"short", 0, {MESSAGE_PAYLOAD: b""}) == (None, b"short")
    assert part_of(b"", 0, SAR | {MESSAGE_PAYLOAD: b"long"}) == (PartHeader("sar", 0x1234, 3, 2), b"long")


@given(
    st.binary(max_size=20),
    st.integers(0, 255),
    st.dictionaries(
        st.sampled_from((*SAR, MESSAGE_PAYLOAD)), st.one_of(st.integers(0, 0xFFFF), st.binary(max_size=20))
    ),
)
def test_any_message_gives_a_part_or_the_typed_error(
    octets: bytes, esm_class: int, tlvs: dict[int, int | bytes | str]
) -> None:
    """part_of raises BrokenUdhError only, and a header it gives is one that a PartSet takes."""
    try:
        header, text = part_of(octets, esm_class, tlvs)
    except BrokenUdhError:
        return
    if header is not None:
        assert PartSet(header.total).add(header.number, text, 0) is Added.NEW


def test_a_set_tells_what_each_part_was() -> None:
    """New, repeat, conflict and complete; a repeat or conflict changes nothing."""
    parts = PartSet(3)
    assert parts.add(3, b"ccc", 0) is Added.NEW
    assert parts.add(1, b"a", 0) is Added.NEW
    assert parts.add(1, b"a", 0) is Added.REPEAT
    assert parts.add(1, b"x", 0) is Added.CONFLICT
    assert parts.add(1, b"a", 8) is Added.CONFLICT
    assert parts.size == 4
    assert parts.add(2, b"bb", 0) is Added.COMPLETE
    assert parts.add(2, b"bb", 0) is Added.REPEAT
    assert parts.add(2, b"b", 0) is Added.CONFLICT
    assert (parts.size, parts.text(GSM)) == (6, "abbccc")


def test_empty_parts_count_as_parts() -> None:
    """A part without octets is there all the same."""
    parts = PartSet(2)
    assert parts.add(2, b"", 0) is Added.NEW
    assert parts.add(2, b"", 0) is Added.REPEAT
    assert parts.add(1, b"", 0) is Added.COMPLETE
    assert parts.text(GSM) == ""


def whole(*parts: tuple[bytes, int], alphabet: Alphabet = GSM) -> str:
    """The text of a long message of these parts (octets, data_coding)."""
    found = PartSet(len(parts))
    for number, (octets, data_coding) in enumerate(parts, start=1):
        found.add(number, octets, data_coding)
    return found.text(alphabet)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([(b"a\0", 0), (b"b\0", 0)], "a@b"),
        ([(b"a\0", 0), (b"b\0\0", 0)], "a@b@"),
        ([(b"a\0", 0), (b"\0", 0)], "a@"),
        ([(b"a\0", 0), (b"\x66\x2f\0\0", 8)], "a@是"),
        ([(b"\x66\x2f\0\0", 8), (b"b\0", 0)], "是\0b"),
        ([(b"\xff\xfe\x2f\x66", 8), (b"\x2f\x66", 8)], "是是"),
        ([(b"\xff\xfe\x2f", 8), (b"\x66\x2f\x66", 8)], "是是"),
        ([(b"\xfe\xff\x66\x2f", 8), (b"\x66\x2f", 8)], "是是"),
        ([(b"\xff\xfe\x2f\x66", 8), (b"\xfe\xff\x66\x2f", 0x18)], "是\ufeff是"),
        ([(b"a", 0), (b"\xff\xfe", 8)], "a\ufffe"),
    ],
)
def test_a_mark_stands_in_front_and_padding_behind(parts: list[tuple[bytes, int]], text: str) -> None:
    """A NUL goes from the last part only; a mark counts in the first part, for all parts joined with it."""
    assert whole(*parts) == text


@given(st.text(alphabet="是否飞信KTFX😀", min_size=1), st.data())
def test_a_mark_rules_all_parts(text: str, data: st.DataObject) -> None:
    """Wherever a little-endian text is cut, the mark in its first part says how the others are read."""
    octets = b"\xff\xfe" + text.encode("utf-16-le")
    cuts = sorted(data.draw(st.lists(st.integers(2, len(octets)), max_size=4)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert whole(*((piece, 8) for piece in pieces)) == text


def test_an_incomplete_set_has_no_text() -> None:
    """text names the parts that are missing instead of leaving them out."""
    parts = PartSet(4)
    parts.add(2, b"b", 0)
    with pytest.raises(ValueError, match="parts 1, 3, 4 of 4"):
        parts.text(GSM)


def test_a_number_outside_the_set_is_refused() -> None:
    """The caller's mistakes raise ValueError."""
    for number in (0, 3, -1):
        with pytest.raises(ValueError, match=f"part {number} of"):
            PartSet(2).add(number, b"", 0)
    for total in (0, 256):
        with pytest.raises(ValueError, match=f"message of {total} parts"):
            PartSet(total)


@given(runs.filter(bool), st.sampled_from(((8, "utf-16-be"), (15, "gb18030"))), st.integers(1, 140))
def test_characters_cut_across_parts_survive(text: str, coding: tuple[int, str], size: int) -> None:
    """A sender that cuts anywhere, even inside a character, is understood: octets are joined first."""
    data_coding, encoding = coding
    octets = text.encode(encoding)
    size = max(size, len(octets) // 255 + 1)
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
    parts = PartSet(len(pieces))
    for number, piece in enumerate(pieces, start=1):
        parts.add(number, piece, data_coding)
    assert parts.text(GSM) == text


def test_parts_with_different_data_coding() -> None:
    """Neighbours of one data_coding are joined before decoding, the others decoded apart."""
    parts = PartSet(4)
    parts.add(1, b"HY", 0)
    parts.add(2, b"\x66", 8)
    parts.add(3, b"\x2f", 8)
    parts.add(4, b"\xb7\xf1", 15)
    assert parts.text(GSM) == "HY是否"
