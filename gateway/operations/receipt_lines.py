"""Writes the log lines about receipts."""

from typing import Any

from gateway.message import NONE_CAME, Delivery, EarlyReceipt, MobileTerminated, PartReceipt, message_id
from gateway.observer import Observer, Remote


class ReceiptLines(Observer):
    """The part of the event log that concerns receipts. _log: writes a line. _unmatched: limits its rate."""

    _log: Any
    _unmatched: Any

    def receipted(self, part: PartReceipt) -> None:
        """sms.receipted: what a receipt says of a part, or that none has come in time."""
        outcome = part.state.name.lower()
        if part.state is Delivery.SENT:
            outcome = "unknown" if part.error == NONE_CAME else "under way"
        write = self._log.info if outcome in {"delivered", "under way"} else self._log.warning
        write(
            "sms.receipted",
            message_id=message_id(part.number),
            msisdn=part.msisdn,
            system_id=part.account,
            part=part.part,
            parts=part.parts,
            remote_id=part.remote_id,
            outcome=outcome,
            said=part.said,
            error=part.error,
            latency_ms=max(0, part.receipted_at - part.at) if part.receipted_at else None,
        )

    def receipt_contradicts(self, part: PartReceipt, said: str) -> None:
        """receipt.contradicts: the first final receipt stays."""
        self._log.warning(
            "receipt.contradicts",
            message_id=message_id(part.number),
            msisdn=part.msisdn,
            system_id=part.account,
            part=part.part,
            remote_id=part.remote_id,
            said=said,
            kept=part.said,
        )

    def receipt_unmatched(self, receipt: EarlyReceipt, reason: str) -> None:
        """receipt.unmatched: nobody knows which SMS it is of."""
        suppressed = self._unmatched.suppressed()
        if suppressed is None:
            return
        self._log.warning(
            "receipt.unmatched",
            system_id=receipt.account,
            remote_id=receipt.remote_id,
            said=receipt.said,
            error=receipt.error,
            source=receipt.source,
            destination=receipt.destination,
            reason=reason,
            suppressed=suppressed,
        )

    def _receipt_sent(self, sms: MobileTerminated, remote: Remote) -> None:
        """receipt.sent: a peer took a receipt that it had asked for."""
        self._log.info(
            "receipt.sent",
            message_id=message_id(sms.number),
            cause_id=message_id(sms.cause),
            system_id=remote.account,
            session=remote.number,
            attempts=sms.attempts,
            repeat=sms.repeat,
        )
