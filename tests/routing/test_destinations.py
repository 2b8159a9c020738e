"""Routes of any destination, compared with an oracle that is written from the rules, not from the tables."""

from __future__ import annotations

import re
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from routing.numbers import Mobile
from routing.table import Routing

PROVINCES = re.findall(
    "[0-9]{3}",
    "100 220 311 351 471 240 431 451 210 250 571 551 591 791 531 371 270 731 200 771 898 230 280 851 871 "
    "891 290 931 971 951 991",
)
MOBILE = r"(?!161)1[3-9][0-9]{9}"
SUB_CODES = {
    "033": ("answer", r"[0-9]{5}", "000"),
    "034": ("base", r"", "000"),
    "036": ("chat", MOBILE, None),
    "050": ("password", r"", "000"),
    "026": ("chat", MOBILE, None),
    "070": ("chat", MOBILE, None),
    "055": ("none", r"[0-9]{0,8}", "000"),
}


class Meaning(NamedTuple):
    """The result of the oracle."""

    access_code: str
    prefix: str
    tail: str
    accepts: str
    province: str | None


def oracle(destination: str) -> Meaning | None:
    """The rules, one `if` each. None: refused."""
    match = re.fullmatch(r" *(?:\+86|0086|86|\+)?(125862|12520|10086|161)([0-9]*) *", destination)
    if match is None:
        return None
    code, rest = match[1], match[2]
    if code == "125862":
        return Meaning(code, "", "", "voice", "000") if not rest else None
    if code == "10086":
        if not rest:
            return Meaning(code, "", "", "base", None)
        answered = rest.startswith("19") and len(rest) <= 11
        return Meaning(code, "19", rest[2:], "answer", None) if answered else None
    return under_base(code, rest)


def under_base(code: str, rest: str) -> Meaning | None:
    """Behind 161 and 12520, sub-codes begin with 0; for the rest the length decides."""
    if not rest:
        return Meaning(code, "", "", "base", None)
    if re.fullmatch("0" + MOBILE, rest):
        return Meaning(code, "0", rest[1:], "chat", None)
    if rest[0] == "0":
        if rest[:3] not in SUB_CODES:
            return Meaning(code, "0", rest[1:], "base", "000") if 3 <= len(rest) <= 13 else None
        accepts, tail, province = SUB_CODES[rest[:3]]
        fits = re.fullmatch(tail, rest[3:])
        return Meaning(code, rest[:3], rest[3:], accepts, province) if fits else None
    if 3 <= len(rest) <= 8 and rest[:3] in PROVINCES:
        return Meaning(code, rest[:3], rest[3:], "province", rest[:3])
    if len(rest) == 9 and rest[0] in "456789":
        return Meaning(code, "", rest, "chat", None)
    if re.fullmatch(MOBILE, rest):
        return Meaning(code, "", rest, "chat", None)
    return None


rests = st.one_of(
    st.text(alphabet="0123456789", max_size=16),
    st.builds(
        str.__add__,
        st.sampled_from([*SUB_CODES, *PROVINCES, "0", "013", "019", "19", "1610", "1"]),
        st.from_regex(r"[0-9]{0,12}", fullmatch=True),
    ),
)
destinations = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="0123456789+", max_size=20),
    st.builds(
        lambda *parts: "".join(parts),
        st.sampled_from(["", "", " "]),
        st.sampled_from(["", "", "86", "+86", "0086", "+"]),
        st.sampled_from(["161", "12520", "10086", "125862"]),
        rests,
        st.sampled_from(["", "", "  "]),
    ),
)


@given(destinations)
@example("12520471234567")
@example("1252047123456")
@example("125200330001")
@example("16103300001")
@example("16116103300001")
@example("125200139001390000")
@example("12520013900139000")
@example("125200161033000019")
@example(" +1252013900139000 ")
def test_every_destination_means_what_the_rules_say(tables: Routing, destination: str) -> None:
    """Any string is a route or a refusal with a reason, equal to the oracle and to explain."""
    route = tables.resolve(destination)
    expected = oracle(destination)
    if expected is None:
        assert route.refused
    else:
        assert route.refused is None
        assert Meaning(route.access_code, route.prefix, route.tail, route.accepts, route.province) == expected
        assert destination.strip(" ").endswith(route.address)
    explanation = tables.explain(destination, "13900000001")
    assert explanation.route == route
    chosen = [row for row in explanation.considered if row.chosen]
    assert [(row.prefix, row.accepts, row.purpose) for row in chosen] == (
        [] if route.refused else [(route.prefix, route.accepts, route.purpose)]
    )
    assert all(row.why for row in explanation.considered)


@given(destinations)
@example("161861610000")
@example("861610000")  # 86 + 161 + 0000 as a destination, nine digits as a person
def test_an_address_of_the_service_is_nobodys_number(tables: Routing, destination: str) -> None:
    """An address of the service is no sender and, without country code, no person."""
    route = tables.resolve(destination)
    if route.refused is None:
        assert tables.numbers.msisdn(destination) is None
        assert tables.numbers.person(route.address) is None


@given(destinations)
def test_the_number_that_we_show_people_is_that_person(tables: Routing, destination: str) -> None:
    """As an argument, an address that chats with a person names this person; no other address names one."""
    person = tables.person(destination)
    if tables.numbers.person(destination) is None:
        expected = oracle(destination)
        shown = expected is not None and expected.accepts == "chat"
        assert (person.digits if person is not None else None) == (
            expected.tail if expected and shown else None
        )


@given(st.from_regex(r"1[3-57-9][0-9]{9}", fullmatch=True))
def test_a_chat_can_be_answered(tables: Routing, digits: str) -> None:
    """A text to the source address of a chat message reaches its sender."""
    route = tables.resolve(tables.chat_from(Mobile(digits)))
    assert (route.accepts, route.tail) == ("chat", digits)
