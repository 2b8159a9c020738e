"""Finds the command lines in a Markdown document: in fenced and in indented blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHELLS: Final = frozenset({"sh", "bash", "shell"})
"""Labels of fenced blocks in which every line is a command."""
SESSIONS: Final = frozenset({"", "console"})
"""Labels of fenced blocks in which commands and their output stand; indented blocks are such too."""

PROGRAMS: Final = frozenset(
    {
        *(
            "fetion-gateway",
            "make",
            "python",
            "python3",
            "pip",
            "pytest",
            "uv",
            "git",
            "bash",
            "eval",
            "source",
        ),
        *("docker", "podman", "systemctl", "systemd-analyze", "journalctl", "logrotate", "taskset", "sudo"),
        *("cd", "cp", "mkdir", "kill", "tail", "cat", "curl", "asciinema"),
    }
)
"""With these words a command line begins, where output stands between commands."""

_FENCE: Final = re.compile(r" {0,3}(```+|~~~+) *(\w*)")
_VARIABLES: Final = re.compile(r"(?:[A-Z_]+=\S* +)*")
_PROMPT: Final = "$ "
"""Where it stands in a block, all else in the block is output."""
_ENVIRONMENT: Final = ".venv/bin/"


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, with the lines that continue it. line: where it begins, from 1."""

    line: int
    text: str


def commands_of(document: str) -> list[Command]:
    """Return the command lines of a document, in order."""
    return [command for label, block in _blocks(document) for command in _commands(label, block)]


def _blocks(document: str) -> Iterator[tuple[str, list[Command]]]:
    """Yield each block with its label; a line of it as a Command."""
    fence, label, block = "", "", list[Command]()
    indented = after_blank = True
    for number, line in enumerate(document.splitlines(), 1):
        opening = _FENCE.match(line)
        if fence:
            if opening and line.strip().startswith(fence):
                yield label, block
                fence, block = "", []
            else:
                block.append(Command(number, line))
        elif line.startswith("    ") and (after_blank or (block and indented)):
            block.append(Command(number, line[4:]))
        elif line.strip():
            yield "", block
            block = []
            if opening:
                fence, label = opening[1], opening[2].lower()
        after_blank = not line.strip()
    yield label if fence else "", block


def _commands(label: str, block: list[Command]) -> Iterator[Command]:
    if label not in SHELLS | SESSIONS:
        return
    session = any(line.text.lstrip().startswith(_PROMPT) for line in block)
    lines = iter(block)
    for line in lines:
        text = line.text.strip()
        if session:
            wanted, text = text.startswith(_PROMPT), text.removeprefix(_PROMPT)
        else:
            wanted = bool(text) and text[0] != "#" and (label in SHELLS or _is_command(text))
        if not wanted:
            continue
        while text.endswith("\\"):
            text = f"{text[:-1].rstrip()} {next(lines, Command(0, '')).text.strip()}"
        yield Command(line.line, text)


def _is_command(text: str) -> bool:
    """Whether a line begins with a program, perhaps behind variables for it."""
    word = text[len((_VARIABLES.match(text) or [""])[0]) :].split(" ")[0]
    return word in PROGRAMS or word.startswith(_ENVIRONMENT)
