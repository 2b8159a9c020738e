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
from gateway.outbound.attempts import LATE, TWICE
from gateway.outbound.waiting import moved_to
from gateway.settings import LimitSettings
from gateway.storage.reader import DownlinkRecord, JournalRecord

FORWARDED: Final = (
    "it goes to the system of the province over MQTT, which may answer (docs/province-system.md)"
)
_MINUTE: Final = "more than limits.instructions_per_minute ({0.instructions_per_minute}) in this minute"
_GUARD: Final[Mapping[str, str]] = {
    "tell": f"{_MINUTE}: not executed, the handset was told",
    "silence": f"no reply: {_MINUTE}, and the handset was told already",
    "circle": "no reply: the same text got the same answer limits.same_text ({0.same_text}) times within"
    " limits.same_text_minutes ({0.same_text_minutes}): a message loop",
}
"""By detail.limited, a value of gateway.inbound.guard.Limited: why an SMS was not handled."""
_HELPED: Final = "help was sent less than limits.help_period ({0.help_period} s) ago"
_SILENT: Final[Mapping[str, str]] = {
    "help": f"no reply: the same {_HELPED}, or ten other ones were",
    "machine": "no reply: a machine wrote the text, and two machines would answer each other without end",
    "": f"no reply: {_HELPED}, or a machine wrote the text",
}
"""By detail.silent (commands.model.Outcome); earlier versions did not keep it."""

_ANSWERS: Final[Mapping[Answer, str]] = {
    Answer.OK: "accepted",
    Answer.REFUSED: "refused with {0.status}",
    Answer.TIMEOUT: "no response in time: it may have been delivered",
    Answer.LOST: "the session was lost without a response ({0.status}): it may have been delivered",
}
_STATES: Final[Mapping[Delivery, str]] = {
    Delivery.FAILED: "given up: {0.error}",
    Delivery.EXPIRED: "given up: not delivered before it expired",
    Delivery.DELIVERED: "the handset has it, as its receipts say",
    Delivery.UNDELIVERED: "the handset does not have it whole, as its receipts say",
}


_TAKEN: Final = (Delivery.SENT, Delivery.DELIVERED, Delivery.UNDELIVERED)
"""States of an SMS that the peer took whole."""
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.SMS: "",
    Kind.RECEIPT: "receipt, ",
    Kind.ACKNOWLEDGEMENT: "receipt as of its receiver, ",
}


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
    """Something that happened to an SMS. at: ms; 0: now, or it is not known when. until: ms; 0: open. more:
    for programs."""

    at: int
    number: int
    event: str
    text: str
    until: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

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
    """Say why an SMS in was limited; "" where it was not."""
    if sms.outcome != Result.LIMITED:
        return ""
    detail = sms.detail or {}
    guard = str(detail.get("limited", ""))
    silent = str(detail.get("silent", ""))
    return (_GUARD.get(guard) or _SILENT.get(silent, _SILENT[""])).format(limits)


def _part(part: JournalRecord, life: Life) -> Iterator[Step]:
    whole = life.message
    joined = f", joined into {short_id(message_id(whole.number))}" if whole is not None else ""
    yield Step(
        part.at, part.number, "part", f"a part came on {_place(part, life)}{joined}", more=_came(part, life)
    )
    yield from _repeated(part)


def _incoming(sms: JournalRecord, life: Life, limits: LimitSettings) -> Iterator[Step]:
    whole = f", the last of {sms.parts} parts" if sms.parts > 1 else ""
    text = f"{sms.source} > {sms.destination} on {_place(sms, life)}{whole}"
    if sms.account == OPERATOR:
        text = asked_by(sms)
    yield Step(sms.at, sms.number, "received", text, more=_came(sms, life))
    code = f", code {sms.code}" if sms.code != DONE else ""
    why = reason_limited(sms, limits) or str(sms.detail.get("error", "") or sms.detail.get("reason", ""))
    if sms.outcome == PART:
        why = "it waits for the others, or they never came"
    if sms.instruction == "province" and sms.outcome == Result.DONE:
        why = FORWARDED
    text = f"{sms.instruction or '-'}: {sms.outcome}{code}{f'; {why}' if why else ''}"
    version = sms.detail.get(TABLES, "")
    more = {"instruction": sms.instruction, "outcome": sms.outcome, "code": sms.code, "tables": version}
    yield Step(sms.at, sms.number, "executed", text, more=more)
    for event in sms.detail.get("events", ()):
        yield Step(sms.at, sms.number, "event", f"{event['event']} of {event['msisdn']}")
    yield from _repeated(sms)


def asked_by(sms: JournalRecord) -> str:
    """Say who wanted an operator's action, what it was, and why."""
    by = sms.detail.get(BY, {})
    what, why = by.get("action", "-"), by.get("reason", "-")
    return f"{by.get('actor', '-')} at the console: {what} {sms.msisdn}: {why}"


def _repeated(sms: JournalRecord) -> Iterator[Step]:
    if sms.repeated_at:
        text = "it came again (a retransmission): recognised, not executed again; only the last time is kept"
        yield Step(sms.repeated_at, sms.number, "repeated", text)


def _outgoing(sms: DownlinkRecord, life: Life) -> Iterator[Step]:
    attempts = life.attempts.get(sms.number, ())
    parts = "1 part" if sms.parts == 1 else f"{sms.parts} parts"
    way = f"{sms.source} > {sms.destination}, {parts}, through account {sms.account}"
    yield Step(sms.at, sms.number, "stored", f"{_KINDS[sms.kind]}{way}")
    if sms.repeat and not any(map(_may_have_arrived, attempts)):
        first = attempts[0].left_at if attempts else sms.closed_at
        text = "its gateway ended before it was closed: it may have left earlier"
        if len(attempts) < sms.attempts - (sms.state is Delivery.WAITING):
            text = "it may have left earlier: its gateway ended meanwhile, or an attempt had no response"
        yield Step(first, sms.number, "restart", text)
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
        yield Step(sms.closed_at, sms.number, state_of(sms.state), _STATES[sms.state].format(sms))


def _attempt(sms: DownlinkRecord, each: Attempt, account: str) -> Iterator[Step]:
    """The beginning of an attempt, and its end, unless that is the end of the SMS too."""
    more = {"attempt": each.ordinal, **_on(account, each.session, each.remote)}
    waited = f"; before it: {each.waited}" if each.waited else ""
    text = f"attempt {each.ordinal} leaves on {_session(each.session, each.remote)}{waited}"
    yield Step(each.left_at, sms.number, "attempt", text, more=more)
    if each.result is Answer.OK and each.status == TWICE:
        text = f"attempt {each.ordinal}: {_ANSWERS[each.result]} too: {TWICE}"
        yield Step(each.at, sms.number, "twice", text, more=more | {"result": each.result.value})
    if each.result is not Answer.OK:
        part = f"part {each.part} of {sms.parts}: " if sms.parts > 1 else ""
        text = f"attempt {each.ordinal}: {part}{_ANSWERS[each.result].format(each)}"
        more = more | {"result": each.result.value, "status": each.status, "part": each.part}
        yield Step(each.at, sms.number, each.result.value, text, more=more)


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
    session = f" on {_session(sms.session, remote)}" if sms.session else ""
    named = f", which calls it {sms.remote_id}" if sms.remote_id else ""
    parts = f", all {sms.parts} parts" if sms.parts > 1 else ""
    if last is not None and last.status == LATE:
        parts += ", after the response timer"
    more = {"attempt": ordinal, **_on(account, sms.session, remote), "result": Answer.OK.value}
    text = f"attempt {ordinal}{session}, account {account}: {_ANSWERS[Answer.OK]}{parts}{named}"
    return Step(sms.closed_at, sms.number, state_of(Delivery.SENT), text, more=more)


def _receipt(sms: DownlinkRecord, part: PartReceipt) -> Iterator[Step]:
    """What the receipts of a part say so far."""
    which = f"part {part.part} of {part.parts}, " if part.parts > 1 else ""
    named = f"{which}which the peer calls {part.remote_id or 'nothing'}"
    error = f", error {part.error}" if part.error else ""
    more = {
        "part": part.part,
        "remote_id": part.remote_id,
        "state": state_of(part.state),
        "said": part.said,
        "error": part.error,
    }
    if part.receipted_at:
        text = f"receipt of {named}: {part.said or '-'}{error}"
        yield Step(part.receipted_at, sms.number, "receipt", text, more=more)
    elif part.until:
        text = f"no receipt has come of {named}: it is waited for"
        yield Step(0, sms.number, "receipt", text, part.until, more)
    else:
        why = part.error or "only failures are told"
        yield Step(0, sms.number, "receipt", f"no receipt has come of {named}: {why}", more=more)


def _receipted(sms: DownlinkRecord, life: Life) -> Step:
    """What its receipts say of the whole."""
    parts = life.receipts.get(sms.number, ())
    at = max((part.receipted_at for part in parts), default=0)
    return Step(at, sms.number, state_of(sms.state), _STATES[sms.state])


def _waiting(sms: DownlinkRecord, known: int, wait: tuple[str, int]) -> Iterator[Step]:
    if sms.attempts > known:
        text = f"attempt {sms.attempts} has begun; its answer is not known yet"
        yield Step(0, sms.number, "attempt", text, more={"attempt": sms.attempts})
    reason, until = wait
    yield Step(0, sms.number, state_of(sms.state), reason, until)


def _parked(sms: DownlinkRecord, last: Attempt | None) -> Step:
    name = message_id(sms.number)
    text = (
        f"{sms.error}; fetion-gateway outbox retry {name} sends it once more,"
        f" fetion-gateway outbox drop {name} gives it up"
    )
    return Step(last.at if last else 0, sms.number, state_of(sms.state), text)


def _gap(sms: DownlinkRecord, first: int, last: int, at: int) -> Iterator[Step]:
    """Attempts of which the store keeps nothing."""
    if first > last:
        return
    which = f"attempt {first}" if first == last else f"attempts {first} to {last}"
    why = "the gateway ended before the answer, or an earlier version sent it"
    if first > FIRST_KEPT:
        why = f"a store keeps the first {FIRST_KEPT} and the last {LAST_KEPT}"
    yield Step(at, sms.number, "attempts", f"{which}: not known ({why})")


def _place(sms: JournalRecord, life: Life) -> str:
    session = _session(sms.session, life.remotes.get(sms.session, ""))
    return f"account {sms.account}, {session}, sequence {sms.sequence}"


def _session(number: int, remote: str) -> str:
    return f"session {number} ({remote})" if remote else f"session {number}"


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
