"""The OBSERVER contract: what the gateway says while it works.

The event log (gateway.operations.event_log) is one observer; metrics are another. An observer overrides what
it is interested in; to add one is to pass it to Gateway. An observer:

1. returns at once: it is called in the event loop's thread, on the way of every SMS;
2. keeps nothing of what it is given but plain values;
3. raises nothing. What it raises is reported as a bug (broken), and changes nothing for the SMS nor for the
   other observers.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gateway.message import (
    Acted,
    Asked,
    Commit,
    EarlyReceipt,
    JournalEntry,
    MobileTerminated,
    PartReceipt,
    StoredEvent,
)


class Remote(Protocol):
    """Who is at the other end: a bind (gateway.channels.contract.Bind)."""

    @property
    def account(self) -> str:
        """The system_id of its account."""

    @property
    def peer(self) -> str:
        """Address and port."""

    @property
    def number(self) -> int:
        """Its number, unique in the lifetime of the store."""


class Observer:
    """Hears everything and does nothing."""

    # SMS from handsets

    def handled(
        self, entry: JournalEntry, remote: Remote, purpose: str, replies: int, latency: float, now_ms: int
    ) -> None:
        """An SMS was committed and answered at `now_ms`, `latency` seconds after it came."""

    def repeated(self, remote: Remote, sequence: int, msisdn: str, number: int) -> None:
        """A retransmission was answered with the number of the SMS that it repeats."""

    def rejected(
        self, remote: Remote, sequence: int, source: str, destination: str, reason: str, status: str
    ) -> None:
        """An SMS was answered negatively. status: the name that the protocol has for it."""

    def acted(self, acted: Acted, outcome: str) -> None:
        """An operator's action was committed. outcome: commands.model.Result."""

    def faulted(self, number: int, msisdn: str, instruction: str, error: Exception) -> None:
        """An SMS met a bug, or breaks a rule of the store."""

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """A long message was given up; so many of its parts had come."""

    def unrecognised(self, count: int) -> None:
        """Retransmissions of so many SMS will not be recognised: too many answers are in doubt."""

    # SMS to handsets

    def sent(self, sms: MobileTerminated, remote: Remote, latency: float, now_ms: int) -> None:
        """All parts were acknowledged at `now_ms`, `latency` seconds after the first one left."""

    def failed(self, sms: MobileTerminated, error: Exception | None = None) -> None:
        """An SMS will not be sent any more; sms.error says why. error: a bug of ours."""

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """An SMS waits: nobody takes it now, it was refused for a while, or it was not answered."""

    def parked(self, sms: MobileTerminated) -> None:
        """An SMS is parked; sms.error says why."""

    def late(self, sms: MobileTerminated, remote: Remote, *, twice: bool) -> None:
        """A peer has taken an SMS, or a part, after the response timer. twice: it had left again by then."""

    def moved(self, sms: MobileTerminated, before: str) -> None:
        """An SMS leaves through the backup of its account. before: the account that it had."""

    def receipted(self, part: PartReceipt) -> None:
        """A receipt said something of a part, and that is stored; or no final one has come in time
        (part.error is NONE_CAME)."""

    def receipt_contradicts(self, part: PartReceipt, said: str) -> None:
        """Another final receipt of a part says something else; the first one stays."""

    def receipt_unmatched(self, receipt: EarlyReceipt, reason: str) -> None:
        """No part is known that a receipt is of, or several are."""

    # Binds and connections

    def link_resting(self, link: str, seconds: float) -> None:
        """Too many SMS failed on a link: nothing leaves there for so long."""

    def link_rested(self, link: str) -> None:
        """It has rested: one SMS decides whether others leave there."""

    def bind_accepted(self, remote: Remote, mode: str, address_range: str) -> None:
        """Somebody has bound."""

    def bind_closed(self, remote: Remote, reason: str, unanswered: int) -> None:
        """A bind is gone, and so many requests of ours were not answered."""

    def bind_refused(self, peer: str, system_id: str, reason: str, status: str) -> None:
        """Somebody was not let in."""

    # Links to SMS centres. link: its name.

    def link_up(self, remote: Remote, link: str, mode: str) -> None:
        """A bind of ours stands."""

    def link_down(
        self, remote: Remote, link: str, mode: str, reason: str, unanswered: int, pause: float | None
    ) -> None:
        """It is gone, and so many requests of ours were not answered; it is dialled again in `pause` seconds,
        None: it is not."""

    def link_failed(
        self, link: str, account: str, mode: str, reason: str, failures: int, pause: float | None
    ) -> None:
        """A link could not be bound, for the so many-th time in a row; the next try is in `pause` seconds,
        None: when the centre comes."""

    def link_paused(self, link: str, *, paused: bool) -> None:
        """An operator has paused a link, or resumed it."""

    def outbind_sent(self, account: str, peer: str) -> None:
        """SMS wait for an account, and we have asked it to bind."""

    def outbind_failed(self, account: str, reason: str, failures: int, pause: float) -> None:
        """It could not be asked, or did not bind, for the so many-th time in a row; the next try is in
        `pause` seconds."""

    # Binds that peers make, and connections

    def useless_range(self, remote: Remote, reason: str) -> None:
        """The address_range of a bind asks for nothing that we understand."""

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was closed before it was bound."""

    def introduced(self, peer: str, balancer: str) -> None:
        """A balancer has named the peer of a connection."""

    def accepting(self, error: OSError | None, connections: int) -> None:
        """No connection can be taken, because of `error`; None: connections can be taken again."""

    def pdu_refused(
        self, peer: str, account: str, command: str, status: str, sequence: int, reason: str
    ) -> None:
        """A session answered a request by itself, negatively. account: empty before a bind."""

    def pdu_noted(self, peer: str, account: str, command: str, reason: str) -> None:
        """A peer did something odd that asks for nothing."""

    # TLS: of the listener, or of the link of that name

    def tls_loaded(self, name: str, subject: str, not_after: str) -> None:
        """New connections use the certificate that the files hold now. subject "": we show none."""

    def tls_refused(self, name: str, key: str, reason: str) -> None:
        """Files have changed and cannot be used: the ones before stay."""

    def tls_ending(self, name: str, subject: str, not_after: str, days: int) -> None:
        """Our certificate ends in so many days, below 0: it has ended."""

    def tls_unverified(self, name: str) -> None:
        """Nobody asks whether the peer is who it says."""

    # The console. number: by which a visitor and the log name a bug

    def console_login(self, account: str, remote: str) -> None:
        """Somebody has logged in."""

    def console_login_failed(self, account: str, remote: str, reason: str) -> None:
        """Somebody could not log in."""

    def console_refused(self, account: str, path: str, remote: str, reason: str) -> None:
        """A request was refused that no page of ours makes. account: "" where nobody is logged in."""

    def console_broken(self, number: str, path: str, error: Exception) -> None:
        """A bug met a page."""

    # Events to consumers. failures: how many tries in a row failed; told for the 1st, 2nd, 4th, 8th ...

    def events_deferred(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
        """A consumer, or the store, could not take something now; the next try is in `pause` seconds."""

    def events_broken(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
        """A bug, of the consumer or of the relay; the next try is in `pause` seconds."""

    def events_resumed(self, consumer: str, failures: int, seconds: float) -> None:
        """A consumer takes events again, after so many failures in so many seconds."""

    def event_parked(self, consumer: str, event: StoredEvent, reason: str) -> None:
        """A consumer refused an event, for good or for a while."""

    def events_unparked(self, consumer: str, count: int) -> None:
        """A consumer has taken so many events that it had refused for a while."""

    def events_dropped(self, consumer: str, count: int) -> None:
        """So many events went before the consumer took them: too many, or too old."""

    def consumer_connected(self, consumer: str, peer: str, failures: int) -> None:
        """A consumer of events has reached its peer, after so many failures."""

    def consumer_denied(self, consumer: str, what: str, reason: str) -> None:
        """The peer of a consumer of events denies something that no event waits for."""

    def consumer_disconnected(self, consumer: str, peer: str, reason: str, failures: int) -> None:
        """A consumer of events has no connection to its peer, after so many failures in a row."""

    def consumer_left(self, consumer: str) -> None:
        """Another node has this consumer's work; told again and again."""

    # Provinces

    def province_refused(self, province: str, reason: str) -> None:
        """An SMS of a province's system, or a whole payload, is not sent."""

    def province_unanswered(self, asked: Asked) -> None:
        """A province did not answer an SMS in time, or nobody was there: its customer was told."""

    # The gateway itself

    def committed(
        self, commit: Commit, purposes: Sequence[str], waits: Sequence[float], seconds: float
    ) -> None:
        """A batch is stored and answered: told once, beside what is told of each of its SMS.

        Args:
            commit: all of it.
            purposes: of its received SMS (commit.messages), in their order.
            waits: seconds from the coming of each of them to its answer.
            seconds: that the store took.
        """

    def broken(self, where: str, error: Exception) -> None:
        """A bug that no SMS is known for."""

    def storage_failed(self, error: Exception, failures: int, pause: float) -> None:
        """A batch was not stored, for the so many-th time in a row; nothing is taken for `pause` seconds."""

    def storage_recovered(self, failures: int, seconds: float) -> None:
        """The store takes batches again, after so many failures in so many seconds."""

    # Other gateways on the same store (docs/decisions/017-nodes.md)

    def node_joined(self, name: str, number: int) -> None:
        """Another node is live, for the first time that this one sees it or again."""

    def node_taken_over(self, name: str, sms: int, parts: int, events: int, candidates: int) -> None:
        """This node has taken over what a dead one left: SMS, parts of long messages, events; and so many of
        its SMS may come again here."""

    def node_clock_differs(self, name: str, ahead_s: float) -> None:
        """The clock of this node is so many seconds ahead of the server's; below 0: behind."""

    def node_clock_agrees(self, name: str, ahead_s: float) -> None:
        """It is right again, or the server's is."""

    def node_untrusted(self, name: str) -> None:
        """The lease of this node is nearly over: nothing leaves and nothing is taken, until it is renewed."""

    def node_trusted(self, name: str) -> None:
        """It was renewed."""

    def node_fenced(self, name: str, error: Exception) -> None:
        """Another node has taken the work of this one, which drops all that it knows and begins anew."""

    def storage_lost(self, error: Exception, closed: int, changed: int) -> None:
        """At the stop: what became of so many SMS to handsets could not be stored; they leave once more."""

    def sealed(self, event: str, message_id: str, error: Exception) -> None:
        """The key does not open a row of the store."""


METHODS = tuple(name for name in vars(Observer) if not name.startswith("_"))
"""What an observer hears."""


def together(observers: Sequence[Observer]) -> Observer:
    """One observer that tells several. One alone is given back as it is: it costs nothing more.

    Nor does the first one cost more in what the others do not listen to.
    """
    if len(observers) == 1:
        return observers[0]

    def report(error: Exception) -> None:
        for each in observers:
            with contextlib.suppress(Exception):  # it may be what is broken
                each.broken("observer", error)

    whole, (first, *others) = Observer(), observers
    for name in METHODS:
        heard = [getattr(each, name) for each in others if _listens(each, name)]
        one = getattr(first, name)
        setattr(whole, name, _Several([one, *heard], report).tell if heard else one)
    return whole


def _listens(observer: Observer, name: str) -> bool:
    """Whether a method does something."""
    return getattr(getattr(observer, name), "__func__", None) is not getattr(Observer, name)


class _Several:
    """One method of several observers."""

    def __init__(self, methods: list[Callable[..., None]], report: Callable[[Exception], None]) -> None:
        self._methods = methods
        self._report = report

    def tell(self, *args: Any, **kwargs: Any) -> None:
        """Tell all of them, whatever one raises."""
        for method in self._methods:
            try:
                method(*args, **kwargs)
            except Exception as error:  # the boundary for bugs of one observer
                self._report(error)
