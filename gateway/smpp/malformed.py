"""What to say to a PDU that cannot be accepted."""

from typing import Final

from gateway.smpp.codec import BY_COMMAND_ID
from gateway.smpp.errors import PduError
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Response
from gateway.smpp.pdus import REQUESTS, GenericNack
from gateway.smpp.wire import RESPONSE_BIT

_RESPONSES: Final = {request.command_id: request.response for request in REQUESTS}


def answer_to(error: PduError) -> tuple[Response | None, Refused | Noted]:
    """The answer, and what its owner is told. None: it was an answer, and nobody waits for one to it."""
    if error.command_id & RESPONSE_BIT:
        return None, Noted(f"response with {error}")
    response_class = _RESPONSES.get(error.command_id) or GenericNack
    response = response_class(command_status=error.command_status, sequence_number=error.sequence_number)
    request = BY_COMMAND_ID.get(error.command_id)
    name = request.name if request is not None else f"0x{error.command_id:08X}"
    return response, Refused(name, error.command_status, error.sequence_number, str(error))
