"""The command `scenario run`."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.cli.main import main

GOOD = r"""
name: a question lapses
handsets: {alice: 13800138000, bob: 13900139000}
steps:
  - sends: {from: alice, to: 161, text: KTFX}
  - expects: {at: alice, from: 161034, regex: '(?P<number>\d{9})', captures: {alice_fetion: number}}
  - sends: {from: bob, to: 161, text: KTFX}
  - expects: {at: bob, regex: 飞信号}
  - sends: {from: alice, to: 12520, text: 'HY#{bob}'}
  - expects: {at: alice, regex: '{bob}'}
  - expects: {at: bob, from: '12520033\d{5}', regex: '.'}
  - waits: {hours: 24}
  - answers: {from: bob, text: 是}
  - expects: {at: bob, regex: 回答时间}
  - expects_nothing: {at: alice}
"""
BAD = """
name: missed
handsets: {alice: 13800138000}
steps:
  - sends: {from: alice, to: 161, text: CXFX}
  - expects: {at: alice, text: never, within: 0.05}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """One that passes and one that does not."""
    for name, source in (("good.yaml", GOOD), ("bad.yaml", BAD)):
        (tmp_path / name).write_text(source, "utf-8")
    return str(tmp_path / "good.yaml"), str(tmp_path / "bad.yaml")


def test_every_expectation_met(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A scenario that passes is shown as it went, exit 0; with the same seed in the same octets."""
    shown = []
    for _ in range(2):
        assert main(["scenario", "run", files[0], "--seed", "7"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "  24 h later\n" in shown[0]
    lines = shown[0].splitlines()
    assert lines[0] == f"a question lapses ({files[0]})"
    assert lines[1].endswith("KTFX")
    assert any(line.startswith("86400.000 s") for line in lines)
    assert lines[-1] == "1 played, 0 failed"


def test_a_missed_expectation(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file is played, what was missed is said, exit 1; the JUnit report says the same."""
    path = tmp_path / "out.xml"
    assert main(["scenario", "run", *files, "--junit", str(path)]) == 1
    said = capsys.readouterr().out
    assert "FAILED: missed: step 2: 13800138000 expected an SMS with text 'never'" in said
    assert said.splitlines()[-1] == "2 played, 1 failed"
    cases = ElementTree.parse(path).getroot().findall("testsuite/testcase")
    assert [(case.get("name"), case.find("failure") is not None) for case in cases] == [
        ("a question lapses", False),
        ("missed", True),
    ]


def test_a_gateway_that_is_not_there(
    files: tuple[str, str], unused_tcp_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --port the gateway is somebody else's; one that is not there is said, exit 1."""
    words = ["scenario", "run", "--port", str(unused_tcp_port)]
    assert main([*words, files[1]]) == 1
    assert f"cannot reach 127.0.0.1:{unused_tcp_port}" in capsys.readouterr().out


def test_faults_of_all_files_come_first(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with faults is told with every fault before anything is played; so is one that is not there."""
    (tmp_path / "faulty.yaml").write_text("name: x\nsteps: []\n", "utf-8")
    assert main(["scenario", "run", files[0], str(tmp_path / "faulty.yaml")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "faulty.yaml:1: handsets: Field required" in err
    assert main(["scenario", "run", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
