"""What every PDU has: the header (SMPP 3.4 section 3.2) and the optional part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.smpp.tlvs import NO_TLVS, TlvValue


def _no_tlvs() -> Mapping[int, TlvValue]:
    return NO_TLVS


@dataclass(slots=True, kw_only=True, repr=False)
class Pdu:
    """What every PDU has. Two PDUs are equal when they say the same; how they came does not count.

    ``notes`` are irregularities that were forgiven when the PDU was decoded. ``command_length`` is the
    octets of the frame it was decoded from, 0 when it was built here. ``tlvs`` is shared when empty:
    replace it, never write into it.
    """

    command_id: ClassVar[int]
    name: ClassVar[str]

    command_status: int = 0
    sequence_number: int = 0
    tlvs: Mapping[int, TlvValue] = field(default_factory=_no_tlvs)
    notes: tuple[str, ...] = field(default=(), compare=False)
    command_length: int = field(default=0, compare=False)

    def __repr__(self) -> str:
        # The header only: a body holds passwords and texts, and a repr ends up in logs.
        return f"<{self.name} {self.sequence_number} command_status=0x{self.command_status:X}>"


class Response(Pdu):
    """A PDU that answers another one; it carries that one's sequence_number."""

    __slots__ = ()

    #: With an error status and nothing to say the body is left out (SMPP 3.4, e.g. section 4.4.2).
    bare_on_error: ClassVar[bool] = True


class Request(Pdu):
    """A PDU that begins an exchange. ``response`` is None where nothing answers it."""

    __slots__ = ()

    response: ClassVar[type[Response] | None] = None
