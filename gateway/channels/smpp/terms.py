"""What the SMPP driver makes of the conventions of a peer, once."""

from dataclasses import dataclass, field
from typing import Self

from gateway.channels.smpp.composing import Composition
from gateway.channels.smpp.permissions import FREE, Permissions
from gateway.channels.smpp.settings import Conventions, ReceiptSettings
from gateway.channels.smpp.verdicts import USUAL, Statuses
from gateway.channels.smpp.writing import Manner


@dataclass(frozen=True, slots=True)
class PeerTerms:
    """Of an account, a link, or the centre of links.

    composition, manner: of the SMS to handsets. permissions: of both ways.
    """

    composition: Composition
    manner: Manner = field(default_factory=Manner)
    permissions: Permissions = FREE
    statuses: Statuses = USUAL
    receipts: ReceiptSettings = field(default_factory=ReceiptSettings)

    @classmethod
    def of(cls, conventions: Conventions) -> Self:
        """Taken from an account or link."""
        return cls(
            Composition.of(conventions),
            Manner.of(conventions),
            Permissions.of(conventions),
            Statuses(conventions.errors),
            conventions.receipts,
        )
