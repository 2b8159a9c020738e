"""CSV, XLSX and charts: what comes out is what went in, and no spreadsheet runs it."""

import csv
import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.statistics.chart import HEIGHT, WIDTH, chart, nice
from gateway.operations.console.statistics.csv_file import BOM, csv_of, harmless
from gateway.operations.console.statistics.sheets import Cell, Sheet
from gateway.operations.console.statistics.xlsx_file import xlsx_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELL = st.one_of(st.none(), TEXT, st.integers(-(10**12), 10**12))
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


@given(st.lists(TEXT, min_size=1, max_size=3), st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=4))
def test_csv_keeps_what_it_got(header: list[str], rows: list[list[Cell]]) -> None:
    """RFC 4180 with BOM; a text that begins like a formula is made harmless, a number stays one."""
    octets = csv_of(Sheet("period", "A", header, rows))
    text = octets.decode()
    assert text.startswith(BOM)
    assert text.endswith("\r\n")
    read = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    assert read[0] == [harmless(each) for each in header]
    for row, cells in zip(rows, read[1:], strict=True):
        for cell, shown in zip(row, cells, strict=True):
            if isinstance(cell, int):
                assert int(shown) == cell
            else:
                assert not shown.startswith(DANGEROUS)
                assert shown.removeprefix("'") == str(cell or "").removeprefix("'")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_a_formula_in_csv_is_text(text: str) -> None:
    """A spreadsheet shows it."""
    (row,) = list(csv.reader(io.StringIO(csv_of(Sheet("a", "a", [text], [])).decode()[1:], newline="")))
    assert row == [f"'{text}"]


def test_a_workbook_keeps_what_it_got() -> None:
    """Numbers are numbers, texts are texts: no formula, no link, no number out of a text."""
    rows: list[list[Cell]] = [["=1+1", 5, None], ["http://example.net", -2.5, "007"], ["@x", 0, "+1"]]
    octets = xlsx_of(
        [Sheet("period", "a[b]:c" + "x" * 40, ["A", "=B", "C"], rows), Sheet("b", "二", ["D"], [])]
    )
    book = openpyxl.load_workbook(io.BytesIO(octets))
    first, second = book.worksheets
    assert (first.title, second.title) == (("a_b__c" + "x" * 40)[:31], "二")
    assert [[cell.value for cell in row] for row in first.iter_rows()] == [["A", "=B", "C"], *rows]
    assert {cell.data_type for row in first.iter_rows() for cell in row if cell.value is not None} <= {
        "s",
        "n",
    }
    assert all(cell.hyperlink is None for row in first.iter_rows() for cell in row)


VALUES = st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**9)), min_size=1, max_size=40)


@given(VALUES, st.booleans())
def test_a_chart_stays_in_its_box(values: list[int | None], bars: bool) -> None:
    """Every value is drawn, none is drawn where there is none; greater is higher."""
    drawn = chart(["A"], [values], [str(each) for each in range(len(values))], "en", bars=bars)
    (series,) = drawn.series
    given_values = [value for value in values if value is not None]
    if bars:
        assert len(series.bars) == len(given_values)
        for bar in series.bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= WIDTH + 0.01
            assert -0.01 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.01
    else:
        points = [point.split(",") for line in series.lines for point in line.split()]
        assert len(points) >= len(given_values)
        assert all(0 <= float(x) <= WIDTH and -0.01 <= float(y) <= HEIGHT + 0.01 for x, y in points)
    assert 0 <= drawn.zero <= HEIGHT


def test_the_axis_ends_at_a_round_number() -> None:
    """1, 2, 5, 10, 20, 50 ..."""
    assert [nice(value) for value in (0, 1, 2, 3, 7, 11, 99, 1_234)] == [1, 1, 2, 5, 10, 20, 100, 2_000]
