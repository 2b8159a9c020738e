"""Lines about provinces: bounded, and without a text or a handset."""

import io
import json
from typing import Any

from gateway.message import Asked, message_id
from gateway.operations.logs import open_log
from gateway.operations.province_log import LINES, ProvinceLog
from gateway.settings import Logging
from tests.support import ALICE, HandClock


def test_a_flood_of_refusals_is_some_lines() -> None:
    """So many a second; the next second's first line says how many were left out. Silences are counted apart,
    and name no handset."""
    stream, clock = io.BytesIO(), HandClock()
    log = open_log(Logging(format="json"), stream)
    lines = ProvinceLog(log, clock)
    for _ in range(LINES + 30):
        lines.province_refused("200", "text: is empty")
    lines.province_unanswered(Asked(5, 1, "200", ALICE, "1612008", 2))
    clock.now += 1.5
    lines.province_refused("100", "text: is empty")
    log.close()
    told: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(told) == LINES + 2
    assert told[LINES]["message_id"] == message_id(5)
    assert (told[-1]["province"], told[-1]["suppressed"]) == ("100", 30)
    assert ALICE not in stream.getvalue().decode()
