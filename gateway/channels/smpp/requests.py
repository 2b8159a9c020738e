"""What an ESME may ask beside submit_sm and data_sm: submit_multi, questions about an SMS, broadcasts."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from types import MappingProxyType
from typing import Final

from gateway.channels.contract import ChannelOwner
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.enquiring import enquiry_of, is_id
from gateway.channels.smpp.multi import MOST_OCTETS, Destination, Multi, octets_of
from gateway.channels.smpp.reading import plain
from gateway.errors import Refusal, Verdict
from gateway.observer import Observer
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    QueryBroadcastSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)
from gateway.smpp.status import CommandStatus, name_of

_NEVER: Final[Mapping[type[Request], tuple[CommandStatus, str]]] = MappingProxyType(
    {
        BroadcastSm: (CommandStatus.RBCASTFAIL, "nothing is broadcast here"),
        QueryBroadcastSm: (CommandStatus.RBCASTQUERYFAIL, "nothing is broadcast here"),
        CancelBroadcastSm: (CommandStatus.RBCASTCANCELFAIL, "nothing is broadcast here"),
    }
)
"""Requests that always fail. To a peer older than 5.0 their status is ESME_RINVCMDID."""


class Requests:
    """Turns them into what the Channel contract says.

    Args:
        zone: of the times that are told.
        monotonic: seconds.
    """

    def __init__(
        self,
        alphabets: Mapping[str, Alphabet],
        owner: ChannelOwner,
        observer: Observer,
        zone: tzinfo,
        monotonic: Callable[[], float],
    ) -> None:
        self._alphabets = alphabets
        self._owner = owner
        self._observer = observer
        self._zone = zone
        self._monotonic = monotonic

    def requested(self, bind: SmppBind, request: Request) -> None:
        """A request came; it is answered now or later."""
        if not bind.permissions.permits(request.name):
            status = bind.statuses.of(request, Verdict.OPERATION_NOT_ALLOWED)
            self._refuse(bind, request, status, "not among the operations of the account")
        elif isinstance(request, SubmitMulti):
            self._submit(bind, request)
        elif isinstance(request, QuerySm | CancelSm | ReplaceSm):
            if is_id(request):
                self._owner.enquired(enquiry_of(bind, request, self._zone))
            else:
                self._refuse(bind, request, CommandStatus.RINVMSGID, "message_id is none that we gave")
        else:
            self._refuse(bind, request, *_NEVER[type(request)])

    def _refuse(self, bind: SmppBind, request: Request, status: int, reason: str) -> None:
        status_sent = bind.session.version.status(status)
        bind.session.refuse(request, status)
        self._observer.pdu_refused(
            bind.peer, bind.account, request.name, name_of(status_sent), request.sequence_number, reason
        )

    def _submit(self, bind: SmppBind, request: SubmitMulti) -> None:
        """One SMS for each destination."""
        if not request.dest_addresses:
            self._refuse(bind, request, CommandStatus.RINVNUMDESTS, "number_of_dests is 0")
            return
        if bind.undecided >= bind.session.limits.window_in:
            reason = f"window exceeded: {bind.undecided} destinations of submit_multi wait"
            self._refuse(bind, request, CommandStatus.RTHROTTLED, reason)
            return
        if (octets := octets_of(request)) > MOST_OCTETS:
            reason = f"{octets} octets of text for all destinations, at most {MOST_OCTETS}: send it to fewer"
            self._refuse(bind, request, CommandStatus.RINVMSGLEN, reason)
            return
        for alone, destination in Multi(bind.session, request).each():
            self._submit_one(bind, alone, destination)

    def _submit_one(self, bind: SmppBind, alone: SubmitSm, destination: Destination) -> None:
        bind.messages_in += 1
        alphabet, arrived = self._alphabets[bind.account], self._monotonic()
        try:
            inbound = bind.read(bind, alphabet, alone, arrived)
        except Refusal as refusal:
            status = bind.statuses.of(alone, refusal.verdict)
            destination.refuse(status)
            self._observer.rejected(
                bind,
                alone.sequence_number,
                alone.source_addr,
                alone.destination_addr,
                refusal.reason,
                name_of(bind.session.version.status(status)),
            )
            return
        except Exception as error:  # the boundary for bugs while an SMS is read: it is journaled as failed
            inbound = plain(bind, alphabet, alone, arrived)
            inbound.fault = error
        inbound.origin = destination
        bind.undecided += 1
        self._owner.received(inbound)
