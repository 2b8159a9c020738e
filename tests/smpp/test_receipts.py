"""Receipts: what real centres write, and what we write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.codec import decode
from gateway.smpp.pdus import DeliverSm
from gateway.smpp.receipts import (
    LONGEST_ID,
    LONGEST_WORD,
    Outcome,
    Report,
    date_of,
    fields_of,
    is_receipt,
    read_receipt,
)
from gateway.smpp.tlvs import TlvValue
from tests.smpp.vectors import OWN, load

BOOK = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:1507290913 done date:1507290914 stat:DELIVRD err:000"
    b" text:Hello id:77 stat:EXPIRED"
)


def test_the_text_of_the_book() -> None:
    """Appendix B, whose text holds somebody's words, which are no fields."""
    found = read_receipt(BOOK, 0, {})
    assert (found.text_id, found.said, found.outcome) == ("0123456789", "DELIVRD", Outcome.DELIVERED)
    assert (found.tlv_id, found.error, found.done) == ("", "000", "1507290914")


@pytest.mark.parametrize(
    ("text", "id_", "said", "outcome", "error", "done"),
    [
        ("stat:UNDELIV err:12345 id:ab", "ab", "UNDELIV", Outcome.UNDELIVERED, "12345", ""),
        ("ID: 00 AB  STAT:delivrd Text:", "00 AB", "DELIVRD", Outcome.DELIVERED, "", ""),
        ("id:1 done date:20150729091400 stat:EXPIRED", "1", "EXPIRED", Outcome.UNDELIVERED, "",
         "20150729091400"),
        ("id:1 done date:150729091455 stat:REJECTD", "1", "REJECTD", Outcome.UNDELIVERED, "", "150729091455"),
        ("id:1 done_date:1507290914 stat:ACCEPTD", "1", "ACCEPTD", Outcome.UNDER_WAY, "", "1507290914"),
        ("id:1\nstat:ENROUTE\nerr:000", "1", "ENROUTE", Outcome.UNDER_WAY, "000", ""),
        ("id:1 done date:9999999999 stat:WHAT", "1", "WHAT", None, "", ""),
        ("stat:DELIVRD", "", "DELIVRD", Outcome.DELIVERED, "", ""),
        ("hello", "", "", None, "", ""),
        ("", "", "", None, "", ""),
        ("id:1 status:DELIVERED error:7", "1", "DELIVERED", Outcome.DELIVERED, "7", ""),
    ],
)  # fmt: skip
def test_what_centres_write(
    text: str, id_: str, said: str, outcome: Outcome | None, error: str, done: str
) -> None:
    """Other orders, cases, widths, and fields that are not there; in any alphabet."""
    for octets, data_coding in (
        (text.encode("ascii"), 0),
        (text.encode("utf-16-be"), 8),
        (text.encode("utf-16-le"), 8),
        (b"\xff\xfe" + text.encode("utf-16-le"), 8),
    ):
        found = read_receipt(octets, data_coding, {})
        assert (found.text_id, found.said, found.outcome, found.error, found.done) == (
            id_, said, outcome, error, done,
        )  # fmt: skip


def test_tlvs_go_before_the_text() -> None:
    """The id of both is kept: which one the response has written is the account's convention."""
    tlvs: dict[int, TlvValue] = {0x001E: "499602D2", 0x0427: 5, 0x0423: b"\x03\x00\x0b"}
    found = read_receipt(BOOK, 0, tlvs)
    assert (found.tlv_id, found.text_id) == ("499602D2", "0123456789")
    assert (found.said, found.outcome, found.error) == ("UNDELIV", Outcome.UNDELIVERED, "011")
    unknown = read_receipt(BOOK, 0, {0x0427: 99, 0x0423: b"\x03\0\0", 0x001E: b"odd"})
    assert (unknown.outcome, unknown.error, unknown.tlv_id) == (Outcome.DELIVERED, "000", "")


@pytest.mark.parametrize("name", ["own-326", "own-329", "own-322"])
def test_the_vectors(name: str) -> None:
    """deliver_sm of the reference: TLVs alone, TLVs and text, an id without its NUL."""
    vector = next(each for each in load(OWN, "*.jsonl") if each.name == name)
    pdu = decode(vector.octets)
    assert isinstance(pdu, DeliverSm)
    found = read_receipt(pdu.short_message, pdu.data_coding, pdu.tlvs)
    expected = {
        "own-326": ("0123456789", "", "DELIVRD"),
        "own-329": ("499602D2", "0123456789", "UNDELIV"),
        "own-322": ("0123456789", "", ""),
    }
    assert (found.tlv_id, found.text_id, found.said) == expected[name]


def test_types() -> None:
    """Receipts, intermediate ones, and acknowledgements of either kind; flags do not count."""
    receipts = {value for value in range(256) if is_receipt(value)}
    assert {value & 0x3C for value in receipts} == {0x04, 0x08, 0x10, 0x20}
    assert not is_receipt(0x40)
    assert not is_receipt(0x18)


@pytest.mark.parametrize(
    ("digits", "seconds"),
    [
        ("1507290914", 1438161240),
        ("150729091455", 1438161295),
        ("20150729091455", 1438161295),
        ("209912311200", 4102401600),
        ("1502300914", None),
        ("1513290914", None),
        ("15072909", None),
        ("nothing", None),
    ],
)
def test_dates(digits: str, seconds: int | None) -> None:
    """Three widths; what is no date is none."""
    assert date_of(digits) == seconds


IDS = st.text("0123456789abcdefABCDEF", min_size=1, max_size=LONGEST_ID)
WORDS = st.sampled_from(["DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "ACCEPTD", "ENROUTE"])
DATES = st.datetimes().map(lambda moment: f"{moment:%y%m%d%H%M}")


@given(IDS, WORDS, DATES, DATES)
def test_what_we_write_is_read_alike(id_: str, said: str, submitted: str, done: str) -> None:
    """By text and by TLVs."""
    report = Report(id_, said, submitted, done)
    assert report.octets.decode("ascii").endswith(" text:")
    by_text, by_tlvs = read_receipt(report.octets, 0, {}), read_receipt(b"", 0, report.tlvs)
    assert (by_text.text_id, by_text.said, by_text.done) == (id_, said, done)
    assert (by_tlvs.tlv_id, by_tlvs.said, by_tlvs.outcome) == (id_, said, by_text.outcome)


@given(
    st.one_of(st.binary(max_size=260), st.text(max_size=120).map(lambda t: f"id:{t} stat:{t}".encode())),
    st.integers(0, 255),
    st.dictionaries(
        st.sampled_from([0x1E, 0x423, 0x427]),
        st.one_of(st.integers(0, 300), st.text(max_size=100), st.binary(max_size=9)),
    ),
)
def test_nothing_raises(octets: bytes, data_coding: int, tlvs: dict[int, int | str | bytes]) -> None:
    """Whatever comes; what is kept is short and printable."""
    found = read_receipt(octets, data_coding, tlvs)
    assert max(len(found.tlv_id), len(found.text_id)) <= LONGEST_ID
    assert max(len(found.said), len(found.error)) <= LONGEST_WORD
    assert (found.tlv_id + found.text_id + found.said + found.error + found.done).isprintable()


@given(st.text(max_size=200))
def test_fields_are_those_of_the_book(text: str) -> None:
    """Nothing else is taken for one."""
    assert fields_of(text).keys() <= {"id", "sub", "dlvrd", "submitdate", "donedate", "stat", "err", "text"}
