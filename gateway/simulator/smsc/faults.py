"""What a simulated SMS centre does wrong: a YAML file with a closed schema (docs/smsc.md).

::

    swallow: {share: 0.05}                        # one response of twenty never comes
    throttle: {share: 0.2, from: 100, until: 500} # of the SMS number 100 to 499
    cut: {every: 50}                              # behind each fiftieth SMS
    receipts: {delay: [0.1, 2], states: {DELIVRD: 9, UNDELIV: 1}}
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.smpp.status import CommandStatus
from routing.tablefile import Closed, Fault, Located, TableError, load

IdForm: TypeAlias = Literal["hex", "decimal", "text"]
"""How a number of an SMS is written: 1F, 31, or smsc-31."""

STATES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "ENROUTE": 1,
        "DELIVRD": 2,
        "EXPIRED": 3,
        "DELETED": 4,
        "UNDELIV": 5,
        "ACCEPTD": 6,
        "UNKNOWN": 7,
        "REJECTD": 8,
    }
)
"""The states of SMPP 3.4 Appendix B, and message_state of each (section 5.2.28)."""


def _status(value: object) -> object:
    """A command_status by its name, such as RTHROTTLED, or by its number."""
    if not isinstance(value, str):
        return value
    try:
        return int(CommandStatus[value.removeprefix("ESME_")])
    except KeyError:
        raise ValueError("must be a number, or the name of a command_status such as RTHROTTLED") from None


def _span(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("must be the least and the most, in this order")
    return span


def _known_states(states: Mapping[str, float]) -> Mapping[str, float]:
    if not states or not states.keys() <= STATES.keys() or not sum(states.values()):
        raise ValueError(f"must be some of {', '.join(STATES)}, each with its share")
    return states


Status: TypeAlias = Annotated[int, BeforeValidator(_status), Field(gt=0, le=0xFFFFFFFF)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=3600)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Span: TypeAlias = Annotated[tuple[Seconds, Seconds], AfterValidator(_span)]
Weight: TypeAlias = Annotated[float, Field(ge=0, le=1_000_000)]
Number: TypeAlias = Annotated[int, Field(ge=1)]


class Rule(Closed):
    """When a fault happens. share: of those it may happen to. from, until: the number of the first, counted
    from 1, and of the first no longer. every: only each so-manieth of them."""

    share: Share = 1.0
    first: Number = Field(default=1, alias="from")
    until: Number | None = None
    every: Number = 1


class Delay(Rule):
    """seconds: the least and the most, evenly distributed."""

    seconds: Span = (0.05, 0.5)


class Refusal(Rule):
    """status: what is answered instead."""

    status: Status = int(CommandStatus.RSYSERR)


class Throttle(Rule):
    """above: SMS within a second that are not throttled; 0: the share says it alone."""

    status: Status = int(CommandStatus.RTHROTTLED)
    above: Annotated[int, Field(ge=0)] = 0


class Slow(Rule):
    """seconds: for which nothing is read."""

    seconds: Seconds = 1.0


class Receipts(Closed):
    """Receipts of SMS that ask for them (registered_delivery).

    delay: seconds behind the response. states: the final ones, by their shares. id: how receipts write the
    number of the SMS; null: as the response did. The others are shares: before_response: written before the
    response; never: none is sent; wrong_id: with the number of no SMS; twice; intermediate: ENROUTE comes
    first, where the SMS asks for intermediate notifications.
    """

    delay: Span = (0.0, 0.0)
    states: Annotated[Mapping[str, Weight], AfterValidator(_known_states)] = {"DELIVRD": 1.0}
    id: IdForm | None = None
    before_response: Share = 0.0
    never: Share = 0.0
    wrong_id: Share = 0.0
    twice: Share = 0.0
    intermediate: Share = 1.0


class Faults(Closed):
    """All faults; one that is absent never happens.

    Counted in SMS that an ESME sends; of those down to `silence` an SMS has one at most, the first that is
    drawn. Taken (the SMS reaches its handset): swallow: no response. wrong_sequence: the response has the
    number of no request. wrong_command: it is one of another command. unbind: we unbind behind the response.
    Not taken: throttle, nack: a status, or generic_nack with one. garbage: octets that are no PDU. cut: the
    connection is gone. silence: nothing is read or answered any more, and the connection stands.
    delay: responses are late. slow: for some seconds nothing is read.

    Counted in connections: accept_then_cut. In binds: refuse_bind. In deliver_sm that were answered: again:
    it comes once more all the same.
    """

    throttle: Throttle | None = None
    nack: Refusal | None = None
    swallow: Rule | None = None
    wrong_sequence: Rule | None = None
    wrong_command: Rule | None = None
    garbage: Rule | None = None
    cut: Rule | None = None
    unbind: Rule | None = None
    silence: Rule | None = None
    delay: Delay | None = None
    slow: Slow | None = None
    accept_then_cut: Rule | None = None
    refuse_bind: Refusal | None = None
    again: Rule | None = None
    receipts: Receipts = Receipts()


def load_faults(path: Path) -> Faults:
    """Read a file of faults. Raises TableError with every fault of the file itself."""
    return load(path, Faults)


def faults_of(values: Mapping[str, object]) -> Faults:
    """The same from a mapping, as tests write it. Raises TableError."""
    located: Located[object] = Located(values, "faults", {})
    try:
        return located.into(Faults).value
    except TableError as error:
        raise TableError(Fault("faults", 0, each.key, each.reason) for each in error.faults) from None
