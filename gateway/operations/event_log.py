"""Writes the log lines of CONTRACT: one wide line per SMS and direction, and lines about binds.

Lines that a peer can provoke have a limited rate: REJECTIONS lines per second; the next line counts those
left out. SMS, bound peers and unbound peers have separate limits: a stranger can only suppress lines about
strangers.
"""

import errno
import resource
import traceback
from collections.abc import Callable
from typing import Final

from gateway.channels.contract import CannotSend
from gateway.clock import Clock
from gateway.message import PART, JournalEntry, MobileTerminated, StoredEvent, message_id
from gateway.observer import Remote
from gateway.operations.broker_lines import BrokerLines
from gateway.operations.console_lines import ConsoleLines
from gateway.operations.line_template import GAP, LineTemplates
from gateway.operations.link_lines import LinkLines
from gateway.operations.logs import Log
from gateway.operations.net_lines import NetLines
from gateway.operations.node_lines import NodeLines
from gateway.operations.receipt_lines import ReceiptLines
from gateway.operations.way_lines import WayLines
from gateway.storage.contract import StorageError

REJECTIONS: Final = 20
ACCEPT_PERIOD: Final = 60.0
"""Seconds between two lines about an accept that keeps failing."""
OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
IN_ORDER: Final = frozenset({"unbound", "unbound by peer", "gateway stopped"})
"""Reasons for which a bind ends in the ordinary course of things."""
HEAD: Final = ("timestamp", "level", "event")


class Rate:
    """Limits lines to `most` per `period` (seconds), which begins with its first line."""

    __slots__ = ("_clock", "_ends", "_lines", "_most", "_period", "_suppressed")

    def __init__(self, clock: Clock, most: int = REJECTIONS, period: float = 1.0) -> None:
        self._clock = clock
        self._most = most
        self._period = period
        self._ends = 0.0
        self._lines = 0
        self._suppressed = 0

    def suppressed(self) -> int | None:
        """Count a line. Returns how many lines were left out before it; None: leave this one out too."""
        now = self._clock.monotonic()
        if now >= self._ends:
            self._ends, self._lines = now + self._period, 0
        self._lines += 1
        if self._lines > self._most:
            self._suppressed += 1
            return None
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class EventLog(NodeLines, BrokerLines, LinkLines, NetLines, WayLines, ReceiptLines, ConsoleLines):
    """Writes the lines. home: returns the province code of a mobile."""

    def __init__(self, log: Log, clock: Clock, home: Callable[[str], str]) -> None:
        self._home = home
        self._log = log.logger
        self._info = log.logger.info
        self._stamp = log.stamp
        self._wide = log.wide
        self._write = log.write
        self._plain = log.plain
        self._handled = LineTemplates(self._handled_line)
        self._sent = LineTemplates(_sent_line)
        self._clock = clock
        self._rejections = Rate(clock)
        self._oddities = Rate(clock)
        self._strangers = Rate(clock)
        self._visitors = Rate(clock)
        self._accepts = Rate(clock, 1, ACCEPT_PERIOD)
        self._parked = Rate(clock)
        self._unmatched = Rate(clock)
        self._dropped = Rate(clock, 1, ACCEPT_PERIOD)
        self._accept_failed = False
        self.links = {}

    # SMS from handsets

    def handled(
        self, entry: JournalEntry, remote: Remote, purpose: str, replies: int, latency: float, now_ms: int
    ) -> None:
        """sms.handled; a part that waits for others only at debug."""
        msisdn, outcome = entry.msisdn, entry.outcome
        key = (
            remote.account,
            remote.peer,
            remote.number,
            entry.access_code,
            entry.sub_code,
            entry.province,
            purpose,
            entry.instruction,
            outcome,
            entry.parts,
            replies,
            entry.table_version,
        )
        # Digits need no escape. Whatever else a value may hold, its template was written by the JSON library.
        if self._plain and msisdn.isdigit() and outcome != PART:
            at, number, who, sequence, took, end = self._handled.of(*key)
            self._write(
                f'{at}"{self._stamp(now_ms)}"{number}"{entry.number:016x}"{who}"{msisdn}"'
                f"{sequence}{entry.sequence}{took}{latency * 1000:.3f}{end}"
            )
            return
        line = self._handled_line(*key)
        line["timestamp"] = self._stamp(now_ms)
        line["message_id"] = message_id(entry.number)
        line["msisdn"] = msisdn
        line["sequence"] = entry.sequence
        line["latency_ms"] = round(latency * 1000, 3)
        if outcome == PART:
            self._log.debug("sms.handled", **{k: v for k, v in line.items() if k not in HEAD})
        else:
            self._wide(line)

    def _handled_line(
        self,
        account: str,
        peer: str,
        session: int,
        access_code: str,
        sub_code: str,
        province: str,
        purpose: str,
        instruction: str,
        outcome: str,
        parts: int,
        replies: int,
        table_version: str,
    ) -> dict[str, object]:
        """Return the line of sms.handled with gaps for what differs in each SMS."""
        return {
            "timestamp": GAP,
            "level": "info",
            "event": "sms.handled",
            "message_id": GAP,
            "msisdn": GAP,
            "access_code": access_code,
            "sub_code": sub_code,
            "province": province,
            "purpose": purpose,
            "instruction": instruction,
            "outcome": outcome,
            "system_id": account,
            "remote": peer,
            "session": session,
            "sequence": GAP,
            "parts": parts,
            "replies": replies,
            "latency_ms": GAP,
            "table_version": table_version,
        }

    def repeated(self, remote: Remote, sequence: int, msisdn: str, number: int) -> None:
        """sms.duplicate."""
        self._info(
            "sms.duplicate",
            message_id=message_id(number),
            msisdn=msisdn,
            system_id=remote.account,
            remote=remote.peer,
            session=remote.number,
            sequence=sequence,
        )

    def rejected(
        self, remote: Remote, sequence: int, source: str, destination: str, reason: str, status: str
    ) -> None:
        """sms.rejected, at a bounded rate."""
        suppressed = self._rejections.suppressed()
        if suppressed is not None:
            self._log.warning(
                "sms.rejected",
                msisdn=source,
                destination=destination,
                reason=reason,
                command_status=status,
                system_id=remote.account,
                remote=remote.peer,
                session=remote.number,
                sequence=sequence,
                suppressed=suppressed,
            )

    def faulted(self, number: int, msisdn: str, instruction: str, error: Exception) -> None:
        """sms.failed: a handler met a bug (with its place), or the store or a peer cannot take the result."""
        name = message_id(number)
        self._log.error(
            "sms.failed",
            message_id=name,
            error_id=name[-6:],
            msisdn=msisdn,
            instruction=instruction,
            reason=str(error) if isinstance(error, StorageError | CannotSend) else type(error).__name__,
            exception=places(error),
        )

    def failed(self, sms: MobileTerminated, error: Exception | None = None) -> None:
        """sms.failed: an SMS could not be delivered."""
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
        """gateway.fault: a bug that belongs to no SMS, with its place."""
        self._log.error("gateway.fault", where=where, reason=type(error).__name__, exception=places(error))

    def storage_failed(self, error: Exception, failures: int, pause: float) -> None:
        """storage.failed: the gateway takes no SMS for a while."""
        self._log.error(
            "storage.failed",
            error=str(error),
            kind=type(error).__name__,
            failures=failures,
            pause_s=pause,
        )

    def storage_recovered(self, failures: int, seconds: float) -> None:
        """storage.recovered: the store takes batches again."""
        self._log.warning("storage.recovered", failures=failures, failing_s=round(seconds, 3))

    def storage_lost(self, error: Exception, closed: int, changed: int) -> None:
        """storage.lost: what the last commit could not store, and the consequence."""
        self._log.error(
            "storage.lost",
            error=str(error),
            kind=type(error).__name__,
            closed=closed,
            changed=changed,
            consequence="SMS that were delivered, or given up, leave once more after the next start",
        )

    def sealed(self, event: str, message_id: str, error: Exception) -> None:
        """outbox.sealed, part.sealed: the key does not open a row."""
        self._log.error(event, message_id=message_id, reason=str(error))

    def unrecognised(self, count: int) -> None:
        """retransmissions.dropped: too many responses are in doubt."""
        self._log.warning(
            "retransmissions.dropped",
            count=count,
            consequence="if one of these SMS comes again, it is executed again",
        )

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """sms.incomplete: a long message was given up."""
        self._log.warning("sms.incomplete", source=source, destination=destination, parts=parts)

    # SMS to handsets

    def sent(self, sms: MobileTerminated, remote: Remote, latency: float, now_ms: int) -> None:
        """sms.sent."""
        msisdn, source = sms.msisdn, sms.source
        key = (self._home(msisdn), remote.account, remote.number, sms.parts, sms.attempts, sms.repeat)
        if self._plain and msisdn.isdigit() and source.isdigit():
            at, number, cause, who, whence, rest, end = self._sent.of(*key)
            self._write(
                f'{at}"{self._stamp(now_ms)}"{number}"{sms.number:016x}"{cause}"{sms.cause:016x}"'
                f'{who}"{msisdn}"{whence}"{source}"{rest}{latency * 1000:.3f}{end}'
            )
            return
        if sms.kind:
            self._receipt_sent(sms, remote)
            return
        line = _sent_line(*key)
        line["timestamp"] = self._stamp(now_ms)
        line["message_id"] = message_id(sms.number)
        line["cause_id"] = message_id(sms.cause)
        line["msisdn"] = msisdn
        line["source"] = source
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

    def parked(self, sms: MobileTerminated) -> None:
        """sms.parked: it waits for an operator's decision."""
        self._log.error(
            "sms.parked",
            message_id=message_id(sms.number),
            cause_id=message_id(sms.cause),
            msisdn=sms.msisdn,
            system_id=sms.account,
            attempts=sms.attempts,
            losses=sms.losses,
            reason=sms.error,
        )

    # Binds

    def bind_accepted(self, remote: Remote, mode: str, address_range: str) -> None:
        """bind.accepted."""
        self._info(
            "bind.accepted",
            system_id=remote.account,
            remote=remote.peer,
            session=remote.number,
            mode=mode,
            address_range=address_range,
        )

    def bind_closed(self, remote: Remote, reason: str, unanswered: int) -> None:
        """bind.closed: a warning where nobody has unbound."""
        write = self._info if reason in IN_ORDER else self._log.warning
        write(
            "bind.closed",
            system_id=remote.account,
            remote=remote.peer,
            session=remote.number,
            reason=reason,
            unanswered=unanswered,
        )

    def bind_refused(self, peer: str, system_id: str, reason: str, status: str) -> None:
        """bind.refused, at a bounded rate. The peer is told less than the reason logged here."""
        suppressed = self._strangers.suppressed()
        if suppressed is not None:
            self._log.warning(
                "bind.refused",
                system_id=system_id,
                remote=peer,
                reason=reason,
                command_status=status,
                suppressed=suppressed,
            )

    def turned_away(self, peer: str, reason: str) -> None:
        """connection.refused, at a bounded rate: a connection was closed before a bind."""
        suppressed = self._strangers.suppressed()
        if suppressed is not None:
            self._log.warning("connection.refused", remote=peer, reason=reason, suppressed=suppressed)

    def accepting(self, error: OSError | None, connections: int) -> None:
        """accept.failed, once a minute while no connection can be accepted; then accept.recovered."""
        if error is None:
            if self._accept_failed:
                self._info("accept.recovered", connections=connections)
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
                connections=connections,
                open_files_limit=soft,
                remedy=remedy if error.errno in OUT_OF_DESCRIPTORS else "none is needed: it is tried again",
                suppressed=suppressed,
            )

    def useless_range(self, remote: Remote, reason: str) -> None:
        """bind.address_range: the address_range of a bind has an unknown form; logged once."""
        self._log.warning("bind.address_range", system_id=remote.account, remote=remote.peer, reason=reason)

    def pdu_refused(
        self, peer: str, account: str, command: str, status: str, sequence: int, reason: str
    ) -> None:
        """pdu.refused, at a bounded rate."""
        suppressed = (self._oddities if account else self._strangers).suppressed()
        if suppressed is not None:
            self._log.warning(
                "pdu.refused",
                system_id=account,
                remote=peer,
                command=command,
                command_status=status,
                sequence=sequence,
                reason=reason,
                suppressed=suppressed,
            )

    def pdu_noted(self, peer: str, account: str, command: str, reason: str) -> None:
        """pdu.noted, at a bounded rate."""
        suppressed = (self._oddities if account else self._strangers).suppressed()
        if suppressed is not None:
            self._info(
                "pdu.noted",
                system_id=account,
                remote=peer,
                command=command,
                reason=reason,
                suppressed=suppressed,
            )

    # Events to consumers

    def events_deferred(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
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

    def event_parked(self, consumer: str, event: StoredEvent, reason: str) -> None:
        """events.parked: at a bounded rate, without the data of the event."""
        suppressed = self._parked.suppressed()
        if suppressed is not None:
            self._log.warning(
                "events.parked",
                consumer=consumer,
                event_id=event.event_id,
                happened=f"{event.family}/{event.name}",
                msisdn=event.msisdn,
                reason=reason,
                suppressed=suppressed,
            )

    def events_unparked(self, consumer: str, count: int) -> None:
        """events.unparked."""
        self._log.warning("events.unparked", consumer=consumer, events=count)

    def events_dropped(self, consumer: str, count: int) -> None:
        """events.dropped: at a bounded rate; the store counts all."""
        suppressed = self._dropped.suppressed()
        if suppressed is not None:
            self._log.error("events.dropped", consumer=consumer, events=count, suppressed=suppressed)


def _sent_line(
    province: str, account: str, session: int, parts: int, attempts: int, repeat: bool
) -> dict[str, object]:
    """Return the line of sms.sent with gaps for what differs in each SMS."""
    return {
        "timestamp": GAP,
        "level": "info",
        "event": "sms.sent",
        "message_id": GAP,
        "cause_id": GAP,
        "msisdn": GAP,
        "source": GAP,
        "province": province,
        "system_id": account,
        "session": session,
        "parts": parts,
        "attempts": attempts,
        "repeat": repeat,
        "latency_ms": GAP,
    }


def places(error: BaseException | None) -> str:
    """Return types and places of an exception and its causes, without texts, which may hold a password."""
    told: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        told.append(f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "from ".join(told)
