"""What SMPP says for a verdict, and what its statuses mean for an SMS that we sent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.channels.smpp.settings import Errors
from gateway.errors import Verdict
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import DeliverSm
from gateway.smpp.status import CommandStatus, Retry, retry_class

STATUS: Final[Mapping[Verdict, CommandStatus]] = MappingProxyType(
    {
        Verdict.NOT_A_MESSAGE: CommandStatus.RINVESMCLASS,
        Verdict.BAD_SOURCE: CommandStatus.RINVSRCADR,
        Verdict.UNKNOWN_DESTINATION: CommandStatus.RINVDSTADR,
        Verdict.UNREADABLE: CommandStatus.RINVMSGLEN,
        Verdict.BAD_SCHEDULE: CommandStatus.RINVSCHED,
        Verdict.BAD_VALIDITY: CommandStatus.RINVEXPIRY,
        Verdict.EXPIRED: CommandStatus.RINVEXPIRY,
        Verdict.BAD_REPLACE: CommandStatus.RINVREPFLAG,
        Verdict.PREDEFINED: CommandStatus.RINVDFTMSGID,
        Verdict.SOURCE_NOT_ALLOWED: CommandStatus.RINVSRCADR,
        Verdict.CODE_NOT_ALLOWED: CommandStatus.RINVDSTADR,
        Verdict.OPERATION_NOT_ALLOWED: CommandStatus.RPROHIBITED,
        Verdict.TOO_FAST: CommandStatus.RTHROTTLED,
        Verdict.QUEUE_FULL: CommandStatus.RMSGQFUL,
        Verdict.OUTBOX_FULL: CommandStatus.RMSGQFUL,
        Verdict.STOPPING: CommandStatus.RMSGQFUL,
        Verdict.STORE_FULL: CommandStatus.RMSGQFUL,
        Verdict.STORE_FAULT: CommandStatus.RSYSERR,
    }
)
"""command_status of the response to a request of an ESME, and of a data_sm_resp (SMPP 3.4 section 5.1.3); a
peer that does not know it gets another one (gateway.smpp.versions)."""

DELIVERED: Final[Mapping[Verdict, CommandStatus]] = MappingProxyType(
    {
        Verdict.NOT_A_MESSAGE: CommandStatus.RX_R_APPN,
        Verdict.BAD_SOURCE: CommandStatus.RX_R_APPN,
        Verdict.UNKNOWN_DESTINATION: CommandStatus.RX_R_APPN,
        Verdict.UNREADABLE: CommandStatus.RX_P_APPN,
        Verdict.BAD_SCHEDULE: CommandStatus.RX_P_APPN,
        Verdict.BAD_VALIDITY: CommandStatus.RX_P_APPN,
        Verdict.EXPIRED: CommandStatus.RX_R_APPN,
        Verdict.BAD_REPLACE: CommandStatus.RX_P_APPN,
        Verdict.PREDEFINED: CommandStatus.RX_P_APPN,
        Verdict.SOURCE_NOT_ALLOWED: CommandStatus.RX_R_APPN,
        Verdict.CODE_NOT_ALLOWED: CommandStatus.RX_R_APPN,
        Verdict.OPERATION_NOT_ALLOWED: CommandStatus.RX_R_APPN,
        Verdict.TOO_FAST: CommandStatus.RX_T_APPN,
        Verdict.QUEUE_FULL: CommandStatus.RX_T_APPN,
        Verdict.OUTBOX_FULL: CommandStatus.RX_T_APPN,
        Verdict.STOPPING: CommandStatus.RX_T_APPN,
        Verdict.STORE_FULL: CommandStatus.RX_T_APPN,
        Verdict.STORE_FAULT: CommandStatus.RX_T_APPN,
    }
)
"""command_status of a deliver_sm_resp: the three that SMPP has for an ESME. RX_T_APPN: it may come again;
RX_P_APPN: it cannot be read; RX_R_APPN: it is not wanted."""


class Statuses:
    """Verdicts to statuses and back, for one bind.

    errors: what the peer wants and gives beside the usual ones.
    """

    __slots__ = ("_delivered", "_retries", "_usual")

    def __init__(self, errors: Errors) -> None:
        wanted = {Verdict[name.upper()]: status for name, status in errors.send.items()}
        self._usual: Mapping[Verdict, int] = {**STATUS, **wanted}
        self._delivered: Mapping[Verdict, int] = {**DELIVERED, **wanted}
        self._retries: Mapping[int, Retry] = {
            **dict.fromkeys(errors.temporary, Retry.TEMPORARY),
            **dict.fromkeys(errors.permanent, Retry.PERMANENT),
        }

    def of(self, request: Request, verdict: Verdict) -> int:
        """The command_status with which a request is answered."""
        return (self._delivered if type(request) is DeliverSm else self._usual)[verdict]

    def submitted(self, verdict: Verdict) -> int:
        """The same for what an ESME has submitted."""
        return self._usual[verdict]

    def retry(self, command_status: int) -> Retry:
        """What becomes of an SMS of ours that was answered so; an unknown status is permanent."""
        return self._retries.get(command_status) or retry_class(command_status)


USUAL: Final = Statuses(Errors())
"""Of a peer without wishes."""
