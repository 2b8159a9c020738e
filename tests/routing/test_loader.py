"""routing.loader and routing.schema: faulty tables are rejected, with file, line and key of each fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routing.table import Routing
from routing.tablefile import FORMS, Fault, TableError
from tests.routing.conftest import Break
from tests.test_architecture import ROOT

SUB_050 = 'prefix: {value: "050"'
TAIL_5 = "tail: {value: 5 digits, provenance: attested"


def faults(folder: Path) -> list[Fault]:
    """The faults of the tables in a folder."""
    with pytest.raises(TableError) as caught:
        Routing.load(folder)
    return caught.value.faults


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "reason"),
    [
        # appendix7.yaml: shape
        ("appendix7", "    closed: {", "    close: {", "rows[14].close", "did you mean 'closed'?"),
        (
            "appendix7",
            SUB_050,
            "prefix: {value: 050",
            "rows[5].prefix.value",
            "must be text: put it in quotes",
        ),
        ("appendix7", SUB_050, 'prefix: {value: "05x"', "rows[5].prefix.value", "must match"),
        ("appendix7", SUB_050, 'prefix: {valeu: "050"', "rows[5].prefix.valeu", "did you mean 'value'?"),
        (
            "appendix7",
            'prefix: {value: "050", provenance: attested, source: "fetion.md 1.1 G4 G5"}',
            'prefix: {value: "050"}',
            "rows[5].prefix.provenance",
            "is missing",
        ),
        (
            "appendix7",
            'prefix: {value: "050", provenance: attested, source: "fetion.md 1.1 G4 G5"}',
            'prefix: "050"',
            "rows[5].prefix",
            "must be a mapping with the keys provenance, source, ground, value",
        ),
        (
            "appendix7",
            'prefix: {value: "050", provenance: attested, source: "fetion.md 1.1 G4 G5"}',
            'prefix: {value: "050", provenance: attested}',
            "rows[5].prefix",
            "an attested value names its source",
        ),
        (
            "appendix7",
            "accepts: {value: password",
            "accepts: {value: passwort",
            "rows[5].accepts.value",
            "Input",
        ),
        # appendix7.yaml: access codes
        (
            "appendix7",
            '{value: "161", p',
            '{value: "139", p',
            "access_codes[0].value",
            "begins a listed segment",
        ),
        ("appendix7", '{value: "161", p', '{value: "13812345", p', "access_codes[0].value", "listed segment"),
        ("appendix7", '{value: "161", p', '{value: "134900", p', "access_codes[0].value", "listed segment"),
        ("appendix7", '{value: "161", p', '{value: "16", p', "access_codes[0].value", "must match"),
        # appendix7.yaml: rows
        ("appendix7", TAIL_5, TAIL_5.replace("5 digits", "five"), "rows[2].tail", "is no tail: write"),
        (
            "appendix7",
            TAIL_5,
            TAIL_5.replace("5 digits", "5-4 digits"),
            "rows[2].tail",
            "not below the first",
        ),
        ("appendix7", TAIL_5, TAIL_5.replace("5 digits", "0 digits"), "rows[2].tail", "nor 0"),
        (
            "appendix7",
            TAIL_5,
            TAIL_5.replace("5 digits", "5-13 digits"),
            "rows[2].tail",
            "the longest address under 12520 has 21 digits, SMPP carries 20",
        ),
        (
            "appendix7",
            "province: *sender",
            "province: {value: senders, provenance: standard}",
            "rows[4].province",
            "is no province: write sender, a province code",
        ),
        (
            "appendix7",
            "province: *sender",
            'province: {value: "999", provenance: standard}',
            "rows[4].province",
            "'999' is no province",
        ),
        (
            "appendix7",
            "province: *sender",
            "province: {value: prefix, provenance: standard}",
            "rows[4].province",
            "is no province",
        ),
        # provinces.yaml
        ("provinces", 'code: "471"', 'code: "100"', "provinces[4].code", "100 is taken by Beijing"),
        ("provinces", 'code: "471"', 'code: "071"', "provinces[4].code", "does not begin with 0"),
        ("provinces", 'code: "471"', 'code: "47"', "provinces[4].code", "must match"),
        ("provinces", 'code: "471"', 'cod: "471"', "provinces[4].cod", "did you mean 'code'?"),
        ("provinces", 'code: "000"', 'code: "001"', "headquarters.code", "the headquarters have 000"),
        # numbers.yaml
        ("numbers", 'value: "13-19"', 'value: "19-13"', "mobile.begins[0].value", "is no span of prefixes"),
        ("numbers", "value: 9,", "value: nine,", "fetion_number.digits.value", "whole number"),
        # appendix6.yaml
        (
            "appendix6",
            "value: refuse",
            "value: refused",
            "rows[0].action.value",
            "must be 'refuse', 'map' or 'main'",
        ),
    ],
)
def test_a_bad_value_is_refused_where_it_stands(
    folder: Path, change: Break, file: str, old: str, new: str, key: str, reason: str
) -> None:
    """The first fault of one wrong value has its file, line and key."""
    line = change(f"{file}.yaml", old, new)
    found = faults(folder)
    matching = [fault for fault in found if fault.key == key and reason in fault.reason]
    assert matching, "\n".join(map(str, found))
    assert (matching[0].file, matching[0].line) == (str(folder / f"{file}.yaml"), line)


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "reason", "at"),
    [
        (
            "appendix7.yaml",
            '{value: "161", p',
            '{value: "12520", p',
            "access_codes[1].value",
            "12520 stands here twice",
            'value: "12520", provenance: attested, source: "fetion.md 1 S0, in use',
        ),
        (
            "appendix7.yaml",
            '{value: "10086", p',
            '{value: "10087", p',
            "rows[13].codes[0]",
            "no access code; did you mean '10087'?",
            'value: "10086", provenance: attested, source: "fetion.md 1.1 G2 G3 G4"',
        ),
        (
            "numbers.yaml",
            'value: "4-9"',
            'value: "4000000000"',
            "fetion_number",
            "'4000000000' is longer than the number",
            "fetion_number:",
        ),
    ],
)
def test_a_fault_between_two_places_names_the_later_or_the_outer(
    folder: Path, change: Break, file: str, old: str, new: str, key: str, reason: str, at: str
) -> None:
    """A value that conflicts with another is reported at the later or outer one."""
    change(file, old, new)
    fault = next(fault for fault in faults(folder) if fault.key == key)
    assert fault.reason == reason
    assert at in (folder / file).read_text(encoding="utf-8").splitlines()[fault.line - 1]


ROW = """  - codes:
      - {value: "12520", provenance: standard}
    prefix: {value: "%s", provenance: standard}
    tail: {value: %s, provenance: standard}
    accepts: {value: none, provenance: standard}
    purpose: {value: a test, provenance: standard}
    province: {value: "000", provenance: standard}

sources:
"""


@pytest.mark.parametrize(
    ("prefix", "tail", "overlap"),
    [
        ("033", "5 digits", "1252003"),
        ("033", "0-9 digits", "12520033 with tail 0-9 digits overlaps tail 5 digits on line"),
        ("036", "11 digits", "overlaps tail 11 digits beginning 13-19"),
        ("none", "mobile", "12520 with tail 11 digits beginning 13-19 overlaps"),
        ("none", "8-10 digits", "overlaps tail 9 digits beginning 4-9"),
        ("none", "0-1 digits", "overlaps tail none"),
        ("471", "5-6 digits", "12520471 with tail 5-6 digits overlaps tail 0-5 digits"),
        ("provinces", "2 digits", "overlaps tail 0-5 digits"),
    ],
)
def test_rows_that_take_the_same_address_are_refused(
    folder: Path, change: Break, prefix: str, tail: str, overlap: str
) -> None:
    """The later of two rows with equal code and prefix and overlapping tails is rejected."""
    line = change("appendix7.yaml", "sources:\n", ROW % (prefix, tail))
    (fault,) = faults(folder)
    assert (fault.line, fault.key) == (line + 3, "rows[15].tail")
    assert overlap in fault.reason


@pytest.mark.parametrize(
    ("prefix", "tail", "address"),
    [
        ("033", "4 digits", "125200330001"),
        ("036", "none", "12520036"),
        ("none", "10 digits", "125201234567890"),
        ("4712", "0-4 digits", "125204712345"),
        ("471", "6-7 digits", "125204711234567"),
        ("0333", "3 digits", "125200333123"),
    ],
)
def test_rows_whose_addresses_differ_are_taken(
    folder: Path, change: Break, prefix: str, tail: str, address: str
) -> None:
    """Other tails under one prefix, and longer prefixes, are accepted."""
    change("appendix7.yaml", "sources:\n", ROW % (prefix, tail))
    assert Routing.load(folder).resolve(address).purpose == "a test"


ACTING = [
    ("refuse", "1389990", "1389994", None),
    ("map", "1389995", "1389999", "1380000"),
]


def appendix6(rows: list[tuple[str, str, str, str | None]]) -> str:
    """An operator's table of second numbers."""
    text = "rows:\n"
    for action, first, last, main in rows:
        text += f'  - first: {{value: "{first}", provenance: standard}}\n'
        text += f'    last: {{value: "{last}", provenance: standard}}\n'
        text += f"    action: {{value: {action}, provenance: standard}}\n"
        text += f'    main: {{value: "{main}", provenance: standard}}\n' if main else ""
    return text


@pytest.mark.parametrize(
    ("row", "key", "reason"),
    [
        (
            ("main", "1389800", "1389804", "1389990"),
            "main",
            "second numbers themselves, of the row on line 2",
        ),
        (
            ("main", "1389800", "1389804", "1389802"),
            "main",
            "second numbers themselves, of the row on line 9",
        ),
        (("main", "1389800", "1389804", "1610000"), "main", "1610000 begins no mobile"),
        (("main", "1389800", "1389804", "1200000"), "main", "1200000 begins no mobile"),
        (("refuse", "1200000", "1200001", None), "first", "1200000 begins no mobile"),
    ],
)
def test_second_numbers_lead_to_a_main_number(
    folder: Path, row: tuple[str, str, str, str | None], key: str, reason: str
) -> None:
    """A main number must be a mobile and must not be a second number itself."""
    (folder / "appendix6.yaml").write_text(appendix6([*ACTING, row]), encoding="utf-8")
    found = faults(folder)
    assert any(fault.key == f"rows[2].{key}" and reason in fault.reason for fault in found), found


def test_both_words_for_mapping_are_read(folder: Path, change: Break) -> None:
    """`map` and `main` (of the first version) both need the main numbers; `refuse` must not have them."""
    for word in ("map", "main"):
        text = appendix6([(word, "1389995", "1389999", "1380000")])
        (folder / "appendix6.yaml").write_text(text, encoding="utf-8")
        assert Routing.load(folder).main_number("13899951234") == "13800001234"
        change("appendix6.yaml", f"value: {word}", "value: refuse")
        assert "the action map, and it alone" in faults(folder)[0].reason


@pytest.mark.parametrize("prefix", ["161", "1252", "100865"])
def test_a_call_prefix_is_no_access_code(folder: Path, change: Break, prefix: str) -> None:
    """A call prefix must not begin like an access code: an address of the service would be a person's
    number."""
    line = change("numbers.yaml", '{value: "17951"', f'{{value: "{prefix}"')
    (fault,) = faults(folder)
    assert (fault.line, fault.key) == (line, "call_prefixes[0].value")
    assert "begin alike" in fault.reason


def test_a_table_without_call_prefixes_is_read(folder: Path) -> None:
    """Older files without call prefixes are accepted."""
    text = (folder / "numbers.yaml").read_text("utf-8")
    begin, end = text.index("call_prefixes:"), text.index("# China Mobile's segments")
    (folder / "numbers.yaml").write_text(text[:begin] + text[end:], encoding="utf-8")
    numbers = Routing.load(folder).numbers
    assert numbers.msisdn("1795113900139000") is None
    assert numbers.msisdn("8613900139000") == "13900139000"


@pytest.mark.parametrize("code", ["139", "1340", "13912", "1391234567", "188", "1880000"])
def test_an_access_code_that_begins_a_listed_segment_is_refused(
    folder: Path, change: Break, code: str
) -> None:
    """An access code must not begin a mobile of China Mobile or a listed segment."""
    change("appendix7.yaml", '{value: "125862", p', f'{{value: "{code}", p')
    assert any("begins a listed segment" in fault.reason for fault in faults(folder))


@pytest.mark.parametrize(("prefix", "tail"), [("none", "fetion number"), ("036", "mobile")])
def test_a_leading_zero_belongs_to_a_bare_mobile(folder: Path, change: Break, prefix: str, tail: str) -> None:
    """leading_zero needs prefix none and tail mobile."""
    row = ROW % (prefix, tail)
    row = row.replace("    accepts", "    leading_zero: {value: true, provenance: standard}\n    accepts")
    change("appendix7.yaml", "sources:\n", row)
    assert any(fault.key == "rows[15].leading_zero" for fault in faults(folder))


def test_an_access_code_without_rows_is_refused(folder: Path, change: Break) -> None:
    """An access code without a row is rejected."""
    line = change("appendix7.yaml", "rows:\n", '  - {value: "12599", provenance: standard}\nrows:\n')
    (fault,) = faults(folder)
    assert (fault.line, fault.key) == (line, "access_codes[4].value")
    assert fault.reason == "no row has the access code 12599"


def test_a_code_twice_in_a_row_is_refused(folder: Path, change: Break) -> None:
    """A row has each access code once."""
    line = change("appendix7.yaml", '      - {value: "161"', '      - {value: "12520"')
    (fault,) = faults(folder)
    assert (fault.line, fault.key, fault.reason) == (line, "rows[0].codes[1]", "12520 stands here twice")


def test_columns_of_provinces_have_a_provenance(folder: Path, change: Break) -> None:
    """A column without provenance is rejected."""
    change("provinces.yaml", '  zh: {provenance: standard, source: "GB/T 2260, short names"}\n', "")
    (fault,) = faults(folder)
    assert fault.reason == "no provenance for the columns zh"


def test_provenance_of_an_unknown_column(folder: Path, change: Break) -> None:
    """Provenance of an unknown column is rejected."""
    change("provinces.yaml", "  zh: {", "  name: {provenance: standard}\n  zh: {")
    (fault,) = faults(folder)
    assert fault.reason == "provenance for unknown columns name"


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('"1389990"', '"1389995"', "rows[0]", "first is not behind last"),
        ('"1389990"', '"138999"', "rows[0]", "equally long"),
        ("value: refuse", "value: main", "rows[0]", "it alone, has main"),
        ('"1380000"', '"138000"', "rows[1]", "as long as first"),
        ('"1380000"', '"1999998"', "rows[1]", None),
        ("    example: true\n", "", None, None),
    ],
)
def test_ranges_of_second_numbers(
    folder: Path, change: Break, old: str, new: str, key: str | None, reason: str | None
) -> None:
    """The ends of a range are in order and equally long, and there are enough main numbers."""
    change("appendix6.yaml", old, new)
    if reason is None:
        Routing.load(folder)
    else:
        (fault,) = faults(folder)
        assert fault.key == key
        assert reason in fault.reason


def test_second_numbers_that_share_a_range_are_refused(folder: Path, change: Break) -> None:
    """A number is in one row at most; examples do not count."""
    change("appendix6.yaml", '"1389994"', '"1389995"')
    Routing.load(folder)
    change("appendix6.yaml", "    example: true\n", "")
    change("appendix6.yaml", "    example: true\n", "")
    (fault,) = faults(folder)
    assert fault.key == "rows[1].first"
    assert fault.reason == "shares numbers with the row on line 12"


def test_a_segment_of_an_unknown_province_is_refused(folder: Path, change: Break) -> None:
    """Segments name provinces of provinces.yaml."""
    line = change("segments.csv", "1340000,1340009,250", "1340000,1340009,999")
    (fault,) = faults(folder)
    assert (fault.file, fault.line) == (str(folder / "segments.csv"), line)
    assert fault.reason == "'999' is no province code"


def test_faults_of_all_files_come_at_once(folder: Path, change: Break) -> None:
    """The faults of all five files are reported together."""
    change("appendix6.yaml", "value: refuse", "value: refused")
    change("appendix7.yaml", "value: password", "value: passwort")
    change("numbers.yaml", '"13-19"', '"19-13"')
    change("provinces.yaml", 'code: "471"', 'code: "100"')
    change("segments.csv", "1340000,1340009,250", "1340000,1340009")
    assert {Path(fault.file).name for fault in faults(folder)} == {
        "appendix6.yaml",
        "appendix7.yaml",
        "numbers.yaml",
        "provinces.yaml",
        "segments.csv",
    }


def test_every_pattern_of_tables_and_settings_is_told_in_words() -> None:
    """No pattern is left to those who can read one."""
    places = ("routing/schema", "commands/schema", "gateway/channels/smpp/settings", "gateway/events/broker")
    text = "".join((ROOT / f"{place}.py").read_text("utf-8") for place in places)
    assert set(re.findall(r'pattern=r"(.*?)"', text)) == set(FORMS)
