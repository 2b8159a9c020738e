"""routing.ported: mobiles that were ported."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.model import Operator
from routing.ported import NOBODY, Ported, PortedNumbers, load_ported
from routing.rowfile import SHOWN
from routing.tablefile import TableError

HEAD = "# provenance: attested, source: a test\nmsisdn,province_code,operator\n"
PROVINCES = frozenset(("000", "100", "200"))

_mobiles = st.sampled_from(("139", "130", "100", "199")).flatmap(
    lambda head: st.text("059", min_size=8, max_size=8).map(lambda tail: head + tail)
)
_rows = st.dictionaries(
    _mobiles, st.builds(Ported, st.sampled_from(sorted(PROVINCES)), st.sampled_from(Operator)), max_size=30
)


def load(folder: Path, rows: str | bytes, head: str = HEAD) -> PortedNumbers:
    """The numbers of a file with these rows."""
    path = folder / "ported.csv"
    path.write_bytes(head.encode() + (rows.encode() if isinstance(rows, str) else rows))
    return load_ported(path, PROVINCES)


@given(_rows, st.lists(_mobiles, max_size=10), st.randoms(use_true_random=False), st.sampled_from("\n \r"))
def test_each_row_is_found_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[str, Ported],
    others: list[str],
    random: Random,
    end: str,
) -> None:
    """In any order, some of them twice, with LF, CRLF and blanks at the ends of lines."""
    lines = [f"{msisdn},{row.province},{row.operator}{end.strip(chr(10))}\n" for msisdn, row in rows.items()]
    lines += lines[:3]
    random.shuffle(lines)
    numbers = load(tmp_path_factory.mktemp("ported"), "".join(lines))
    assert len(numbers) == len(rows)
    for msisdn in (*rows, *others):
        assert numbers.find(int(msisdn)) == rows.get(msisdn)


@pytest.mark.parametrize("number", [0, 1, 1390000000, 139000000010, 99999999999, 10**30, -13900000001])
def test_anything_else_was_not_ported(tmp_path: Path, number: int) -> None:
    """No number raises."""
    assert load(tmp_path, "13900000001,200,other\n").find(number) is None
    assert NOBODY.find(number) is None


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("13900000001", "(row)"),
        ("13900000001,200", "(row)"),
        ("13900000001,200,other,1", "(row)"),
        ("1390000001,200,other", "msisdn"),
        ("139000000011,200,other", "msisdn"),
        ("8613900000001,200,other", "msisdn"),
        ("+8613900000001,200,other", "msisdn"),
        ("23900000001,200,other", "msisdn"),
        ("１3900000001,200,other", "msisdn"),
        ("1.39E+10,200,other", "msisdn"),
        ("13900000001,999,other", "province_code"),
        ("13900000001,20,other", "province_code"),
        ("13900000001,200,CMCC", "operator"),
        ("13900000001,200,unicom", "operator"),
        ("13900000001,200,", "operator"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path: Path, row: str, key: str) -> None:
    """A faulty row is reported by line and column, between rows that are good."""
    good = "".join(f"{13000000000 + each},100,cmcc\n" for each in range(3000))
    with pytest.raises(TableError) as caught:
        load(tmp_path, f"{good}{row}\n# end\n{good}")
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.key) == (str(tmp_path / "ported.csv"), 3003, key)


def test_contradictions_name_both_lines(tmp_path: Path) -> None:
    """Two rows of a mobile that differ are a fault, wherever they stand; the same row again is none."""
    between = "".join(f"{13000000000 + each},100,cmcc\n" for each in range(3000))
    twice = "13900000001,200,other\n"
    assert len(load(tmp_path, twice + between + twice)) == 3001
    rows = f"{twice}{between}{twice}13900000001,200,cmcc\n13900000001,100,other\n"
    with pytest.raises(TableError) as caught:
        load(tmp_path, rows)
    assert [(fault.line, fault.reason) for fault in caught.value.faults] == [
        (3005, "13900000001 is 200, cmcc here and 200, other on line 3"),
        (3006, "13900000001 is 100, other here and 200, other on line 3"),
    ]


def test_the_first_faults_then_a_count(tmp_path: Path) -> None:
    """A file of which every row is wrong does not fill the screen, and its contradictions count too."""
    good = "13900000001,200,other\n13900000001,200,cmcc\n"
    with pytest.raises(TableError) as caught:
        load(tmp_path, "13900000001,200,mine\n" * 5000 + good)
    *shown, more = caught.value.faults
    assert [fault.line for fault in shown] == list(range(3, 3 + SHOWN))
    assert more.reason == "4,981 more faults follow"


@pytest.mark.parametrize("cut", range(1, len("13900000002,200,other\n")))
def test_a_last_line_that_was_cut_is_refused(tmp_path: Path, cut: int) -> None:
    """Wherever a copy ended within a row, the file is refused; only its line end may be missing."""
    rows = "13900000001,100,cmcc\n13900000002,200,other\n"
    if cut == 1:
        assert len(load(tmp_path, rows[:-cut])) == 2
        return
    with pytest.raises(TableError, match=r"ported.csv:4: "):
        load(tmp_path, rows[:-cut])


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("msisdn,province_code,operator\n", "no line '# provenance"),
        ("# provenance: attested, source: x\n", "the header"),
        ("", "the header"),
        ("13900000001,200,other\n", "the header"),
        ("# provenance: attested, source: x\nmsisdn;province_code;operator\n", "the header"),
    ],
)
def test_a_file_without_its_head_is_refused(tmp_path: Path, head: str, reason: str) -> None:
    """Provenance and header must come before the rows."""
    with pytest.raises(TableError, match=reason):
        load(tmp_path, "", head)


def test_octets_that_are_not_utf8(tmp_path: Path) -> None:
    """They are reported by line, also in a comment."""
    with pytest.raises(TableError, match=r"ported.csv:4: \(row\): not UTF-8"):
        load(tmp_path, b"13900000001,200,other\n# \xd6\xd0\n13900000002,200,other\n")


def test_a_file_without_rows(tmp_path: Path) -> None:
    """It is allowed: nobody was ported. A BOM, comments and empty lines are no rows."""
    assert len(load(tmp_path, "\n# none\n \n", "\ufeff" + HEAD)) == 0
