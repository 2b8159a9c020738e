"""When a product is charged. Pure arithmetic on orders; times are milliseconds since the epoch, UTC.

The first order ever of a product is free for limits.free_hours, but not longer than the calendar month in
which it began. Every later order is charged at once. A calendar month (of the service's time zone) costs the
fee once if the product ran in it at any moment that was not free.

Source: fetion.md 8 S2. Its example of 2007: first ordered on 28 February, cancelled on 1 March; February is
free, March is charged.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, tzinfo

from commands.model import Order, ProductFact

FETION, MATCHING = "IIC", "MCHAT"
PRODUCTS = (FETION, MATCHING)
"""Product codes of the carrier (fetion.md 1 G1), in the order of the list that customers get.

Customer.state says whether Fetion itself (FETION) is open; Customer.orders has orders of other products."""

ORDERED, CANCELLED = "order", "cancel"
"""The operations of a ProductFact."""

ORDERS_KEPT = 24
"""Orders of one product that are kept: with one a month, two years."""

HOUR = 3_600_000
"""Milliseconds."""


def month_fee(
    orders: Iterable[Order], product: str, year: int, month: int, fee: int, zone: tzinfo, free_hours: int
) -> int:
    """The fee of a product for one calendar month.

    Args:
        orders: all orders of one customer. An order that runs counts as running to the end of the month.
        fee: fen.
        free_hours: of a first order.

    Returns:
        `fee`, or 0.
    """
    begin, end = month_start(year, month, zone), month_start(year, month + 1, zone)
    for order in orders:
        if order.product != product:
            continue
        charged_from = max(begin, charged_since(order, zone, free_hours))
        charged_until = min(end, order.ended or end)
        if charged_from < charged_until:
            return fee
    return 0


def charged_since(order: Order, zone: tzinfo, free_hours: int) -> int:
    """The time from which an order is charged, if it runs that long."""
    if not order.first:
        return order.since
    day = datetime.fromtimestamp(order.since / 1000, zone)
    return min(order.since + free_hours * HOUR, month_start(day.year, day.month + 1, zone))


def is_free(order: Order, now: int, zone: tzinfo, free_hours: int) -> bool:
    """Whether an order that ends at `now` has cost nothing. For an order that begins at `now`: whether its
    beginning is free."""
    return order.first and now <= charged_since(order, zone, free_hours)


def month_start(year: int, month: int, zone: tzinfo) -> int:
    """The first moment of a calendar month. Month 13 is January of the next year."""
    years, month0 = divmod(month - 1, 12)
    return round(datetime(year + years, month0 + 1, 1, tzinfo=zone).timestamp()) * 1000


def ordered(orders: tuple[Order, ...], product: str, now: int, zone: tzinfo) -> tuple[Order, ...]:
    """The orders with a new one of `product`, which must not be running.

    Orders that change no fee any more are dropped: the new order is charged for its month, so a later one
    than the first that began in the same month adds nothing. At most ORDERS_KEPT orders of a product are
    kept.
    """
    first = not any(order.product == product for order in orders)
    today = datetime.fromtimestamp(now / 1000, zone)
    begin = month_start(today.year, today.month, zone)
    others = [order for order in orders if order.product != product]
    mine = [order for order in orders if order.product == product and (order.first or order.since < begin)]
    return (*others, *mine[1 - ORDERS_KEPT :], Order(product, now, first=first))


def cancelled(orders: tuple[Order, ...], product: str, now: int) -> tuple[Order, ...]:
    """The orders with the running one of `product` ended at `now`."""
    return tuple(
        replace(order, ended=now) if order.product == product and not order.ended else order
        for order in orders
    )


def running(orders: Iterable[Order], product: str) -> Order | None:
    """The order of `product` that has not ended, or None."""
    return next((order for order in orders if order.product == product and not order.ended), None)


def order_fact(msisdn: str, order: Order) -> ProductFact:
    """The charging record of a new order."""
    return ProductFact(msisdn, order.product, ORDERED, order.since, order.first)


def cancel_fact(msisdn: str, order: Order, now: int, zone: tzinfo, free_hours: int) -> ProductFact:
    """The charging record of a running order that ends at `now`."""
    return ProductFact(msisdn, order.product, CANCELLED, now, is_free(order, now, zone, free_hours))
