"""The command `scenario run`."""

import asyncio
import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.cli.main import main
from gateway.simulator.smsc.centre import SmsCentre

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
    assert "faulty.yaml:1: handsets: is missing" in err
    none = tmp_path / "none.yaml"
    assert main(["scenario", "run", str(none)]) == 1
    said = capsys.readouterr().err
    assert said == f"fetion-gateway: {none}: No such file or directory: name one that exists\n"


def test_a_report_that_cannot_be_written(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report's file is tried before anything is played."""
    report = tmp_path / "nowhere" / "out.xml"
    assert main(["scenario", "run", files[0], "--junit", str(report)]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        f"fetion-gateway: {report}: No such file or directory: name one that exists\n",
    )


def test_a_gateway_that_cannot_start(
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where a gateway of its own cannot start, the reason is a line, exit 1."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert main(["scenario", "run", files[0]]) == 1
    err = capsys.readouterr().err
    assert err.startswith("fetion-gateway: ")
    assert "too long for a control socket" in err
    assert len(err.splitlines()) == 1


LIMITED = """
name: limited
handsets: {alice: 13800138000}
steps:
  - sends: {from: alice, to: 161, text: KTFX}
  - expects: {at: alice, regex: 飞信号}
  - sends: {from: alice, to: 161, text: CXFX}
  - expects: {at: alice, regex: 频繁}
"""


def test_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--config gives a gateway of its own its limits, but not the store, the log and the port of another."""
    scenario, config = tmp_path / "limited.yaml", tmp_path / "config.yaml"
    scenario.write_text(LIMITED, "utf-8")
    (tmp_path / "words").write_text("坏\n", "utf-8")
    config.write_text(
        "limits: {instructions_per_minute: 1}\nservice: {sensitive_words: words}\n"
        "smpp: {listen: {port: 2775}}\nlogging: {file: log}\n",
        "utf-8",
    )
    words = ["scenario", "run", str(scenario)]
    code, said = main([*words, "--config", str(config)]), capsys.readouterr().out
    assert (code, said.splitlines()[-1]) == (0, "1 played, 0 failed"), said
    assert main(words) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"limited.yaml", "config.yaml", "words"}


async def test_a_configuration_with_links(tmp_path: Path) -> None:
    """A gateway of its own dials no SMS centre, asks nobody to bind, and needs no account of the file."""
    (tmp_path / "tables").mkdir()
    scenario, config = tmp_path / "good.yaml", tmp_path / "config.yaml"
    scenario.write_text(GOOD, "utf-8")
    async with SmsCentre() as centre:
        place = f"host: 127.0.0.1, port: {centre.port}, password: secret12"
        asked = f"[{{system_id: us, password: x, nodes: [east], outbind: {{{place}}}}}]"
        for accounts, default in (("[]", "false"), (asked, "true")):
            link = f"{{name: north, system_id: us, default: {default}, {place}}}"
            config.write_text(
                f"smpp: {{accounts: {accounts}, links: [{link}]}}\n"
                "node: {name: east}\ntables: {folder: tables}\n"
            )
            words = ["scenario", "run", str(scenario), "--config", str(config)]
            assert await asyncio.to_thread(main, words) == 0
        assert not centre.ledger.counts


def test_a_wrong_configuration(files: tuple[str, str], tmp_path: Path) -> None:
    """A fault of it is exit 1; it does not go with the address of another gateway, exit 2."""
    config = tmp_path / "config.yaml"
    config.write_text("limits: {help_perod: 1}")
    with pytest.raises(SystemExit) as left:
        main(["scenario", "run", files[0], "--config", str(config)])
    assert left.value.code == 1
    with pytest.raises(SystemExit) as left:
        main(["scenario", "run", files[0], "--config", str(config), "--port", "2775"])
    assert left.value.code == 2


def test_results_for_programs(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one object a scenario: whether it passed, why not, and the conversation."""
    assert main(["scenario", "run", *files, "--json"]) == 1
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert (good["file"], good["name"], good["passed"]) == (files[0], "a question lapses", True)
    assert good["failure"] is None
    assert (bad["passed"], len(bad["conversation"])) == (False, 2)
    assert bad["conversation"][0] == {"at": 0, "from": "13800138000", "to": "161", "text": "CXFX"}
    assert "expected an SMS with text 'never'" in bad["failure"]
