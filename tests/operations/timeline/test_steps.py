"""Timelines of records as a store may have them: unknown attempts, earlier versions, limits."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.model import Hidden, Result
from gateway.cli.showing import Local
from gateway.cli.trace import _print_timeline
from gateway.inbound.guard import Limited
from gateway.message import FIRST_KEPT, LAST_KEPT, Answer, Attempt, Delivery, Kind, PartReceipt
from gateway.operations.timeline.records import utc
from gateway.operations.timeline.sentences import texts
from gateway.operations.timeline.steps import Life, Step, reason_limited, timeline, with_pauses
from gateway.outbound.attempts import LATE, TWICE
from gateway.settings import LimitSettings
from gateway.storage.reader import DownlinkRecord, JournalRecord
from tests.support import SESSIONS, START_MS, attempt_of, leaving, received

LIMITS = LimitSettings()
SENT = START_MS + 1_000_000


def incoming(**changed: Any) -> JournalRecord:
    """An SMS in."""
    values = received(1)._asdict() | {"detail": {}, "hidden": Hidden.NONE, "repeated_at": 0} | changed
    return JournalRecord(**values)


def outgoing(**changed: Any) -> DownlinkRecord:
    """An SMS out that was sent at the first attempt."""
    sms = leaving(2)
    made = DownlinkRecord(**{each.name: getattr(sms, each.name) for each in fields(DownlinkRecord)})
    usual: dict[str, Any] = {
        "state": Delivery.SENT,
        "attempts": 1,
        "closed_at": SENT,
        "session": SESSIONS,
        "parts_done": 1,
    }
    return replace(made, **(usual | changed))


def rows_of(sms: DownlinkRecord, *attempts: Attempt, wait: tuple[str, int] = ("why", 0)) -> list[Step]:
    """The timeline of an SMS out alone."""
    return timeline(Life(None, (), [sms], {sms.number: attempts}, {sms.number: wait}), LIMITS)


def events(rows: list[Step]) -> list[str]:
    """What happened."""
    return [row.event for row in rows]


def test_a_clean_one_has_one_attempt() -> None:
    """Nothing is kept of it but when it was closed, and where."""
    stored, sent = rows_of(outgoing())
    assert (stored.event, sent.event, sent.at) == ("stored", "sent", SENT)
    assert f"attempt 1 on session {SESSIONS}" in sent.text


def test_one_of_an_earlier_version() -> None:
    """Of three attempts nothing is kept, nor the session: it says so, and makes nothing up."""
    stored, gap, sent = rows_of(outgoing(attempts=3, session=0))
    assert (stored.event, gap.event, sent.event) == ("stored", "attempts", "sent")
    assert gap.text.startswith("attempts 1 to 2: not known")
    assert sent.text.startswith("attempt 3, account")


def test_an_attempt_that_a_kill_ended() -> None:
    """The first and the third one are kept, the second was under way when the process was killed."""
    found = rows_of(outgoing(attempts=3, repeat=True), attempt_of(2, 1), attempt_of(2, 3, Answer.OK))
    assert events(found) == ["stored", "attempt", "timeout", "attempts", "attempt", "sent"]
    assert "attempt 2: not known (the gateway ended" in found[3].text


def test_more_attempts_than_a_store_keeps() -> None:
    """The gap between the first and the last ones has its reason."""
    last = FIRST_KEPT + LAST_KEPT + 9
    kept = [n for n in range(1, last + 1) if n <= FIRST_KEPT or n > last - LAST_KEPT]
    sms = outgoing(state=Delivery.PARKED, attempts=last, closed_at=0, error="unanswered 3 times")
    found = rows_of(sms, *(attempt_of(2, n) for n in kept))
    [gap] = [row for row in found if row.event == "attempts"]
    assert gap.text.startswith(f"attempts {FIRST_KEPT + 1} to {last - LAST_KEPT}: not known (a store keeps")
    assert found[-1].event == "parked"
    assert events(found).count("timeout") == len(kept)


def test_one_that_was_parked_without_an_attempt() -> None:
    """Sealed with another key: no time is known of it; the command to drop it stands there."""
    parked = rows_of(
        outgoing(state=Delivery.PARKED, attempts=0, closed_at=0, error="sealed with another key")
    )[-1]
    assert (parked.event, parked.at) == ("parked", 0)
    assert parked.text.startswith("sealed with another key; ")
    assert "fetion-gateway outbox drop 0000000000000002 " in parked.text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (Delivery.FAILED, "given up: ESME_RINVDSTADR"),
        (Delivery.EXPIRED, "given up: not delivered before it expired"),
    ],
)
def test_the_end_of_one_that_never_arrived(state: Delivery, text: str) -> None:
    """The state by its one name, and why."""
    last = rows_of(outgoing(state=state, error="ESME_RINVDSTADR", attempts=0))[-1]
    assert (last.event, last.text) == (state.name.lower(), text)


def test_one_that_waits() -> None:
    """An attempt that the store knows to have begun is shown; why it waits, and until when, come last."""
    sms = outgoing(state=Delivery.WAITING, closed_at=0, attempts=2, session=0)
    found = rows_of(sms, attempt_of(2, 1), wait=("ESME_RTHROTTLED: next attempt", SENT))
    assert events(found) == ["stored", "attempt", "timeout", "attempt", "waiting"]
    assert found[-2].for_programs()["at"] is None
    last = found[-1].for_programs()
    assert (last["at"], last["until"]) == (None, utc(SENT))
    assert last["text"] == "ESME_RTHROTTLED: next attempt"


def test_pauses_between_rows() -> None:
    """From a row with a time to the next one with a time."""
    rows = [Step(at, 1, "e", "") for at in (100, 150, 150, 0)]
    assert [pause for _, pause in with_pauses(rows)] == [None, 50, 0, None]


@pytest.mark.parametrize("limited", Limited)
def test_every_reason_of_the_guard_is_explained(limited: Limited) -> None:
    """With the limit that it is about, by the name that the configuration has for it."""
    text = reason_limited(incoming(outcome="limited", detail={"limited": limited.value}), LIMITS)
    assert "limits." in text
    assert "help_period" not in text


@pytest.mark.parametrize("silent", ["help", "machine", None])
def test_every_silence_is_explained(silent: str | None) -> None:
    """Those of earlier versions, which did not keep why, too; what was not limited has no reason."""
    detail = {"silent": silent} if silent else {}
    text = reason_limited(incoming(outcome="limited", detail=detail), LIMITS)
    assert text.startswith("no reply: ")
    assert ("limits.help_period (600 s)" in text) == (silent != "machine")
    assert reason_limited(incoming(outcome="done"), LIMITS) == ""


@given(
    state=st.sampled_from(Delivery),
    attempts=st.integers(0, 70),
    known=st.sets(st.integers(1, 70)),
    results=st.lists(st.sampled_from(Answer), min_size=70, max_size=70),
    repeat=st.booleans(),
)
def test_each_attempt_is_told_of_once(
    state: Delivery, attempts: int, known: set[int], results: list[Answer], repeat: bool
) -> None:
    """Whatever a store has kept of the attempts of an SMS: rows in order of time, and each attempt that is
    kept begins once."""
    kept = [attempt_of(2, n, results[n - 1]) for n in sorted(known) if n <= attempts]
    closed = 0 if state in {Delivery.WAITING, Delivery.PARKED} else SENT
    found = rows_of(outgoing(state=state, attempts=attempts, closed_at=closed, repeat=repeat), *kept)
    times = [row.at for row in found if row.at]
    assert times == sorted(times)
    begun = [row.more["attempt"] for row in found if row.event == "attempt" and row.at]
    assert begun == [each.ordinal for each in kept]
    assert events(found).count(state.name.lower()) == 1
    assert all(row.text for row in found)


def test_times_on_both_sides_of_a_change_of_the_clocks(capsys: pytest.CaptureFixture[str]) -> None:
    """Half past two comes twice: the first one stands under an offset of its own, as does a time to come."""
    first, until = 1_792_888_200_000, 1_806_197_400_000  # 2026-10-25 02:30 and 2027-03-28 03:30, in Berlin
    rows = [
        Step(first, 1, "received", "in summer"),
        Step(first + 3_600_000, 1, "attempt", "in winter"),
        Step(0, 1, "waiting", "till", until),
    ]
    _print_timeline(rows, Local("Europe/Berlin"))
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert said[:2] == ["Timeline (Europe/Berlin, UTC+01:00)", "2026-10-25, UTC+02:00"]
    assert said[3] == "2026-10-25"
    assert [said[2][:5], said[4][:5]] == ["02:30", "02:30"]
    assert said[5].endswith("till 2027-03-28 03:30:00.000 UTC+02:00")


def test_receipts_of_parts() -> None:
    """What the last receipt of each part says, what is waited for and until when, and what is over."""
    part = PartReceipt(2, 1, 4, "13800138000", "smsc", "1F", SENT)
    parts = [
        part._replace(state=Delivery.DELIVERED, said="DELIVRD", error="000", receipted_at=SENT + 900),
        part._replace(part=2, remote_id="", until=SENT + 5000),
        part._replace(part=3, error="no final receipt in time"),
        part._replace(part=4),
    ]
    sms = outgoing(state=Delivery.UNDELIVERED, parts=4, parts_done=4)
    found = timeline(Life(None, (), [sms], {}, receipts={2: parts}), LIMITS)
    assert events(found) == ["stored", "sent", "receipt", "undelivered", "receipt", "receipt", "receipt"]
    receipted, undelivered, *others = found[2:]
    assert receipted.text == "receipt of part 1 of 4, which the peer calls 1F: DELIVRD, error 000"
    assert (receipted.at, undelivered.at) == (SENT + 900, SENT + 900)
    assert [row.until for row in others] == [SENT + 5000, 0, 0]
    assert "nothing: it is waited for" in others[0].text
    assert others[1].text.endswith("no final receipt in time")
    assert others[2].text.endswith("only failures are told")
    assert receipted.for_programs()["said"] == "DELIVRD"


@pytest.mark.parametrize("kind", Kind)
def test_a_receipt_of_ours_is_named_so(kind: Kind) -> None:
    """Not to be taken for a reply."""
    stored, _ = rows_of(outgoing(kind=kind))
    assert stored.text.startswith("receipt") == (kind is not Kind.SMS)


def test_an_unknown_attempt_may_be_why_it_is_a_repeat() -> None:
    """Only where all attempts are known, and each of them was answered, has the gateway surely been started
    again."""
    known = Life(None, [], [outgoing(repeat=True)], {2: [attempt_of(2, 1, Answer.OK)]})
    unknown = Life(None, [], [outgoing(repeat=True, state=Delivery.PARKED, attempts=3)], {})
    [one] = [row.text for row in timeline(known, LIMITS) if row.event == "restart"]
    [other] = [row.text for row in timeline(unknown, LIMITS) if row.event == "restart"]
    assert one.startswith("its gateway ended")
    assert other.endswith("or an attempt had no response")


@pytest.mark.parametrize(("outcome", "told"), [(Result.DONE, True), (Result.REFUSED, False)])
def test_an_sms_for_a_province_says_who_answers(outcome: Result, told: bool) -> None:
    """Only one that its system gets: not where the customer was told that nobody is there."""
    life = Life(incoming(instruction="province", outcome=outcome), [], [], {})
    [executed] = [row.text for row in timeline(life, LIMITS) if row.event == "executed"]
    assert executed.startswith(f"province: {outcome}")
    assert (texts()["forwarded"]["en"] in executed) is told


def test_a_late_response_is_told_with_its_attempt() -> None:
    """It closed the SMS, no restart did; and the answer to its copy says that it may have arrived twice."""
    late = attempt_of(2, 1, Answer.OK)._replace(status=LATE, at=SENT)
    copy = attempt_of(2, 2, Answer.OK)._replace(status=TWICE, at=SENT + 500)
    found = rows_of(outgoing(attempts=2, repeat=True, remote_id="A1"), late, copy)
    assert events(found) == ["stored", "attempt", "attempt", "sent", "twice"]
    assert found[3].text.startswith("attempt 1 ")
    assert found[3].text.endswith("accepted, after the response timer, which calls it A1")
    assert (found[3].more["attempt"], found[4].more["attempt"]) == (1, 2)
    alone = rows_of(outgoing(repeat=True), late)
    assert events(alone) == ["stored", "attempt", "sent"]
    refused = copy._replace(result=Answer.REFUSED, status=f"ESME_RMSGQFUL, {TWICE}")
    found = rows_of(outgoing(attempts=2, repeat=True), late, refused)
    assert events(found) == ["stored", "attempt", "attempt", "sent", "refused"]
    assert found[4].text.endswith(TWICE)
