"""`completion`: the script, used by a real bash."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.completion import SHELLS
from gateway.cli.main import main

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")
SCRIPTED = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
how=$(complete -p fetion-gateway)
function=${how##*-F }
"${function%% *}" fetion-gateway "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when Tab is pressed behind the words of the command line."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, as the command prints it."""
    path = tmp_path_factory.mktemp("completion") / "script"
    words = [sys.executable, "-m", "gateway", "completion", "bash"]
    with path.open("wb") as out:
        subprocess.run(words, stdout=out, cwd=ROOT, check=True)
    return path


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fetion-gateway exp", {"explain"}),
        ("fetion-gateway outbox ", {"list", "retry", "drop"}),
        ("fetion-gateway outbox list --li", {"--limit"}),
        ("fetion-gateway handset send --enc", {"--encoding"}),
        ("fetion-gateway handset send --encoding ", {"auto", "ascii", "ucs2", "gbk"}),
        ("fetion-gateway check --config conf", {"config.yaml"}),
        ("fetion-gateway tail conf", {"config.yaml"}),
        ("fetion-gateway settle --out rec", {"records"}),
        ("fetion-gateway completion z", {"zsh"}),
        ("fetion-gateway nonsense", {""}),
    ],
)
def test_bash_completes(typed: str, offered: set[str], script: Path, tmp_path: Path) -> None:
    """Commands, options, choices, files and folders are offered where they fit."""
    (tmp_path / "config.yaml").touch()
    (tmp_path / "records").mkdir()
    (tmp_path / "recorded.txt").touch()
    assert BASH is not None
    words = [BASH, "--norc", "-c", SCRIPTED, "bash", str(script), *typed.split(" ")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=30)
    assert done.stderr == ""
    assert {line.rstrip("/") for line in done.stdout.split("\n")[:-1]} == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each named shell has one, with the options of commands in it."""
    assert main(["completion", shell]) == 0
    assert "--new-key" in capsys.readouterr().out
