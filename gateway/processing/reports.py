"""Receipts that senders of SMS ask of us: SMS of their own, made with the commit that executed the cause.

What a sender wants is SMPP's registered_delivery (Inbound.registered, StoredPart.registered). Bits 0 and 1
ask an SMS centre, which we are to a peer that has bound to us: 1 always, 2 on failure, 3 on success. Bits 2
and 3 ask the receiver, which we always are: executed is delivered, and read. An intermediate notification
(0x10) never exists: an SMS is executed at once. See docs/decisions/022-receipts.md.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from commands.model import Result
from gateway.channels.contract import Bind, Fate, Report
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import SHORT, GivenUp
from gateway.message import PART, Kind, MobileTerminated, message_id
from gateway.message_numbers import MessageNumbers
from gateway.processing.handled import Handled
from gateway.processing.prepared import Prepared

EXPIRY_MS: Final = 24 * 3600 * 1000
"""How long the gateway tries to deliver a receipt."""
_CENTRE: Final = 0x03
_RECEIVER: Final = 0x0C
_FAILED: Final = Result.FAILED.value
_WANTED: Final[Mapping[int, tuple[bool, bool]]] = {
    0: (False, False),
    1: (True, True),
    2: (False, True),
    3: (True, False),
}
"""By bits 0 and 1: whether a receipt of success, and one of failure, is wanted."""


def kinds_of(registered: int, *, dialled: bool, delivered: bool) -> Iterator[Kind]:
    """Which receipts a sender gets. dialled: it is a centre that we dialled, and we are none to it."""
    success, failure = _WANTED[registered & _CENTRE]
    if not dialled and (success if delivered else failure):
        yield Kind.RECEIPT
    if registered & _RECEIVER:
        yield Kind.ACKNOWLEDGEMENT


class Reports:
    """Makes them. makers: by account, how its protocol writes one."""

    def __init__(self, numbers: MessageNumbers, makers: Mapping[str, Report]) -> None:
        self._numbers = numbers
        self._makers = makers

    def add(self, prepared: Prepared, now_ms: int) -> None:
        """Add to a commit the receipts of what it executes, and of messages that it gives up."""
        outgoing = prepared.commit.outgoing
        for handled in prepared.done:
            m = handled.m
            if (m.came.registered or m.asked) and handled.result != PART:
                outgoing += self._of(handled, now_ms)
        for each in prepared.given_up:
            if each.asked:
                outgoing += self._of_lost(each, now_ms)

    def _of(self, handled: Handled, now_ms: int) -> Iterator[MobileTerminated]:
        """Of an SMS, and of the parts that were joined into it."""
        m, delivered = handled.m, handled.result != _FAILED
        came = m.came
        own = came.bind.given_id(message_id(m.number), came.origin)
        for number, registered, at in (*m.asked, (m.number, came.registered, m.at)):
            named, short = (own, False) if number == m.number else (message_id(number), _is_short(registered))
            fate = Fate(named, delivered, at, now_ms, short)
            for kind in kinds_of(registered, dialled=bool(came.bind.link), delivered=delivered):
                if sms := self._row(kind, number, fate, came.bind.account, now_ms):
                    _answering(sms, m, came.bind)
                    yield sms

    def _of_lost(self, given_up: GivenUp, now_ms: int) -> Iterator[MobileTerminated]:
        """Of the parts of a message that will not be complete: none of them was executed."""
        first = given_up.first
        for number, registered, at in given_up.asked:
            short = _is_short(registered)
            fate = Fate(message_id(number), delivered=False, came_at=at, over_at=now_ms, short=short)
            for kind in kinds_of(registered, dialled=False, delivered=False):
                if kind is Kind.RECEIPT and (sms := self._row(kind, number, fate, first.account, now_ms)):
                    sms.source, sms.destination, sms.ton, sms.npi = (
                        first.destination,
                        first.source,
                        first.ton,
                        first.npi,
                    )
                    yield sms

    def _row(self, kind: Kind, cause: int, fate: Fate, account: str, now_ms: int) -> MobileTerminated | None:
        maker = self._makers.get(account)
        if maker is None:
            return None
        text, tlvs = maker(fate)
        return MobileTerminated(
            self._numbers.draw(),
            cause,
            "",
            account,
            0,
            "",
            "",
            0,
            1,
            text,
            now_ms,
            now_ms + EXPIRY_MS,
            kind=kind,
            tlvs=tlvs,
        )


def _is_short(registered: int) -> bool:
    """Whether the sender of a part was told the end of its id only."""
    return bool(registered & SHORT)


def _answering(sms: MobileTerminated, m: MobileOriginated, bind: Bind) -> None:
    """It goes back to where its cause came from: the addresses change places."""
    came = m.came
    sms.bind = bind.number
    sms.source, sms.source_ton, sms.source_npi = came.destination, came.destination_ton, came.destination_npi
    sms.destination, sms.ton, sms.npi = came.source, came.source_ton, came.source_npi
