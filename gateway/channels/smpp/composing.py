"""Texts cut into the segments that the PDUs of an account carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.channels.contract import CannotSend
from gateway.channels.smpp.receipting import TYPES
from gateway.channels.smpp.settings import Conventions
from gateway.message import MobileTerminated
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import MAX_SEGMENTS, MessageTooLongError, Method, Segment, segments
from gateway.smpp.tlvs import NO_TLVS, decode_tlvs

WITHOUT_TLVS: Final[Method] = "udh8"
"""The way to a peer that knows no TLVs, whatever its account wants."""


@dataclass(frozen=True, slots=True)
class Composition:
    """How the texts of one account leave. way: of a text that fits into no single SMS. parts: the largest
    number of SMS that a text may become."""

    alphabet: Alphabet
    way: Method = "udh8"
    parts: int = MAX_SEGMENTS

    @classmethod
    def of(cls, conventions: Conventions) -> "Composition":
        """Taken from an account or link."""
        alphabet = Alphabet.from_config(conventions.alphabet, conventions.latin)
        return cls(alphabet, conventions.long, conventions.parts)


class SmppComposer:
    """Composes as each account wants it."""

    def __init__(self, compositions: Mapping[str, Composition]) -> None:
        self._ways = {name: (each.alphabet, each.way, each.parts) for name, each in compositions.items()}

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """Its segments (gateway.smpp.long.Segment). Raises CannotSend for a text that needs too many.

        An SMS of which parts left before a restart may have left as user data headers, to a peer without
        TLVs: it leaves anew where the account wants another way.
        """
        alphabet, way, most = self._ways[sms.account]
        pieces = compose(sms, alphabet, way, most)
        if sms.parts_done and way != WITHOUT_TLVS:
            sms.parts_done, sms.repeat = 0, True
        return _of_receipt(pieces, sms) if sms.kind else pieces


def compose(sms: MobileTerminated, alphabet: Alphabet, way: Method, most: int) -> list[Segment]:
    """The segments of an SMS. Raises CannotSend for a text that needs more than `most`."""
    try:
        return segments(sms.text, alphabet, sms.reference, way, most)
    except MessageTooLongError as error:
        raise CannotSend(f"{error} (`parts` of {sms.account} in the section smpp)") from error


def _of_receipt(pieces: Sequence[Segment], sms: MobileTerminated) -> Sequence[Segment]:
    """A receipt says in esm_class what it is, and has TLVs of its own."""
    own, what = decode_tlvs(sms.tlvs, 0)[0] or NO_TLVS, TYPES[sms.kind]
    return [replace(piece, esm_class=piece.esm_class | what, tlvs={**piece.tlvs, **own}) for piece in pieces]


def check_codec(data_coding: int, codec: str, latin: str) -> None:
    """Raises ValueError for a codec that an account may not name for this data_coding."""
    Alphabet.from_config({data_coding: codec}, latin)
