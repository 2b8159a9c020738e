"""What to say to a PDU that cannot be accepted."""

from typing import Final

from gateway.smpp.codec import BY_COMMAND_ID
from gateway.smpp.errors import PduError
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Response
from gateway.smpp.pdus import REQUESTS, GenericNack
from gateway.smpp.status import CommandStatus
from gateway.smpp.wire import RESPONSE_BIT

_RESPONSES: Final = {request.command_id: request.response for request in REQUESTS}


def _broken(frame: bytes, error: Exception) -> PduError:
    """What stands for a frame that meets a bug of ours: temporary to the peer, with the place of the bug."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "nowhere"
    return PduError(
        f"a bug of ours: {type(error).__name__} at {where}",
        command_status=CommandStatus.RSYSERR,
        command_id=int.from_bytes(frame[4:8], "big"),
        sequence_number=int.from_bytes(frame[12:16], "big"),
        field="decode",
    )


def answer_to(error: Exception, frame: bytes) -> tuple[Response | None, Refused | Noted]:
    """The answer, and what the owner of the session is told. None: it was an answer, and nobody waits for one
    to it.

    error: what decoding the frame raised; what is no PduError is a bug of ours.
    """
    if not isinstance(error, PduError):
        error = _broken(frame, error)
    if error.command_id & RESPONSE_BIT:
        return None, Noted(f"response with {error}")
    response_class = _RESPONSES.get(error.command_id) or GenericNack
    response = response_class(command_status=error.command_status, sequence_number=error.sequence_number)
    request = BY_COMMAND_ID.get(error.command_id)
    name = request.name if request is not None else f"0x{error.command_id:08X}"
    return response, Refused(name, error.command_status, error.sequence_number, str(error))
