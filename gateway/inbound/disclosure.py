"""Says which texts of SMS from handsets may be shown to operators. Pure."""

from typing import Final

from commands.tables import InForce
from gateway.channels.contract import Inbound
from routing.model import Accepts

TO_PASSWORDS: Final = "to the number that takes passwords"
NOT_OURS: Final = "to a number that is not ours"
A_PART: Final = "a part of a long message"
HIDDEN: Final = "it is a password instruction, or may hold a password"


class Disclosure:
    """Decides as the journal does, whose rules are the parser's."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def reason_to_hide(self, came: Inbound) -> str:
        """Why the text may not be shown; "": it may. What nobody would execute is never shown."""
        if came.part is not None:
            return A_PART
        tables = self._in_force.tables
        route = tables.resolve(came.destination)
        if route.refused is not None:
            return NOT_OURS
        if route.accepts is Accepts.PASSWORD:
            return TO_PASSWORDS
        text = came.alphabet.decode(came.octets, came.data_coding)
        return HIDDEN if tables.parse(text, route, came.source).hidden else ""
