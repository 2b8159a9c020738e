"""Writes the log lines about the console."""

from typing import Any, Protocol

from gateway.message import Acted, message_id
from gateway.observer import Observer

LONGEST: int = 200
"""Characters of a path or a name that somebody sent."""


class Limits(Protocol):
    """Limits lines (gateway.operations.event_log.Rate)."""

    def suppressed(self) -> int | None:
        """How many lines were left out before this one; None: leave it out too."""


class ConsoleLines(Observer):
    """The part of the event log that concerns the console. _log: writes a line. _visitors: limits those that
    anybody can cause."""

    _log: Any
    _visitors: Limits

    def console_login(self, account: str, remote: str) -> None:
        """console.login."""
        self._log.info("console.login", account=account, remote=remote)

    def console_login_failed(self, account: str, remote: str, reason: str) -> None:
        """console.login_failed, at a bounded rate."""
        suppressed = self._visitors.suppressed()
        if suppressed is not None:
            name = account[:LONGEST]
            self._log.warning(
                "console.login_failed", account=name, remote=remote, reason=reason, suppressed=suppressed
            )

    def console_refused(self, account: str, path: str, remote: str, reason: str) -> None:
        """console.refused, at a bounded rate."""
        suppressed = self._visitors.suppressed()
        if suppressed is not None:
            self._log.warning(
                "console.refused",
                account=account,
                path=path[:LONGEST],
                remote=remote,
                reason=reason,
                suppressed=suppressed,
            )

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

    def console_broken(self, number: str, path: str, error: Exception) -> None:
        """console.fault, with the exception."""
        self._log.error("console.fault", number=number, path=path[:LONGEST], exc_info=error)
