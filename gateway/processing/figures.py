"""Counts what SMS, events and products add to the figures: of a commit, or of the records of earlier ones.

The rules, which docs/statistics.md explains: an SMS in counts when it is handled, so a part that waits for
others does not, and the SMS that they make counts with its parts. An SMS out counts when it is over, and as
"sent" whatever receipts say of it later. What an operator did counts as events and products, not as an SMS.
Test numbers count in nothing, nor does an SMS that one of theirs led to. The province is the home of the
customer whom it concerns.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple, Protocol

from commands.tables import InForce
from gateway.message import (
    FIGURES,
    OPERATOR,
    PART,
    Commit,
    Delivery,
    Kind,
    ProductRecord,
    StoredEvent,
)
from gateway.storage.figures import SERVICE, WAYS, Amount, FigureKey, Figures, Measure
from routing.model import Accepts

NAME: Final = "counted"
"""Of the events of the family FIGURES."""
AMOUNTS: Final = "n"
ACTIVE: Final = "a"
"""Keys of their data: [day, measure, province, way, what, outcome, times, parts] each, and [day, province,
{mobile: ways}] each."""
MOST: Final = 20_000
"""Addresses, and mobiles, that are remembered with their way or home; SMS of test numbers."""
OUTCOMES: Final[Mapping[Delivery, str]] = {
    Delivery.SENT: "sent",
    Delivery.DELIVERED: "sent",
    Delivery.UNDELIVERED: "sent",
    Delivery.FAILED: "failed",
    Delivery.EXPIRED: "expired",
}
"""How an SMS out that is over ended, in the words of DOWNLINK."""

_BITS: Final[Mapping[str, int]] = {way: 1 << place for place, way in enumerate(WAYS)}
_UPLINK: Final = Measure.UPLINK.value
_DOWNLINK: Final = Measure.DOWNLINK.value
_EVENT: Final = Measure.EVENT.value
_ORDER: Final = Measure.ORDER.value
_PROVINCE: Final = Accepts.PROVINCE
_SMS: Final = Kind.SMS
_OTHER: Final = "other"
_NOWHERE: Final = "000"


class Uplink(Protocol):
    """An SMS in: gateway.message.JournalEntry, and the JournalRecord that a Reader gives of it."""

    @property
    def number(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def destination(self) -> str: ...
    @property
    def msisdn(self) -> str: ...
    @property
    def parts(self) -> int: ...
    @property
    def instruction(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def detail(self) -> Mapping[str, Any] | None: ...


class Downlink(Protocol):
    """An SMS out that is over: gateway.message.MobileTerminated, and the DownlinkRecord of a Reader."""

    @property
    def cause(self) -> int: ...
    @property
    def msisdn(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def state(self) -> Delivery: ...
    @property
    def parts_done(self) -> int: ...
    @property
    def closed_at(self) -> int: ...
    @property
    def kind(self) -> Kind: ...


class Span(NamedTuple):
    """A day (YYYY-MM-DD), from its begin to before its end: milliseconds since the epoch."""

    day: str
    begin: int
    end: int


def day_at(at: int, zone: tzinfo) -> Span:
    """The day in a time zone that a moment is in (milliseconds since the epoch)."""
    day = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
    midnights = [datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(1))]
    begin, end = (round(each.timestamp()) * 1000 for each in midnights)
    return Span(day.isoformat(), begin, end)


@dataclass(slots=True)
class Tally:
    """What was counted. amounts: key -> times and parts. active: (day, province) -> mobile -> ways (bits)."""

    amounts: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    active: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """As an event has it."""
        found: dict[str, Any] = {AMOUNTS: [[*key, *amount] for key, amount in self.amounts.items()]}
        if self.active:
            found[ACTIVE] = [[*place, customers] for place, customers in self.active.items()]
        return found

    def figures(self) -> Figures:
        """As a store takes it."""
        figures = Figures()
        add(figures, self.data())
        return figures


def add(figures: Figures, data: Mapping[str, Any]) -> None:
    """Add what an event says to figures."""
    amounts, active = figures.amounts, figures.active
    for *place, times, parts in data.get(AMOUNTS, ()):
        key = FigureKey(*place)
        known = amounts.get(key)
        amounts[key] = Amount(times, parts) if known is None else Amount(known[0] + times, known[1] + parts)
    for day, province, customers in data.get(ACTIVE, ()):
        for msisdn, ways in customers.items():
            first, before = active.get((day, msisdn), (province, 0))
            active[day, msisdn] = first, before | ways


def days_of(data: Mapping[str, Any]) -> set[str]:
    """The days that an event adds to."""
    return {row[0] for key in (AMOUNTS, ACTIVE) for row in data.get(key, ())}


def _raised(error: Exception) -> None:
    raise error


class Counting:
    """Counts by the tables in force and the days of a time zone. excluded: says which mobiles are test
    numbers. broken: hears of a bug.

    What it remembers of tables, addresses and mobiles is a cache.
    """

    def __init__(
        self,
        in_force: InForce,
        zone: tzinfo,
        excluded: Callable[[str], bool] | None = None,
        broken: Callable[[Exception], None] = _raised,
    ) -> None:
        self._broken = broken
        self._in_force = in_force
        self._zone = zone
        self._excluded = excluded
        self._tables = in_force.tables
        self._span = Span("", 0, 0)
        self._ways: dict[str, str] = {}
        self._homes: dict[str, str | None] = {}
        self._of_tests: dict[int, None] = {}

    def note(self, commit: Commit, now_ms: int) -> None:
        """Add to a commit the event that says what it adds, if it adds anything. The last step before it is
        stored."""
        if not (commit.messages or commit.closed or commit.products):
            return
        tally = Tally()
        self.begin()
        try:
            self.uplinks(tally, commit.messages)
            if commit.closed:
                self.downlinks(tally, {sms.number: sms for sms in commit.closed}.values())
            if commit.products:
                self.orders(tally, commit.products, self.ways_of(commit.messages))
        except Exception as error:  # the boundary for bugs in counting: no SMS fails by it
            self._broken(error)
            return
        if tally.amounts:
            commit.events.append(StoredEvent(now_ms, 0, "", "", "", FIGURES, NAME, 0, tally.data()))

    def begin(self) -> None:
        """Forget what other tables said."""
        if self._tables is not self._in_force.tables:
            self._tables = self._in_force.tables
            self._ways.clear()
            self._homes.clear()

    def uplinks(self, tally: Tally, messages: Iterable[Uplink]) -> None:
        """SMS in, and what they led to."""
        span, amounts, homes, ways_known = self._span, tally.amounts, self._homes, self._ways
        for m in messages:
            outcome = m.outcome
            if outcome == PART:
                continue
            at, msisdn = m.at, m.msisdn
            if not span.begin <= at < span.end:
                span = self._span = day_at(at, self._zone)
            province = homes[msisdn] if msisdn in homes else self._home(msisdn)
            if province is None:
                self.leave_out(m.number)
                continue
            destination = m.destination
            if m.account == OPERATOR:
                way = SERVICE
            else:
                way = ways_known.get(destination) or self._way(destination)
                key = (span.day, _UPLINK, province, way, m.instruction, outcome)
                if (amount := amounts.get(key)) is None:
                    amounts[key] = [1, m.parts]
                else:
                    amount[0] += 1
                    amount[1] += m.parts
                if msisdn:
                    customers = tally.active.setdefault((span.day, province), {})
                    customers[msisdn] = customers.get(msisdn, 0) | _BITS[way]
            detail = m.detail
            if detail is not None and "events" in detail:
                self._events(tally, detail["events"], span.day, way)

    def _events(self, tally: Tally, events: Any, day: str, way: str) -> None:
        for event in events:
            province = self._home(event["msisdn"])
            if province is not None:
                amount = tally.amounts.setdefault((day, _EVENT, province, way, event["event"], ""), [0, 0])
                amount[0] += 1

    def downlinks(self, tally: Tally, closed: Iterable[Downlink]) -> None:
        """SMS out that are over. Receipts are none."""
        span, amounts, homes, ways_known = self._span, tally.amounts, self._homes, self._ways
        of_tests = self._of_tests
        for m in closed:
            if m.kind is not _SMS or (of_tests and m.cause in of_tests):
                continue
            at, msisdn, source = m.closed_at, m.msisdn, m.source
            if not span.begin <= at < span.end:
                span = self._span = day_at(at, self._zone)
            province = homes[msisdn] if msisdn in homes else self._home(msisdn)
            if province is None:
                continue
            way = ways_known.get(source) or self._way(source)
            key = (span.day, _DOWNLINK, province, way, "", OUTCOMES[m.state])
            if (amount := amounts.get(key)) is None:
                amounts[key] = [1, m.parts_done]
            else:
                amount[0] += 1
                amount[1] += m.parts_done

    def orders(self, tally: Tally, products: Iterable[ProductRecord], ways: Mapping[int, str]) -> None:
        """Products. ways: of the SMS that caused them, by number."""
        for record in products:
            if self._home(record.msisdn) is None:
                continue
            if not self._span.begin <= record.at < self._span.end:
                self._span = day_at(record.at, self._zone)
            way = ways.get(record.cause, _OTHER)
            key = (self._span.day, _ORDER, record.province, way, record.product, record.operation)
            tally.amounts.setdefault(key, [0, 0])[0] += 1

    def ways_of(self, messages: Iterable[Uplink]) -> dict[int, str]:
        """The ways of SMS in, by number."""
        return {m.number: SERVICE if m.account == OPERATOR else self._way(m.destination) for m in messages}

    @property
    def leaves_out_some(self) -> bool:
        """Whether there are test numbers."""
        return self._excluded is not None

    def leave_out(self, number: int) -> None:
        """What this SMS leads to counts in nothing: a test number sent it."""
        if len(self._of_tests) >= MOST:
            del self._of_tests[next(iter(self._of_tests))]
        self._of_tests[number] = None

    def home(self, msisdn: str) -> str | None:
        """The province that a mobile counts in; None: in none."""
        return self._home(msisdn)

    def _home(self, msisdn: str) -> str | None:
        if msisdn in self._homes:
            return self._homes[msisdn]
        province: str | None = self._tables.home(msisdn) if msisdn else _NOWHERE
        if self._excluded is not None and self._excluded(msisdn):
            province = None
        if len(self._homes) >= MOST:
            self._homes.clear()
        self._homes[msisdn] = province
        return province

    def _way(self, address: str) -> str:
        """The way of access of one of our numbers."""
        known = self._ways.get(address)
        if known is not None:
            return known
        route = self._tables.routing.resolve(address)
        way = "province" if route.accepts is _PROVINCE else route.access_code
        if way not in _BITS:
            way = _OTHER
        if len(self._ways) >= MOST:
            self._ways.clear()
        self._ways[address] = way
        return way
