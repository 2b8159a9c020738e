"""Writes the log lines about connections to brokers, and remembers how they are, for `status`."""

from typing import Any

from gateway.observer import Observer


class BrokerLines(Observer):
    """The part of the event log that concerns connections of consumers. _log: writes a line.

    links: by consumer whether it is connected, to whom, and the reason where it is not.
    """

    _log: Any
    links: dict[str, dict[str, Any]]

    def consumer_connected(self, consumer: str, peer: str, failures: int) -> None:
        """events.connected."""
        self.links[consumer] = {"connected": True, "peer": peer, "reason": None}
        self._log.info("events.connected", consumer=consumer, peer=peer, failures=failures)

    def consumer_denied(self, consumer: str, what: str, reason: str) -> None:
        """events.denied."""
        self._log.warning("events.denied", consumer=consumer, what=what, reason=reason)

    def consumer_disconnected(self, consumer: str, peer: str, reason: str, failures: int) -> None:
        """events.disconnected: the 1st, 2nd, 4th, 8th ... failure in a row, which may last for days."""
        self.links[consumer] = {"connected": False, "peer": peer, "reason": reason}
        if failures & (failures - 1) == 0:
            self._log.warning(
                "events.disconnected", consumer=consumer, peer=peer, reason=reason, failures=failures
            )

    def consumer_left(self, consumer: str) -> None:
        """No line: the node that has it now says so."""
        self.links.pop(consumer, None)
