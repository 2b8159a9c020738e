"""Finding command lines in Markdown."""

import pytest

from tests.documents.blocks import Command, commands_of


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("text\n\n    make run     # a comment\n    output\n", [Command(3, "make run     # a comment")]),
        ("text\n    make run\n", []),  # goes on with the paragraph above
        ("```\nfetion-gateway check\nno faults\n```\n", [Command(2, "fetion-gateway check")]),
        ("```sh\n# first\nanything\n\nat all\n```\n", [Command(3, "anything"), Command(5, "at all")]),
        ("```console\n$ anything\noutput\n```\n", [Command(2, "anything")]),
        ("```\n$ fetion-gateway chek\nfetion-gateway: unknown\n```\n", [Command(2, "fetion-gateway chek")]),
        ("```python\nmake = 1\n```\n", []),
        ("```yaml\nmake: run\n```\n    make\n", []),
        ("```sh\nmake \\\n  run\nmake\n```\n", [Command(2, "make run"), Command(4, "make")]),
        ("\n    A=1 B=x .venv/bin/python -c 1\n", [Command(2, "A=1 B=x .venv/bin/python -c 1")]),
        ("\n    make a\n\n    make b\nmake c\n", [Command(2, "make a"), Command(4, "make b")]),
        ("~~~sh\na\n```\nb\n~~~\n", [Command(2, "a"), Command(3, "```"), Command(4, "b")]),
        ("```sh\nnever closed\n", [Command(2, "never closed")]),
        ("", []),
    ],
)
def test_command_lines(document: str, found: list[Command]) -> None:
    """Commands of fenced and indented blocks are found with their lines, and nothing else is."""
    assert commands_of(document) == found
