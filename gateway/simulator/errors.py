"""The errors of the simulator.

::

    SimulatorError
    ├── NotConnectedError    no connection to the gateway, or it was lost
    ├── BindRefusedError     the gateway does not take the bind
    ├── SubmitRefusedError   the gateway answered an SMS with an error
    ├── NoResponseError      the gateway did not answer an SMS in time; it may have it all the same
    ├── CannotSendError      the text does not fit the wished encoding, or is too long
    ├── MailboxFullError     more unread SMS, or parts of unfinished ones, than a handset keeps
    ├── MissedError          the awaited SMS did not come in time, an AssertionError (gateway.simulator.sms)
    ├── UnexpectedError      an SMS came that should not, an AssertionError (gateway.simulator.sms)
    ├── ScenarioError        a scenario file with faults (gateway.simulator.scenario)
    ├── NoClockError         a scenario waits where no clock can be moved (gateway.simulator.runner)
    └── StepFailedError      a step of a scenario failed (gateway.simulator.runner)
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ESME_RINVPASWD": ": --system-id and --password must be those of an account of the gateway",
        "ESME_RINVDSTADR": ": fetion-gateway explain route {destination} says why",
    }
)
"""Advice for a command_status, shown after its name."""


class SimulatorError(Exception):
    """Root of everything that the simulator raises on purpose."""


class NotConnectedError(SimulatorError):
    """There is no connection to the gateway, or it was lost; the text says why."""


class BindRefusedError(SimulatorError):
    """The gateway refused the bind. status: name of its command_status, such as ESME_RINVPASWD."""

    def __init__(self, system_id: str, status: str) -> None:
        remedy = _REMEDIES.get(status, "")
        super().__init__(f"bind of {system_id!r} refused: {status}{remedy}")
        self.status = status


class SubmitRefusedError(SimulatorError):
    """The gateway answered an SMS with an error. status: name of its command_status."""

    def __init__(self, destination: str, status: str) -> None:
        remedy = _REMEDIES.get(status, "").format(destination=destination)
        super().__init__(f"SMS to {destination} refused: {status}{remedy}")
        self.status = status


class NoResponseError(SimulatorError):
    """The gateway did not answer an SMS within the response timer; it may have executed it."""


class CannotSendError(SimulatorError):
    """The text does not fit the chosen encoding, or is too long for it."""


class MailboxFullError(SimulatorError):
    """The handset is full."""


class UnknownHandsetError(SimulatorError):
    """A centre has no such handset."""
