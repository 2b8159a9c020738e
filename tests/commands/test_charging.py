"""The 72-hour rule and the tariffs: when a month of matching costs its fee."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from commands.charging import (
    HOUR,
    MATCHING,
    ORDERS_KEPT,
    cancel_fact,
    cancelled,
    charged_since,
    month_fee,
    month_start,
    order_fact,
    ordered,
    running,
)
from commands.model import Order, ProductFact
from commands.tariffs import load_tariffs, yuan
from routing.tablefile import TableError
from tests.commands.tables import SHIPPED

ZONE = ZoneInfo("Asia/Shanghai")
FEE, FREE_HOURS = 500, 72


def at(text: str) -> int:
    """Milliseconds of a moment in China, written "2007-02-28 10:00"."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def fees(orders: tuple[Order, ...], *months: str) -> list[int]:
    """The fee of each month, written "2007-02"."""
    days = [date.fromisoformat(f"{month}-01") for month in months]
    return [month_fee(orders, MATCHING, day.year, day.month, FEE, ZONE, FREE_HOURS) for day in days]


def history(*moments: str) -> tuple[Order, ...]:
    """Orders from times of ordering and cancelling, in turns."""
    orders: tuple[Order, ...] = ()
    for place, moment in enumerate(moments):
        if place % 2:
            orders = cancelled(orders, MATCHING, at(moment))
        else:
            orders = ordered(orders, MATCHING, at(moment), ZONE)
    return orders


def test_the_free_hours_end_with_the_month() -> None:
    """First ordered on 28 February 2007, cancelled on 1 March: February is free, March is charged."""
    orders = history("2007-02-28 10:00", "2007-03-01 09:00")
    assert fees(orders, "2007-01", "2007-02", "2007-03", "2007-04") == [0, 0, FEE, 0]


def test_ordering_again_is_charged_at_once() -> None:
    """First ordered on 10 March 2007 and cancelled within 72 hours, ordered again on 20 March: charged."""
    orders = history("2007-03-10 10:00", "2007-03-13 09:59")
    assert fees(orders, "2007-03") == [0]
    again = ordered(orders, MATCHING, at("2007-03-20 08:00"), ZONE)
    again = cancelled(again, MATCHING, at("2007-03-20 08:01"))
    assert fees(again, "2007-02", "2007-03", "2007-04") == [0, FEE, 0]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        (("2007-03-10 10:00", "2007-03-13 10:00"), [0, 0, 0]),
        (("2007-03-10 10:00", "2007-03-13 10:01"), [0, FEE, 0]),
        (("2007-03-10 10:00", "2007-04-01 00:00"), [0, FEE, 0]),
        (("2007-03-10 10:00", "2007-04-01 00:01"), [0, FEE, FEE]),
        (("2007-02-27 10:00", "2007-02-28 23:59"), [0, 0, 0]),
        (("2007-02-28 10:00", "2007-03-01 00:00"), [0, 0, 0]),
        (("2007-02-28 10:00",), [0, FEE, FEE]),
        (("2007-02-25 10:00",), [FEE, FEE, FEE]),
        (("2007-02-01 08:00", "2007-02-02 08:00", "2007-02-28 23:00", "2007-03-01 01:00"), [FEE, FEE, 0]),
        ((), [0, 0, 0]),
    ],
)
def test_months(moments: tuple[str, ...], expected: list[int]) -> None:
    """A month costs its fee once, if matching ran in it beyond the free hours; not a moment earlier."""
    assert fees(history(*moments), "2007-02", "2007-03", "2007-04") == expected


def test_months_are_those_of_the_service() -> None:
    """A month begins at midnight in China, and the one after December is January of the next year."""
    assert month_start(2007, 3, ZONE) == at("2007-03-01 00:00") == 1_172_678_400_000
    assert month_start(2007, 13, ZONE) == at("2008-01-01 00:00")
    december = Order(MATCHING, at("2007-12-31 23:00"))
    assert charged_since(december, ZONE, FREE_HOURS) == at("2008-01-01 00:00")


def test_another_product_is_charged_by_itself() -> None:
    """Orders of one product change neither the fee of another nor its first order."""
    orders = (Order("GAMES", at("2007-01-05 00:00")), *history("2007-03-10 10:00"))
    assert fees(orders, "2007-02", "2007-03") == [0, FEE]
    assert running(orders, MATCHING) == Order(MATCHING, at("2007-03-10 10:00"))


def test_facts() -> None:
    """The record of a first order is a trial; so is that of a cancellation when nothing was charged."""
    first = history("2007-03-10 10:00")[0]
    assert order_fact("13800138000", first) == ProductFact(
        "13800138000", MATCHING, "order", first.since, trial=True
    )
    for hours, trial in ((1, True), (72, True), (73, False)):
        fact = cancel_fact("13800138000", first, first.since + hours * HOUR, ZONE, FREE_HOURS)
        assert (fact.operation, fact.trial) == ("cancel", trial)
    again = history("2007-03-10 10:00", "2007-03-10 11:00", "2007-03-10 12:00")[-1]
    assert not order_fact("13800138000", again).trial
    assert not cancel_fact("13800138000", again, again.since + HOUR, ZONE, FREE_HOURS).trial


GAPS = st.lists(st.integers(1, 40 * 24), min_size=1, max_size=40)


@given(gaps=GAPS)
def test_what_is_forgotten_changes_no_fee(gaps: list[int]) -> None:
    """Dropped orders change no fee, and the first order stays known."""
    now = at("2007-01-15 12:00")
    kept: tuple[Order, ...] = ()
    everything: tuple[Order, ...] = ()
    for place, hours in enumerate(gaps):
        if place % 2:
            kept, everything = cancelled(kept, MATCHING, now), cancelled(everything, MATCHING, now)
        else:
            kept = ordered(kept, MATCHING, now, ZONE)
            everything = (*everything, Order(MATCHING, now, first=not everything))
        now += hours * HOUR
    assert len(kept) <= ORDERS_KEPT
    assert [order.first for order in everything].count(True) == 1
    months = [f"{2007 + month // 12}-{month % 12 + 1:02}" for month in range(24)]
    assert fees(kept, *months) == fees(everything, *months)


def test_shipped_tariffs() -> None:
    """An SMS to the service costs 10 fen, matching 500 fen a month, everything else nothing."""
    tariffs = load_tariffs(SHIPPED / "tariffs.yaml")
    assert (tariffs.uplink, tariffs.downlink, tariffs.month) == (10, 0, {"IIC": 0, "MCHAT": 500})
    assert tariffs.sentence_values() == {"month_iic": "0", "month_mchat": "5"}


@pytest.mark.parametrize(("fen", "text"), [(0, "0"), (500, "5"), (550, "5.5"), (505, "5.05"), (1, "0.01")])
def test_yuan(fen: int, text: str) -> None:
    """Amounts are written as customers read them."""
    assert yuan(fen) == text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"uplink": {"value": 10}}, r"tariffs\.yaml:\d+: uplink\.provenance: is missing"),
        ({"uplink": {"value": -1, "provenance": "standard"}}, r"uplink\.value"),
        ({"month": {"IIC": {"value": 0, "provenance": "standard"}}}, "month: the fee of MCHAT is missing"),
        ({"month": {"MCHATS": {"value": 0, "provenance": "standard"}}}, "no product 'MCHATS'; did you mean"),
        ({"weekly": 1}, "weekly: unknown key"),
    ],
)
def test_bad_tariffs(change: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """Amounts without provenance, below zero, missing, or of unknown products are refused."""
    content = yaml.safe_load((SHIPPED / "tariffs.yaml").read_text("utf-8"))
    path = tmp_path / "tariffs.yaml"
    path.write_text(yaml.safe_dump({**content, **change}), "utf-8")
    with pytest.raises(TableError, match=expected):
        load_tariffs(path)
