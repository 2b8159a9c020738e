"""Every command line of README and docs that can run does run, in a fresh folder."""

from pathlib import Path
from typing import Final

import pytest

from tests.documents.blocks import Command, commands_of
from tests.documents.running import failures
from tests.documents.stage import ROOT

RUN_ELSEWHERE: Final = frozenset({"operating.md"})
"""Documents whose command blocks need files of their own: tests/operating runs them as they stand."""

DOCUMENTS: Final = tuple(
    path
    for path in sorted((*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")))
    if path.name not in RUN_ELSEWHERE and commands_of(path.read_text("utf-8"))
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_documents(document: Path, folder: Path) -> None:
    """Each command line of the document ends as it should."""
    found = failures(commands_of(document.read_text("utf-8")), folder)
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
