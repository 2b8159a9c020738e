"""How the tables interpret a number and a text: the answers of `explain`."""

from collections.abc import Mapping
from typing import Any, Final

from commands.parser import MISUNDERSTOOD, Explained, Parser
from routing.model import Explanation
from routing.table import SECOND_NUMBER_REFUSED, Routing

REFUSED: Final = "refused"
"""The instruction of a text whose address or sender is refused."""


def route_values(routing: Routing, explanation: Explanation) -> dict[str, Any]:
    """An explained route for people: its province by code and name, without the rows that were considered."""
    found = explanation.as_dict()
    del found["considered"]
    province = routing.provinces.get(explanation.province or "")
    home = "" if explanation.route.refused else "the home of the sender"
    found["province"] = f"{province.code} {province.zh} {province.en}" if province else home
    return found


def refusal(routing: Routing, to: str, sender: str) -> tuple[str, str] | None:
    """The number that keeps an SMS from being read, and why; None: it is read.

    Args:
        to: the number that was texted.
        sender: the mobile that texted it, of 11 digits; "" if it is not known.
    """
    if refused := routing.resolve(to).refused:
        return to, refused
    if routing.main_number(sender) is None:
        return sender, SECOND_NUMBER_REFUSED
    return None


def text_values(routing: Routing, parser: Parser, text: str, to: str, sender: str) -> Explained:
    """How a text is read at an address that is not refused (refusal)."""
    return parser.explain(text, routing.resolve(to), routing.main_number(sender) or "")


def is_understood(values: Mapping[str, Any]) -> bool:
    """Whether Explained.as_dict tells of a text that was understood."""
    return values["instruction"] not in {MISUNDERSTOOD, REFUSED}
