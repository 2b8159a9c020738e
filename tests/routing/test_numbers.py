"""routing.numbers: which digits are a person's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.numbers import Digits, FetionNumber, Mobile, Numbers, span

CODES = ("125862", "12520", "10086", "161")
NUMBERS = Numbers(Digits(11, 11, ("13-19",), CODES), Digits(9, 9, ("4-9",), CODES))

mobiles = st.from_regex(r"1(?:[3-57-9][0-9]|6[02-9])[0-9]{8}", fullmatch=True)
fetion_numbers = st.from_regex(r"[4-9][0-9]{8}", fullmatch=True)
digit_sets = st.builds(
    lambda ends, begins: Digits(min(ends), max(ends), tuple(begins)),
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
    st.lists(st.sampled_from(["1", "2", "12", "0-3", "10-12"]), max_size=3),
)


@pytest.mark.parametrize("written", ["13900000001", "8613900000001", "+8613900000001", "008613900000001"])
def test_a_mobile_in_every_spelling(written: str) -> None:
    """+86, 0086 and 86 come off a mobile, for a sender as for an argument."""
    assert NUMBERS.msisdn(written) == "13900000001"
    assert NUMBERS.person(written) == Mobile("13900000001")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1390000000",
        "139000000011",
        "12900000001",
        "23900000001",
        "16103300001",
        "8616103300001",
        "8686139000000",
        "868613900000001",
        "+13900000001",
        "86+13900000001",
        "13900000001\n",
        "1390000000a",
        "１３９００００００００１",  # full width: the command parser normalises, not we
        "10086",
        "12520",
        "123456789",
        "399999999",
        "86412345678",
        "+86412345678",
        "0086412345678",
        "4123456789",
    ],
)
def test_what_is_nobodys_number(text: str) -> None:
    """Other lengths, access codes, and country codes before a Fetion number name no person."""
    assert NUMBERS.person(text) is None
    assert NUMBERS.msisdn(text) is None


def test_a_fetion_number_is_a_person_but_no_sender() -> None:
    """SMS come from mobiles only."""
    assert NUMBERS.person("471234567") == FetionNumber("471234567")
    assert NUMBERS.msisdn("471234567") is None


def test_a_fetion_number_may_begin_like_the_country_code() -> None:
    """86 never comes off nine digits."""
    assert NUMBERS.person("861234567") == FetionNumber("861234567")


def test_blanks_and_hyphens_only_where_asked() -> None:
    """A typed number may be grouped; an address may not."""
    assert NUMBERS.person("+86 139-0000 0001") is None
    assert NUMBERS.person("+86 139-0000 0001", grouped=True) == Mobile("13900000001")
    assert NUMBERS.person("4712-34567", grouped=True) == FetionNumber("471234567")
    assert NUMBERS.person("- -", grouped=True) is None


def test_kinds() -> None:
    """A person says which kind of number names it."""
    assert (Mobile("13900000001").kind, FetionNumber("471234567").kind) == ("mobile", "fetion_number")


@given(mobiles, st.sampled_from(["", "86", "+86", "0086"]))
def test_every_mobile_is_read_whatever_stands_before(digits: str, country: str) -> None:
    """Both readers agree on mobiles, and reading is idempotent."""
    assert NUMBERS.msisdn(country + digits) == digits
    person = NUMBERS.person(country + digits)
    assert person == Mobile(digits)
    assert NUMBERS.person(digits) == person


@given(fetion_numbers, st.sampled_from(["86", "+86", "0086"]))
def test_every_fetion_number_is_read_bare_only(digits: str, country: str) -> None:
    """Nine digits are taken as they stand."""
    assert NUMBERS.person(digits) == FetionNumber(digits)
    assert NUMBERS.person(country + digits) is None


@given(st.one_of(st.text(), st.text(alphabet="0123456789+- ", max_size=20), st.from_regex(r"161[0-9]{8}")))
def test_whatever_is_read_is_well_formed(text: str) -> None:
    """Any text gives None or digits of the right shape, and never an access code."""
    for person in (NUMBERS.person(text), NUMBERS.person(text, grouped=True)):
        if person is not None:
            assert re.fullmatch(r"1[3-9][0-9]{9}|[4-9][0-9]{8}", person.digits)
            assert not person.digits.startswith(CODES)


def test_spans() -> None:
    """A span names all prefixes between its ends, which are equally long."""
    assert span("1340-1342") == ("1340", "1341", "1342")
    assert span("08-10") == ("08", "09", "10")
    assert span("188") == ("188",)


@pytest.mark.parametrize("text", ["", "-", "13-", "19-13", "13-188", "1x", " 13"])
def test_what_is_no_span(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="no span"):
        span(text)


def test_a_set_of_digits_in_words() -> None:
    """A set says what it wants, and why a text is not in it."""
    mobile = NUMBERS.mobile
    assert [str(each) for each in (Digits(0, 0), Digits(1, 1), Digits(0, 5), mobile)] == [
        "none",
        "1 digit",
        "0-5 digits",
        "11 digits beginning 13-19",
    ]
    assert mobile.mismatch("13900000001") is None
    assert mobile.mismatch("") == "is missing"
    assert mobile.mismatch("139") == "'139' is 3 digits"
    assert mobile.mismatch("12900000001") == "'12900000001' begins with 12"
    assert mobile.mismatch("16103300001") == "'16103300001' begins with access code 161"


@given(digit_sets, digit_sets, st.text(alphabet="0123", max_size=6))
def test_sets_that_share_a_member_overlap(one: Digits, two: Digits, text: str) -> None:
    """No pair of rows that could both take an address escapes the check at load."""
    if one.fits(text) and two.fits(text):
        assert one.overlaps(two)
    assert one.overlaps(two) == two.overlaps(one)
    assert (one.mismatch(text) is None) == one.fits(text)


@given(digit_sets, digit_sets)
def test_sets_that_overlap_share_a_member(one: Digits, two: Digits) -> None:
    """No pair of rows is refused without cause."""
    longest = min(one.longest, two.longest)
    begins = [max(a, b, key=len) for a in one.begins for b in two.begins]
    shared = [text.ljust(longest, "0") for text in begins if len(text) <= longest]
    assert one.overlaps(two) == any(one.fits(text) and two.fits(text) for text in shared)
