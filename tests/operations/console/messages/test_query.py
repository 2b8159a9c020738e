"""What visitors ask with is understood, or refused with the field that is wrong."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Delivery
from gateway.operations.console.messages.query import FIELDS, Unclear, position_of, query_of, written
from gateway.operations.console.rendering import load_texts
from gateway.storage.reader import ENDLESS, Wanted
from tests.support import ALICE, tables

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_MS = 1_795_744_800_000
"""2026-11-27 10:00 in Shanghai."""


def wanted(**given: str) -> Wanted:
    """What is wanted by these fields."""
    return query_of(given, tables(), SHANGHAI).wanted


def refusal(given: Mapping[str, str]) -> Unclear | None:
    """Why these fields are no query."""
    try:
        query_of(given, tables(), SHANGHAI)
    except Unclear as unclear:
        return unclear
    return None


def test_nothing_is_everything() -> None:
    """Empty fields ask for nothing."""
    query = query_of(dict.fromkeys(FIELDS, ""), tables(), SHANGHAI)
    assert (query.direction, query.wanted, query.before) == ("in", Wanted(), ())
    assert query.wanted.until == ENDLESS


@pytest.mark.parametrize("text", [ALICE, f"+86{ALICE}", f" 86{ALICE} ", "138 0013 8000"])
def test_a_handset(text: str) -> None:
    """A whole number in any form."""
    assert wanted(handset=text).handset == ALICE


def test_the_beginning_of_a_number() -> None:
    """As many digits as a masked number shows: more would tell the masked ones, one after the other."""
    assert wanted(handset="138").handset == "138"
    for digits in range(4, 11):
        with pytest.raises(Unclear):
            wanted(handset=ALICE[:digits])


def test_times() -> None:
    """Local without an offset."""
    assert wanted(**{"from": "2026-11-27T10:00"}).since == TEN_MS
    assert wanted(**{"from": "2026-11-27T10:00:00.500"}).since == TEN_MS + 500
    assert wanted(to="2026-11-27T02:00:00Z").until == TEN_MS


def test_results() -> None:
    """Outcomes of SMS in, states of SMS out."""
    assert wanted(result="done").outcome == "done"
    assert wanted(result="failed").outcome == "failed"
    out = wanted(direction="out", result="failed")
    assert (out.outcome, out.state) == ("", Delivery.FAILED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("handset", "alice"),
        ("handset", "%"),
        ("handset", "9" * 12),
        ("from", "yesterday"),
        ("to", "x" * 10_000),
        ("instruction", "<script>"),
        ("result", "sent"),
        ("direction", "up"),
        ("before", "17"),
        ("before", "-".join(["0000000100000002"] * 129)),
        ("before", "-"),
    ],
)
def test_what_is_unclear(field: str, value: str) -> None:
    """It names the field, and there is a sentence in both languages."""
    unclear = refusal({field: value})
    assert unclear is not None
    assert unclear.field == field
    assert len(unclear.value) <= 100
    for sentence in load_texts()[f"messages.{unclear.key}"].values():
        assert sentence.format(value=unclear.value)


@pytest.mark.parametrize("value", ["0001-01-01T00:00", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("field", ["from", "to"])
def test_times_at_the_end_of_the_calendar(field: str, value: str) -> None:
    """Are times, or no times."""
    unclear = refusal({field: value})
    assert unclear is None or unclear.field == "to"


def test_a_time_that_ends_before_it_begins() -> None:
    """Is no time."""
    with pytest.raises(Unclear, match="to"):
        query_of({"from": "2026-11-27T10:00", "to": "2026-11-27T10:00"}, tables(), SHANGHAI)


@given(st.lists(st.integers(0, ENDLESS), min_size=1, max_size=128))
def test_positions(numbers: list[int]) -> None:
    """What is written is read again."""
    assert position_of(written(tuple(numbers))) == tuple(numbers)


@given(st.dictionaries(st.sampled_from([*FIELDS, "before"]), st.text(max_size=30)))
def test_any_fields(given_: dict[str, str]) -> None:
    """Are a query or Unclear, nothing else."""
    unclear = refusal(given_)
    assert unclear is None or unclear.field in {*given_, "to"}
