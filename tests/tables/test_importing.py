"""Sheets that are imported: with what Excel and people make of them."""

import importlib
import io
import resource
import signal
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from commands.tables import KNOWN, Tables, path_of
from gateway.tables import csvfile, xlsx
from gateway.tables.importing import Import, replace_whole, title_of, write
from gateway.tables.rows import Row, rows_of
from gateway.tables.sheets import Cell, Grid, SheetError, chinese, letters, read_sheet, sheet_of

PROVINCES = "provinces.yaml"


def lines_of(name: str) -> list[list[str]]:
    """The sheet of a shipped table."""
    return sheet_of(rows_of(name, path_of(name, None).read_bytes()), chinese())


def workbook(path: Path, change: Callable[[Any], None], name: str = PROVINCES) -> Path:
    """A workbook with the sheet of a table, changed."""
    path.write_bytes(xlsx.write({title_of(name): lines_of(name)}))
    book = load_workbook(path)
    change(book.active)
    book.save(path)
    return path


def faults_of(folder: Path, path: Path, source: str = "") -> list[str]:
    """The faults of a file that is imported into a folder, in which nothing is written."""
    reader = xlsx if path.suffix == ".xlsx" else csvfile
    with pytest.raises(SheetError) as refused:
        Import(folder, source).read(reader.read(path))
    assert not folder.exists()
    return [str(fault).removeprefix(str(path)) for fault in refused.value.faults]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_export_then_import_gives_equal_tables(tmp_path: Path, form: str) -> None:
    """All of them, in one workbook or a file each."""
    names = {title_of(name): lines_of(name) for name in KNOWN}
    folder = tmp_path / "own"
    if form == "xlsx":
        (tmp_path / "all.xlsx").write_bytes(xlsx.write(names))
        write(folder, Import(folder).read(xlsx.read(tmp_path / "all.xlsx")), force=False)
    else:
        for title, lines in names.items():
            path = tmp_path / f"{title}.csv"
            path.write_bytes(csvfile.write(lines))
            write(folder, Import(folder).read(csvfile.read(path)), force=False)
    assert Tables.load(folder).routing.explain("12520033") == Tables.load().routing.explain("12520033")
    for name in KNOWN:
        assert rows_of(name, (folder / name).read_bytes()) == rows_of(
            name, path_of(name, None).read_bytes()
        ), name
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=8
).filter(lambda text: not text.startswith('="') and "E+" not in text)
CELLS = st.dictionaries(
    st.sampled_from(["id", "tail", "tail.source", "words[1]", "words[2]"]), TEXTS, min_size=1
)
ROWS = st.lists(CELLS.map(lambda cells: Row("rows", "-", cells)), min_size=1, max_size=6)


@settings(max_examples=30)
@given(rows=ROWS, form=st.sampled_from(["csv", "xlsx"]))
def test_any_rows_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Row], form: str) -> None:
    """Through a sheet in either form."""
    lines = sheet_of(rows, chinese())
    path = tmp_path_factory.mktemp("sheet") / f"x.{form}"
    path.write_bytes(csvfile.write(lines) if form == "csv" else xlsx.write({"x": lines}))
    [grid] = (csvfile if form == "csv" else xlsx).read(path)
    sheet = read_sheet(grid, [], chinese())
    assert sheet.faults == []
    assert sheet.rows == rows


def put(cell: str, value: object, form: str = "@") -> Callable[[Any], None]:
    """Somebody types into a cell."""

    def change(sheet: Any) -> None:
        sheet[cell] = value
        sheet[cell].number_format = form

    return change


def find(name: str, text: str) -> str:
    """The cell of a shipped sheet that holds a text."""
    for number, line in enumerate(lines_of(name), 1):
        if text in line:
            return f"{letters(line.index(text))}{number}"
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("=1+1", "a formula: paste its value"),
        (date(2007, 3, 1), "Excel has made a date of it"),
        (12345678901234567890, "of which Excel keeps 15: type it as text"),
        ("10", "must match ^[0-9]{3}$: 3 digits"),
        (10.5, "must match"),
        (True, "must be text"),
    ],
)
def test_a_cell_that_is_no_code(tmp_path: Path, value: object, reason: str) -> None:
    """Sheet, row, column and reason are told, and nothing is written."""
    at = find(PROVINCES, "100")
    form = "yyyy-mm-dd" if isinstance(value, date) else "@"
    path = workbook(tmp_path / "p.xlsx", put(at, value, form))
    [fault] = [each for each in faults_of(tmp_path / "own", path) if reason in each]
    assert fault.startswith(f", row {at[1:]}, column {at[0]} (code): ")


def test_lost_zeros_are_named(tmp_path: Path) -> None:
    """000 became the number 0, 033 became 33. As text, 33 is what somebody typed."""
    at = find(PROVINCES, "000")
    path = workbook(tmp_path / "p.xlsx", put(at, 0, "General"))
    [fault] = faults_of(tmp_path / "own", path)
    assert "0 has lost its leading zeros, if it is 000 of the table in force" in fault
    lines = [["33" if text == "033" else text for text in line] for line in lines_of("appendix7.yaml")]
    path = tmp_path / "appendix7.csv"
    path.write_bytes(csvfile.write(lines))
    [fault] = faults_of(tmp_path / "own", path)
    assert "33 has lost its leading zeros, if it is 033" in fault
    lines = [['="033"' if text == "033" else text for text in line] for line in lines_of("appendix7.yaml")]
    path.write_bytes(csvfile.write(lines))
    assert Import(tmp_path / "own").read(csvfile.read(path))[0].rows == len(lines) - 1


def test_numbers_and_empty_lines_are_taken(tmp_path: Path) -> None:
    """Codes as numbers (Excel: 100.0), empty lines, an empty column, a header of either language."""

    def change(sheet: Any) -> None:
        for line in sheet.iter_rows(min_row=2):
            for cell in line:
                if str(cell.value).isdigit() and not str(cell.value).startswith("0"):
                    cell.value, cell.number_format = float(cell.value), "General"
        sheet.insert_rows(1)
        sheet.insert_rows(5, 2)
        sheet.insert_cols(3)
        sheet["A2"] = "部分"

    path = workbook(tmp_path / "provinces.xlsx", change)
    [found] = Import(tmp_path / "own").read(xlsx.read(path))
    write(tmp_path / "own", [found], force=False)
    assert Tables.load(tmp_path / "own").routing.provinces == Tables.load().routing.provinces


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", ": is empty: a header and rows are wanted"),
        (b"\n\n,,\n", ": is empty: a header and rows are wanted"),
        (b"code,code\n1,2\n", ", row 1, column B: the column code stands here twice"),
        (b"code,\n1,2\n", ", row 1, column B: has cells and no name"),
        (b"code,a..b\n1,2\n", ", row 1, column B: "),
        (b'code\n"1\n', ", row 2: no CSV: "),
        (b"code\n\xff\xff\xff\n", ": neither UTF-8 nor GB 18030 (GBK): save it as CSV UTF-8"),
        (b"code,zh,en\n8.6E+10,x,y\n", "Excel has written a number as 8.6E+10"),
        (b"section,key,code\nprovinces,-,100\n", ", row 0"),
    ],
)
def test_csv_that_is_none(tmp_path: Path, octets: bytes, reason: str) -> None:
    """The fault is told with its row and column."""
    path = tmp_path / "provinces.csv"
    path.write_bytes(octets)
    faults = faults_of(tmp_path / "own", path)
    assert reason == ", row 0" or any(reason in fault for fault in faults), faults


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_how_excel_saves(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """Delimiters and encodings of its versions give the same rows."""
    written = io.StringIO()
    importlib.import_module("csv").writer(written, delimiter=delimiter).writerows(lines_of(PROVINCES))
    path = tmp_path / "provinces.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    [grid] = csvfile.read(path)
    shipped = rows_of(PROVINCES, path_of(PROVINCES, None).read_bytes())
    assert read_sheet(grid, shipped, chinese()).rows == shipped


def test_a_list_as_it_arrives(tmp_path: Path) -> None:
    """Three columns and nothing else: --source attests them, else the lack is told."""
    path = tmp_path / "segments.csv"
    path.write_text("first7,last7,province_code\n1340000,1340009,100\n1340010,1340019,999\n")
    faults = faults_of(tmp_path / "own", path)
    assert any("provenance" in fault for fault in faults)
    faults = faults_of(tmp_path / "own", path, "list of May")
    assert faults == [", row 3, column C (province_code): '999' is no province code"]
    path.write_text("first7,last7,province_code\n1340000,1340009,100\n")
    folder = tmp_path / "own"
    write(folder, Import(folder, "list of May").read(csvfile.read(path)), force=False)
    assert "# provenance: attested, source: list of May" in (folder / "segments.csv").read_text()
    assert Tables.load(folder).home("13400001234") == "100"
    assert Tables.load(folder).home("13800138000") == "000"


def test_a_bare_list_of_sub_codes(tmp_path: Path) -> None:
    """It replaces the rows; access codes and source addresses stay. A fault in those is told by its key."""
    bases = [
        line for line in lines_of("appendix7.yaml") if line[0].startswith("section") or line[0] == "rows"
    ]
    head, *rows = [line[2:] for line in bases]
    rows.append(["" for _ in head])
    for name, text in (("codes[1]", "161"), ("prefix", "09"), ("tail", "5 digits"), ("accepts", "province"),
                       ("purpose", "a vote"), ("province", "200")):  # fmt: skip
        rows[-1][next(at for at, cell in enumerate(head) if cell.split()[0] == name)] = text
    path, folder = tmp_path / "appendix7.csv", tmp_path / "own"
    path.write_bytes(csvfile.write([head, *rows]))
    write(folder, Import(folder, "letter of 1 May").read(csvfile.read(path)), force=False)
    assert Tables.load(folder).resolve("1610912345").purpose == "a vote"
    assert Tables.load(folder).resolve("12520034") == Tables.load().resolve("12520034")
    path.write_bytes(csvfile.write([head, rows[-1]]))
    faults = faults_of(tmp_path / "other", path, "letter of 1 May")
    assert faults[0] == ": access_codes[1].value: no row has the access code 12520"


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    """A table file that is there stays, unless it is forced; of two tables neither is written then."""
    both = Import(tmp_path).read(
        [Grid(title_of(name), "x", [[Cell(text, typed=True) for text in line] for line in lines_of(name)])
         for name in ("tariffs.yaml", PROVINCES)]
    )  # fmt: skip
    (tmp_path / PROVINCES).write_text("mine")
    with pytest.raises(FileExistsError, match=r"provinces\.yaml: is there already: --force replaces it"):
        write(tmp_path, both, force=False)
    assert [path.name for path in tmp_path.iterdir()] == [PROVINCES]
    write(tmp_path, both, force=True)
    assert Tables.load(tmp_path).routing.provinces == Tables.load().routing.provinces


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """A pipe or a folder where a table belongs stays, and no other table is written either; two that write at
    once do not share a file; a full disk is told with the file."""
    other, place = tmp_path / "own" / "tariffs.yaml", tmp_path / "own" / PROVINCES
    place.mkdir(parents=True)
    with pytest.raises(OSError, match="is no file") as refused:
        replace_whole({other: b"new", place: b"new"})
    assert refused.value.filename == str(place)
    assert [path.name for path in other.parent.iterdir()] == [PROVINCES]
    half = other.with_name(f".{other.name}.new")
    half.write_bytes(b"of another import")
    replace_whole({other: b"new"})
    assert (other.read_bytes(), half.read_bytes()) == (b"new", b"of another import")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    mask = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        with pytest.raises(OSError, match="too large") as full:
            replace_whole({other: bytes(100)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, mask)
    assert (full.value.filename, other.read_bytes()) == (str(other), b"new")


def test_a_table_file_is_no_sheet(tmp_path: Path) -> None:
    """Who imports the file of docs/numbers.md is told what to do with it."""
    path = tmp_path / "ported.csv"
    path.write_text("# provenance: attested, source: x\nmsisdn,province_code,operator\n", "utf-8")
    [fault] = faults_of(tmp_path / "own", path)
    assert fault == ", row 1: this is a table file already, not a sheet: copy it into the folder as it is"


def test_rows_that_contradict_each_other(tmp_path: Path) -> None:
    """Both are named by their rows of the sheet, not by lines of a file that nobody sees."""
    path = tmp_path / "ported.csv"
    head = "operator,msisdn,province_code\n\n"  # in an order of its own
    path.write_text(f"{head}other,13900000001,200\ncmcc,13900000001,571\n", "utf-8")
    [fault] = faults_of(tmp_path / "own", path, "a letter")
    assert fault == ", row 4, column B (msisdn): 13900000001 is 571, cmcc here and 200, other in row 3"
    path.write_text(f"{head}other,13900000001,200\n", "utf-8")
    [found] = Import(tmp_path / "own", "a letter").read(csvfile.read(path))
    assert found.octets.decode().splitlines()[1:] == [
        "msisdn,province_code,operator",
        "13900000001,200,other",
    ]


def test_columns_that_a_list_of_numbers_does_not_have(tmp_path: Path) -> None:
    """It is said which it has, and which are wanted."""
    path = tmp_path / "segments-extra.csv"
    path.write_text("prefix,province_code,name\n1390000,200,Guangdong\n", "utf-8")
    [fault] = faults_of(tmp_path / "own", path, "a letter")
    wanted = "first7, last7, province_code or prefix, province_code, and no others"
    assert fault == f": has the columns prefix, province_code, name; segments-extra.csv has {wanted}"


def test_a_link_stays(tmp_path: Path) -> None:
    """An operator's table may be a link into a folder under version control: what it leads to is replaced."""
    (tmp_path / "kept").mkdir()
    kept, link = tmp_path / "kept" / "tariffs.yaml", tmp_path / "tariffs.yaml"
    kept.write_bytes(b"old")
    link.symlink_to(kept)
    replace_whole({link: b"new"})
    assert (link.is_symlink(), kept.read_bytes()) == (True, b"new")


def test_faults_of_the_folder_are_told(tmp_path: Path) -> None:
    """What keeps the tables from being loaded may be another file of the folder: it is named."""
    path = tmp_path / "tariffs.csv"
    path.write_bytes(csvfile.write(lines_of("tariffs.yaml")))
    for name, fault in (
        ("appendix6.yaml", ":1: (file): cannot be read: No such file or directory"),
        ("apendix6.yaml", ": (file): replaces no table; did you mean 'appendix6.yaml'?"),
    ):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(SheetError) as refused:
            Import(folder).read(csvfile.read(path))
        [said] = map(str, refused.value.faults)
        assert said.startswith(str(folder / name)), said
        assert fault.rpartition(": ")[2] in said


def test_what_is_no_workbook(tmp_path: Path) -> None:
    """A text with the name of a workbook; a sheet that is no table; merged cells."""
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"no workbook")
    assert "no XLSX workbook" in faults_of(tmp_path / "own", path)[0]
    book = Workbook()
    assert book.active is not None
    book.active.title = "province"
    book.save(path)
    assert "'province' is no table; did you mean 'provinces'?" in faults_of(tmp_path / "own", path)[0]
    workbook(path, lambda sheet: sheet.merge_cells("C5:C6"))
    assert ", row 5, column C" in faults_of(tmp_path / "own", path)[0]
    assert "merged cells C5:C6: unmerge them" in faults_of(tmp_path / "own", path)[0]


HEADS = st.sampled_from(
    ["section", "key", "entry", "value", "provenance", "codes[1]", "first7", "id", "x.y", "代码", ""]
)
ANY_CELL = st.text(max_size=6) | st.sampled_from(
    ["rows", "-", "month", "IIC", "true", "comment", "10", "uplink"]
)
ANY_SHEET = st.lists(st.lists(HEADS | ANY_CELL, max_size=5), max_size=5).map(csvfile.write) | st.binary(
    max_size=60
)


@settings(max_examples=15, deadline=None)
@given(octets=ANY_SHEET, table=st.sampled_from(["tariffs.yaml", "segments.csv", "appendix7.yaml"]))
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes, table: str
) -> None:
    """Whatever is in it: faults that can be printed, or a table; nothing else is raised."""
    path = tmp_path_factory.mktemp("any") / "x.csv"
    path.write_bytes(octets)
    said = "a table"
    try:
        Import(path.parent / "own", "a letter").read(csvfile.read(path), table)
    except SheetError as refused:
        said = str(refused)
    assert said
