"""What the SMPP driver does with the PDUs of a bound session, whoever dialled."""

from collections.abc import Callable, Mapping

from gateway.channels.contract import Bind, ChannelOwner, Loss
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.reading import Carrier, Read, Reader, plain, reader_of
from gateway.channels.smpp.receipting import receipt_of
from gateway.channels.smpp.resting import THROTTLING
from gateway.channels.smpp.terms import PeerTerms
from gateway.errors import Refusal
from gateway.message import MobileTerminated, message_id
from gateway.observer import Observer
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Pdu
from gateway.smpp.receipts import is_receipt
from gateway.smpp.status import Retry, name_of


class Traffic:
    """Turns PDUs into what the contract says. peers: by account. monotonic: seconds. now_ms: the wall clock
    (ms since the epoch)."""

    def __init__(
        self,
        peers: Mapping[str, PeerTerms],
        owner: ChannelOwner,
        observer: Observer,
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._peers = peers
        self._alphabets = {name: each.composition.alphabet for name, each in peers.items()}
        self._read = Reader(now_ms, self.odd).read
        self._owner = owner
        self._observer = observer
        self._monotonic = monotonic

    def reader_for(self, terms: PeerTerms) -> Read:
        """How the PDUs of an account or link are read. Make one for all its binds: they share its rate."""
        read = reader_of(self._read, terms.manner.prefix, terms.manner.passes)
        return terms.permissions.reader(read)

    def ready(self, bind: SmppBind) -> None:
        """The answer to the bind has been written."""
        self._owner.ready(bind)

    def submitted(self, bind: SmppBind, request: Carrier) -> None:
        """An SMS from a handset."""
        bind.messages_in += 1
        alphabet, arrived = self._alphabets[bind.account], self._monotonic()
        try:
            inbound = bind.read(bind, alphabet, request, arrived)
        except Refusal as refusal:
            if not self._is_receipt(bind, request, arrived):
                self._refuse(bind, request, refusal)
            return
        except Exception as error:  # the boundary for bugs while an SMS is read: it is journaled as failed
            inbound = plain(bind, alphabet, request, arrived)
            inbound.fault = error
        self._owner.received(inbound)

    def _is_receipt(self, bind: SmppBind, request: Carrier, arrived: float) -> bool:
        """Hand over a receipt: from a centre that we dialled, or from a peer that is asked for them."""
        if not is_receipt(request.esm_class) or (not bind.link and bind.receipts is None):
            return False
        bind.messages_in -= 1  # it is no SMS
        self._owner.receipted(receipt_of(bind, bind.receipt_ids, request, arrived))
        return True

    def _refuse(self, bind: SmppBind, request: Carrier, refusal: Refusal) -> None:
        status = bind.reject(request, refusal.verdict)
        self._observer.rejected(
            bind,
            request.sequence_number,
            request.source_addr,
            request.destination_addr,
            refusal.reason,
            status,
        )

    def odd(self, bind: Bind, request: Carrier, reason: str) -> None:
        """Something about an SMS does no harm (gateway.channels.smpp.reading.Note)."""
        self._observer.pdu_noted(bind.peer, bind.account, request.name, reason)

    def answered(self, bind: SmppBind, context: object, response: Pdu) -> None:
        """An SMS to a handset was answered."""
        if not isinstance(context, MobileTerminated):
            return
        status = response.command_status
        if status == 0:
            if context.parts_done + 1 >= context.parts:
                bind.messages_out += 1
            self._owner.sent(bind, context, str(getattr(response, "message_id", "")))
            return
        retry = bind.statuses.retry(status) is not Retry.PERMANENT
        bind.throttled += retry
        if status in THROTTLING:
            bind.slow_down()
        self._owner.refused(bind, context, name_of(status), retry=retry)

    def timed_out(self, bind: SmppBind, context: object) -> None:
        """An SMS to a handset was not answered in time."""
        if not isinstance(context, MobileTerminated):
            return
        bind.overdue.add(context)
        bind.ending = bind.ending or bind.if_unanswered == "reconnect"
        self._owner.unknown(bind, context)
        if bind.ending:
            bind.abort(f"an SMS was not answered within {bind.response_timeout:g} s")

    def late(self, bind: SmppBind, context: object, response: Pdu) -> None:
        """An SMS to a handset was answered after the response timer."""
        if not isinstance(context, MobileTerminated):
            return
        status = response.command_status
        if not bind.overdue.answered(context, bind.account):
            reason = f"the response to a part of {message_id(context.number)} that has left again"
            self._observer.pdu_noted(bind.peer, bind.account, response.name, reason)
        elif status == 0:
            self._owner.late(bind, context, str(getattr(response, "message_id", "")))
        else:
            retry = bind.statuses.retry(status) is not Retry.PERMANENT
            self._owner.late_refused(bind, context, name_of(status), retry=retry)

    def congested(self, bind: SmppBind, state: int) -> None:
        """The peer said how busy it is."""
        bind.congested(state)

    def settled(self, bind: SmppBind) -> None:
        """The window has room."""
        self._owner.settled(bind)

    def lost(self, bind: SmppBind, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bind is gone."""
        bind.stop()
        self._observer.bind_closed(bind, reason, len(contexts))
        unanswered = [each for each in contexts if isinstance(each, MobileTerminated)]
        self._owner.lost(bind, unanswered, Loss(reason, polite, bind.session.silent or bind.ending))

    def disconnected(self) -> None:
        """A connection is gone."""
        self._owner.disconnected()

    def broken(self, error: Exception) -> None:
        """A bug met something that came on a bind."""
        self._observer.broken("bind", error)

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """An oddity of a peer."""
        if isinstance(event, Refused):
            status = name_of(event.command_status)
            self._observer.pdu_refused(
                peer, account, event.command, status, event.sequence_number, event.reason
            )
        else:
            command = event.pdu.name if event.pdu is not None else ""
            self._observer.pdu_noted(peer, account, command, event.reason)
