"""What handsets send under load: a YAML list of SMS with weights.

::

    - {text: KTFX, to: "161", weight: 8, from: fresh}         # eight of ten: a new handset opens the service
    - {text: CXFX, to: "161", weight: 1, from: random}        # one of those that exist (--handsets random:N)
    - {text: 在吗, to: "1252013800138000", from: random}       # a chat that is refused: its reply says so
"""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field

from gateway.simulator.errors import CannotSendError
from gateway.simulator.sms import encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Segment
from routing.tablefile import Closed, Fault, Located, TableError, read

From: TypeAlias = Literal["fresh", "random"]

_ALPHABET: Final = Alphabet.from_config({}, "gsm")
_LIST: Final = "messages"


def _one_segment(text: str) -> str:
    segment_of(text)
    return text


class Line(Closed):
    """One SMS of a mix.

    weight: how often, beside the others. replies: the deliver_sm that come back to the sender (each part of a
    long SMS is one). sender: `fresh` is a number never used before, `random` one of those that exist;
    None: as --handsets says.
    """

    text: Annotated[str, Field(min_length=1), AfterValidator(_one_segment)]
    to: str = Field(pattern=r"^\+?\d{1,20}$")
    weight: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False)
    replies: int = Field(default=1, ge=0, le=100)
    sender: From | None = Field(default=None, alias="from")


class Mix(Closed):
    """The SMS to send, with weights."""

    messages: list[Line] = Field(min_length=1, max_length=1000)


def load(path: Path, *, pool: int) -> Mix:
    """Read a mix. pool: how many handsets exist. Raises TableError with every fault of the file."""
    file = read(path)
    # The schema wants a mapping, so that it can grow; the file is the list in it.
    lines = {(_LIST, *place): line for place, line in file.lines.items()}
    inner: Located[object] = Located({_LIST: file.value}, file.file, lines, file.faults)
    try:
        located = inner.into(Mix)
        faults = [
            located.fault((_LIST, number, "from"), "random needs --handsets random:N")
            for number, line in enumerate(located.value.messages)
            if line.sender == "random" and not pool
        ]
        if faults:
            raise TableError(faults)
    except TableError as error:
        raise TableError(
            Fault(fault.file, fault.line, fault.key.removeprefix(_LIST) or "(file)", fault.reason)
            for fault in error.faults
        ) from None
    return located.value


def segment_of(text: str) -> Segment:
    """The one segment that carries a text. Raises ValueError when it takes several."""
    try:
        parts = encode(text, _ALPHABET, 0)
    except CannotSendError as error:
        raise ValueError(str(error)) from error
    if len(parts) != 1:
        raise ValueError(f"must fit one SMS, takes {len(parts)}")
    return parts[0]


DEFAULT: Final = Mix(messages=[Line(text="KTFX", to="161")])
"""Every handset opens the service."""
