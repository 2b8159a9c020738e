"""What differs between two versions of the tables."""

from pathlib import Path

from commands.tables import Tables, path_of
from gateway.tables.differences import SHOWN, Change, compared, differences
from gateway.tables.rows import Row


def with_file(folder: Path, name: str, old: str, new: str) -> Tables:
    """The shipped tables with another text in one file."""
    text = path_of(name, None).read_text("utf-8")
    assert old in text
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text.replace(old, new), "utf-8")
    return Tables.load(folder)


def test_a_changed_value(tmp_path: Path) -> None:
    """Old and new text, by row and column; a comment is no difference of rows."""
    new = with_file(tmp_path, "tariffs.yaml", "MCHAT: {value: 500", "MCHAT: {value: 600")
    change = Change("tariffs.yaml", "month MCHAT", "changed", {"value": ("500", "600")})
    assert differences(Tables.load(), new) == [change]
    new = with_file(tmp_path / "other", "tariffs.yaml", "# What", "# Whatever")
    assert new.version != Tables.load().version
    assert differences(Tables.load(), new) == []


def test_rows_that_come_and_go() -> None:
    """A row in the middle makes no other one differ; two rows of one name are told apart by their order."""
    one, two, three = (Row("rows", "-", {"id": name, "text": name}) for name in "abc")
    again = Row("rows", "-", {"id": "a", "text": "z"})
    assert [(each.kind, each.row) for each in compared("t", [one, three], [one, two, three])] == [
        ("added", "rows b")
    ]
    assert [(each.kind, each.row) for each in compared("t", [one, two, three], [one, three])] == [
        ("removed", "rows b")
    ]
    [change] = compared("t", [one, again], [one, Row("rows", "-", {"id": "a", "text": "y"})])
    assert (change.row, change.cells) == ("rows a (2)", {"text": ("z", "y")})


def test_a_large_csv_table(tmp_path: Path) -> None:
    """Only lines that differ are looked at; beyond SHOWN they are counted."""
    new = with_file(tmp_path, "segments.csv", ",250\n", ",571\n")
    found = differences(Tables.load(), new)
    assert {change.kind for change in found} == {"changed"}
    assert found[0].cells == {"province_code": ("250", "571")}
    octets = path_of("segments.csv", None).read_bytes().splitlines()
    (tmp_path / "segments.csv").write_bytes(b"\n".join([*octets[:6], *octets[1500:]]) + b"\n")
    found = differences(Tables.load(), Tables.load(tmp_path))
    assert (len(found), found[-1].more) == (SHOWN + 1, 1500 - 6 - SHOWN)
