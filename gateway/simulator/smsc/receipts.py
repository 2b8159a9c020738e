"""The receipts of a simulated SMS centre (SMPP 3.4 Appendix B): which come, when, and their PDUs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.simulator.smsc.dice import Dice
from gateway.simulator.smsc.faults import STATES, IdForm
from gateway.simulator.smsc.ledger import Submission
from gateway.smpp.pdus import DeliverSm

RECEIPT: Final = 0x04
NOTIFICATION: Final = 0x20
"""esm_class of a receipt, and of an intermediate notification (SMPP 3.4 section 5.2.12)."""

_RECEIPTED_MESSAGE_ID: Final = 0x001E
_MESSAGE_STATE: Final = 0x0427
_ASKED: Final = MappingProxyType({1: frozenset(STATES), 2: frozenset(STATES) - {"DELIVRD"}, 3: {"DELIVRD"}})
"""For which states a registered_delivery asks, by its two lowest bits (SMPP 3.4 section 5.2.17; 3: 5.0)."""
_INTERMEDIATE: Final = 0x10
_FAR: Final = 10**6
"""How far a wrong number is from the right one."""

FORMS: Final[MappingProxyType[IdForm, Callable[[int], str]]] = MappingProxyType(
    {"hex": lambda number: f"{number:X}", "decimal": str, "text": lambda number: f"smsc-{number}"}
)
"""How the number of an SMS is written."""


@dataclass(slots=True)
class Planned:
    """A receipt that will be sent. delay: seconds behind the response; None: before it."""

    pdu: DeliverSm
    delay: float | None


def plan(request: Submission, number: int, form: IdForm, dice: Dice, now: datetime) -> Iterator[Planned]:
    """The receipts of an SMS that was taken under this number, in their order. now: local time."""
    rules = dice.faults.receipts
    state = dice.state()
    asked = _ASKED.get(request.registered_delivery & 3, frozenset())
    if dice.share(rules.never):
        return
    delay = None if dice.share(rules.before_response) else dice.random.uniform(*rules.delay)
    message_id = FORMS[rules.id or form](number + _FAR if dice.share(rules.wrong_id) else number)
    if request.registered_delivery & _INTERMEDIATE and dice.share(rules.intermediate):
        yield Planned(_pdu(request, message_id, "ENROUTE", NOTIFICATION, now), delay)
    if state in asked:
        for _ in range(1 + dice.share(rules.twice)):
            yield Planned(_pdu(request, message_id, state, RECEIPT, now), delay)


def _pdu(request: Submission, message_id: str, state: str, esm_class: int, now: datetime) -> DeliverSm:
    at = now.strftime("%y%m%d%H%M")
    delivered = state == "DELIVRD"
    text = (
        f"id:{message_id} sub:001 dlvrd:{int(delivered):03} submit date:{at} done date:{at}"
        f" stat:{state} err:{0 if delivered else 1:03} text:"
    )
    return DeliverSm(
        source_addr_ton=request.dest_addr_ton,
        source_addr_npi=request.dest_addr_npi,
        source_addr=request.destination_addr,
        dest_addr_ton=request.source_addr_ton,
        dest_addr_npi=request.source_addr_npi,
        destination_addr=request.source_addr,
        esm_class=esm_class,
        short_message=text.encode("ascii"),
        tlvs={_RECEIPTED_MESSAGE_ID: message_id, _MESSAGE_STATE: STATES[state]},
    )
