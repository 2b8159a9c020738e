"""`demo`, as a user starts it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main


def log_of(shown: str) -> Path:
    """The log file whose path the demo printed."""
    found = re.search(r"\S+fetion-demo-\S+\.log", shown)
    assert found is not None
    return Path(found[0])


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores and logs of the demo go below the test's own folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """demo --once plays, prints every SMS, exits 0; its store is gone afterwards, its log stays."""
    assert main(["demo", "--once"]) == 0
    shown = capsys.readouterr().out
    assert "alice 13800138000 -> 12520050" in shown
    assert shown.count(" -> ") >= 18
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    events = [json.loads(line)["event"] for line in log_of(shown).read_bytes().splitlines()]
    assert events[-1] == "gateway.stopped"
    assert "sms.handled" in events


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Where something listens on its port the demo says so and what to do, and exits 1."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 2775))
            taken.listen()
        except OSError:
            pytest.skip("port 2775 is in use on this machine, and may be free a moment later")
        assert main(["demo"]) == 1
    assert "port 2775 on 127.0.0.1 is in use" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_signal(number: signal.Signals, tmp_path: Path) -> None:
    """Without --once it prints its addresses and stays up; Ctrl-C, SIGTERM and a closed terminal stop it
    cleanly with exit code 0, and its store is gone."""
    code, shown = demo_with_signal(number, "handset chat")
    assert code == 0
    assert "SMPP  127.0.0.1:2775  system_id smsc" in shown
    assert events_of(log_of(shown))[-1] == "gateway.stopped"
    assert folders_in(tmp_path) == []


def test_early_stop(tmp_path: Path) -> None:
    """SIGTERM while the handsets talk ends it cleanly too, and its store is gone."""
    code, _ = demo_with_signal(signal.SIGTERM, "KTFX")
    assert code == 0
    assert folders_in(tmp_path) == []
    (log,) = tmp_path.glob("*.log")
    assert events_of(log)[-1] == "gateway.stopped"


def demo_with_signal(number: signal.Signals, shown_before: str) -> tuple[int, str]:
    """Exit code and output of a demo that gets a signal when it shows a word for the first time."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 2775))
        except OSError:
            pytest.skip("port 2775 is in use on this machine")
    environ = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo"], stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        shown, sent = "", False
        for line in process.stdout:
            shown += line
            if shown_before in line and not sent:
                process.send_signal(number)
                sent = True
        return process.wait(timeout=15), shown


def folders_in(folder: Path) -> list[Path]:
    """Folders that a demo left behind."""
    return [path for path in folder.iterdir() if path.is_dir()]


def events_of(log: Path) -> list[str]:
    """The events of a JSON log, in order."""
    return [json.loads(line)["event"] for line in log.read_bytes().splitlines()]
