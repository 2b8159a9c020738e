"""What decides about a sender: ported mobiles, then prefixes; and the optional files of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.table import Routing
from routing.tablefile import TableError

PORTED = """# provenance: reconstructed, ground: a test
msisdn,province_code,operator
13800138000,200,other
13012345678,571,cmcc
"""
EXTRA = """# provenance: reconstructed, ground: a test
prefix,province_code
138001,531
138001380,571
130,000
"""


@pytest.fixture
def with_ported(folder: Path) -> Routing:
    """The shipped tables with two ported mobiles, and three prefixes over the shipped segments."""
    (folder / "ported.csv").write_text(PORTED, encoding="utf-8")
    (folder / "segments-extra.csv").write_text(EXTRA, encoding="utf-8")
    return Routing.load(folder)


@pytest.mark.parametrize(
    ("msisdn", "province", "operator", "province_by", "operator_by"),
    [
        ("13800138000", "200", "other", "ported.csv: 13800138000 -> 200, other", None),
        ("13012345678", "571", "cmcc", "ported.csv: 13012345678 -> 571, cmcc", None),
        ("13800138001", "571", "cmcc", "segments-extra.csv:4: 138001380 -> 571", "numbers.yaml: cmcc 138"),
        ("13800138101", "100", "cmcc", "segments.csv:1197: 1380010-1380019 -> 100", "numbers.yaml: cmcc 138"),
        ("13012345679", "000", "other", "segments-extra.csv:5: 130 -> 000", None),
        ("13112345679", "000", "other", "no row of segments.csv and segments-extra.csv begins", None),
    ],
)
def test_what_decides_about_a_sender(
    with_ported: Routing, msisdn: str, province: str, operator: str, province_by: str, operator_by: str | None
) -> None:
    """The row of a ported mobile first, else the longest prefix; `explain` says which."""
    assert with_ported.home(msisdn) == province
    assert with_ported.operator(msisdn) == operator
    route = with_ported.resolve("12520")
    assert with_ported.province(route, msisdn) == province
    told = with_ported.explain("12520", msisdn).as_dict()
    assert (told["province"], told["operator"]) == (province, operator)
    assert told["province_by"].startswith(province_by)
    if operator_by is None and operator == "other" and "ported" not in province_by:
        operator_by = "numbers.yaml: cmcc has no span that begins this number"
    assert told["operator_by"] == (operator_by or province_by)


def test_what_decides_when_the_address_does(with_ported: Routing) -> None:
    """A province's own sub-code, and an address that is refused."""
    assert with_ported.explain("12520571", "13800138000").as_dict()["province_by"] == "the address"
    assert "province_by" not in with_ported.explain("12520110", "13800138000").as_dict()


def test_optional_files_change_the_version(folder: Path, tables: Routing) -> None:
    """With either of them the tables are others, and equal files have equal versions."""
    versions = {tables.version}
    for name, text in ("ported.csv", PORTED), ("segments-extra.csv", EXTRA), ("ported.csv", PORTED + "\n"):
        (folder / name).write_text(text, encoding="utf-8")
        versions.add(Routing.load(folder).version)
    assert len(versions) == 4


def test_faults_of_optional_files_come_with_those_of_the_others(folder: Path) -> None:
    """All are reported together, also a file that cannot be read."""
    (folder / "ported.csv").write_text(PORTED + "x\n", encoding="utf-8")
    (folder / "segments-extra.csv").symlink_to(folder / "nowhere")
    with (folder / "segments.csv").open("a", encoding="utf-8") as file:
        file.write("y\n")
    with pytest.raises(TableError) as caught:
        Routing.load(folder)
    names = [(Path(fault.file).name, fault.key) for fault in caught.value.faults]
    assert ("ported.csv", "(row)") in names
    assert {name for name, _ in names} == {"ported.csv", "segments-extra.csv", "segments.csv"}
