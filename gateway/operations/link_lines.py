"""Writes the log lines about links to SMS centres (docs/links.md)."""

from typing import Any

from gateway.observer import Observer, Remote


class LinkLines(Observer):
    """The part of the event log that concerns links. _log: writes a line."""

    _log: Any

    def link_up(self, remote: Remote, link: str, mode: str) -> None:
        """link.up: a bind of ours stands."""
        self._log.info(
            "link.up",
            name=link,
            system_id=remote.account,
            remote=remote.peer,
            mode=mode,
            session=remote.number,
        )

    def link_down(
        self, remote: Remote, link: str, mode: str, reason: str, unanswered: int, pause: float | None
    ) -> None:
        """link.down: a warning where we have not ended it."""
        write = self._log.info if pause is None else self._log.warning
        write(
            "link.down",
            name=link,
            system_id=remote.account,
            remote=remote.peer,
            mode=mode,
            session=remote.number,
            reason=reason,
            unanswered=unanswered,
            pause_s=None if pause is None else round(pause, 3),
        )

    def link_failed(
        self, link: str, account: str, mode: str, reason: str, failures: int, pause: float | None
    ) -> None:
        """link.failed: the 1st, 2nd, 4th, 8th ... failure in a row, which may last for days."""
        if failures & (failures - 1) == 0:
            self._log.warning(
                "link.failed",
                name=link,
                system_id=account,
                mode=mode,
                reason=reason,
                failures=failures,
                pause_s=None if pause is None else round(pause, 3),
            )

    def outbind_sent(self, account: str, peer: str) -> None:
        """outbind.sent."""
        self._log.info("outbind.sent", system_id=account, remote=peer)

    def outbind_failed(self, account: str, reason: str, failures: int, pause: float) -> None:
        """outbind.failed: the 1st, 2nd, 4th, 8th ... failure in a row."""
        if failures & (failures - 1) == 0:
            self._log.warning(
                "outbind.failed",
                system_id=account,
                reason=reason,
                failures=failures,
                pause_s=round(pause, 3),
            )

    def link_paused(self, link: str, *, paused: bool) -> None:
        """link.paused, link.resumed: by an operator."""
        self._log.info("link.paused" if paused else "link.resumed", name=link)
