"""`demo`, as a user or a script starts it, without a terminal."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.ports import free_port

PORT = "FETION__SMPP__LISTEN__PORT"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stores and logs of the demo go below a folder of the test's own, on whose path a socket has room."""
    del tmp_path  # pytest makes its own folder before the system's is another
    with tempfile.TemporaryDirectory(prefix="d") as path:
        monkeypatch.setattr("tempfile.tempdir", path)
        monkeypatch.setenv("TMPDIR", path)
        monkeypatch.setenv(PORT, str(free_port()))
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        yield Path(path)


def log_of(shown: str) -> Path:
    """The log file whose path the demo printed."""
    found = re.search(r"\S+fetion-demo-\S+\.log", shown)
    assert found is not None
    return Path(found[0])


def test_once(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """demo --once plays, prints every SMS, exits 0; its log stays until the next demo starts."""
    assert main(["demo", "--once"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"alice 13800138000 -> 12520050 +demo2007", shown)
    assert shown.count(" -> ") >= 18
    (left,) = folder.iterdir()
    assert log_of(shown).parent == left
    assert events_of(log_of(shown))[-1] == "gateway.stopped"
    assert "sms.handled" in events_of(log_of(shown))
    assert main(["demo", "--once"]) == 0
    assert not left.exists()
    assert len(list(folder.iterdir())) == 1


def test_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    """With --seed everything that is drawn is the same in each run."""
    shown = []
    for seed in ("1", "1", "2"):
        assert main(["demo", "--once", "--seed", seed]) == 0
        shown.append(capsys.readouterr().out.split("All answers came.")[0])
    assert shown[0] == shown[1] != shown[2]


def test_a_reply_that_does_not_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 1, with the step that failed and where the log is."""
    impatient = tmp_path / "demo.yaml"
    impatient.write_text(
        """
name: demo
handsets: {alice: "13800138000"}
steps:
  - sends: {from: alice, to: 161, text: KTFX}
  - expects: {at: alice, text: never, within: 0.05}
""",
        "utf-8",
    )
    monkeypatch.setattr("gateway.cli.demo.SCENARIO", impatient)
    assert main(["demo", "--once"]) == 1
    said = capsys.readouterr().err
    assert "demo: step 2: 13800138000 expected an SMS with text 'never'" in said
    assert events_of(log_of(said))[-1] == "gateway.stopped"


def test_port_in_use(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Where something listens on its port the demo says so and what to do, and exits 1."""
    port = int(os.environ[PORT])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert main(["demo"]) == 1
    said = capsys.readouterr().err
    assert f"port {port} on 127.0.0.1 is in use: stop what listens there" in said
    assert f"{PORT}={port + 1} make run" in said
    assert list(folder.iterdir()) == []


def test_no_temporary_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """One line says what is missing."""
    monkeypatch.setattr("tempfile.tempdir", str(folder / "missing"))
    assert main(["demo", "--once"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the demo stops: ")
    assert str(folder / "missing") in line


@pytest.mark.parametrize("port", ["none", "70000"])
def test_a_wrong_port(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    """The variable is named, and nothing starts."""
    monkeypatch.setenv(PORT, port)
    assert main(["demo"]) == 1
    assert PORT in capsys.readouterr().err


def test_other_variables_do_not_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operator has set for `serve` changes no demo."""
    monkeypatch.setenv("FETION__LIMITS__INSTRUCTIONS_PER_MINUTE", "1")
    monkeypatch.setenv("FETION__STORAGE__URL", "sqlite:////nowhere/at/all.db")
    assert main(["demo", "--once"]) == 0
    assert "All answers came." in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_signal(number: signal.Signals, folder: Path) -> None:
    """Without --once it prints its addresses and stays up; Ctrl-C, SIGTERM and a closed terminal stop it
    cleanly with exit code 0, and nothing is left."""
    code, shown = demo_with_signal(number, " trace ")
    assert code == 0
    assert f"SMPP   127.0.0.1:{os.environ[PORT]}  system_id smsc" in shown
    assert list(folder.iterdir()) == []


def test_early_stop(folder: Path) -> None:
    """SIGTERM while the handsets talk ends it cleanly too, and nothing is left."""
    code, _ = demo_with_signal(signal.SIGTERM, "KTFX")
    assert code == 0
    assert list(folder.iterdir()) == []


def test_the_reader_of_its_output_goes(folder: Path) -> None:
    """A closed pipe ends it as it ends other commands, and nothing is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=15) == 141
        assert process.stderr.read() == b""
    assert list(folder.iterdir()) == []


def test_standard_output_is_closed(folder: Path) -> None:
    """It plays, for its exit code."""
    command = ["/bin/sh", "-c", f"exec {sys.executable} -m gateway demo --once >&-"]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert len(list(folder.iterdir())) == 1


def demo_with_signal(number: signal.Signals, shown_before: str) -> tuple[int, str]:
    """Exit code and output of a demo that gets a signal when it shows a word for the first time."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        shown, sent = "", False
        for line in process.stdout:
            shown += line
            if shown_before in line and not sent:
                process.send_signal(number)
                sent = True
        return process.wait(timeout=15), shown


def events_of(log: Path) -> list[str]:
    """The events of a JSON log, in order."""
    return [json.loads(line)["event"] for line in log.read_bytes().splitlines()]
