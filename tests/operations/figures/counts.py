"""Figures by brute force, over the records of a store: rules written again, and simply."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from gateway.message import OPERATOR, PART, Delivery, Kind
from gateway.storage.figures import FigureQuery, Measure, PeriodKind, begin_of
from gateway.storage.reader import Reader

FIRST, LAST = "1970-01-01", "2900-01-01"
Counts = dict[tuple[str, ...], tuple[int, int]]
OVER = {Delivery.FAILED: "failed", Delivery.EXPIRED: "expired"}


def home_of(msisdn: str) -> str:
    """A province by the last digit of a mobile: what tests put in place of the tables."""
    return f"{int(msisdn[-1]) % 3 + 1}00"


class Count:
    """Counts the records of a store. home: the province of a mobile. way: of an address."""

    def __init__(self, reader: Reader, zone: ZoneInfo, home=home_of, way=lambda _: "161") -> None:  # type: ignore[no-untyped-def]
        self.rows: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        self.days: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._zone, self._home, self._way = zone, home, way
        ways = {}
        for sms in reader.journal():
            if sms.outcome == PART:
                continue
            operator = sms.account == OPERATOR
            ways[sms.number] = access = "service" if operator else way(sms.destination)
            if not operator:
                self._add(sms.at, "uplink", home(sms.msisdn), access, sms.instruction, sms.outcome, sms.parts)
                self.days[sms.msisdn, access].append(self._day(sms.at))
            for event in sms.detail.get("events", ()):
                self._add(sms.at, "event", home(event["msisdn"]), access, event["event"], "", 0)
        for out, *_ in reader.closed(0, 1 << 62):
            if out.kind is Kind.SMS:
                word = OVER.get(out.state, "sent")
                self._add(
                    out.closed_at, "downlink", home(out.msisdn), way(out.source), "", word, out.parts_done
                )
        for each in reader.products(0, 1 << 62):
            self._add(each.at, "order", each.province, ways[each.cause], each.product, each.operation, 0)

    def _day(self, at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zone).date().isoformat()

    def _add(self, at: int, measure: str, *rest: object) -> None:
        *place, parts = rest
        row = self.rows[(measure, self._day(at), *map(str, place))]
        row[0] += 1
        row[1] += int(str(parts))

    def of(self, kind: PeriodKind) -> Counts:
        """All figures of a kind of period: (measure, period, province, way, what, outcome) -> amount."""
        found: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        for (measure, day, *place), (times, parts) in self.rows.items():
            row = found[(measure, _begin(kind, day), *place)]
            row[0] += times
            row[1] += parts
        active: dict[tuple[str, str], set[str]] = defaultdict(set)
        for (msisdn, way), days in self.days.items():
            for day in days:
                active[_begin(kind, day), way].add(msisdn)
                active[_begin(kind, day), ""].add(msisdn)
        for (period, way), mobiles in active.items():
            for province, count in Counter(map(self._home, mobiles)).items():
                found["active", period, province, way, "", ""] = [count, 0]
        return {key: (times, parts) for key, (times, parts) in found.items()}


def _begin(kind: PeriodKind, day: str) -> str:
    return begin_of(kind, date.fromisoformat(day)).isoformat()


def stored(reader: Reader, kind: PeriodKind) -> Counts:
    """The same of the figures of the store."""
    found: Counts = {}
    for measure in Measure:
        if measure is not Measure.BASE:
            columns = ("period", "province", "way", "what", "outcome")
            for row in reader.figures(FigureQuery(kind, measure, FIRST, LAST, by=columns)):
                found[(measure.value, *row.keys)] = (row.times, row.parts)
    return found
