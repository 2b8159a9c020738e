"""What the pipeline says while it works (gateway.operations.event_log writes it down)."""

from typing import Protocol

from gateway.errors import Refusal
from gateway.message import MobileOriginated
from gateway.outbound.selection import Bind
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.storage.contract import StorageError


class MessageLog(Protocol):
    """Where the pipeline says what became of an SMS."""

    def handled(self, m: MobileOriginated, latency: float, now_ms: int) -> None:
        """Committed and answered at `now_ms`, `latency` seconds after it came."""

    def repeated(self, m: MobileOriginated, number: int) -> None:
        """A retransmission, answered with the number of the SMS that it repeats."""

    def rejected(self, bind: Bind, request: SubmitSm | DataSm, refusal: Refusal) -> None:
        """Answered negatively."""

    def failed(self, m: MobileOriginated, error: Exception) -> None:
        """A hop has a bug, or the store refused what it did."""

    def broken(self, where: str, error: Exception) -> None:
        """A bug that no SMS is known for."""

    def storage_failed(self, error: StorageError, failures: int, pause: float) -> None:
        """A batch was not stored, for the so many-th time in a row; nothing is taken for `pause` seconds."""

    def storage_recovered(self, failures: int, seconds: float) -> None:
        """The store takes batches again, after so many failures in so many seconds."""

    def storage_lost(self, error: StorageError, closed: int, changed: int) -> None:
        """At the stop: what became of so many SMS to handsets could not be stored; they leave once more."""

    def unrecognised(self, count: int) -> None:
        """Retransmissions of so many SMS will not be recognised: too many answers are in doubt."""

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """A long message was given up."""
