"""docs/console.md says what the tables of rights say."""

import re
from pathlib import Path
from typing import Final

from gateway.operations.console import budget, guessing, http, pace, reading
from gateway.operations.console.page import BODY_MOST
from gateway.operations.console.rights import OF_HEADQUARTERS, ROLES, Role
from gateway.operations.console.sessions import BELIEVED, MOST_SESSIONS

PAGE: Final = (Path(__file__).parents[3] / "docs" / "console.md").read_text("utf-8")


def test_roles_and_rights() -> None:
    """Each role has a row with all of its rights, in order; the rights of headquarters are named."""
    rows = dict(re.findall(r"^\| ([a-z-]+) \| ([a-z, ]+) \|$", PAGE, re.MULTILINE))
    assert {role: rows.get(role) for role in Role} == {role: ", ".join(sorted(ROLES[role])) for role in Role}
    assert f"never has the rights {', '.join(sorted(OF_HEADQUARTERS))}:" in PAGE


def test_limits() -> None:
    """The figures of the page are those of the code."""
    for figure in (
        f"| {pace.PER_SECOND:g} a second, {pace.BURST:g} at once |",
        f"| {http.HEAD_SECONDS:g} s; {http.HEAD_MOST // 1024} KiB |",
        f"| {http.BODY_SECONDS:g} s; {BODY_MOST // 1024} KiB,",
        f"| {http.IDLE_SECONDS:g} s |",
        f"| {http.SLOWEST:,} octets in {http.WRITE_SECONDS:g} s |",
        f"| {reading.THREADS} at a time, {reading.WAITING} wait; {budget.QUIET.share:g} s of the processor",
        f"in each second, {budget.BUSY.share:g} s while the loop is busy |",
        f"waits {budget.QUIET.longest:g} s at most for its turn, {budget.BUSY.longest:g} s while",
        f"two without; a {1 / pace.WHEN_BUSY:.0%} of that".replace("10%", "tenth"),
        f"{guessing.RULES['account at an address'].free} of an account at one address",
        f"{guessing.RULES['address'].free} at an address, {guessing.RULES['account'].free} of an account",
        f"within {BELIEVED:g} seconds",
        f"in {MOST_SESSIONS} browsers",
    ):
        assert figure in PAGE, figure
