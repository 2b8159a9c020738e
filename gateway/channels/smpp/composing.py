"""Texts cut into the segments that a deliver_sm carries."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.message import MobileTerminated
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Method, segments
from gateway.smpp.plain import DeliverSmTemplate

CONCATENATION: Final[Method] = "udh8"
TEMPLATES: Final = 10_000
"""Templates that are kept: numbers that SMS leave from, some of which name a person."""


class SmppComposer:
    """Composes with the alphabet of each account; user data headers have 8-bit references."""

    def __init__(self, alphabets: Mapping[str, Alphabet]) -> None:
        self._alphabets = alphabets

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """Its segments (gateway.smpp.long.Segment)."""
        return segments(sms.text, self._alphabets[sms.account], sms.reference, CONCATENATION)


class Templates:
    """The deliver_sm of each number that SMS leave from, up to the handset: made once, forgotten when there
    are too many."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str, int, int], DeliverSmTemplate] = {}

    def of(self, sms: MobileTerminated) -> DeliverSmTemplate:
        """The template for an SMS. Raises EncodeError for a number that does not fit."""
        key = (sms.source_ton, sms.source_npi, sms.source, sms.ton, sms.npi)
        template = self._known.get(key)
        if template is None:
            if len(self._known) >= TEMPLATES:
                self._known.clear()
            template = self._known[key] = DeliverSmTemplate(*key)
        return template


def check_codec(data_coding: int, codec: str, latin: str) -> None:
    """Raises ValueError for a codec that an account may not name for this data_coding."""
    Alphabet.from_config({data_coding: codec}, latin)
