"""A table file as rows, and back."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.tables import KNOWN, Tables, path_of
from gateway.tables.rows import COMMENT, NoPath, Row, octets_of, rows_of, steps

TABLES = [name for name in KNOWN if not name.endswith(".csv")]


@pytest.mark.parametrize("name", TABLES)
def test_a_shipped_table_comes_back(name: str) -> None:
    """What YAML holds is the same, but for comments; a second time round nothing changes at all."""
    octets = path_of(name, None).read_bytes()
    again = octets_of(name, rows_of(name, octets))
    assert yaml.safe_load(again) == yaml.safe_load(octets)
    assert octets_of(name, rows_of(name, again)) == again


def test_segments_come_back_octet_by_octet() -> None:
    """Comments too: one of them is the provenance."""
    octets = path_of("segments.csv", None).read_bytes()
    rows = rows_of("segments.csv", octets)
    assert (rows[0].section, rows[-1].section) == (COMMENT, "rows")
    assert octets_of("segments.csv", rows) == octets


def test_every_value_is_in_a_row() -> None:
    """A row of appendix 7 with its codes, its values and their provenance."""
    rows = rows_of("appendix7.yaml", Tables.load().content("appendix7.yaml"))
    [row] = [each for each in rows if each.name == "rows 12520 161 033"]
    assert (row.section, row.key, row.cells["tail"]) == ("rows", "-", "5 digits")
    assert row.cells["tail.provenance"] == "attested"
    assert row.cells["codes[2]"] == "161"


NAMES = st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True).filter(
    lambda name: name not in {"value", "code", "entry"}
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8).filter(
    lambda text: text.lower() not in {"true", "false"}
)
SOURCED = st.fixed_dictionaries({"value": TEXTS, "provenance": TEXTS}, optional={"source": TEXTS})
LEAVES = TEXTS | st.booleans() | SOURCED
RECORDS = st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, min_size=1, max_size=3), min_size=1, max_size=4)
DOCUMENTS = st.dictionaries(NAMES, st.lists(RECORDS, min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=50)
@given(DOCUMENTS)
def test_any_document_comes_back(document: object) -> None:
    """Lists of records with texts, flags, sourced values and lists of them."""
    octets = yaml.safe_dump(document, allow_unicode=True).encode()
    assert yaml.safe_load(octets_of("x.yaml", rows_of("x.yaml", octets))) == document


@given(st.text(max_size=12))
def test_any_text_is_a_path_or_not(text: str) -> None:
    """Nothing else is raised, and what is one has no empty name."""
    try:
        found = steps(text)
    except NoPath:
        return
    assert all(found)
    assert "" not in found


@pytest.mark.parametrize("column", ["a..b", "a[0]", "a[x]", "a]", ".a", "a.", "[1]a"])
def test_what_is_no_path(column: str) -> None:
    """It is told as such."""
    with pytest.raises(NoPath):
        steps(column)


def test_items_and_names_do_not_mix() -> None:
    """A list with a name in it is nothing that a file can hold."""
    with pytest.raises(NoPath):
        octets_of("x.yaml", [Row("rows", "-", {"a[1]": "1", "a.b": "2"})])
