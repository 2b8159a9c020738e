"""routing.table and routing.rows: what every address means, with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from routing.model import Accepts, Operator, TailKind
from routing.numbers import Mobile
from routing.provenance import Provenance
from routing.schema import Appendix7
from routing.table import Routing
from routing.tablefile import TableError, locate
from tests.routing.conftest import SHIPPED, Break

MOBILE = "13900000001"

# suffix, accepts, prefix, tail, kind of tail, province (None: the sender's)
UNDER_A_BASE = [
    ("", "base", "", "", "none", None),
    ("010", "base", "0", "10", "digits", "000"),
    ("0123456789012", "base", "0", "123456789012", "digits", "000"),
    ("0304", "base", "0", "304", "digits", "000"),
    ("04411", "base", "0", "4411", "digits", "000"),
    ("03300000", "answer", "033", "00000", "digits", "000"),
    ("03312345", "answer", "033", "12345", "digits", "000"),
    ("034", "base", "034", "", "none", "000"),
    ("036" + MOBILE, "chat", "036", MOBILE, "mobile", None),
    ("050", "password", "050", "", "none", "000"),
    ("026" + MOBILE, "chat", "026", MOBILE, "mobile", None),
    ("070" + MOBILE, "chat", "070", MOBILE, "mobile", None),
    ("055", "none", "055", "", "digits", "000"),
    ("05512345678", "none", "055", "12345678", "digits", "000"),
    (MOBILE, "chat", "", MOBILE, "mobile", None),
    ("0" + MOBILE, "chat", "0", MOBILE, "mobile", None),
    ("0" + "12900000001", "base", "0", "12900000001", "digits", "000"),
    ("19900000001", "chat", "", "19900000001", "mobile", None),
    ("471234567", "chat", "", "471234567", "fetion_number", None),
    ("999999999", "chat", "", "999999999", "fetion_number", None),
    ("471", "province", "471", "", "digits", "471"),
    ("47123456", "province", "471", "23456", "digits", "471"),
    ("1001", "province", "100", "1", "digits", "100"),
    ("99112345", "province", "991", "12345", "digits", "991"),
]
ELSEWHERE = [
    ("125862", "voice", "", "", "none", "000"),
    ("10086", "base", "", "", "none", None),
    ("1008619", "answer", "19", "", "digits", None),
    ("1008619123456789", "answer", "19", "123456789", "digits", None),
]
REFUSED_UNDER_A_BASE = [
    "0",
    "01",
    "01234567890123",
    "033",
    "0330001",
    "033000001",
    "0341",
    "036",
    "0361390000000",
    "03616103300001",
    "0501",
    "026",
    "070471234567",
    "055123456789",
    "1",
    "47",
    "472",
    "123456789",
    "399999999",
    "4712345678",
    "1390000000",
    "139000000011",
    "12900000001",
    "47100000001",
    "16103300001",
    "86" + MOBILE,
]
REFUSED_ELSEWHERE = [
    "1258621",
    "125862" + MOBILE,
    "10086034",
    "1008618",
    "10086" + MOBILE,
    "10086191234567890",
    "",
    "1",
    "16",
    "1252",
    MOBILE,
    "86" + MOBILE,
    "++12520",
    "+86+12520",
    "86",
    "+86",
    "868612520",
    "12520x",
    "12520 471",
    "１６１",
    "161１",
    "161\n",
    "fetion",
]

ROW_013 = """  - codes: [{value: "12520", provenance: standard}]
    prefix: {value: "0139", provenance: standard}
    tail: {value: 8 digits, provenance: standard}
    accepts: {value: none, provenance: standard}
    purpose: {value: a test, provenance: standard}
    province: {value: "000", provenance: standard}
  - codes: [{value: "12520", provenance: standard}]
    prefix: {value: "0138", provenance: standard}
    tail: {value: 7 digits, provenance: standard}
    accepts: {value: none, provenance: standard}
    purpose: {value: a test, provenance: standard}
    province: {value: "000", provenance: standard}
sources:
"""
"""Sub-codes that begin like a mobile behind a 0."""


@pytest.mark.parametrize(
    "written", ["+161", "86161", "+86161", "0086161", " 161", "161  ", " +86161 ", "  0086161"]
)
def test_spellings_of_an_address(tables: Routing, written: str) -> None:
    """Country code, + and blanks are removed before an access code."""
    assert tables.resolve(written).address == "161"
    assert tables.resolve(written) == tables.resolve("161")
    assert tables.explain(written).route == tables.resolve("161")


@pytest.mark.parametrize("base", ["161", "12520"])
@pytest.mark.parametrize(("rest", "accepts", "prefix", "tail", "kind", "province"), UNDER_A_BASE)
def test_every_row_under_both_bases(
    tables: Routing,
    base: str,
    rest: str,
    accepts: str,
    prefix: str,
    tail: str,
    kind: str,
    province: str | None,
) -> None:
    """An example of each row of Appendix 7 has the same route under 161 and 12520."""
    route = tables.resolve(base + rest)
    assert route.refused is None
    assert (route.access_code, route.prefix, route.tail) == (base, prefix, tail)
    assert (route.accepts, route.tail_kind, route.province) == (accepts, kind, province)
    assert route.purpose
    assert route.address == base + rest


@pytest.mark.parametrize(("address", "accepts", "prefix", "tail", "kind", "province"), ELSEWHERE)
def test_every_row_of_the_other_access_codes(
    tables: Routing, address: str, accepts: str, prefix: str, tail: str, kind: str, province: str | None
) -> None:
    """The voice number and the hot line."""
    route = tables.resolve(address)
    assert route.refused is None
    assert (route.prefix, route.tail) == (prefix, tail)
    assert (route.accepts, route.tail_kind, route.province) == (accepts, kind, province)
    assert route.address == address


@pytest.mark.parametrize(
    "address",
    [base + rest for base in ("161", "12520") for rest in REFUSED_UNDER_A_BASE] + REFUSED_ELSEWHERE,
)
def test_what_no_row_takes_is_refused_with_a_reason(tables: Routing, address: str) -> None:
    """Counter-examples of each row are refused with a reason of one line and neutral other fields."""
    route = tables.resolve(address)
    assert route.refused
    assert "\n" not in route.refused
    assert route.accepts is Accepts.NONE
    assert route.province is None


def test_the_longest_access_code_decides(tables: Routing) -> None:
    """125862 is the voice number; a shorter access code is not tried."""
    assert tables.resolve("125862").access_code == "125862"
    assert tables.resolve("125862034").access_code == "125862"


@pytest.mark.parametrize("country", ["86", "+86", "0086"])
@pytest.mark.parametrize("address", ["161", "12520034", "1252003300001", "10086", "12520" + MOBILE])
def test_a_country_code_comes_off_an_access_code(tables: Routing, country: str, address: str) -> None:
    """+86, 86 and 0086 before an access code change nothing."""
    assert tables.resolve(country + address) == tables.resolve(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("125200330001", "sub-code 033 of 12520: tail '0001' is 4 digits, the row wants 5 digits"),
        ("1252003412", "sub-code 034 of 12520: tail '12' is 2 digits, the row wants none"),
        ("161026", "sub-code 026 of 161: tail is missing, the row wants 11 digits beginning 13-19"),
        ("161123456789", "no row of 161 takes '123456789' (9 digits): check the number"),
        ("125201390000000", "no row of 12520 takes '1390000000' (10 digits): check the number"),
        ("16147", "no row of 161 takes '47' (2 digits): check the number"),
        ("13900000001", "'13900000001' begins with no access code (125862, 12520, 10086, 161)"),
        ("12520a", "'12520a' is not an address of digits"),
    ],
)
def test_reasons_say_what_is_wrong(tables: Routing, address: str, reason: str) -> None:
    """A reason says what is wrong with the address."""
    assert tables.resolve(address).refused == reason


def test_an_explanation_gives_every_near_rows_verdict(tables: Routing) -> None:
    """12520 + 47123456 is activity 23456 of Inner Mongolia, and one digit short of a Fetion number."""
    explanation = tables.explain("1252047123456")
    verdicts = {(row.prefix, row.wants): (row.chosen, row.why) for row in explanation.considered}
    assert verdicts == {
        ("471", "0-5 digits"): (True, "no longer prefix fits, and the tail is 0-5 digits"),
        ("", "none"): (False, "tail '47123456' is 8 digits, the row wants none"),
        ("", "11 digits beginning 13-19"): (
            False,
            "tail '47123456' is 8 digits, the row wants 11 digits beginning 13-19",
        ),
        ("", "9 digits beginning 4-9"): (
            False,
            "tail '47123456' is 8 digits, the row wants 9 digits beginning 4-9",
        ),
    }


def test_an_explanation_of_a_closed_prefix(tables: Routing) -> None:
    """Behind a closed prefix shorter prefixes are not tried."""
    rows = tables.explain("125200330001").considered
    assert [(row.prefix, row.why) for row in rows[:2]] == [
        ("033", "tail '0001' is 4 digits, the row wants 5 digits"),
        ("0", "the closed prefix 033 decides"),
    ]
    assert not any(row.chosen for row in rows)
    (chosen,) = (row for row in tables.explain("1252003300001").considered if row.chosen)
    assert chosen.why == "this closed prefix decides, and the tail is 5 digits"


def test_a_row_that_fits_may_lose_to_a_longer_prefix(folder: Path, change: Break) -> None:
    """Of rows that fit the longest prefix wins; the explanation of the others says so."""
    change("appendix7.yaml", "prefix: {value: provinces", 'prefix: {value: "4712"')
    change("appendix7.yaml", "value: prefix, provenance", 'value: "471", provenance')
    change("appendix7.yaml", "value: 0-5 digits", "value: 3-5 digits")
    tables = Routing.load(folder)
    assert tables.resolve("12520471234567").prefix == "4712"
    (loser,) = (row for row in tables.explain("12520471234567").considered if "tail fits" in row.why)
    assert loser.why == "its tail fits, but prefix 4712 is longer"


@pytest.mark.parametrize(
    ("address", "sender", "province"),
    [
        ("12520", "13800100000", "100"),
        ("12520", "+8613800100000", "100"),
        ("12520", "14700000000", "000"),
        ("12520", "10657000", "000"),
        ("12520", None, None),
        ("12520471", "13800100000", "471"),
        ("12520471", None, "471"),
        ("12520034", "13800100000", "000"),
        ("1252047", "13800100000", None),
    ],
)
def test_the_province_of_an_explanation(
    tables: Routing, address: str, sender: str | None, province: str | None
) -> None:
    """The row's province, else the sender's home; None without a sender or when refused."""
    explanation = tables.explain(address, sender)
    assert explanation.province == province
    if province is not None and sender == "13800100000":
        assert tables.province(explanation.route, sender) == province


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1252013900139000", "13900139000"),
        ("161 139 0013 9000", "13900139000"),
        ("12520-026-13900139000", "13900139000"),
        ("1610701390013900", None),
        ("12520036" + "13900139000", "13900139000"),
        ("+8612520013900139000", "13900139000"),
        ("12520471234567", "471234567"),
        ("161861234567", "861234567"),
        ("16103300001", None),
        ("12520", None),
        ("1252047112345", None),
        ("1008613900139000", None),
        ("1252012345678", None),
    ],
)
def test_the_address_of_a_person_as_an_argument(tables: Routing, text: str, digits: str | None) -> None:
    """An argument may be an address that a handset shows: access code, optional sub-code, number."""
    person = tables.person(text)
    assert (person.digits if person is not None else None) == digits


def test_a_longer_sub_code_comes_before_a_mobile_with_a_zero(folder: Path, change: Break) -> None:
    """A row with a prefix that begins with 0 wins where its tail fits; else the 0 before a mobile is
    removed."""
    change("appendix7.yaml", "sources:\n", ROW_013)
    tables = Routing.load(folder)
    assert tables.resolve("12520013900139000").purpose == "a test"
    assert tables.resolve("12520013800138000").tail == "13800138000"
    considered = tables.explain("12520013800138000").considered
    assert [row.prefix for row in considered if row.chosen] == ["0"]


def test_an_explanation_as_json(tables: Routing) -> None:
    """The object of `explain route --json`, with plain values only."""
    shown = json.loads(json.dumps(tables.explain("161", "13800100000").as_dict()))
    considered = shown.pop("considered")
    assert shown == {
        "access_code": "161",
        "prefix": "",
        "tail": "",
        "accepts": "base",
        "purpose": "instructions",
        "province": "100",
        "operator": "cmcc",
        "operator_by": "numbers.yaml: cmcc 138",
        "province_by": "segments.csv:1197: 1380010-1380019 -> 100",
        "refused": None,
    }
    assert [row["chosen"] for row in considered] == [True, False, False]


def test_the_cache_of_routes_is_bounded() -> None:
    """Routes are cached while in use, and dropped when many other destinations arrive."""
    tables = Routing.load(routes_cached=4)
    kept = tables.resolve("161")
    assert tables.resolve("161") is kept
    for serial in range(10):
        tables.resolve(f"161033{serial:05}")
    assert tables.resolve("161") is not kept
    assert tables.resolve("161") == kept


@pytest.mark.parametrize(
    ("msisdn", "operator"),
    [
        ("13400000001", Operator.CMCC),
        ("13480000001", Operator.CMCC),
        ("13490000001", Operator.OTHER),
        ("13900000001", Operator.CMCC),
        ("15100000001", Operator.CMCC),
        ("15200000001", Operator.CMCC),
        ("15300000001", Operator.OTHER),
        ("15700000001", Operator.CMCC),
        ("15900000001", Operator.CMCC),
        ("18800000001", Operator.CMCC),
        ("18700000001", Operator.OTHER),
        ("14700000001", Operator.OTHER),
        ("13000000001", Operator.OTHER),
    ],
)
def test_whose_mobile_it_is(tables: Routing, msisdn: str, operator: Operator) -> None:
    """China Mobile's segments of 2007 with 151, 152, 157 and 188; all others are another operator's."""
    assert tables.operator(msisdn) is operator


def test_provinces_by_code(tables: Routing) -> None:
    """31 companies and the headquarters."""
    assert len(tables.provinces) == 32
    assert tables.provinces["471"].zh == "内蒙古"
    assert tables.provinces["000"].en == "Headquarters"


def test_shipped_second_numbers_are_examples_only(tables: Routing) -> None:
    """The shipped rows of Appendix 6 are examples and have no effect."""
    assert tables.main_number("13899901234") == "13899901234"
    assert tables.main_number("13899951234") == "13899951234"


@pytest.fixture
def with_second_numbers(folder: Path, change: Break) -> Routing:
    """The shipped tables, with the examples of second numbers in effect."""
    change("appendix6.yaml", "    example: true\n", "")
    change("appendix6.yaml", "    example: true\n", "")
    return Routing.load(folder)


def test_second_numbers_are_refused_or_count_for_the_main_number(with_second_numbers: Routing) -> None:
    """Both ends of a range are included, and the digits behind the segment are kept."""
    tables = with_second_numbers
    assert tables.main_number("13899899999") == "13899899999"
    assert tables.main_number("13899900000") is None
    assert tables.main_number("13899949999") is None
    assert tables.main_number("13899951234") == "13800001234"
    assert tables.main_number("13899999999") == "13800049999"
    assert tables.main_number("13900000000") == "13900000000"
    assert tables.main_number("13800001234") == "13800001234"


@pytest.mark.parametrize(
    "text", ["13899951234", "+86 138-9995-1234", "1252013899951234", "12520013899951234"]
)
def test_a_second_number_names_its_main_number(with_second_numbers: Routing, text: str) -> None:
    """As an argument and in the address of a chat, in any form."""
    assert with_second_numbers.person(text) == Mobile("13800001234")


def test_a_refused_second_number_is_nobody_elses(with_second_numbers: Routing) -> None:
    """A refused second number is returned as it is, as an argument and in an address."""
    assert with_second_numbers.person("13899900000") == Mobile("13899900000")
    assert with_second_numbers.resolve("1252013899900000").person == "13899900000"


def test_an_address_of_a_second_number_is_answered_from_itself(with_second_numbers: Routing) -> None:
    """The person is the holder of the main number; the address stays as dialled."""
    route = with_second_numbers.resolve("1252013899951234")
    assert (route.person, route.tail, route.address) == ("13800001234", "13899951234", "1252013899951234")
    assert with_second_numbers.resolve("1252013800001234").person == "13800001234"
    assert with_second_numbers.resolve("12520471234567").person == "471234567"


def test_an_explanation_says_for_whom_a_second_number_counts(with_second_numbers: Routing) -> None:
    """The main number and its home; the reason for a refused one; nothing for other senders."""
    shown = with_second_numbers.explain("12520", "8613899951234").as_dict()
    home = with_second_numbers.home("13800001234")
    assert (shown["main_number"], shown["province"]) == ("13800001234", home)
    assert "appendix 6" in with_second_numbers.explain("12520", "13899900000").as_dict()["sender_refused"]
    assert with_second_numbers.explain("1252013899951234").as_dict()["person"] == "13800001234"
    plain = with_second_numbers.explain("12520", "13900139000").as_dict()
    assert not {"person", "main_number", "sender_refused"} & set(plain)


def test_the_version_names_the_tables(folder: Path, tables: Routing, change: Break) -> None:
    """Equal files have equal versions; any change gives another."""
    assert Routing.load(folder).version == tables.version
    change("numbers.yaml", "# The number", "# This number")
    assert Routing.load(folder).version != tables.version


def test_under_161_only_the_bare_code_is_attested() -> None:
    """Every row says that sub-codes under 161 are reconstructed."""
    located = locate(SHIPPED / "appendix7.yaml", Appendix7)
    under_161 = [
        (row.prefix.value, row.tail.value, code.provenance)
        for row in located.value.rows
        for code in row.codes
        if code.value == "161"
    ]
    assert [each[:2] for each in under_161 if each[2] is not Provenance.RECONSTRUCTED] == [("none", "none")]


def test_kinds_of_tail_have_their_own_names() -> None:
    """The names of the kinds of tail are fixed, because others rely on them."""
    assert [str(kind) for kind in TailKind] == ["none", "mobile", "fetion_number", "digits"]


def test_what_a_folder_lacks_is_shipped(folder: Path, tables: Routing) -> None:
    """A file that the folder does not have is the shipped one; a link in its place that leads nowhere is a
    fault."""
    (folder / "segments.csv").unlink()
    assert Routing.load(folder).version == tables.version
    (folder / "segments.csv").symlink_to(folder / "nowhere.csv")
    with pytest.raises(TableError, match=r"segments.csv:1: \(file\): cannot be read"):
        Routing.load(folder)
