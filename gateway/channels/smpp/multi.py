"""submit_multi: one request, an SMS for each of its destinations, and one response when all are decided."""

from collections.abc import Callable, Iterator
from typing import Final

from gateway.smpp.pdus import SubmitMulti, SubmitMultiResp, SubmitSm
from gateway.smpp.session import Session
from gateway.smpp.status import CommandStatus
from gateway.smpp.wire import DistributionList, SmeAddress, UnsuccessSme

_ROK: Final = int(CommandStatus.ROK)


class Destination:
    """The origin of the SMS to one destination (gateway.channels.contract.Inbound).

    Both calls give by how many the answers have become more that are accepted and held. name: gives, for the
    id of this SMS, the one that its receipts have.
    """

    __slots__ = ("_decide", "_place", "name")

    def __init__(
        self, decide: Callable[[int, int, str], int], place: int, name: Callable[[str], str] = str
    ) -> None:
        self._decide = decide
        self._place = place
        self.name = name

    def accept(self, message_id: str) -> int:
        """It is stored and executed."""
        return self._decide(self._place, _ROK, message_id)

    def refuse(self, status: int) -> int:
        """It is not taken."""
        return self._decide(self._place, status, "")


class Multi:
    """A submit_multi whose destinations are decided one by one, in any order.

    The response names the first SMS that was accepted, and each destination that was not, with its status.
    Where none was accepted it has the status of the first. A distribution list is refused at once: there are
    none here. Receipts name the SMS that the response names: no other id is ever told.
    """

    __slots__ = ("_decided", "_held", "_left", "_name", "_request", "_session")

    def __init__(self, session: Session, request: SubmitMulti) -> None:
        self._session = session
        self._request = request
        self._left = len(request.dest_addresses)
        self._held = 0
        self._name = ""
        self._decided: list[tuple[int, str]] = [(_ROK, "")] * self._left

    def each(self) -> Iterator[tuple[SubmitSm, Destination]]:
        """For each mobile or number: the request as if it were for this one alone, and what answers it."""
        lists = []
        for place, to in enumerate(self._request.dest_addresses):
            if isinstance(to, SmeAddress):
                yield _alone(self._request, to), Destination(self._decide, place, self._named)
            else:
                lists.append(place)
        only_lists = len(lists) == len(self._decided)
        for place in lists:
            self._decide(place, CommandStatus.RCNTSUBDL if only_lists else CommandStatus.RINVDLNAME, "")

    def _named(self, message_id: str) -> str:
        """The id that receipts have: that of the first SMS that is to have one."""
        self._name = self._name or message_id
        return self._name

    def _decide(self, place: int, status: int, message_id: str) -> int:
        self._decided[place] = (self._session.version.status(status), message_id)
        self._left -= 1
        if self._left:
            self._held += not status
            return not status
        self._session.answer(self._request, self._response())
        return -self._held

    def _response(self) -> SubmitMultiResp:
        pairs = zip(self._request.dest_addresses, self._decided, strict=True)
        refused = tuple(_unsuccess(to, status) for to, (status, _) in pairs if status)
        accepted = [message_id for status, message_id in self._decided if not status]
        if accepted:
            return SubmitMultiResp(message_id=self._name or accepted[0], unsuccess_smes=refused)
        return SubmitMultiResp(command_status=self._decided[0][0], unsuccess_smes=refused)


def _alone(request: SubmitMulti, to: SmeAddress) -> SubmitSm:
    """A submit_sm that says the same to one destination."""
    return SubmitSm(
        sequence_number=request.sequence_number,
        service_type=request.service_type,
        source_addr_ton=request.source_addr_ton,
        source_addr_npi=request.source_addr_npi,
        source_addr=request.source_addr,
        dest_addr_ton=to.dest_addr_ton,
        dest_addr_npi=to.dest_addr_npi,
        destination_addr=to.destination_addr,
        esm_class=request.esm_class,
        protocol_id=request.protocol_id,
        priority_flag=request.priority_flag,
        schedule_delivery_time=request.schedule_delivery_time,
        validity_period=request.validity_period,
        registered_delivery=request.registered_delivery,
        replace_if_present_flag=request.replace_if_present_flag,
        data_coding=request.data_coding,
        sm_default_msg_id=request.sm_default_msg_id,
        short_message=request.short_message,
        tlvs=request.tlvs,
    )


def _unsuccess(to: SmeAddress | DistributionList, status: int) -> UnsuccessSme:
    """An entry of unsuccess_smes; a list stands there under its name (SMPP 3.4 section 5.2.26)."""
    if isinstance(to, DistributionList):
        return UnsuccessSme(0, 0, to.dl_name, status)
    return UnsuccessSme(to.dest_addr_ton, to.dest_addr_npi, to.destination_addr, status)
