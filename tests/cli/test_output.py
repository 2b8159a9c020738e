"""What all commands share of their output: characters that do not fit, JSON, errors of the system."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.output import as_json, sentence

ROOT = Path(__file__).parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}
ASCII = {"PYTHONIOENCODING": "ascii"}
POSIX = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
TEXT = "在吗\U0001f600"


def run(environ: dict[str, str], *words: str | bytes) -> "subprocess.CompletedProcess[bytes]":
    """Run a command line in an environment."""
    line: list[str | bytes] = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(line, capture_output=True, cwd=ROOT, env=ENVIRON | environ, check=False, timeout=60)


@pytest.mark.parametrize("environ", [ASCII, POSIX, {"LANG": "C"}, {}], ids=["ascii", "posix", "c", "utf-8"])
def test_what_cannot_be_encoded_is_replaced(environ: dict[str, str]) -> None:
    """A text of another alphabet than the terminal's, and octets that are no text, end no command."""
    for text in TEXT, b"\xff\xfe":
        done = run(environ, "explain", "text", text, "--to", "1252013800138000")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"normalised ")


def test_json_holds_nothing_that_a_terminal_obeys() -> None:
    """JSON itself escapes only what is below a blank."""
    text = "a\x1b\x7f\x9b2J\u202e\U000e0001飞\t"
    line = as_json({text: [text]})
    assert line.rstrip("\n").isprintable()
    assert json.loads(line) == {text: [text]}


@pytest.mark.parametrize("environ", [ASCII, POSIX, {}], ids=["ascii", "posix", "utf-8"])
def test_json_says_the_same_in_every_encoding(environ: dict[str, str]) -> None:
    """--json is JSON on one line, with every character in it, whatever the terminal can show."""
    done = run(environ, "explain", "text", TEXT.encode(), "--to", "1252013800138000", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["normalised"].encode("utf-8", "surrogateescape").decode() == TEXT
    assert done.stdout.count(b"\n") == 1


def test_a_full_disk_is_a_sentence() -> None:
    """Where standard output cannot be written: a line that says why, exit 1, no traceback."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    words = [sys.executable, "-m", "gateway", "explain", "route", "161"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stderr == b"fetion-gateway: No space left on device: make room there\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOENT, "No such file", "a.db"), "a.db: No such file: name one that exists"),
        (OSError(errno.EIO, "Input/output error", "a.db"), "a.db: Input/output error"),
        (OSError("cannot reach it"), "cannot reach it"),
    ],
)
def test_errors_of_the_system(error: OSError, said: str) -> None:
    """The file, the reason, and what to do where that is known."""
    assert sentence(error) == said
