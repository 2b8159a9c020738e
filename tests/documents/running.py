"""Runs command lines of documents in order, and tells those that do not end as they should."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.documents.blocks import Command
from tests.documents.stage import Stage

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
