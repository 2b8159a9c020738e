"""Writes the log lines about the nodes that share a store (docs/nodes.md)."""

from typing import Any, Final

from gateway.observer import Observer

UNTRUSTED: Final = "nothing leaves and no SMS is taken until the store has renewed the lease"
FENCED: Final = "another node has taken over: sessions are closed, and the gateway begins anew"


class NodeLines(Observer):
    """The part of the event log that concerns nodes. _log: writes a line."""

    _log: Any

    def node_joined(self, name: str, number: int) -> None:
        """node.joined: another node is live."""
        self._log.info("node.joined", node=name, number=number)

    def node_taken_over(self, name: str, sms: int, parts: int, events: int, candidates: int) -> None:
        """node.taken_over: what a dead node left is this one's."""
        self._log.warning(
            "node.taken_over", node=name, sms=sms, parts=parts, events=events, candidates=candidates
        )

    def node_clock_differs(self, name: str, ahead_s: float) -> None:
        """node.clock_differs: from the clock of the server."""
        self._log.warning("node.clock_differs", node=name, seconds=round(ahead_s, 3))

    def node_clock_agrees(self, name: str, ahead_s: float) -> None:
        """node.clock_agrees: again."""
        self._log.warning("node.clock_agrees", node=name, seconds=round(ahead_s, 3))

    def node_untrusted(self, name: str) -> None:
        """node.untrusted: the lease is nearly over."""
        self._log.error("node.untrusted", node=name, consequence=UNTRUSTED)

    def node_trusted(self, name: str) -> None:
        """node.trusted: it was renewed."""
        self._log.warning("node.trusted", node=name)

    def node_fenced(self, name: str, error: Exception) -> None:
        """node.fenced: the gateway drops all that it knows and begins anew."""
        self._log.error("node.fenced", node=name, error=str(error), consequence=FENCED)
