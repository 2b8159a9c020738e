"""What a failed test says: why a gateway does not start, its log, and the conversation."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.operations.control import PathTooLong
from gateway.secrets import KeyFileError
from gateway.storage.contract import StorageError
from gateway.testing.running import RunningGateway
from routing.tablefile import TableError

START_ERRORS: Final = (TableError, KeyFileError, StorageError, PathTooLong, OSError)
"""What running_gateway raises where a gateway cannot start."""

LONGEST: Final = 200
"""Lines of a section; earlier ones are left out."""


def why_not(error: Exception) -> str:
    """Say on one line why a gateway does not start. error: one of START_ERRORS."""
    if isinstance(error, TableError):
        faults = "; ".join(f"{fault.key}: {fault.reason}" for fault in error.faults)
        return f"gateway_config: {faults}"
    if isinstance(error, PathTooLong):
        place = str(error).partition(": storage.url")[0]
        return f"the gateway does not start: {place}: give pytest a shorter --basetemp"
    return f"the gateway does not start: {' '.join(str(error).split())}"


def sections(running: RunningGateway) -> Iterator[tuple[str, str]]:
    """Yield heading and content: what the handsets sent and got, and the log of the gateway."""
    yield _section("conversation", [str(line) for line in running.conversation.lines], "no SMS")
    yield _section("log of the gateway", _lines_of(running.log_file()), "no line")


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"{path}: {error.strerror}"]


def _section(heading: str, lines: Sequence[str], nothing: str) -> tuple[str, str]:
    if len(lines) > LONGEST:
        heading = f"{heading} (the last {LONGEST} of {len(lines)} lines)"
    return heading, "\n".join(lines[-LONGEST:] or [nothing])
