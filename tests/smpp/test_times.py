"""The times of SMPP, against the calendar of the standard library."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.times import end_of

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
TIMES = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30))  # noqa: DTZ001  the offset is drawn


def ms(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


@given(TIMES, st.integers(-48, 48), st.integers(0, 9))
def test_a_point_in_time(local: datetime, quarters: int, tenths: int) -> None:
    """A time with an offset is the moment that a clock with this offset shows so."""
    sign = "-" if quarters < 0 else "+"
    text = f"{local:%y%m%d%H%M%S}{tenths}{abs(quarters):02}{sign}"
    zone = timezone(timedelta(minutes=15 * quarters))
    shown = local.replace(microsecond=tenths * 100_000, tzinfo=zone)
    assert end_of(text, NOW_MS) == ms(shown)


def test_beijing() -> None:
    """032+ is the offset of China."""
    assert end_of("261127200000032+", 0) == NOW_MS


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999))
def test_a_span(days: int, hours: int, minutes: int, seconds: int, rest: int) -> None:
    """A span without years and months is as long as it says; one of 0 has no end."""
    text = f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert end_of(text, NOW_MS + rest) == (
        NOW_MS + rest + ms(datetime.fromtimestamp(0, UTC) + span) if span else 0
    )


@pytest.mark.parametrize(
    ("now", "text", "then"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), "000100000000000R", datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), "010000000000000R", datetime(2029, 2, 28, tzinfo=UTC)),
        (datetime(2026, 11, 27, tzinfo=UTC), "000200000000000R", datetime(2027, 1, 27, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), "002400010000000R", datetime(2028, 12, 1, 1, tzinfo=UTC)),
    ],
)
def test_months_are_those_of_the_calendar(now: datetime, text: str, then: datetime) -> None:
    """A month later is the same day of the next month, or its last."""
    assert end_of(text, ms(now)) == ms(then)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("261127235959", "12 characters"),
        ("20261127235959000+", "18 characters"),
        ("26112723595900+", "15 characters"),
        ("261127235959000 ", "ends in none of"),
        ("261127235959000r", "ends in none of"),
        ("26112723595900++", "something else than digits"),
        ("261127 35959000+", "something else than digits"),
        ("２６1127235959000+", "something else than digits"),
        ("260230000000000+", "does not exist"),
        ("261327000000000+", "does not exist"),
        ("261127240000000+", "does not exist"),
        ("261127235960000+", "does not exist"),
        ("261127235959049+", "offset of 49"),
        ("000000000100001R", "does not end in 000R"),
        ("000000000100100R", "does not end in 000R"),
    ],
)
def test_what_is_no_time(text: str, reason: str) -> None:
    """What is wrong is named."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        end_of(text, NOW_MS)


def test_without_a_time() -> None:
    """An empty field has no end."""
    assert end_of("", NOW_MS) == 0


@given(
    st.text(alphabet="0123456789R+- \xff\u0661", max_size=18)
    | st.from_regex(r"[0-9]{15}[R+-]", fullmatch=True)
)
def test_any_text_is_a_time_or_a_fault(text: str) -> None:
    """Nothing but a ValueError is raised; a time is a moment within a hundred and ten years."""
    try:
        end = end_of(text, NOW_MS)
    except ValueError:
        return
    assert 0 <= end < NOW_MS + 110 * 366 * 86_400_000
