"""Writes the log lines about TLS and about balancers."""

from typing import Any, Final

from gateway.observer import Observer

STAYS: Final = "new connections use the certificate before"
ENDED: Final = "peers that verify refuse it: replace it, then send SIGHUP or wait"
UNVERIFIED: Final = "whoever answers is believed to be the peer: set tls.ca, and tls.verify: true"


class NetLines(Observer):
    """The part of the event log that concerns connections below SMPP. _log: writes a line."""

    _log: Any

    def introduced(self, peer: str, balancer: str) -> None:
        """connection.introduced: by a balancer."""
        self._log.debug("connection.introduced", remote=peer, balancer=balancer)

    def tls_loaded(self, name: str, subject: str, not_after: str) -> None:
        """tls.loaded: at the start, and when files have changed."""
        self._log.info("tls.loaded", name=name, subject=subject, not_after=not_after)

    def tls_refused(self, name: str, key: str, reason: str) -> None:
        """tls.refused: once for each change of the files."""
        self._log.error("tls.refused", name=name, key=key, reason=reason, consequence=STAYS)

    def tls_ending(self, name: str, subject: str, not_after: str, days: int) -> None:
        """tls.ending: once a day."""
        write = self._log.warning if days >= 0 else self._log.error
        write("tls.ending", name=name, subject=subject, not_after=not_after, days=days, remedy=ENDED)

    def tls_unverified(self, name: str) -> None:
        """tls.unverified: verify is false."""
        self._log.warning("tls.unverified", name=name, remedy=UNVERIFIED)
