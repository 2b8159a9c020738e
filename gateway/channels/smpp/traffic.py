"""What the SMPP driver does with the PDUs of a bound session, whoever dialled."""

from collections.abc import Callable, Mapping

from gateway.channels.contract import ChannelOwner, Loss
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.reading import plain, read
from gateway.channels.smpp.verdicts import STATUS
from gateway.errors import Refusal
from gateway.message import MobileTerminated
from gateway.observer import Observer
from gateway.smpp.coding import Alphabet
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.status import Retry, name_of, retry_class


class Traffic:
    """Turns PDUs into what the contract says. alphabets: by account. monotonic: seconds."""

    def __init__(
        self,
        alphabets: Mapping[str, Alphabet],
        owner: ChannelOwner,
        observer: Observer,
        monotonic: Callable[[], float],
    ) -> None:
        self._alphabets = alphabets
        self._owner = owner
        self._observer = observer
        self._monotonic = monotonic

    def ready(self, bind: SmppBind) -> None:
        """The answer to the bind has been written."""
        self._owner.ready(bind)

    def submitted(self, bind: SmppBind, request: SubmitSm | DataSm | DeliverSm) -> None:
        """An SMS from a handset."""
        bind.messages_in += 1
        alphabet, arrived = self._alphabets[bind.account], self._monotonic()
        try:
            inbound = read(bind, alphabet, request, arrived)
        except Refusal as refusal:
            self._refuse(bind, request, refusal)
            return
        except Exception as error:  # the boundary for bugs while an SMS is read: it is journaled as failed
            inbound = plain(bind, alphabet, request, arrived)
            inbound.fault = error
        self._owner.received(inbound)

    def _refuse(self, bind: SmppBind, request: SubmitSm | DataSm | DeliverSm, refusal: Refusal) -> None:
        bind.session.refuse(request, STATUS[refusal.verdict])
        self._observer.rejected(
            bind,
            request.sequence_number,
            request.source_addr,
            request.destination_addr,
            refusal.reason,
            name_of(STATUS[refusal.verdict]),
        )

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
        retry = retry_class(status) is not Retry.PERMANENT
        bind.throttled += retry
        self._owner.refused(bind, context, name_of(status), retry=retry)

    def timed_out(self, bind: SmppBind, context: object) -> None:
        """An SMS to a handset was not answered in time."""
        if isinstance(context, MobileTerminated):
            self._owner.unknown(bind, context)

    def settled(self, bind: SmppBind) -> None:
        """The window has room."""
        self._owner.settled(bind)

    def lost(self, bind: SmppBind, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bind is gone."""
        self._observer.bind_closed(bind, reason, len(contexts))
        unanswered = [each for each in contexts if isinstance(each, MobileTerminated)]
        self._owner.lost(bind, unanswered, Loss(reason, polite, bind.session.silent))

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
