"""`tables show|reload|export|import`, and the commands that read tables from an operator's folder."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from commands.tables import NAMES, path_of
from gateway.cli.main import main
from tests.proofs.served import inside, write_config

Output = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose folder of tables is `own`, which has a tariff of its own."""
    change_tariff(tmp_path / "own", "500", "600")
    return write_config(tmp_path, tables={"folder": "own"})


def change_tariff(folder: Path, old: str, new: str) -> None:
    """Put the table of tariffs into a folder, with another fee of MCHAT."""
    folder.mkdir(exist_ok=True)
    text = path_of("tariffs.yaml", None).read_text("utf-8")
    (folder / "tariffs.yaml").write_text(text.replace(f"value: {old},", f"value: {new},"), "utf-8")


def run(words: Sequence[object], output: Output) -> tuple[int, list[str], str]:
    """Run a command: its exit code, the lines of its output, and its complaints."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as left:
        code = int(str(left.code))
    said = output.readouterr()
    return code, said.out.splitlines(), said.err


def test_show_without_a_gateway(config: Path, capsys: Output) -> None:
    """Each table, whose it is, and the version of the files; one table with its provenance."""
    code, lines, _ = run(["tables", "show", "--config", config], capsys)
    assert code == 0
    assert [line.split()[0] for line in lines[1:-1]] == list(NAMES)
    [tariffs] = [line for line in lines if line.startswith("tariffs.yaml")]
    assert tariffs.split()[3:] == ["-", str(config.parent / "own" / "tariffs.yaml")]
    assert lines[-1].endswith("; no gateway runs")
    code, lines, _ = run(["tables", "show", "tariffs", "--config", config], capsys)
    assert (code, lines[4].split("  ")[:2]) == (0, ["month MCHAT", "600"])
    assert "attested fetion.md" in lines[4]
    code, lines, _ = run(["tables", "show", "tariffs", "--config", config, "--json"], capsys)
    told = [json.loads(line) for line in lines]
    assert told[3]["cells"] == {"value": "600", "provenance": "attested", "source": "fetion.md 8 S2"}
    code, lines, _ = run(["tables", "show", "--config", config, "--json"], capsys)
    *each, last = [json.loads(line) for line in lines]
    assert last["running"] is None
    assert [table["table"] for table in each if not table["shipped"]] == ["tariffs.yaml"]


def test_an_unknown_table_is_wrong_usage(config: Path, capsys: Output) -> None:
    """With the nearest known one."""
    with pytest.raises(SystemExit) as left:
        main(["tables", "show", "tarifs", "--config", str(config)])
    assert left.value.code == 2
    assert "did you mean 'tariffs.yaml'?" in capsys.readouterr().err


async def test_a_reload(config: Path, capsys: Output) -> None:
    """What differs is printed with old and new value, then the version; show says before that it differs."""
    words = ["--config", str(config)]
    async with inside(config) as gateway:
        before = gateway.tables
        change_tariff(config.parent / "own", "500", "700")
        code, lines, _ = await asyncio.to_thread(run, ["tables", "show", *words], capsys)
        assert code == 0
        assert f"the running gateway has {before}" in lines[-1]
        code, lines, _ = await asyncio.to_thread(run, ["tables", "reload", "--dry-run", *words], capsys)
        assert (code, gateway.tables) == (0, before)
        assert lines[-1].startswith("1 row differs: version ")
        code, lines, _ = await asyncio.to_thread(run, ["tables", "reload", *words], capsys)
        assert (code, lines[0]) == (0, "tariffs.yaml  changed  month MCHAT: value 600 -> 700")
        assert lines[-1] == f"1 row differs: version {gateway.tables} is in force in place of {before}"
        code, lines, _ = await asyncio.to_thread(run, ["tables", "reload", *words, "--json"], capsys)
        [head] = [json.loads(line) for line in lines]
        assert (head["applied"], head["version"]) == (False, gateway.tables)
        change_tariff(config.parent / "own", "500", "five")
        code, lines, err = await asyncio.to_thread(run, ["tables", "reload", *words], capsys)
        assert (code, lines) == (1, [])
        assert "tariffs.yaml:13: month.MCHAT.value: must be a whole number\n" in err
        assert err.endswith("refused: the tables stay as they were\n")


async def test_a_folder_that_the_running_gateway_does_not_know(config: Path, capsys: Output) -> None:
    """It was named after the start: show and reload say that a restart is wanted, not that all is well."""
    words = ["--config", str(config)]
    async with inside(config) as gateway:
        before = gateway.tables
        change_tariff(config.parent / "new", "500", "700")
        write_config(config.parent, tables={"folder": "new"})
        code, lines, _ = await asyncio.to_thread(run, ["tables", "show", *words], capsys)
        assert (code, "restart it" in lines[-1], "puts the files in force" in lines[-1]) == (0, True, False)
        for more in ([], ["--dry-run"]):
            code, lines, err = await asyncio.to_thread(run, ["tables", "reload", *words, *more], capsys)
            assert (code, lines, gateway.tables) == (1, [], before)
            assert f"tables.folder is {config.parent / 'new'} here, and {config.parent / 'own'} when" in err
            assert err.endswith("; the tables stay as they were\n")


def test_a_reload_without_a_gateway(config: Path, capsys: Output) -> None:
    """It is said what happens instead; exit 1."""
    code, _, err = run(["tables", "reload", "--config", config], capsys)
    assert code == 1
    assert "its next start reads the tables" in err


def test_every_command_uses_the_folder(config: Path, capsys: Output) -> None:
    """explain and check see the operator's tables, and a file that replaces none."""
    own = config.parent / "own"
    text = path_of("appendix7.yaml", None).read_text("utf-8")
    (own / "appendix7.yaml").write_text(text.replace("125862", "125863"), "utf-8")
    code, _, _ = run(["explain", "route", "125863", "--config", config], capsys)
    assert code == 0
    code, _, err = run(["explain", "text", "KTFX", "--to", "125862", "--config", config], capsys)
    assert (code, "no access code" in err) == (1, True)
    (own / "appendix7.yaml").rename(own / "apendix7.yaml")
    for words in (["check"], ["explain", "route", "161"]):
        code, lines, err = run([*words, "--config", config], capsys)
        assert code == 1
        assert (
            "apendix7.yaml: (file): replaces no table; did you mean 'appendix7.yaml'?" in "".join(lines) + err
        )


def test_export_and_import(config: Path, tmp_path: Path, capsys: Output) -> None:
    """Sheets of the tables in force, and back into another folder; nothing is replaced unasked."""
    book, other = tmp_path / "book.xlsx", tmp_path / "other"
    export = ["tables", "export", "tariffs", "--format", "xlsx", "--to", book, "--config", config]
    assert run(export, capsys)[:2] == (0, [str(book)])
    assert "is there already: --force replaces it" in run(export, capsys)[2]
    assert run([*export, "--force"], capsys)[0] == 0
    take = ["tables", "import", book, "--to", other, "--config", config]
    assert run(take, capsys)[:2] == (0, [f"{other / 'tariffs.yaml'}: 4 rows"])
    code, _, err = run(take, capsys)
    assert (code, "is there already: --force replaces it" in err) == (1, True)
    code, lines, _ = run([*take, "--force", "--json"], capsys)
    assert json.loads(lines[0])["rows"] == 4
    sheet = tmp_path / "sheets" / "tariffs.csv"
    assert run([*export[:4], "csv", "--to", sheet.parent, "--config", config], capsys)[:2] == (
        0,
        [str(sheet)],
    )
    sheet.write_text(sheet.read_text("utf-8-sig").replace(",600,", ",sechs,"), "utf-8")
    code, _, err = run(["tables", "import", sheet, "--to", other, "--force"], capsys)
    assert code == 1
    assert f"{sheet}, row 5, column C (value): must be a whole number\n" in err
    assert err.endswith("nothing is written\n")
    assert run(["tables", "import", tmp_path / "none.csv", "--to", other], capsys)[0] == 1
    assert "save it as .xlsx" in run(["tables", "import", tmp_path / "old.xls", "--to", other], capsys)[2]


def test_xlsx_without_its_library(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to install it is said, and that CSV needs nothing."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    monkeypatch.delitem(sys.modules, "gateway.tables.xlsx", raising=False)
    code, _, err = run(["tables", "export", "--format", "xlsx", "--to", tmp_path / "x.xlsx"], capsys)
    assert (code, "pip install 'fetion-gateway[xlsx]'" in err) == (1, True)
    assert run(["tables", "export", "--format", "csv", "--to", tmp_path], capsys)[0] == 0
