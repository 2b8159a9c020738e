"""routing.segments: prefixes of several lengths, the file laid over another one, and bad rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routing.rowfile import PIECE, SHOWN
from routing.segments import Segment, SegmentList, Segments, load_segments
from routing.tablefile import TableError

HEAD = "# provenance: attested, source: a test\nprefix,province_code\n"
PROVINCES = frozenset(("000", "100", "200", "571"))

# Few digits, so that prefixes nest; they differ where the kinds of look-up do: up to, at and behind seven.
_tails = st.text("09", min_size=0, max_size=6)
_prefixes = st.builds(lambda head, tail: head + tail, st.sampled_from(("139", "138", "100", "199")), _tails)
_homes = st.dictionaries(_prefixes, st.sampled_from(sorted(PROVINCES)), max_size=12)
_mobiles = st.builds(
    lambda head, tail: head + tail,
    st.sampled_from(("139", "138", "100", "199", "130")),
    st.text("09", min_size=8, max_size=8),
)


def longest(homes: Mapping[str, str], msisdn: str) -> str | None:
    """The province of the longest prefix, by trying all."""
    found = [prefix for prefix in homes if msisdn.startswith(prefix)]
    return homes[max(found, key=len)] if found else None


def listed(homes: Mapping[str, str], file: str = "segments.csv") -> SegmentList:
    """A list with a row for each prefix."""
    return SegmentList.of([Segment(each, each, homes[each]) for each in homes], file)


@given(_homes, _mobiles)
@example({"139": "100", "139000000": "200"}, "13900000099")
@example({"139000000": "200", "1390000": "100"}, "13900000909")
def test_the_longest_prefix_wins(homes: dict[str, str], msisdn: str) -> None:
    """As trying every prefix says, in whatever order they stand."""
    segments = Segments(listed(homes))
    assert segments.home(int(msisdn)) == (longest(homes, msisdn) or "000")
    assert ("no row" in segments.decided_by(msisdn)) == (longest(homes, msisdn) is None)


@given(_homes, _homes, _mobiles)
def test_the_extra_list_lies_on_top(under: dict[str, str], over: dict[str, str], msisdn: str) -> None:
    """Of two equally long prefixes that of the extra list wins; a longer one of either list wins first."""
    segments = Segments(listed(under), listed(over, "segments-extra.csv"))
    both = {**under, **over}
    assert segments.home(int(msisdn)) == (longest(both, msisdn) or "000")
    decided = segments.decided_by(msisdn)
    if (home := longest(both, msisdn)) is not None:
        prefix = max((each for each in both if msisdn.startswith(each)), key=len)
        file = "segments-extra.csv" if prefix in over else "segments.csv"
        assert decided == f"{file}:0: {prefix} -> {home}"


def test_lists_of_several_thousand_prefixes(tmp_path: Path) -> None:
    """A file of more than one piece keeps its lines: comments, CRLF, BOM, blanks and empty lines count."""
    path = tmp_path / "segments.csv"
    rows = [f"{1390000 + each} , 200" for each in range(3000)]
    rows[7] = "# a comment\r\n\r\n" + rows[7]
    path.write_text("\ufeff" + (HEAD + "\n".join(rows)).replace("\n", "\r\n"), encoding="utf-8")
    assert path.stat().st_size > PIECE
    segments = load_segments(path, PROVINCES)
    assert segments.home(13929991234) == "200"
    assert segments.home(13930001234) == "000"
    assert segments.decided_by("13929991234") == "segments.csv:3004: 1392999 -> 200"


@pytest.mark.parametrize(
    ("rows", "line", "key"),
    [
        ("1390000", 3, "(row)"),
        ("1390000,1390001,200", 3, "(row)"),
        ("13,200", 3, "prefix"),
        ("1390000000,200", 3, "prefix"),
        ("2390000,200", 3, "prefix"),
        ("１390000,200", 3, "prefix"),
        ("139-0000,200", 3, "prefix"),
        ('"1390000",200', 3, "prefix"),
        ("1390000,999", 3, "province_code"),
        ("1390000,２00", 3, "province_code"),
        ("1390000,20", 3, "province_code"),
        ("1390000,", 3, "province_code"),
        ("1390000,200\n139,100\n1390000,100", 5, "province_code"),
    ],
)
def test_bad_prefixes_are_refused_with_their_line(tmp_path: Path, rows: str, line: int, key: str) -> None:
    """A faulty row is reported by line and column."""
    path = tmp_path / "segments.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_segments(path, PROVINCES)
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.key) == (str(path), line, key)


def test_a_contradiction_names_both_lines(tmp_path: Path) -> None:
    """The same row twice is one; another province for the same prefix is a fault."""
    path = tmp_path / "segments.csv"
    path.write_text(HEAD + "1390000,200\n1390000,200\n", encoding="utf-8")
    assert len(load_segments(path, PROVINCES).lists[0].firsts) == 1
    path.write_text(HEAD + "1390000,200\n1390001,100\n1390000,100\n", encoding="utf-8")
    with pytest.raises(TableError, match=r":5: province_code: 1390000 is in 100 here and in 200 on line 3"):
        load_segments(path, PROVINCES)


def test_the_first_faults_then_a_count(tmp_path: Path) -> None:
    """A file of which every row is wrong does not fill the screen; the faults of both files are counted
    apart."""
    path = tmp_path / "segments.csv"
    path.write_text(HEAD + "x\n" * 5000, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_segments(path, PROVINCES)
    *shown, more = caught.value.faults
    assert [fault.line for fault in shown] == list(range(3, 3 + SHOWN))
    assert more.reason == "4,980 more faults follow"


@pytest.mark.parametrize("octets", [b"# \xd6\xd0\xb9\xfa\n", "# 中国\n".encode("utf-16"), b"1390000,\xff\n"])
def test_another_encoding_is_refused(tmp_path: Path, octets: bytes) -> None:
    """A file in GB 18030 or UTF-16, as spreadsheets write them, is refused with the line."""
    path = tmp_path / "segments.csv"
    for line, written in ((1, octets + HEAD.encode()), (3, HEAD.encode() + octets)):
        path.write_bytes(written)
        with pytest.raises(TableError, match=f":{line}: .*UTF-8"):
            load_segments(path, PROVINCES)


def test_a_file_without_rows(tmp_path: Path) -> None:
    """It is allowed: no home is known."""
    path = tmp_path / "segments.csv"
    path.write_text(HEAD, encoding="utf-8")
    assert load_segments(path, PROVINCES).home(13900000001) == "000"
