"""What SMPP says for a verdict, and what its answers mean for an SMS that we sent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.errors import Verdict
from gateway.smpp.status import CommandStatus

STATUS: Final[Mapping[Verdict, CommandStatus]] = MappingProxyType(
    {
        Verdict.NOT_A_MESSAGE: CommandStatus.RINVESMCLASS,
        Verdict.BAD_SOURCE: CommandStatus.RINVSRCADR,
        Verdict.UNKNOWN_DESTINATION: CommandStatus.RINVDSTADR,
        Verdict.UNREADABLE: CommandStatus.RINVMSGLEN,
        Verdict.QUEUE_FULL: CommandStatus.RMSGQFUL,
        Verdict.OUTBOX_FULL: CommandStatus.RMSGQFUL,
        Verdict.STOPPING: CommandStatus.RMSGQFUL,
        Verdict.STORE_FULL: CommandStatus.RMSGQFUL,
        Verdict.STORE_FAULT: CommandStatus.RSYSERR,
    }
)
"""command_status of a submit_sm_resp or data_sm_resp (SMPP 3.4 section 5.1.3)."""

DELIVERY_STATUS: Final[Mapping[Verdict, CommandStatus]] = MappingProxyType(
    {**STATUS, Verdict.STORE_FAULT: CommandStatus.RX_T_APPN}
)
"""The same of a deliver_sm_resp, where an ESME has a status of its own for a temporary fault."""
