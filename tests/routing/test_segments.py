"""routing.segments: the home province of a mobile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.segments import Segment, SegmentList, Segments, load_segments
from routing.table import Routing
from routing.tablefile import TableError

HEAD = "# provenance: reconstructed, ground: a test\nfirst7,last7,province_code\n"
TINY = Segments(SegmentList.of([Segment("1390000", "1390001", "200"), Segment("1390005", "1390005", "100")]))


@pytest.mark.parametrize(
    ("msisdn", "province"),
    [
        ("13800100000", "100"),
        ("13501234567", "100"),
        ("13600000000", "200"),
        ("13430000000", "200"),
        ("15112345678", "200"),
        ("13922112233", "200"),
        ("13590123456", "200"),
        ("13812345678", "250"),
        ("15012345678", "871"),
        ("15912345678", "871"),
        ("15750000000", "871"),
        ("18812345678", "871"),
        ("15212345678", "551"),
        ("13974812345", "731"),
        ("13648912345", "891"),
        ("13897112345", "971"),
        ("13519512345", "951"),
        ("13699312345", "991"),
        ("13012345678", "000"),
        ("13312345678", "000"),
        ("14712345678", "000"),
    ],
)
def test_homes_of_well_known_numbers(tables: Routing, msisdn: str, province: str) -> None:
    """Numbers whose home two public sources agree on; other operators' numbers have none."""
    assert tables.home(msisdn) == province


@pytest.mark.parametrize("text", ["", "1", "abc", "12520", "99999999999", "+8613900000001", "１", "\ud800"])
def test_anything_else_has_no_home(tables: Routing, text: str) -> None:
    """What is not listed belongs to the headquarters, and nothing is raised."""
    assert tables.home(text) == "000"


def test_the_shipped_table_is_whole(tables: Routing) -> None:
    """All 31 provinces have segments: 2,630 runs, 128,109 prefixes."""
    (listed,) = tables._segments.lists
    runs = list(listed)
    assert len(runs) == 2630
    assert sum(int(run.last) - int(run.first) + 1 for run in runs) == 128_109
    assert len({run.province for run in runs}) == 31


@pytest.mark.parametrize(
    ("segment", "province"),
    [("1389999", "000"), ("1390000", "200"), ("1390001", "200"), ("1390002", "000"), ("1390005", "100")],
)
def test_both_ends_of_a_run_belong_to_it(segment: str, province: str) -> None:
    """Both ends of a run are included, gaps are unknown, and a number below the first is unknown."""
    assert TINY.home(int(segment + "1234")) == province
    assert TINY.home(13900060000) == "000"


def test_a_table_without_rows_knows_nothing() -> None:
    """An empty table is accepted."""
    assert Segments().home(13900000001) == "000"


@given(st.integers(1389995, 1390010), st.integers(0, 10))
def test_listed_segments_in_a_range(first: int, more: int) -> None:
    """`any_between` says whether some number of the range has a home."""
    listed = any(TINY.home(segment * 10_000) != "000" for segment in range(first, first + more + 1))
    assert TINY.any_between(first, first + more) == listed


@pytest.mark.parametrize(
    ("rows", "line", "key"),
    [
        ("1390000,1390001", 3, "(row)"),
        ("139,1390001,200", 3, "first7"),
        ("2390000,2390001,200", 3, "first7"),
        ("１390000,1390001,200", 3, "first7"),
        ("1390000,1390001,20", 3, "province_code"),
        ("1390000,139000x,200", 3, "last7"),
        ("1390002,1390001,200", 3, "last7"),
        ("1390000,1390001,999", 3, "province_code"),
        ("1390000,1390005,200\n1390005,1390006,200", 4, "first7"),
        ("1390010,1390015,200\n1390000,1390001,200", 4, "first7"),
        ("1390000,1390001,200\n\n# more\n1390005,1390006", 6, "(row)"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path: Path, rows: str, line: int, key: str) -> None:
    """A faulty row is reported by line and column."""
    path = tmp_path / "segments.csv"
    path.write_text(f"{HEAD}{rows}\n", encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_segments(path, {"000", "200"})
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.key) == (str(path), line, key)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("first7,last7,province_code\n", "no line '# provenance"),
        ("# provenance: attested\nfirst7,last7,province_code\n", "no line '# provenance"),
        ("# provenance: attested, source: x\n", "the header"),
        ("", "the header"),
        ("1390000,1390001,200\n", "the header"),
    ],
)
def test_a_file_without_its_head_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Provenance and header must come before the rows."""
    path = tmp_path / "segments.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=reason):
        load_segments(path, {"000", "200"})


def test_all_bad_rows_come_at_once(tmp_path: Path) -> None:
    """All faulty rows are reported together."""
    path = tmp_path / "segments.csv"
    path.write_text(f"{HEAD}x\n1390000,1390001,200\ny,1,2\n", encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_segments(path, {"200"})
    assert [fault.line for fault in caught.value.faults] == [3, 5]
