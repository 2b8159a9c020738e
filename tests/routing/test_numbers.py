"""routing.numbers: which digits are the number of a person."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.numbers import Digits, FetionNumber, Mobile, NumberPlan, span

CODES = ("125862", "12520", "10086", "161")
CALL_PREFIXES = ("17951", "12593", "17909", "17911", "10193")
NUMBERS = NumberPlan(Digits(11, 11, ("13-19",), CODES), Digits(9, 9, ("4-9",), CODES), CALL_PREFIXES)

mobiles = st.from_regex(r"1(?:[3-57-9][0-9]|6[02-9])[0-9]{8}", fullmatch=True)
fetion_numbers = st.from_regex(r"[4-9][0-9]{8}", fullmatch=True)
digit_sets = st.builds(
    lambda ends, begins: Digits(min(ends), max(ends), tuple(begins)),
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
    st.lists(st.sampled_from(["1", "2", "12", "0-3", "10-12"]), max_size=3),
)


@pytest.mark.parametrize("written", ["13900000001", "8613900000001", "+8613900000001", "008613900000001"])
def test_a_mobile_in_every_spelling(written: str) -> None:
    """+86, 0086 and 86 are removed from a mobile, of a sender and of an argument."""
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
    """Wrong lengths, access codes, and Fetion numbers with a country code name no person."""
    assert NUMBERS.person(text) is None
    assert NUMBERS.msisdn(text) is None


def test_a_fetion_number_is_a_person_but_no_sender() -> None:
    """Only a mobile can be a sender."""
    assert NUMBERS.person("471234567") == FetionNumber("471234567")
    assert NUMBERS.msisdn("471234567") is None


def test_a_fetion_number_may_begin_like_the_country_code() -> None:
    """86 is never removed from nine digits."""
    assert NUMBERS.person("861234567") == FetionNumber("861234567")


@pytest.mark.parametrize(
    "written",
    [
        "013900000001",
        "1795113900000001",
        "1259313900000001",
        "1790913900000001",
        "1791113900000001",
        "1019313900000001",
        "17951013900000001",
        "861795113900000001",
        "+8617951013900000001",
        "00861259313900000001",
        "179518613900000001",
        "17951008613900000001",
        "86013900000001",
        "0086013900000001",
        " 13900000001",
        "13900000001 ",
        "139 0000 0001",
        "139-0000-0001",
        "139.0000.0001",
        "(+86) 139.0000.0001",
        "+86 (0) 139 0000 0001",
        "[86]<139>{0000}0001",
        "17951-13900000001",
    ],
)
def test_a_mobile_as_people_and_centres_write_it(written: str) -> None:
    """A leading 0, a call prefix, country codes before or behind it, and FILLERS are removed."""
    assert NUMBERS.msisdn(written) == "13900000001"
    assert NUMBERS.person(written) == Mobile("13900000001")


@pytest.mark.parametrize(
    "written",
    [
        "+13900000001",  # a number of North America
        "0013900000001",
        "08613900000001",
        "01795113900000001",
        "86861390000000",
        "868613900000001",
        "861795186139000000",
        "86179518613900000001",
        "179511795113900000001",
        "1795111390000000",
        "1795016103300001",
        "1795116103300001",
        "016103300001",
        "17951471234567",
        "0471234567",
        "17951+8613900000001",
        "13900000001+",
        "139\t00000001",
        "139_0000_0001",
        "- -",
        "()",
        "1259012345678",
    ],
)
def test_what_no_spelling_has(written: str) -> None:
    """Each prefix once and in its order; none before nine digits; no access code behind one."""
    assert NUMBERS.person(written) is None
    assert NUMBERS.msisdn(written) is None


def test_a_fetion_number_may_be_grouped() -> None:
    """FILLERS are removed from a Fetion number."""
    assert NUMBERS.person("4712-34567") == FetionNumber("471234567")
    assert NUMBERS.person(" 471 234 567 ") == FetionNumber("471234567")


def test_eleven_digits_are_a_mobile_before_they_hold_a_prefix() -> None:
    """17951139001 is a mobile of 179, whatever its first five digits are."""
    assert NUMBERS.msisdn("17951139001") == "17951139001"


heads = st.one_of(
    st.tuples(
        st.sampled_from(["", "86", "+86", "0086"]),
        st.sampled_from(["", *CALL_PREFIXES]),
        st.sampled_from(["", "0"]),
    ),
    st.tuples(st.sampled_from(CALL_PREFIXES), st.sampled_from(["86", "0086"]), st.sampled_from(["", "0"])),
).map("".join)


@given(mobiles, heads, st.data())
def test_a_number_is_the_same_however_it_is_written(digits: str, head: str, data: st.DataObject) -> None:
    """Every head that is read, with any grouping of the digits, names the same person."""
    groups = st.sampled_from(["", "", "", " ", "-", ".", "(", ")", " ("])
    written = "".join(data.draw(groups) + each for each in head + digits) + data.draw(groups)
    assert NUMBERS.msisdn(written) == digits
    assert NUMBERS.person(written) == Mobile(digits)


@given(mobiles, st.sampled_from(["", "86", "+86", "0086"]))
def test_every_mobile_is_read_whatever_stands_before(digits: str, country: str) -> None:
    """Both readers agree on mobiles, and reading is idempotent."""
    assert NUMBERS.msisdn(country + digits) == digits
    person = NUMBERS.person(country + digits)
    assert person == Mobile(digits)
    assert NUMBERS.person(digits) == person


@given(fetion_numbers, st.sampled_from(["86", "+86", "0086"]))
def test_every_fetion_number_is_read_bare_only(digits: str, country: str) -> None:
    """Nine digits are read unchanged; with a prefix they are no Fetion number."""
    assert NUMBERS.person(digits) == FetionNumber(digits)
    assert NUMBERS.person(country + digits) is None


@given(st.one_of(st.text(), st.text(alphabet="0123456789+- .()", max_size=24), st.from_regex(r"161[0-9]{8}")))
def test_whatever_is_read_is_well_formed(text: str) -> None:
    """Any text gives None or well-formed digits, never an access code."""
    person = NUMBERS.person(text)
    if person is not None:
        assert re.fullmatch(r"1[3-9][0-9]{9}|[4-9][0-9]{8}", person.digits)
        assert not person.digits.startswith(CODES)
        assert re.sub("[^0-9]", "", text).endswith(person.digits)
    assert NUMBERS.msisdn(text) == (person.digits if isinstance(person, Mobile) else None)


def test_spans() -> None:
    """A span gives all prefixes between its ends, which are equally long."""
    assert span("1340-1342") == ("1340", "1341", "1342")
    assert span("08-10") == ("08", "09", "10")
    assert span("188") == ("188",)


@pytest.mark.parametrize("text", ["", "-", "13-", "19-13", "13-188", "1x", " 13"])
def test_what_is_no_span(text: str) -> None:
    """Anything else raises ValueError."""
    with pytest.raises(ValueError, match="no span"):
        span(text)


def test_a_set_of_digits_in_words() -> None:
    """A set describes itself, and says why a text is not in it."""
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
    """Two sets with a common member overlap."""
    if one.fits(text) and two.fits(text):
        assert one.overlaps(two)
    assert one.overlaps(two) == two.overlaps(one)
    assert (one.mismatch(text) is None) == one.fits(text)


@given(digit_sets, digit_sets)
def test_sets_that_overlap_share_a_member(one: Digits, two: Digits) -> None:
    """Two sets that overlap have a common member."""
    longest = min(one.longest, two.longest)
    begins = [max(a, b, key=len) for a in one.begins for b in two.begins]
    shared = [text.ljust(longest, "0") for text in begins if len(text) <= longest]
    assert one.overlaps(two) == any(one.fits(text) and two.fits(text) for text in shared)
