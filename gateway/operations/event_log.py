"""The log lines of CONTRACT: one wide line per SMS and direction, and those of binds.

What a peer can provoke is logged at a bounded rate: REJECTIONS lines a second, the rest counted in the next
one; apart for SMS, for bound peers, and for who is not bound: a stranger hides nothing but strangers.
"""

import errno
import resource
import traceback
from typing import Final

from gateway.clock import Clock
from gateway.errors import Refusal
from gateway.events.contract import RefusedEvent, TemporaryFault
from gateway.message import PART, MobileOriginated, MobileTerminated, message_id
from gateway.operations.logs import Log
from gateway.outbound.selection import Bind
from gateway.secrets import UnsealError
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import name_of
from gateway.storage.contract import StorageError

REJECTIONS: Final = 20
ACCEPT_PERIOD: Final = 60.0
"""Seconds between two lines about an accept that goes on failing."""
OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
HEAD: Final = ("timestamp", "level")


class Rate:
    """So many lines in a period, which begins with its first."""

    __slots__ = ("_clock", "_ends", "_lines", "_most", "_period", "_suppressed")

    def __init__(self, clock: Clock, most: int = REJECTIONS, period: float = 1.0) -> None:
        self._clock = clock
        self._most = most
        self._period = period
        self._ends = 0.0
        self._lines = 0
        self._suppressed = 0

    def suppressed(self) -> int | None:
        """How many lines were left out before this one; None: leave this one out as well."""
        now = self._clock.monotonic()
        if now >= self._ends:
            self._ends, self._lines = now + self._period, 0
        self._lines += 1
        if self._lines > self._most:
            self._suppressed += 1
            return None
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class Reports:
    """Writes them. table_version: of the instruction and routing tables."""

    def __init__(self, log: Log, clock: Clock, table_version: str) -> None:
        self._log = log.logger
        self._info = log.logger.info
        self._begin = log.begin
        self._wide = log.wide
        self._clock = clock
        self._table_version = table_version
        self._rejections = Rate(clock)
        self._oddities = Rate(clock)
        self._strangers = Rate(clock)
        self._accepts = Rate(clock, 1, ACCEPT_PERIOD)
        self._parked = Rate(clock)
        self._dropped = Rate(clock, 1, ACCEPT_PERIOD)
        self._accept_failed = False

    # Messages in (gateway.processing.pipeline.MessageLog)

    def handled(self, m: MobileOriginated, latency: float, now_ms: int) -> None:
        """sms.handled; a part that waits for others only at debug."""
        bind: Bind = m.bind
        route = m.route
        line = self._begin("sms.handled", now_ms)
        line["message_id"] = m.message_id
        line["msisdn"] = m.msisdn
        line["access_code"] = route.access_code
        line["sub_code"] = route.prefix
        line["province"] = m.province
        line["purpose"] = route.accepts._value_
        line["instruction"] = m.instruction
        line["outcome"] = m.result
        line["system_id"] = m.account
        line["remote"] = bind.link.peer
        line["session"] = m.session
        line["sequence"] = m.sequence
        line["parts"] = m.parts
        line["replies"] = len(m.replies)
        line["latency_ms"] = round(latency * 1000, 3)
        line["table_version"] = self._table_version
        if m.result == PART:
            self._log.debug(line.pop("event"), **{k: v for k, v in line.items() if k not in HEAD})
        else:
            self._wide(line)

    def repeated(self, m: MobileOriginated, number: int) -> None:
        """sms.duplicate."""
        self._info(
            "sms.duplicate",
            message_id=message_id(number),
            msisdn=m.msisdn,
            system_id=m.account,
            remote=m.bind.link.peer,
            session=m.session,
            sequence=m.sequence,
        )

    def rejected(self, bind: Bind, request: SubmitSm | DataSm, refusal: Refusal) -> None:
        """sms.rejected, at a bounded rate."""
        suppressed = self._rejections.suppressed()
        if suppressed is not None:
            self._log.warning(
                "sms.rejected",
                msisdn=request.source_addr,
                destination=request.destination_addr,
                reason=refusal.reason,
                command_status=name_of(refusal.command_status),
                system_id=bind.account,
                remote=bind.link.peer,
                session=bind.number,
                sequence=request.sequence_number,
                suppressed=suppressed,
            )

    def failed(self, sms: MobileOriginated | MobileTerminated, error: Exception | None = None) -> None:
        """sms.failed: a handler has a bug (and where), or an SMS could not be delivered."""
        if isinstance(sms, MobileOriginated):
            self._log.error(
                "sms.failed",
                message_id=sms.message_id,
                error_id=sms.message_id[-6:],
                msisdn=sms.msisdn,
                instruction=sms.instruction,
                reason=str(error) if isinstance(error, StorageError) else type(error).__name__,
                exception=places(error),
            )
        else:
            self._log.warning(
                "sms.failed",
                message_id=message_id(sms.number),
                cause_id=message_id(sms.cause),
                msisdn=sms.msisdn,
                system_id=sms.account,
                attempts=sms.attempts,
                reason=sms.error,
                **({"exception": places(error)} if error is not None else {}),
            )

    def broken(self, where: str, error: Exception) -> None:
        """gateway.fault: a bug that no SMS is known for, and its place."""
        self._log.error("gateway.fault", where=where, reason=type(error).__name__, exception=places(error))

    def storage_failed(self, error: StorageError, failures: int, pause: float) -> None:
        """storage.failed: nothing is taken for a while."""
        self._log.error(
            "storage.failed",
            error=str(error),
            kind=type(error).__name__,
            failures=failures,
            pause_s=pause,
        )

    def storage_recovered(self, failures: int, seconds: float) -> None:
        """storage.recovered: it takes batches again."""
        self._log.warning("storage.recovered", failures=failures, failing_s=round(seconds, 3))

    def storage_lost(self, error: StorageError, closed: int, changed: int) -> None:
        """storage.lost: at the stop, and what it means."""
        self._log.error(
            "storage.lost",
            error=str(error),
            kind=type(error).__name__,
            closed=closed,
            changed=changed,
            consequence="SMS that were delivered, or given up, leave once more after the next start",
        )

    def sealed(self, event: str, message_id: str, error: UnsealError) -> None:
        """outbox.sealed, part.sealed: a row that the key does not open."""
        self._log.error(event, message_id=message_id, reason=str(error))

    def unrecognised(self, count: int) -> None:
        """retransmissions.dropped: too many answers are in doubt."""
        self._log.warning(
            "retransmissions.dropped",
            count=count,
            consequence="if one of these SMS comes again, it is executed again",
        )

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """sms.incomplete: a long message was given up."""
        self._log.warning("sms.incomplete", source=source, destination=destination, parts=parts)

    # Messages out (gateway.outbound.outbox.SendLog)

    def sent(self, sms: MobileTerminated, bind: Bind, latency: float, now_ms: int) -> None:
        """sms.sent."""
        line = self._begin("sms.sent", now_ms)
        line["message_id"] = message_id(sms.number)
        line["cause_id"] = message_id(sms.cause)
        line["msisdn"] = sms.msisdn
        line["source"] = sms.source
        line["system_id"] = bind.account
        line["session"] = bind.number
        line["parts"] = sms.parts
        line["attempts"] = sms.attempts
        line["repeat"] = sms.repeat
        line["latency_ms"] = round(latency * 1000, 3)
        self._wide(line)

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """sms.deferred."""
        self._log.warning(
            "sms.deferred",
            message_id=message_id(sms.number),
            msisdn=sms.msisdn,
            system_id=sms.account,
            attempts=sms.attempts,
            reason=reason,
        )

    def suspected(self, sms: MobileTerminated) -> None:
        """sms.suspect: parked for an operator."""
        self._log.error(
            "sms.suspect",
            message_id=message_id(sms.number),
            cause_id=message_id(sms.cause),
            msisdn=sms.msisdn,
            system_id=sms.account,
            attempts=sms.attempts,
            losses=sms.losses,
            reason=sms.error,
        )

    # Binds

    def bind_accepted(self, bind: Bind) -> None:
        """bind.accepted."""
        self._info(
            "bind.accepted",
            system_id=bind.account,
            remote=bind.link.peer,
            session=bind.number,
            mode=bind.mode,
            address_range=bind.address_range,
        )

    def bind_closed(self, bind: Bind, reason: str, unanswered: int) -> None:
        """bind.closed."""
        self._info(
            "bind.closed",
            system_id=bind.account,
            remote=bind.link.peer,
            session=bind.number,
            reason=reason,
            unanswered=unanswered,
        )

    def bind_refused(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """bind.refused, at a bounded rate: what the peer is told is less than the reason here."""
        suppressed = self._strangers.suppressed()
        if suppressed is not None:
            self._log.warning(
                "bind.refused",
                system_id=system_id,
                remote=peer,
                reason=reason,
                command_status=name_of(command_status),
                suppressed=suppressed,
            )

    def turned_away(self, peer: str, reason: str) -> None:
        """connection.refused, at a bounded rate: closed before it was bound."""
        suppressed = self._strangers.suppressed()
        if suppressed is not None:
            self._log.warning("connection.refused", remote=peer, reason=reason, suppressed=suppressed)

    def accepting(self, error: OSError | None, open_now: int) -> None:
        """accept.failed, once a minute while no connection can be taken; then accept.recovered."""
        if error is None:
            if self._accept_failed:
                self._info("accept.recovered", connections=open_now)
            self._accept_failed = False
            return
        suppressed = self._accepts.suppressed()
        if suppressed is not None:
            self._accept_failed = True
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            remedy = "raise the limit of open files (ulimit -n, LimitNOFILE=) above smpp.listen.connections"
            self._log.error(
                "accept.failed",
                reason=error.strerror or str(error),
                connections=open_now,
                open_files_limit=soft,
                remedy=remedy if error.errno in OUT_OF_DESCRIPTORS else "none is needed: it is tried again",
                suppressed=suppressed,
            )

    def no_claim(self, bind: Bind, reason: str) -> None:
        """bind.address_range: it claims nothing, said once per bind."""
        self._log.warning("bind.address_range", system_id=bind.account, remote=bind.link.peer, reason=reason)

    # Events to consumers (gateway.events.contract.RelayLog)

    def events_deferred(
        self, consumer: str, error: TemporaryFault | StorageError, failures: int, pause: float
    ) -> None:
        """events.deferred: the 1st, 2nd, 4th ... failure in a row."""
        self._log.warning(
            "events.deferred",
            consumer=consumer,
            reason=str(error),
            failures=failures,
            pause_s=round(pause, 3),
        )

    def events_broken(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
        """events.broken: a bug, with its places in the code and without its words."""
        self._log.error(
            "events.broken",
            consumer=consumer,
            error=type(error).__name__,
            exception=places(error),
            failures=failures,
            pause_s=round(pause, 3),
        )

    def events_resumed(self, consumer: str, failures: int, seconds: float) -> None:
        """events.resumed."""
        self._log.warning("events.resumed", consumer=consumer, failures=failures, seconds=round(seconds, 3))

    def event_parked(self, consumer: str, refused: RefusedEvent) -> None:
        """events.parked: at a bounded rate, without the data of the event."""
        suppressed = self._parked.suppressed()
        if suppressed is not None:
            event = refused.event
            self._log.warning(
                "events.parked",
                consumer=consumer,
                event_id=event.event_id,
                happened=f"{event.family}/{event.name}",
                msisdn=event.msisdn,
                reason=refused.reason,
                suppressed=suppressed,
            )

    def events_dropped(self, consumer: str, count: int) -> None:
        """events.dropped: at a bounded rate; the store counts all."""
        suppressed = self._dropped.suppressed()
        if suppressed is not None:
            self._log.error("events.dropped", consumer=consumer, events=count, suppressed=suppressed)

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """pdu.refused, pdu.noted: at a bounded rate."""
        suppressed = (self._oddities if account else self._strangers).suppressed()
        if suppressed is None:
            return
        if isinstance(event, Refused):
            self._log.warning(
                "pdu.refused",
                system_id=account,
                remote=peer,
                command=event.command,
                command_status=name_of(event.command_status),
                sequence=event.sequence_number,
                reason=event.reason,
                suppressed=suppressed,
            )
        else:
            command = event.pdu.name if event.pdu is not None else ""
            self._info(
                "pdu.noted",
                system_id=account,
                remote=peer,
                command=command,
                reason=event.reason,
                suppressed=suppressed,
            )


def places(error: BaseException | None) -> str:
    """Type and places of an exception and of those behind it, not their words: they may hold a password."""
    told: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        told.append(f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "from ".join(told)
