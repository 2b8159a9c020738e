"""What the binds of one account or link work with, made once of its conventions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.channels.smpp.composing import Composition
from gateway.channels.smpp.permissions import FREE, Permissions
from gateway.channels.smpp.reading import Read, content, reader_of
from gateway.channels.smpp.settings import Conventions, Errors
from gateway.channels.smpp.verdicts import Statuses
from gateway.channels.smpp.writing import Manner, Writer, writer_of
from gateway.smpp.pdus import DeliverSm, SubmitSm


@dataclass(frozen=True, slots=True)
class Terms:
    """How texts become SMS, what these have, what the peer may do, and its own statuses."""

    composition: Composition
    manner: Manner = field(default_factory=Manner)
    permissions: Permissions = FREE
    errors: Errors = field(default_factory=Errors)

    @classmethod
    def of(cls, conventions: Conventions) -> "Terms":
        """Taken from an account or link."""
        return cls(
            Composition.of(conventions),
            Manner.of(conventions),
            Permissions.of(conventions),
            conventions.errors,
        )

    def reader(self, read: Read) -> Read:
        """How what comes is read, on top of `read`, which reads that of any peer."""
        return self.permissions.reader(reader_of(read, self.manner.prefix, self.manner.passes))

    @property
    def shower(self) -> Read:
        """How the text of what came is found, for whoever shows it: whatever the peer may do."""
        return reader_of(content, self.manner.prefix, self.manner.passes)

    def writer(self, pdu: type[DeliverSm] | type[SubmitSm], now_ms: Callable[[], int]) -> Writer:
        """How SMS leave. pdu: what they usually are. now_ms: milliseconds since the epoch."""
        return self.permissions.writer(writer_of(pdu, self.manner, self.composition, now_ms))

    def statuses(self, version: int) -> Statuses:
        """For a peer with this interface_version."""
        return Statuses(self.errors, version)
