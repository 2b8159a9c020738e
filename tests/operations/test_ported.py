"""ported.csv and segments-extra.csv in an operator's folder: checked, explained, served and reloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands.tables import Tables
from gateway.cli.main import main
from gateway.operations.control import follow
from gateway.tables.differences import SHOWN, differences
from tests.processing.machine_service import live_gateway
from tests.proofs.served import accepted, bind, delivered, sms, text_of
from tests.support import store_of

LI, UNICOM = "13800138000", "13012345678"
HEAD = "# provenance: reconstructed, ground: a test\nmsisdn,province_code,operator\n"
GONE, CAME = f"{LI},200,other\n", f"{UNICOM},571,cmcc\n"
EXTRA = "# provenance: reconstructed, ground: a test\nprefix,province_code\n138001381,531\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An operator's folder with both optional files and nothing else."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "ported.csv").write_text(HEAD + GONE + CAME, "utf-8")
    (folder / "segments-extra.csv").write_text(EXTRA, "utf-8")
    return folder


def call(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Run a command with the operator's folder: exit code, output, errors."""
    monkeypatch.setenv("FETION__TABLES__FOLDER", str(folder))
    code = main([*words])
    out, err = capsys.readouterr()
    return code, out, err


def test_explain_names_the_row(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a ported mobile, and of a prefix that lies over the shipped ones."""
    code, out, _ = call(
        folder, monkeypatch, capsys, "explain", "route", "12520", "--from", f"+86{LI}", "--json"
    )
    told = json.loads(out)
    assert (code, told["province"], told["operator"]) == (0, "200", "other")
    assert told["province_by"] == told["operator_by"] == f"ported.csv: {LI} -> 200, other"
    code, out, _ = call(folder, monkeypatch, capsys, "explain", "route", "12520", "--from", "13800138111")
    assert code == 0
    assert "segments-extra.csv:3: 138001381 -> 531" in out
    assert "numbers.yaml: cmcc 138" in out


def test_check_names_file_line_and_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of either file; a name that is nearly right is asked about."""
    assert call(folder, monkeypatch, capsys, "check")[0] == 0
    (folder / "ported.csv").write_text(HEAD + GONE + f"{LI},200,cmcc\n", "utf-8")
    code, out, _ = call(folder, monkeypatch, capsys, "check")
    assert code == 1
    reason = f"{folder / 'ported.csv'}:4: msisdn: {LI} is 200, cmcc here and 200, other on line 3"
    assert reason in out
    (folder / "ported.csv").rename(folder / "portd.csv")
    code, out, _ = call(folder, monkeypatch, capsys, "check")
    assert "replaces no table; did you mean 'ported.csv'?" in out


def test_show_counts_the_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The optional tables are listed when they are there, and their absence is no error of ours."""
    code, out, _ = call(folder, monkeypatch, capsys, "tables", "show")
    assert code == 0
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if ".csv" in line}
    assert rows == {"segments.csv": "2630", "segments-extra.csv": "1", "ported.csv": "2"}
    (folder / "ported.csv").unlink()
    code, _, err = call(folder, monkeypatch, capsys, "tables", "show", "ported")
    assert code == 1
    assert "optional" in err


def test_differences_of_many_rows(folder: Path) -> None:
    """A table of thousands of rows that comes or goes is told by its first rows, and how many follow."""
    before = Tables.load(folder)
    many = "".join(f"{13100000000 + each},100,cmcc\n" for each in range(3000))
    (folder / "ported.csv").write_text(HEAD + CAME + GONE.replace("200", "100") + many, "utf-8")
    *told, more = differences(before, Tables.load(folder))
    assert len(told) == SHOWN
    assert more.more == 3001 - SHOWN
    (folder / "ported.csv").write_text(f"{HEAD}\n# a comment\n{CAME}{GONE.replace('200', '100')}", "utf-8")
    (change,) = differences(before, Tables.load(folder))
    assert (change.row, change.kind) == (f"rows {LI}", "changed")
    assert change.cells == {"province_code": ("200", "100")}


async def test_a_mobile_is_ported_while_the_gateway_runs(tmp_path: Path) -> None:
    """Before, its sender opens Fetion; after a reload it belongs to another operator, and back."""
    folder = tmp_path / "tables"
    folder.mkdir()
    async with (
        live_gateway(tmp_path, tables={"folder": str(folder)}) as live,
        await bind(live.port) as esme,
    ):

        async def answer(text: str, sender: str = LI) -> str:
            await accepted(esme, sms(sender, "12520", text))
            return text_of(await delivered(esme))

        async def reload() -> list[dict[str, Any]]:
            asked = follow(store_of(live.folder), "tables reload", 60, dry_run="no")
            return [item async for item in asked if "reading" not in item]

        assert "欢迎使用飞信" in await answer("KTFX")
        assert "不是中国移动的号码" in await answer("KTFX", UNICOM)
        (folder / "ported.csv").write_text(HEAD + GONE + CAME, "utf-8")
        [head, *changes] = await reload()
        assert head["applied"]
        assert {change["row"] for change in changes} == {f"rows {LI}", f"rows {UNICOM}"}
        assert "已不是中国移动的号码" in await answer("HYLB")
        assert "欢迎使用飞信" in await answer("KTFX", UNICOM)
        (folder / "ported.csv").write_text(HEAD + GONE + "x\n", "utf-8")
        [refused] = await reload()
        assert refused["refused"]["line"] == 4
        assert "已不是中国移动的号码" in await answer("HYLB")
        (folder / "ported.csv").unlink()
        assert (await reload())[0]["applied"]
        assert "不是中国移动的号码" not in await answer("CXFX")
