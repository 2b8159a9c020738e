"""Writes the log lines about provinces: no text, no handset of a refused item, at a bounded rate."""

from typing import Final

from gateway.clock import Clock
from gateway.message import Asked, message_id
from gateway.observer import Observer
from gateway.operations.event_log import Rate
from gateway.operations.logs import Log

LINES: Final = 20
"""Lines a second about what provinces send; the next line counts those left out."""


class ProvinceLog(Observer):
    """Hears only what the SMS of provinces lead to, so no other SMS pays for it."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log.logger
        self._refusals = Rate(clock, LINES)
        self._silences = Rate(clock, LINES)

    def province_refused(self, province: str, reason: str) -> None:
        """province.refused."""
        suppressed = self._refusals.suppressed()
        if suppressed is not None:
            more = {"suppressed": suppressed} if suppressed else {}
            self._log.warning("province.refused", province=province, reason=reason, **more)

    def province_unanswered(self, asked: Asked) -> None:
        """province.unanswered."""
        suppressed = self._silences.suppressed()
        if suppressed is not None:
            more = {"suppressed": suppressed} if suppressed else {}
            number = message_id(asked.number)
            self._log.warning("province.unanswered", message_id=number, province=asked.province, **more)
