"""Which lines of the log are chosen."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.tail.selection import (
    NUMBERS,
    REMEMBERED,
    Selection,
    Wanted,
    parse_message,
    parse_msisdn,
    parse_since,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)  # half past twelve in Shanghai
AT = "2026-11-27T04:29:00.000Z"

HANDLED: dict[str, Any] = {
    "timestamp": AT,
    "event": "sms.handled",
    "message_id": "000000010000abcd",
    "msisdn": "13800138000",
    "sub_code": "13900139000",
    "province": "200",
    "system_id": "smsc",
}
SENT: dict[str, Any] = {
    "timestamp": AT,
    "event": "sms.sent",
    "message_id": "000000010000abce",
    "cause_id": "000000010000abcd",
    "msisdn": "13900139000",
    "source": "1252013800138000",
    "system_id": "smsc",
}
OTHER: dict[str, Any] = {"timestamp": AT, "event": "bind.closed", "system_id": "other"}


def chosen(wanted: Wanted, *events: dict[str, Any]) -> list[bool]:
    """Whether each line is chosen."""
    selection = Selection(wanted)
    return [selection.may_take(orjson.dumps(event)) and selection.takes(event) for event in events]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), [True, True, True]),
        (Wanted(msisdn="13800138000"), [True, True, False]),
        (Wanted(msisdn="13900139000"), [True, True, False]),
        (Wanted(msisdn="13800138001"), [False, False, False]),
        (Wanted(message="abcd"), [True, True, False]),
        (Wanted(message="000000010000abce"), [False, True, False]),
        (Wanted(event="sms"), [True, True, False]),
        (Wanted(event="sms.sent"), [False, True, False]),
        (Wanted(event="sm"), [False, False, False]),
        (Wanted(province="200"), [True, True, False]),
        (Wanted(province="100"), [False, False, False]),
        (Wanted(account="other"), [False, False, True]),
        (Wanted(event="sms", account="other"), [False, False, False]),
        (Wanted(since=datetime(2026, 11, 27, 4, 29, tzinfo=UTC)), [True, True, True]),
        (Wanted(since=datetime(2026, 11, 27, 4, 29, 0, 1000, tzinfo=UTC)), [False, False, False]),
    ],
)
def test_filters(wanted: Wanted, taken: list[bool]) -> None:
    """Each filter, and two together, which must both hold."""
    assert chosen(wanted, HANDLED, SENT, OTHER) == taken


@pytest.mark.parametrize("key", NUMBERS)
def test_a_masked_number_is_found(key: str) -> None:
    """logging.mask_msisdn hides four digits: the rest is compared."""
    event = {"timestamp": AT, "event": "e", key: "12520138****8000"}
    assert chosen(Wanted(msisdn="13800138000"), event) == [True]
    assert chosen(Wanted(msisdn="13700138000"), event) == [False]


WISHES = st.builds(
    Wanted,
    msisdn=st.sampled_from(["", "13800138000", "8000", "13900139000"]),
    message=st.sampled_from(["", "d", "abcd", "000000010000abce"]),
    event=st.sampled_from(["", "sms", "sms.sent", "bind"]),
    account=st.sampled_from(["", "smsc"]),
    since=st.sampled_from([None, datetime(2026, 11, 27, 4, 29, tzinfo=UTC), NOW]),
)
EVENTS = st.fixed_dictionaries(
    {"timestamp": st.sampled_from([AT, "2026-11-27T04:30:00.000Z", "2026-11-27T12:30:00+08:00", "x"])},
    optional={
        "event": st.sampled_from(["sms.sent", "sms.handled", "bind.closed", "smsx"]),
        "message_id": st.sampled_from(["000000010000abcd", "abcd", 7, None]),
        "cause_id": st.sampled_from(["000000010000abce", ""]),
        "msisdn": st.sampled_from(["13800138000", "138****8000", "8613900139000", 13800138000]),
        "source": st.sampled_from(["1252013800138000", "161"]),
        "system_id": st.sampled_from(["smsc", "other"]),
    },
)


@given(WISHES, EVENTS)
def test_the_quick_look_refuses_nothing_that_is_chosen(wanted: Wanted, event: dict[str, Any]) -> None:
    """A line that may_take() refuses is not chosen by takes() either."""
    if Selection(wanted).takes(event):
        assert Selection(wanted).may_take(orjson.dumps(event))


def test_what_an_sms_of_a_province_caused() -> None:
    """An SMS to a handset is chosen with its cause, also if it failed; the number of causes is bounded."""
    selection = Selection(Wanted(province="200"))
    failed = {"event": "sms.deferred", "message_id": SENT["message_id"]}
    assert not selection.takes(failed)
    assert selection.takes(HANDLED)
    assert selection.takes(SENT)
    assert selection.takes(failed)
    for number in range(REMEMBERED):
        assert selection.takes(HANDLED | {"message_id": f"{number:016x}"})
    assert not selection.takes(SENT)


def test_lines_of_others() -> None:
    """They are chosen where nothing is asked for; with a time alone, behind a line that is late enough."""
    assert Selection(Wanted()).takes_others
    assert not Selection(Wanted(event="sms")).takes_others
    selection = Selection(Wanted(since=NOW))
    for hour, taken in (("03", False), ("05", True), ("04", False)):
        line = orjson.dumps({"timestamp": f"2026-11-27T{hour}:00:00.000Z", "event": "e"})
        assert selection.may_take(line) is taken
        assert selection.takes_others is taken
    assert selection.may_take(b"Traceback")


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("2026-11-27T12:30:00+08:00", True),
        ("2026-11-27T12:29:59+08:00", False),
        ("2026-11-27T04:30:00.123456Z", True),
        ("2026-11-27T12:30:00", False),
        ("noon", False),
        (7, False),
        (None, False),
    ],
)
def test_times_of_another_form(at: object, taken: bool) -> None:
    """--since compares times, not texts; what has none is not late enough."""
    assert chosen(Wanted(since=NOW), {"timestamp": at, "event": "e"}) == [taken]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("10m", "2026-11-27T04:20:00+00:00"),
        ("2h", "2026-11-27T02:30:00+00:00"),
        ("30s", "2026-11-27T04:29:30+00:00"),
        ("1d", "2026-11-26T04:30:00+00:00"),
        ("12:30", "2026-11-27T04:30:00+00:00"),
        ("12:31", "2026-11-26T04:31:00+00:00"),
        ("9:05", "2026-11-27T01:05:00+00:00"),
        ("12:29:59.021", "2026-11-27T04:29:59.021000+00:00"),
        ("2026-11-27T12:00:00+08:00", "2026-11-27T04:00:00+00:00"),
        ("2026-11-27T12:00:00", "2026-11-27T04:00:00+00:00"),
        ("2026-11-27T04:00:00Z", "2026-11-27T04:00:00+00:00"),
        ("2026-11-27", "2026-11-26T16:00:00+00:00"),
    ],
)
def test_since(text: str, time: str) -> None:
    """Ages, times of the last 24 hours in the zone of the service, and RFC 3339."""
    assert parse_since(text, NOW, SHANGHAI).isoformat() == time


@pytest.mark.parametrize(
    ("now", "time"),
    [  # put back at 03:00 on 28 October 2007, put forward at 02:00 on 25 March
        ("2007-10-28T00:20Z", "2007-10-27T00:30:00+00:00"),
        ("2007-10-28T00:40Z", "2007-10-28T00:30:00+00:00"),
        ("2007-10-28T01:20Z", "2007-10-28T00:30:00+00:00"),
        ("2007-10-28T01:40Z", "2007-10-28T01:30:00+00:00"),
        ("2007-03-25T01:10Z", "2007-03-25T00:30:00+00:00"),
    ],
)
def test_a_day_on_which_clocks_are_moved(now: str, time: str) -> None:
    """The last half past two is never in the future, nor a day ago when it was within the hour."""
    found = parse_since("02:30", datetime.fromisoformat(now), ZoneInfo("Europe/Berlin"))
    assert found.isoformat() == time


@given(st.text() | st.from_regex(r"[0-9:.smhd+-]+", fullmatch=True))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """Whatever is typed is a time, or a ValueError that names the forms."""
    try:
        parse_since(text, NOW, SHANGHAI)
    except ValueError as error:
        assert "HH:MM" in str(error)  # noqa: PT017


@pytest.mark.parametrize("text", ["", "#...", "g", "#...000g", "0" * 17, "..", "10 m"])
def test_no_message_id(text: str) -> None:
    """What is no end of a message id is refused."""
    with pytest.raises(ValueError, match="is no message id"):
        parse_message(text)


@pytest.mark.parametrize("text", ["#...00AB", "...00ab", "00ab", "#00ab"])
def test_the_forms_of_a_message_id(text: str) -> None:
    """As shown, or its digits; the case does not matter."""
    assert parse_message(text) == "00ab"


@pytest.mark.parametrize(
    ("text", "number"),
    [("13800138000", "13800138000"), ("8613800138000", "13800138000"), ("+8613800138000", "13800138000")],
)
def test_the_forms_of_a_number(text: str, number: str) -> None:
    """With or without country code."""
    assert parse_msisdn(text) == number


@pytest.mark.parametrize("text", ["", "abc", "1 3", "-1", "１３８００１３８０００"])
def test_no_number(text: str) -> None:
    """What is no number of a handset is refused."""
    with pytest.raises(ValueError, match="is no number of a handset"):
        parse_msisdn(text)
