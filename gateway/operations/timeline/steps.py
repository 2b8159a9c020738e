"""The steps of one SMS: what the store keeps of it and of what it caused, in order of time. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from commands.model import Result
from gateway.message import (
    BY,
    DONE,
    FIRST_KEPT,
    LAST_KEPT,
    OPERATOR,
    PART,
    TABLES,
    Answer,
    Attempt,
    Delivery,
    JournalEntry,
    Kind,
    PartReceipt,
    message_id,
    short_id,
)
from gateway.operations.timeline.records import state_of, utc
from gateway.operations.timeline.sentences import Sentence, Told, Words, named, texts, written
from gateway.outbound.attempts import LATE, TWICE
from gateway.outbound.waiting import moved_to
from gateway.settings import LimitSettings
from gateway.storage.reader import DownlinkRecord, JournalRecord

_TAKEN: Final = (Delivery.SENT, Delivery.DELIVERED, Delivery.UNDELIVERED)
"""States of an SMS that the peer took whole."""


@dataclass(frozen=True, slots=True)
class Life:
    """What a store keeps of an SMS in, and of the SMS out that it caused.

    message: None where only the SMS out is left. parts: that were joined into it. attempts: by number of the
    SMS out. waits: by the same number, the reason and until when (ms, 0: open). remotes: of sessions that
    last, by their numbers. receipts: by number of the SMS out, its parts whose receipts were asked for.
    """

    message: JournalRecord | None
    parts: Sequence[JournalRecord]
    outgoing: Sequence[DownlinkRecord]
    attempts: Mapping[int, Sequence[Attempt]]
    waits: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    remotes: Mapping[int, str] = field(default_factory=dict)
    receipts: Mapping[int, Sequence[PartReceipt]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to an SMS. at: ms; 0: now, or it is not known when. told: what it says. until:
    ms; 0: open. more: for programs."""

    at: int
    number: int
    event: str
    told: Told
    until: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What it says, in English."""
        return str(written(self.told))

    def for_programs(self) -> dict[str, Any]:
        """Return the row for --json."""
        head = {
            "at": utc(self.at) if self.at else None,
            "message_id": message_id(self.number),
            "event": self.event,
            "text": self.text,
        }
        return head | ({"until": utc(self.until)} if self.until else {}) | dict(self.more)


def timeline(life: Life, limits: LimitSettings) -> list[Step]:
    """Return the rows of an SMS and of what it caused; those without a time come last."""
    rows = [row for part in life.parts for row in _part(part, life)]
    if life.message is not None:
        rows += _incoming(life.message, life, limits)
    for sms in life.outgoing:
        rows += _outgoing(sms, life)
    return sorted(rows, key=lambda row: (not row.at, row.at))


def reason_limited(sms: JournalRecord | JournalEntry, limits: LimitSettings) -> str:
    """Say in English why an SMS in was limited; "" where it was not."""
    return str(written(_limited(sms, limits)))


def _limited(sms: JournalRecord | JournalEntry, limits: LimitSettings) -> Told:
    """Earlier versions kept neither detail.limited (gateway.inbound.guard.Limited) nor detail.silent."""
    if sms.outcome != Result.LIMITED:
        return ""
    detail = sms.detail or {}
    for key in (f"limited_{detail.get('limited', '')}", f"silent_{detail.get('silent', '')}"):
        if key in texts():
            return Sentence(key, limits=limits)
    return Sentence("silent", limits=limits)


def _part(part: JournalRecord, life: Life) -> Iterator[Step]:
    whole = life.message
    joined = Sentence("joined", id=short_id(message_id(whole.number))) if whole is not None else ""
    told = Sentence("part", place=_place(part, life), joined=joined)
    yield Step(part.at, part.number, "part", told, more=_came(part, life))
    yield from _repeated(part)


def _incoming(sms: JournalRecord, life: Life, limits: LimitSettings) -> Iterator[Step]:
    whole = Sentence("whole", parts=sms.parts) if sms.parts > 1 else ""
    told = Sentence(
        "received", source=sms.source, destination=sms.destination, place=_place(sms, life), whole=whole
    )
    if sms.account == OPERATOR:
        told = _asked_by(sms)
    yield Step(sms.at, sms.number, "received", told, more=_came(sms, life))
    version = sms.detail.get(TABLES, "")
    more = {"instruction": sms.instruction, "outcome": sms.outcome, "code": sms.code, "tables": version}
    yield Step(sms.at, sms.number, "executed", _executed(sms, limits), more=more)
    for event in sms.detail.get("events", ()):
        told = Sentence("event", event=named("event", event["event"]), msisdn=event["msisdn"])
        yield Step(sms.at, sms.number, "event", told)
    yield from _repeated(sms)


def _executed(sms: JournalRecord, limits: LimitSettings) -> Sentence:
    """Say what came of an SMS, and why."""
    code = Sentence("code", code=sms.code) if sms.code != DONE else ""
    kept = Words(str(sms.detail.get("error", "") or sms.detail.get("reason", "")))
    why: Told = _limited(sms, limits) or kept
    if sms.outcome == PART:
        why = Sentence("awaited")
    if sms.instruction == "province" and sms.outcome == Result.DONE:
        why = Sentence("forwarded")
    return Sentence(
        "executed",
        instruction=sms.instruction or "-",
        outcome=named("outcome", sms.outcome),
        code=code,
        why=Sentence("why", why=why) if why else "",
    )


def _asked_by(sms: JournalRecord) -> Sentence:
    """Say who wanted an operator's action, what it was, and why."""
    by = sms.detail.get(BY, {})
    actor, what, why = (str(by.get(each, "-")) for each in ("actor", "action", "reason"))
    return Sentence("asked_by", actor=actor, what=named("action", what), msisdn=sms.msisdn, why=why)


def _repeated(sms: JournalRecord) -> Iterator[Step]:
    if sms.repeated_at:
        yield Step(sms.repeated_at, sms.number, "repeated", Sentence("repeated"))


def _outgoing(sms: DownlinkRecord, life: Life) -> Iterator[Step]:
    attempts = life.attempts.get(sms.number, ())
    yield Step(sms.at, sms.number, "stored", _stored(sms))
    if sms.repeat and not any(map(_may_have_arrived, attempts)):
        first = attempts[0].left_at if attempts else sms.closed_at
        meanwhile = len(attempts) < sms.attempts - (sms.state is Delivery.WAITING)
        yield Step(first, sms.number, "restart", Sentence("restart_meanwhile" if meanwhile else "restart"))
    known, account = 0, sms.account
    for each in attempts:
        account = moved_to(each.waited, account)
        yield from _gap(sms, known + 1, each.ordinal - 1, each.left_at)
        yield from _attempt(sms, each, account)
        known = each.ordinal
    last = attempts[-1] if attempts else None
    closing = next((each for each in attempts if _closed_late(sms, each)), last)
    for part in life.receipts.get(sms.number, ()):
        yield from _receipt(sms, part)
    if sms.state in _TAKEN:
        if last is None or last.result is not Answer.OK:
            yield from _gap(sms, known + 1, sms.attempts - 1, sms.closed_at)
            known = sms.attempts
        yield _sent(
            sms,
            closing.ordinal if closing is not None and closing is not last else known,
            closing,
            life,
            account,
        )
        if sms.state is not Delivery.SENT:
            yield _receipted(sms, life)
        return
    yield from _gap(sms, known + 1, sms.attempts - (sms.state is Delivery.WAITING), sms.closed_at)
    if sms.state is Delivery.WAITING:
        yield from _waiting(sms, known, life.waits.get(sms.number, ("", 0)))
    elif sms.state is Delivery.PARKED:
        yield _parked(sms, last)
    else:
        yield Step(sms.closed_at, sms.number, state_of(sms.state), _ended(sms))


def _stored(sms: DownlinkRecord) -> Sentence:
    return Sentence(
        "stored",
        kind="" if sms.kind is Kind.SMS else Sentence(f"kind_{sms.kind.name.lower()}"),
        source=sms.source,
        destination=sms.destination,
        parts=Sentence("one_part") if sms.parts == 1 else Sentence("many_parts", parts=sms.parts),
        account=sms.account,
    )


def _ended(sms: DownlinkRecord) -> Sentence:
    """Say how an SMS ended, that was not sent or whose receipts have come."""
    return Sentence(f"state_{state_of(sms.state)}", error=Words(sms.error))


def _answer(each: Attempt) -> Sentence:
    return Sentence(f"answer_{each.result.value}", status=Words(each.status))


def _attempt(sms: DownlinkRecord, each: Attempt, account: str) -> Iterator[Step]:
    """The beginning of an attempt, and its end, unless that is the end of the SMS too."""
    more = {"attempt": each.ordinal, **_on(account, each.session, each.remote)}
    waited = Sentence("waited", reasons=Words(each.waited)) if each.waited else ""
    told = Sentence(
        "attempt", ordinal=each.ordinal, session=_session(each.session, each.remote), waited=waited
    )
    yield Step(each.left_at, sms.number, "attempt", told, more=more)
    if each.result is Answer.OK and each.status == TWICE:
        told = Sentence("attempt_twice", ordinal=each.ordinal, answer=_answer(each))
        yield Step(each.at, sms.number, "twice", told, more=more | {"result": each.result.value})
    if each.result is not Answer.OK:
        part = Sentence("part_of", part=each.part, parts=sms.parts) if sms.parts > 1 else ""
        told = Sentence("attempt_ended", ordinal=each.ordinal, part=part, answer=_answer(each))
        more = more | {"result": each.result.value, "status": each.status, "part": each.part}
        yield Step(each.at, sms.number, each.result.value, told, more=more)


def _may_have_arrived(each: Attempt) -> bool:
    """Whether an attempt had no answer in time, or none at all."""
    return each.result in {Answer.TIMEOUT, Answer.LOST} or each.status == LATE


def _closed_late(sms: DownlinkRecord, each: Attempt) -> bool:
    """Whether the answer to an attempt closed the SMS, though it came after the response timer."""
    return each.status == LATE and each.part == sms.parts


def _sent(sms: DownlinkRecord, ordinal: int, last: Attempt | None, life: Life, account: str) -> Step:
    remote = (
        last.remote if last is not None and last.result is Answer.OK else life.remotes.get(sms.session, "")
    )
    told = Sentence(
        "attempt_sent",
        ordinal=ordinal,
        session=Sentence("on_session", session=_session(sms.session, remote)) if sms.session else "",
        account=account,
        answer=Sentence("answer_ok"),
        parts=Sentence("all_parts", parts=sms.parts) if sms.parts > 1 else "",
        late=Sentence("late") if last is not None and last.status == LATE else "",
        named=Sentence("named", id=sms.remote_id) if sms.remote_id else "",
    )
    more = {"attempt": ordinal, **_on(account, sms.session, remote), "result": Answer.OK.value}
    return Step(sms.closed_at, sms.number, state_of(Delivery.SENT), told, more=more)


def _receipt(sms: DownlinkRecord, part: PartReceipt) -> Iterator[Step]:
    """What the receipts of a part say so far."""
    name: Told = part.remote_id or Sentence("nothing")
    of = Sentence("of_one", id=name)
    if part.parts > 1:
        of = Sentence("of_part", part=part.part, parts=part.parts, id=name)
    more = {
        "part": part.part,
        "remote_id": part.remote_id,
        "state": state_of(part.state),
        "said": part.said,
        "error": part.error,
    }
    if part.receipted_at:
        error = Sentence("receipt_error", error=Words(part.error)) if part.error else ""
        told = Sentence("receipt", of=of, said=part.said or "-", error=error)
        yield Step(part.receipted_at, sms.number, "receipt", told, more=more)
    elif part.until:
        yield Step(0, sms.number, "receipt", Sentence("receipt_awaited", of=of), part.until, more)
    else:
        why = Words(part.error) or Sentence("only_failures")
        yield Step(0, sms.number, "receipt", Sentence("receipt_none", of=of, why=why), more=more)


def _receipted(sms: DownlinkRecord, life: Life) -> Step:
    """What its receipts say of the whole."""
    parts = life.receipts.get(sms.number, ())
    at = max((part.receipted_at for part in parts), default=0)
    return Step(at, sms.number, state_of(sms.state), _ended(sms))


def _waiting(sms: DownlinkRecord, known: int, wait: tuple[str, int]) -> Iterator[Step]:
    if sms.attempts > known:
        told = Sentence("unanswered", ordinal=sms.attempts)
        yield Step(0, sms.number, "attempt", told, more={"attempt": sms.attempts})
    reason, until = wait
    yield Step(0, sms.number, state_of(sms.state), Words(reason), until)


def _parked(sms: DownlinkRecord, last: Attempt | None) -> Step:
    told = Sentence("parked", error=Words(sms.error), id=message_id(sms.number))
    return Step(last.at if last else 0, sms.number, state_of(sms.state), told)


def _gap(sms: DownlinkRecord, first: int, last: int, at: int) -> Iterator[Step]:
    """Attempts of which the store keeps nothing."""
    if first > last:
        return
    why = Sentence("gap_ended")
    if first > FIRST_KEPT:
        why = Sentence("gap_most", first=FIRST_KEPT, last=LAST_KEPT)
    told = Sentence("gap_one" if first == last else "gap_many", first=first, last=last, why=why)
    yield Step(at, sms.number, "attempts", told)


def _place(sms: JournalRecord, life: Life) -> Sentence:
    session = _session(sms.session, life.remotes.get(sms.session, ""))
    return Sentence("place", account=sms.account, session=session, sequence=sms.sequence)


def _session(number: int, remote: str) -> Sentence:
    if remote:
        return Sentence("session_from", number=number, remote=remote)
    return Sentence("session", number=number)


def _came(sms: JournalRecord, life: Life) -> dict[str, Any]:
    on = _on(sms.account, sms.session, life.remotes.get(sms.session, ""))
    by = {BY: dict(sms.detail[BY])} if BY in sms.detail else {}
    return on | {"sequence": sms.sequence} | by


def _on(account: str, session: int, remote: str) -> dict[str, Any]:
    """Where, for programs. remote: "" of a session that has ended."""
    return {"account": account, "session": session or None, "remote": remote or None}


def with_pauses(rows: Iterable[Step]) -> Iterator[tuple[Step, int | None]]:
    """Give each row with the time (ms) since the one before; None for the first and where a time lacks."""
    before = 0
    for row in rows:
        yield row, row.at - before if before and row.at else None
        before = row.at or before
