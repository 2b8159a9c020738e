"""docs/log.md names what the gateway logs."""

import re
from pathlib import Path

from gateway.operations.log_lines import PHRASES, SMS

PAGE = (Path(__file__).parent.parent / "docs" / "log.md").read_text("utf-8")
LATER = frozenset({"sms.receipted", "tables.refused"})
"""Events of CONTRACT that the gateway does not have yet; sms.fault is a row of a table only."""


def test_every_event_is_explained() -> None:
    """Every event that has a short line is in a table of the page, and no table has one that is unknown."""
    lines = PAGE.splitlines()
    rows = [line.split("|")[1] for line in lines if line.startswith("| `") and line.count("|") == 4]
    explained = {name for row in rows for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}
    known = {*SMS, *PHRASES}
    assert explained - known == set()
    assert known - explained - LATER == {"sms.fault"}
