"""What all commands share of their output: JSON, errors of the system as sentences, characters that do not
fit the terminal."""

import errno
import io
import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TextIO

_REMEDIES: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.ENOENT: "name one that exists",
        errno.ENOTDIR: "name a folder",
        errno.EEXIST: "name a folder",
        errno.EISDIR: "name a file",
        errno.EACCES: "give this user the right to it, or name another",
        errno.EPERM: "give this user the right to it, or name another",
        errno.EROFS: "name one on a file system that can be written",
        errno.ENOSPC: "make room there",
    }
)
"""What to do about an error of the system."""


def replace_unencodable(stream: TextIO | None) -> None:
    """Let a stream show a character that its encoding lacks as \\u98de, like standard error does."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def print_json(value: object) -> None:
    """Print one JSON value on a line of its own."""
    sys.stdout.write(as_json(value))


def as_json(value: object) -> str:
    """Return the line of a JSON value, in ASCII where standard output has another encoding than UTF-8.

    What a terminal would obey is escaped: peers choose texts and names.
    """
    from gateway.operations.log_lines import escaped_json  # here, because it takes time to load

    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    return escaped_json(json.dumps(value, ensure_ascii=not unicode)) + "\n"


def complain(reason: object) -> int:
    """Print the reason of a failure on standard error. Returns the exit code."""
    sys.stderr.write(f"fetion-gateway: {reason}\n")
    return 1


def sentence(error: OSError) -> str:
    """Describe an error of the system: the file, what is wrong with it, and what to do."""
    reason = error.strerror or str(error)
    place = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{place}{reason}{f': {remedy}' if remedy else ''}"
