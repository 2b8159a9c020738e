"""Writes charging records from the store as CSV files, for the settlement with the provinces.

Each file has a header line and one line per record (UTF-8, RFC 4180). Days and times are in
service.timezone, amounts in fen. No file holds the text of an SMS. The columns are those of COLUMNS:

    record_id          message id; in product.csv that of the SMS that ordered or cancelled the product
    cause_id           message id of the SMS that caused this one
    service_code       product: IIC is Fetion, MCHAT matching
    service_id         instruction (of the cause), empty if the text was not understood
    operation          order or cancel; trial: 1 within the free hours of a first order
    msisdn             the handset; charged_msisdn: who pays, empty if nobody does
    access_number      our number, with its sub-code
    direction          0 uplink, 1 downlink
    submitted_at       RFC 3339; completed_at: when a downlink SMS was closed
    result             code of the service, 200 is success; the SMSC's error if a downlink SMS failed
    outcome            as in the log; of a downlink SMS sent, delivered, undelivered, failed or expired
    fee_type           01 free, 02 by the message, 03 by the month
    info_fee, month_fee, communication_fee
    home_province      three digits, 000 if unknown
    home_city, roaming_province, brand: empty; only the billing system knows them
    length             characters, empty for an SMS with a password
    segments           number of SMS; for a downlink message those that were sent

An uplink message is one record, with the fee of all its SMS; a message that never became complete has no
record, nor has what an operator did for a customer, who sent nothing. Test numbers have no records at all. A
downlink message belongs to the day on which it was closed, everything else to the day of its arrival.
month.csv has the fee of each product for each calendar month that ended on one of the days
(commands.charging). It is made from the orders in the customers' records, so it needs no old records.
"""

import csv
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from commands.charging import FETION, month_fee, month_start
from commands.tariffs import Tariffs
from gateway.message import DONE, OPERATOR, PART, Delivery, Kind, message_id
from gateway.storage.reader import Reader
from routing.table import Routing

_MESSAGE: Final = (
    *("record_id", "cause_id", "service_code", "service_id", "msisdn", "charged_msisdn", "access_number"),
    *("direction", "submitted_at", "completed_at", "result", "outcome", "fee_type", "info_fee", "month_fee"),
    *("communication_fee", "home_province", "home_city", "roaming_province", "brand", "length", "segments"),
)
_PRODUCT: Final = (
    *("record_id", "service_code", "operation", "trial", "msisdn", "charged_msisdn", "submitted_at"),
    *("fee_type", "month_fee", "home_province"),
)
_MONTH: Final = (
    *("month", "service_code", "msisdn", "charged_msisdn", "fee_type", "month_fee", "home_province"),
)
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"uplink": _MESSAGE, "downlink": _MESSAGE, "product": _PRODUCT, "month": _MONTH}
)
"""File -> its columns."""

FREE, BY_MESSAGE, BY_MONTH = "01", "02", "03"
"""Fee types (CMPP FeeType)."""

UPLINK, DOWNLINK = 0, 1
_TAKEN: Final = (Delivery.SENT, Delivery.DELIVERED)

Record = Mapping[str, object]
Watch = Callable[[str, Iterator[Record]], Iterable[Record]]
"""Called with the name of a file and its records. Returns these records."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a time zone, including the last. begin, end: milliseconds since the epoch, excluding end."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def begin(self) -> int:
        """Midnight at the start of the first day."""
        return self._midnight(self.first)

    @property
    def end(self) -> int:
        """Midnight at the end of the last day."""
        return self._midnight(self.last + timedelta(days=1))

    def months(self) -> Iterator[tuple[int, int]]:
        """Yield (year, month) of the calendar months whose last day is one of these days."""
        count = self.first.year * 12 + self.first.month - 1
        while True:
            year, month = divmod(count, 12)
            count += 1
            last_day = date(count // 12, count % 12 + 1, 1) - timedelta(days=1)
            if last_day > self.last:
                return
            yield year, month + 1

    def _midnight(self, day: date) -> int:
        return round(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 1000


class Records:
    """Makes the charging records of some days.

    Args:
        free_hours: hours for which a first order is free.
        tests: test numbers, which nobody is charged for.
    """

    def __init__(
        self,
        reader: Reader,
        routing: Routing,
        tariffs: Tariffs,
        span: Span,
        free_hours: int,
        tests: Container[str] = (),
    ) -> None:
        self._reader = reader
        self._routing = routing
        self._tariffs = tariffs
        self._span = span
        self._free_hours = free_hours
        self._tests = tests

    def write(self, out: Path, watch: Watch | None = None) -> dict[str, int]:
        """Write the files into a folder, which is made if it does not exist.

        Each file appears whole, replacing an older one, or not at all. Returns the number of records per
        file. watch: sees the records of each file on their way. Raises OSError, and StoreUnusable when the
        store cannot be read.
        """
        out.mkdir(parents=True, exist_ok=True)
        files = {
            "uplink": self.uplink(),
            "downlink": self.downlink(),
            "product": self.products(),
            "month": self.months(),
        }
        return {
            name: _write(out, name, records if watch is None else watch(name, records))
            for name, records in files.items()
        }

    def uplink(self) -> Iterator[Record]:
        """Yield one record per message from a handset on these days; a long message is one."""
        for sms in self._reader.journal(self._span.begin, self._span.end):
            if sms.outcome == PART or sms.account == OPERATOR or sms.msisdn in self._tests:
                continue
            yield self._message(
                sms.number,
                service_id=sms.instruction,
                msisdn=sms.msisdn or sms.source,  # older versions took senders that are no mobile
                charged_msisdn=sms.msisdn,
                access_number=sms.destination,
                direction=UPLINK,
                submitted_at=self._time(sms.at),
                completed_at=self._time(sms.at),
                result=sms.code,
                outcome=sms.outcome,
                fee=self._tariffs.uplink * sms.parts if sms.msisdn else 0,
                home_province=self._home(sms.msisdn),
                length="" if sms.hidden else len(sms.text),
                segments=sms.parts,
            )

    def downlink(self) -> Iterator[Record]:
        """Yield one record per SMS of ours that was closed on these days."""
        for sms, instruction, _ in self._reader.closed(self._span.begin, self._span.end):
            if sms.kind is not Kind.SMS or sms.msisdn in self._tests:
                continue  # a receipt is of no customer
            yield self._message(
                sms.number,
                cause_id=message_id(sms.cause),
                service_id=instruction,
                msisdn=sms.msisdn,
                charged_msisdn=sms.msisdn,
                access_number=sms.source,
                direction=DOWNLINK,
                submitted_at=self._time(sms.at),
                completed_at=self._time(sms.closed_at),
                result=DONE if sms.state in _TAKEN else sms.error or sms.state.name.lower(),
                outcome=sms.state.name.lower(),
                fee=self._tariffs.downlink * sms.parts_done,
                home_province=self._home(sms.msisdn),
                length="" if sms.secret else len(sms.text),
                segments=sms.parts_done,
            )

    def products(self) -> Iterator[Record]:
        """Yield one record per order and per cancellation on these days."""
        for order in self._reader.products(self._span.begin, self._span.end):
            if order.msisdn in self._tests:
                continue
            fee = self._tariffs.month.get(order.product, 0)
            yield {
                "record_id": message_id(order.cause),
                "service_code": order.product,
                "operation": order.operation,
                "trial": int(order.trial),
                "msisdn": order.msisdn,
                "charged_msisdn": order.msisdn,
                "submitted_at": self._time(order.at),
                "fee_type": BY_MONTH if fee else FREE,
                "month_fee": fee,
                "home_province": order.province,
            }

    def months(self) -> Iterator[Record]:
        """Yield one record per customer, product and calendar month that ended on one of these days."""
        months = list(self._span.months())
        if not months:
            return
        zone = self._span.zone
        for msisdn, orders in self._reader.orders():
            if msisdn in self._tests:
                continue
            for year, month in months:
                begin, end = month_start(year, month, zone), month_start(year, month + 1, zone)
                ran = {o.product for o in orders if o.since < end and not 0 < o.ended <= begin}
                for product in sorted(ran):
                    tariff = self._tariffs.month.get(product, 0)
                    fee = month_fee(orders, product, year, month, tariff, zone, self._free_hours)
                    yield {
                        "month": f"{year:04}-{month:02}",
                        "service_code": product,
                        "msisdn": msisdn,
                        "charged_msisdn": msisdn,
                        "fee_type": BY_MONTH if fee else FREE,
                        "month_fee": fee,
                        "home_province": self._routing.home(msisdn),
                    }

    def _message(self, number: int, *, fee: int, **fields: object) -> Record:
        """Return the fields that uplink and downlink records share."""
        return {
            "record_id": message_id(number),
            "service_code": FETION,
            "fee_type": BY_MESSAGE if fee else FREE,
            "info_fee": 0,
            "month_fee": 0,
            "communication_fee": fee,
            **fields,
        }

    def _home(self, msisdn: str) -> str:
        return self._routing.home(msisdn) if msisdn else "000"

    def _time(self, ms: int) -> str:
        moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._span.zone)
        return moment.isoformat(timespec="milliseconds")


def _write(out: Path, name: str, records: Iterable[Record]) -> int:
    """Write one file, readable only by its owner because it holds customers' numbers."""
    path = out / f"{name}.csv"
    unfinished = path.with_suffix(".csv.part")
    count = 0
    with open(unfinished, "w", encoding="utf-8", newline="", opener=_private) as file:
        writer = csv.DictWriter(file, COLUMNS[name], restval="")
        writer.writeheader()
        for record in records:
            writer.writerow(record)
            count += 1
    unfinished.replace(path)
    return count


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
