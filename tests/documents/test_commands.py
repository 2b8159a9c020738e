"""Every command line of README, docs and --help that can run does run, in a fresh folder."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from gateway.cli.main import COMMANDS
from tests.documents.blocks import Command, commands_of
from tests.documents.stage import ROOT, Stage

RUN_ELSEWHERE: Final = frozenset({"operating.md"})
"""Documents whose command blocks need files of their own: tests/operating runs them as they stand."""

DOCUMENTS: Final = tuple(
    path
    for path in sorted((*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")))
    if path.name not in RUN_ELSEWHERE and commands_of(path.read_text("utf-8"))
)

CANNOT_RUN: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"make\b": "needs a checkout, and installs an environment or runs this suite",
        r".*-m pytest\b|pytest\b": "runs this suite, or a test of somebody else",
        r".*\bpip (install|wheel)\b|uv\b": "asks a package index; tests/testing/test_wheel.py installs",
        r"git\b": "asks a server",
        r"python vote.py\b|.* --to 1612008\b": "needs a broker; tests/events/test_province_page.py runs both",
        r"createuser\b|createdb\b": "asks a PostgreSQL server; tests/cli/test_postgresql.py starts one",
        r"docker\b|podman\b": "needs an engine for containers",
        r"systemctl\b|systemd-analyze\b|journalctl\b|logrotate\b|sudo\b|taskset\b": "changes the machine",
        r".*\$\{fpath": "for zsh only",
    }
)
"""Command lines that are not run, by how they begin, and why."""

UNTIL_CTRL_C: Final = re.compile(
    r"\S*fetion-gateway (?P<alone>serve|demo(?!.*--once))\b"
    r"|\S*fetion-gateway (tail|pdus|smsc)\b(?!.*--no-follow)"
)
"""Command lines that end with Ctrl-C only. alone: they are a gateway, and none may run beside them."""

ANSWERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        r"\S*fetion-gateway outbox (retry|drop)\b": 1,  # nothing is parked here
        r"\S*fetion-gateway links (pause|resume)\b": 1,  # there is no link here
        r"fetion-gateway outbox list --limt": 2,  # how wrong usage is told
        r"\S*fetion-gateway user (?!list)": 1,  # nobody types a password here, and there is no account
        r"\S*fetion-gateway store migrate\b": 1,  # the store is in use; see tests/cli/test_postgresql.py
    }
)
"""Exit codes other than 0 of command lines that are right."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh folder; its path is short, because control sockets of gateways are below it."""
    with tempfile.TemporaryDirectory(prefix="fetion-") as path:
        yield Path(path)


def failures(commands: Iterable[Command], folder: Path) -> list[str]:
    """Run the command lines in order. Returns those that did not end as they should, with their output."""
    failed = []
    stage = Stage(folder / "stage")
    with stage.gateway():
        for number, command in enumerate(commands):
            if any(re.match(pattern, command.text) for pattern in CANNOT_RUN):
                continue
            endless = UNTIL_CTRL_C.match(command.text)
            if endless is None:
                code, output = stage.run(command.text)
                right = {next((ANSWERS[each] for each in ANSWERS if re.match(each, command.text)), 0)}
            else:
                where = Stage(folder / f"stage{number}") if endless["alone"] else stage
                code, output = where.run_until_it_speaks(command.text)
                right = {0, 130}
            if code not in right or "Traceback" in output:
                failed.append(f"line {command.line}: {command.text}\nexit code {code}\n{output}")
    return failed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_documents(document: Path, folder: Path) -> None:
    """Each command line of the document ends as it should."""
    found = failures(commands_of(document.read_text("utf-8")), folder)
    assert not found, "\n\n".join(found)


def test_examples_of_help(folder: Path) -> None:
    """The example of every command ends as it should."""
    examples = [
        Command(number, f"fetion-gateway {entry.example}") for number, entry in enumerate(COMMANDS, 1)
    ]
    found = failures(examples, folder)
    assert not found, "\n\n".join(found)


def test_documents_have_commands() -> None:
    """The search finds what a reader sees: README and the guides are among the documents."""
    names = {path.name for path in DOCUMENTS}
    assert {"README.md", "testing.md", "performance.md", "command-line.md"} <= names


def test_a_wrong_command_is_found(folder: Path) -> None:
    """A command line that fails, and one whose program does not exist, are told with line and output."""
    lines = ["fetion-gateway chek", "fetion-gateway check", "no-such-program"]
    wrong, missing = failures([Command(n, text) for n, text in enumerate(lines, 1)], folder)
    assert wrong.startswith("line 1: fetion-gateway chek\nexit code 2\n")
    assert "did you mean check?" in wrong
    assert missing.startswith("line 3: no-such-program\nexit code 127\n")
