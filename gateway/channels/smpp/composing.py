"""Texts cut into the segments that a deliver_sm carries."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.message import MobileTerminated
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Method, segments

CONCATENATION: Final[Method] = "udh8"


class SmppComposer:
    """Composes with the alphabet of each account; user data headers have 8-bit references."""

    def __init__(self, alphabets: Mapping[str, Alphabet]) -> None:
        self._alphabets = alphabets

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """Its segments (gateway.smpp.long.Segment)."""
        return segments(sms.text, self._alphabets[sms.account], sms.reference, CONCATENATION)
