"""Writes the log lines about the ways on which SMS leave (docs/decisions/026-ways-out.md)."""

from typing import Any

from gateway.message import MobileTerminated, message_id
from gateway.observer import Observer, Remote


class WayLines(Observer):
    """The part of the event log that concerns ways out. _log: writes a line."""

    _log: Any

    def late(self, sms: MobileTerminated, remote: Remote, *, twice: bool) -> None:
        """sms.late: a warning where it had left again, and may arrive twice."""
        write = self._log.warning if twice else self._log.info
        write(
            "sms.late",
            message_id=message_id(sms.number),
            cause_id=message_id(sms.cause),
            msisdn=sms.msisdn,
            source=sms.source,
            system_id=remote.account,
            remote=remote.peer,
            session=remote.number,
            attempts=sms.attempts,
            reason="it had left again and may arrive twice" if twice else "taken after the response timer",
        )

    def moved(self, sms: MobileTerminated, before: str) -> None:
        """sms.moved: it leaves through a backup."""
        self._log.info(
            "sms.moved",
            message_id=message_id(sms.number),
            cause_id=message_id(sms.cause),
            msisdn=sms.msisdn,
            source=sms.source,
            attempts=sms.attempts,
            system_id=sms.account,
            reason=f"account {before} has no receiver: it leaves through {sms.account}",
        )

    def link_resting(self, link: str, seconds: float) -> None:
        """link.resting: too many of its SMS failed."""
        self._log.warning("link.resting", name=link, rest_s=round(seconds, 3))

    def link_rested(self, link: str) -> None:
        """link.rested: one SMS decides whether others leave there."""
        self._log.info("link.rested", name=link)
