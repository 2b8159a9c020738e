"""Says which texts of SMS from handsets may be shown to operators. Pure."""

from typing import Final

from gateway.channels.contract import Inbound
from gateway.inbound.intake import TextReader
from routing.model import Accepts
from routing.table import Routing

TO_PASSWORDS: Final = "to the number that takes passwords"
NOT_OURS: Final = "to a number that is not ours"
A_PART: Final = "a part of a long message"
HIDDEN: Final = "it is a password instruction, or may hold a password"


class Disclosure:
    """Decides as the journal does, whose rules are the parser's."""

    def __init__(self, routing: Routing, reader: TextReader) -> None:
        self._resolve = routing.resolve
        self._parse = reader.parse

    def reason_to_hide(self, came: Inbound) -> str:
        """Why the text may not be shown; "": it may. What nobody would execute is never shown."""
        if came.part is not None:
            return A_PART
        route = self._resolve(came.destination)
        if route.refused is not None:
            return NOT_OURS
        if route.accepts is Accepts.PASSWORD:
            return TO_PASSWORDS
        text = came.alphabet.decode(came.octets, came.data_coding)
        return HIDDEN if self._parse(text, route, came.source).hidden else ""
