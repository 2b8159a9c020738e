"""`serve` in a terminal whose log goes to a file: one line says that it is up, and how to read the log."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.terminal import CTRL_C, PATIENCE, Terminal

SERVE = (sys.executable, "-m", "gateway", "serve")


def test_it_says_where_it_listens(tmp_path: Path) -> None:
    """The command in the line works as it stands; Ctrl-C ends with 0."""
    port = str(free_port())
    environ = {"FETION__SMPP__LISTEN__PORT": port, "FETION__LOGGING__FILE": "the log"}
    environ["FETION__CONSOLE__LISTEN"] = "{port: 0}"
    with Terminal(SERVE, 200, environ, tmp_path) as terminal:
        terminal.until("listens on 127.0.0.1:" + port)
        terminal.until("the log'")
        terminal.until("console: http://127.0.0.1:")
        terminal.until("user add NAME --role administrator")
        (follow,) = re.findall(r"in another terminal: (.*?)\r?\n", terminal.text + "\n")
        shown = subprocess.run(
            ["/bin/sh", "-c", f"{follow} --no-follow"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert "gateway.ready" in shown.stdout, shown.stderr
        terminal.type(CTRL_C)
        assert terminal.end() == 0


@pytest.mark.parametrize("log_file", ["", "log"])
def test_elsewhere_it_says_nothing(tmp_path: Path, log_file: str) -> None:
    """Standard error is no terminal (systemd, a container), or the log itself is on the terminal."""
    environ = {"FETION__SMPP__LISTEN__PORT": str(free_port())} | (
        {"FETION__LOGGING__FILE": log_file} if log_file else {}
    )
    command = SERVE if not log_file else ("/bin/sh", "-c", f"exec {sys.executable} -m gateway serve 2>errors")
    with Terminal(command, 200, environ, tmp_path) as terminal:
        if log_file:
            _until_ready(terminal, tmp_path / log_file)
        else:
            terminal.until("gateway.ready")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert "in another terminal" not in terminal.text
    if log_file:
        assert (tmp_path / "errors").read_text() == ""


def _until_ready(terminal: Terminal, log: Path) -> None:
    """Wait for the line gateway.ready in a log file."""
    deadline = time.monotonic() + PATIENCE
    while terminal.process.poll() is None and time.monotonic() < deadline:
        if log.exists() and "gateway.ready" in log.read_text():
            return
