"""Writes the log lines about what operators do at the console."""

from typing import Any

from gateway.message import Acted, message_id
from gateway.observer import Observer


class ActionLines(Observer):
    """The part of the event log that concerns actions. _log: writes a line."""

    _log: Any

    def acted(self, acted: Acted, outcome: str) -> None:
        """console.acted: who did what for whom, and why."""
        self._log.info(
            "console.acted",
            message_id=message_id(acted.number),
            msisdn=acted.msisdn,
            action=acted.action,
            actor=acted.actor,
            outcome=outcome,
            reason=acted.reason,
        )
