"""Progress of long work: on a terminal only, and never in what a program reads."""

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.postgresql import missing, url_of
from tests.proofs.served import accepted, bind, inside, sms, write_config

ROOT = Path(__file__).parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*words: str, output: bool) -> tuple[int, bytes, bytes]:
    """Run a command with standard error, and perhaps standard output, on a terminal of its own.

    Returns the exit code, what the terminal got, and what else was printed.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs if output else subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
        env=ENVIRON | {"TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    finally:
        os.close(ours)
    printed = b"" if process.stdout is None else process.stdout.read()
    if process.stdout is not None:
        process.stdout.close()
    return process.wait(30), shown, printed


@pytest.mark.parametrize("output", [False, True])
def test_check_shows_its_steps_on_a_terminal(output: bool) -> None:
    """The step is drawn on standard error and erased; the result stands in standard output alone."""
    code, shown, printed = on_terminal("check", output=output)
    assert code == 0
    assert b"tables" in shown
    assert b"\x1b[2K" in shown
    assert (b"no faults" in shown) is output
    assert printed == (b"" if output else b"embedded defaults and the tables: no faults\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a gateway that has taken two SMS."""
    path = write_config(tmp_path)

    async def take() -> None:
        async with inside(path) as gateway, await bind(gateway.port) as handset:
            for text in ("KTFX", "CXFX"):
                await accepted(handset, sms("13800138000", "161", text))

    asyncio.run(take())
    return path


def test_replay_writes_above_what_it_shows(config: Path, tmp_path: Path) -> None:
    """Differences are whole lines on the terminal that shows the progress."""
    tables = tmp_path / "tables"
    tables.mkdir()
    rows = (ROOT / "commands" / "appendix8.yaml").read_text("utf-8")
    (tables / "appendix8.yaml").write_text(rows.replace("CXFX", "QQQQ"), "utf-8")
    words = ["replay", "--config", str(config), "--tables", str(tables)]
    code, shown, _ = on_terminal(*words, output=True)
    assert code == 1
    lines = [ESCAPE.sub(b"", line) for line in shown.replace(b"\r", b"\n").split(b"\n")]
    assert any(re.fullmatch(rb"[0-9a-f]{16}  13800138000 -> 161  'CXFX'", line) for line in lines)
    assert b"2 compared, 1 differ; skipped: none" in lines


def test_settle_shows_each_file(config: Path, tmp_path: Path) -> None:
    """The file that is being written is named."""
    words = ["settle", "--config", str(config), "--from", "2007-03-01", "--to", "2007-03-31"]
    code, shown, printed = on_terminal(*words, "--out", str(tmp_path / "out"), "--json", output=False)
    assert code == 0
    assert b"month" in shown
    assert json.loads(printed) == {"uplink": 0, "downlink": 0, "product": 0, "month": 0}


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_copy_shows_its_tables(config: Path, tmp_path: Path) -> None:
    """The table that is being copied, how much of it, and what is left of the time."""
    words = ["store", "migrate", "--config", str(config), "--to", url_of(tmp_path)]
    code, shown, printed = on_terminal(*words, output=False)
    assert code == 0
    assert re.search(rb"meta +.* \d/\d ", ESCAPE.sub(b"", shown))
    assert b"\x1b[2K" in shown
    assert b"all rows are the same" in printed


def test_nothing_is_shown_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal standard error stays empty, and rich is not imported."""
    script = "import sys, gateway.cli.main as c\nc.main(['check'])\nprint('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=ENVIRON, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "False"
    assert main(["check"]) == 0
    assert capsys.readouterr().err == ""
