"""Every example of --help runs, in a fresh folder. A file of its own: it takes as long as many documents."""

from pathlib import Path

from gateway.cli.main import COMMANDS
from tests.documents.blocks import Command
from tests.documents.running import failures


def test_examples_of_help(folder: Path) -> None:
    """The example of every command ends as it should."""
    examples = [
        Command(number, f"fetion-gateway {entry.example}") for number, entry in enumerate(COMMANDS, 1)
    ]
    found = failures(examples, folder)
    assert not found, "\n\n".join(found)
