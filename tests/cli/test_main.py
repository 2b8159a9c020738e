"""The command line, as a process: exit codes, help, and the commands that need no gateway."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import COMMANDS, GROUPS, Entry, build_parser, main

ROOT = Path(__file__).parents[2]
BAD_CONFIG = ROOT / "tests" / "vectors" / "bad_config"
COMMAND = [sys.executable, "-m", "gateway"]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}

Result = tuple[int, str, str]


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Result:
    """Exit code, standard output and standard error of a command line, run in this process."""
    try:
        code = main(words)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    return code, *capsys.readouterr()


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_has_help_with_an_example(entry: Entry, capsys: pytest.CaptureFixture[str]) -> None:
    """--help of each command works, shows an example of itself, and exits 0."""
    code, out, _ = call(capsys, *entry.name.split(), "--help")
    assert code == 0
    assert f"example: fetion-gateway {entry.name}" in " ".join(out.split())


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The first help lists every command or its group, and exits 0."""
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert {entry.name.split()[0] for entry in COMMANDS} <= set(out.split())


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_help_with_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help of the first word of two lists the second ones, with an example, and exits 0."""
    code, out, _ = call(capsys, group, "--help")
    assert code == 0
    assert f"example: fetion-gateway {group} " in out


def test_examples_are_right() -> None:
    """No example of a help is refused as wrong usage: each is understood by its own parser."""
    for entry in COMMANDS:
        words = shlex.split(entry.example)
        assert build_parser(words).parse_args(words).command is not None


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints name and version, and exits 0."""
    code, out, _ = call(capsys, "--version")
    assert code == 0
    assert re.fullmatch(r"fetion-gateway \d+\.\d+\.\d+\n", out)


def test_help_imports_no_library() -> None:
    """What makes a start slow, libraries and the gateway itself, is not imported for --help."""
    script = "import sys, gateway.cli.main as c\ntry: c.main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"pydantic", "yaml", "structlog", "orjson", "asyncio", "routing", "commands"}
    assert not loaded & {"rich", "shtab", "rapidfuzz"}


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """`fetion-gateway ... | head` ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [*COMMAND, "explain", "route", "161"]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    "words",
    ["status --json", "check", "explain route 161", "completion bash", "tail /dev/null", "load --count 1"],
)
def test_standard_output_is_closed(words: str) -> None:
    """`fetion-gateway ... >&-`: one sentence instead of the work whose result nobody would see."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" >&-', *COMMAND, *words.split()],
        stderr=subprocess.PIPE,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"fetion-gateway: standard output is closed\n")


def test_standard_error_is_closed() -> None:
    """The exit code is that of the command. No socket gets the number of a closed stream: uvloop ends the
    process when it closes such a one."""
    words = [*COMMAND, "load", "--count", "1", "--port", "1"]
    for closed, code, command in (("2>&-", 1, words), ("<&- 2>&-", 1, words), ("2>&-", 2, [*COMMAND, "x"])):
        script = f'exec "$0" "$@" {closed}'
        done = subprocess.run(
            ["/bin/sh", "-c", script, *command], stdout=subprocess.PIPE, cwd=ROOT, check=False
        )
        assert (done.returncode, done.stdout) == (code, b"")


def test_ctrl_c_is_no_fault() -> None:
    """Ctrl-C in a command ends it with 130 and without a traceback."""
    script = (
        "import os, signal, sys, gateway.cli.main as c, gateway.cli.explain as e\n"
        # Who starts the suite in the background may have SIGINT ignored, for all below.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "type(e.route).run = lambda self, args: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(c.main(['explain', 'route', '161']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def test_check_accepts_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped file, and the defaults without a file, have no fault: exit 0."""
    for words in (["--config", str(ROOT / "config.yaml")], []):
        code, out, _ = call(capsys, "check", *words)
        assert code == 0
        assert out.endswith("no faults\n")


def test_check_prints_each_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault is a line file:line: key: reason, all of them at once, and the exit code is 1."""
    path = BAD_CONFIG / "several_faults.yaml"
    code, out, _ = call(capsys, "check", "--config", str(path))
    expected = re.findall(r"^# expected: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    assert code == 1
    assert out.splitlines() == [f"{path}:{line}" for line in expected]


def test_check_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives one object: ok, and the faults with file, line, key and reason."""
    code, out, _ = call(capsys, "check", "--json", "--config", str(BAD_CONFIG / "unknown_key.yaml"))
    report = json.loads(out)
    assert (code, report["ok"]) == (1, False)
    assert [(f["line"], f["key"]) for f in report["faults"]] == [(4, "smpp.listen.prt")]
    code, out, _ = call(capsys, "check", "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "faults": [], "warnings": []})


def test_check_reads_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong variable is found, and named, like a wrong line."""
    monkeypatch.setenv("FETION__SMPP__LISTEN__PORT", "high")
    code, out, _ = call(capsys, "check")
    assert code == 1
    assert out.startswith("(environment): FETION__SMPP__LISTEN__PORT: ")


def test_check_opens_no_socket() -> None:
    """Faults are found before a port is opened: check never even makes a socket."""
    script = (
        "import sys, gateway.cli.main as c\n"
        "sys.addaudithook(lambda event, args: event.startswith('socket.') and sys.exit(9))\n"
        "sys.exit(c.main(['check', '--config', 'config.yaml']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=ENVIRON, cwd=ROOT, check=False
    )
    assert done.returncode == 0


def test_serve_refuses_a_bad_config_before_a_port_opens(tmp_path: Path) -> None:
    """serve with a fault prints it on stderr and exits 1; no store or key is made."""
    config = tmp_path / "config.yaml"
    config.write_text("smpp: {listen: {prt: 1}}")
    words = [*COMMAND, "serve", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRON, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{config}:1: smpp.listen.prt: unknown key; did you mean 'port'?\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_explain_route(capsys: pytest.CaptureFixture[str]) -> None:
    """What a number means, the row that was chosen first, and why the others were not: exit 0."""
    code, out, _ = call(capsys, "explain", "route", "12520050", "--from", "13800138000")
    assert code == 0
    assert re.search(r"^prefix +050$", out, re.MULTILINE)
    assert re.search(r"^accepts +password$", out, re.MULTILINE)
    assert len(re.findall(r"^-> ", out, re.MULTILINE)) == 1


def test_explain_route_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """--json has the keys that the contract names, and what decided about the sender; the province is the
    sender's home."""
    code, out, _ = call(capsys, "explain", "route", "161", "--from", "13800138000", "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found) == {
        *("access_code", "prefix", "tail", "accepts", "purpose", "province", "refused", "considered"),
        *("operator", "operator_by", "province_by"),
    }
    assert (found["access_code"], found["accepts"], found["province"]) == ("161", "base", "100")


@pytest.mark.parametrize("line", ["explain route 161 --from abc", "explain text KTFX --to 161 --from 12345"])
def test_a_sender_without_a_mobile_is_wrong_usage(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--from takes a mobile number, with or without 86; anything else is exit 2 with the usage."""
    code, out, err = call(capsys, *line.split())
    assert (code, out) == (2, "")
    assert "is no mobile number" in err


@pytest.mark.parametrize("words", [["--json"], []])
def test_explain_route_of_a_refused_address(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An address that nothing is at: the reason, and exit 1."""
    code, out, _ = call(capsys, "explain", "route", "999", *words)
    assert code == 1
    assert "begins with no access code" in out


def test_explain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """How a text is read: normalised, its instruction and arguments; exit 0."""
    code, out, _ = call(capsys, "explain", "text", "ｈｙ＃13900000002", "--to", "161")
    assert code == 0
    assert re.search(r"^normalised +HY#13900000002$", out, re.MULTILINE)
    assert re.search(r"^instruction +buddy\.add$", out, re.MULTILINE)
    assert re.search(r"^arguments +number=13900000002$", out, re.MULTILINE)


def test_explain_text_shows_what_cannot_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """Newlines and control characters of a text are shown, and do not act on the terminal."""
    words = ("explain", "text", "a\x1b[31m\nb", "--to", "1252013900000002", "--from", "+8613800138000")
    code, out, _ = call(capsys, *words)
    assert code == 0
    assert re.search(r"^normalised +a\\x1b\[31m\\nb$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "to", "instruction", "suggestion"),
    [
        ("KTFX", "161", "service.open", ""),
        ("KTFXX", "161", "misunderstood", "KTFX"),
        ("在吗", "1252013800138000", "chat", ""),
    ],
)
def test_explain_text_for_programs(
    text: str, to: str, instruction: str, suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json has the row's id, chat or misunderstood, and what would be suggested."""
    code, out, _ = call(capsys, "explain", "text", text, "--to", to, "--json")
    found = json.loads(out)
    assert code == (1 if instruction == "misunderstood" else 0)
    assert (found["instruction"], found["suggestion"]) == (instruction, suggestion)


def test_explain_text_at_a_refused_address(capsys: pytest.CaptureFixture[str]) -> None:
    """A text to nowhere: the reason on stderr, with --json in an object; exit 1."""
    code, out, err = call(capsys, "explain", "text", "KTFX", "--to", "999")
    assert (code, out) == (1, "")
    assert err.startswith("999: ")
    code, out, err = call(capsys, "explain", "text", "KTFX", "--to", "999", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["instruction"] == "refused"
    assert "begins with no access code" in json.loads(out)["refused"]


@pytest.mark.parametrize("words", [["route", "161"], ["text", "KTFX", "--to", "161"]])
def test_explain_reads_the_configuration(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--config is taken, and its faults are told: exit 1."""
    config = tmp_path / "config.yaml"
    config.write_text("smpp: {listen: {port: 0}}")
    assert call(capsys, "explain", *words, "--config", str(config))[0] == 0
    config.write_text("smpp: {listen: {prt: 1}}")
    code, out, err = call(capsys, "explain", *words, "--config", str(config))
    assert (code, out) == (1, "")
    assert "smpp.listen.prt: unknown key" in err
