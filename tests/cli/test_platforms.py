"""Elsewhere than on Linux and macOS: one sentence and exit 2, before what is missing there is imported."""

import subprocess
import sys

import pytest

from gateway.cli.main import COMMANDS
from gateway.cli.platforms import refusal

ELSEWHERE = """
import sys
sys.platform = {platform!r}
for missing in ("fcntl", "resource", "uvloop", "termios", "pwd", "grp"):
    sys.modules[missing] = None
from gateway.cli.main import main
sys.argv = ["fetion-gateway", *{words!r}]
sys.exit(main())
"""
"""A process that takes itself for one of another system, which has no modules of POSIX."""


def run(platform: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command line there."""
    script = ELSEWHERE.format(platform=platform, words=words)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["serve"], ["demo", "--once"], ["--help"], ["check"], []])
def test_windows(words: list[str]) -> None:
    """Whatever is asked for."""
    ended = run("win32", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "fetion-gateway runs on Linux and macOS, not on win32: use one of these, or a container\n"
    )


def test_it_is_asked_for_each_command() -> None:
    """One place decides for all: no command has an entry of its own in the installed scripts."""
    assert len(COMMANDS) > 10
    assert run("freebsd14", *COMMANDS[-1].name.split()).returncode == 2


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_where_it_runs(platform: str) -> None:
    """These are not refused."""
    assert refusal(platform) == ""
