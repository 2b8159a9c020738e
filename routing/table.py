"""Routing: what the destination of an SMS means, which province it belongs to, who its sender is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from weakref import ref

from routing.loader import SecondNumbers, Tables, load_tables
from routing.model import Accepts, Decided, Explanation, Operator, Province, Route, TailKind
from routing.numbers import COUNTRY_PREFIXES, FetionNumber, Mobile, NumberPlan, Person, without_fillers
from routing.rows import AccessCode
from routing.segments import UNKNOWN
from routing.sources import SourceCompiler, Sources
from routing.tablefile import TableError

ROUTES_CACHED = 16_384
"""Routes that are cached by default: about 8 MB when all are in use."""

SECOND_NUMBER_REFUSED = "a second number, which appendix 6 keeps from the service"
"""Why a sender with a refused second number is rejected."""

_PERSONS: Mapping[TailKind, type[Mobile | FetionNumber]] = MappingProxyType(
    {TailKind.MOBILE: Mobile, TailKind.FETION_NUMBER: FetionNumber}
)

T = TypeVar("T")


class Routing:
    """The routing tables, checked at load and immutable. Build it with `load`.

    numbers: reads the number of a person. provinces: the provincial companies by code. version: a hash of the
    tables; two gateways with the same version route alike.
    """

    __slots__ = (
        "__weakref__",
        "_cached",
        "_cmcc",
        "_codes",
        "_ported",
        "_second_numbers",
        "_second_numbers_from",
        "_segments",
        "_sources",
        "numbers",
        "provinces",
        "version",
    )

    def __init__(self, tables: Tables, *, routes_cached: int = ROUTES_CACHED) -> None:
        """Raises TableError when the source addresses do not agree with the rows."""
        self.version: str = tables.version
        self.numbers: NumberPlan = tables.numbers
        self.provinces: Mapping[str, Province] = tables.provinces
        self._codes: tuple[AccessCode, ...] = tuple(tables.codes.values())
        self._cmcc: tuple[str, ...] = tables.cmcc
        self._segments = tables.segments
        self._ported = tables.ported or None  # None: nobody was, and a look-up costs nothing
        self._second_numbers: list[SecondNumbers] = sorted(tables.second_numbers, key=attrgetter("first"))
        self._second_numbers_from: list[str] = [row.first for row in self._second_numbers]
        # The cache must not hold the tables: replaced ones are gone with their last SMS, uncollected.
        this = ref(self)
        self._cached = lru_cache(maxsize=routes_cached)(lambda destination: _of(this)._route(destination))
        self._sources: Sources = self._compile_sources(tables)

    @classmethod
    def load(cls, folder: Path | None = None, *, routes_cached: int = ROUTES_CACHED) -> Routing:
        """The shipped tables, with the files of `folder` in place of those of the same name.

        Raises TableError.
        """
        return cls(load_tables(folder), routes_cached=routes_cached)

    def resolve(self, destination: str) -> Route:
        """What an address means. Never raises: a bad address is a route with `refused`.

        Blanks at either end, and +86, 86, 0086 or a + before an access code are removed. At most
        `routes_cached` routes are cached.
        """
        return self._cached(destination)

    def home(self, msisdn: str) -> str:
        """The province code of an 11-digit mobile: of its row if it was ported, else of its segment; "000"
        where it is not known."""
        try:
            number = int(msisdn)
        except ValueError:
            return UNKNOWN
        if self._ported is not None:
            ported = self._ported.find(number)
            if ported is not None:
                return ported.province
        return self._segments.home(number)

    def province(self, route: Route, msisdn: str) -> str:
        """The province an SMS belongs to: that of the route, else the sender's home."""
        return route.province if route.province is not None else self.home(msisdn)

    def operator(self, msisdn: str) -> Operator:
        """The operator of an 11-digit mobile: of its row if it was ported, else of its segment."""
        if self._ported is not None and msisdn.isdecimal():
            ported = self._ported.find(int(msisdn))
            if ported is not None:
                return ported.operator
        return Operator.CMCC if msisdn.startswith(self._cmcc) else Operator.OTHER

    @property
    def has_second_numbers(self) -> bool:
        """Whether `main_number` can return anything but its argument."""
        return bool(self._second_numbers)

    def main_number(self, msisdn: str) -> str | None:
        """The main number for a second number, any other mobile unchanged; None for a second number that
        is refused."""
        place = bisect_right(self._second_numbers_from, msisdn) - 1
        if place < 0:
            return msisdn
        row = self._second_numbers[place]
        start = msisdn[: len(row.first)]
        if start > row.last:
            return msisdn
        if row.main is None:
            return None
        return str(int(row.main) + int(start) - int(row.first)) + msisdn[len(start) :]

    def person(self, text: str) -> Person | None:
        """The person whom an argument names, or None.

        An argument may also be the address at which a person is shown: access code, sub-code and number, as
        in the rows that accept chat. A second number is replaced by its main number; one that is refused is
        returned as it is, and no customer has it.
        """
        person = self.numbers.person(text)
        if person is None:
            route = self._route(without_fillers(text))
            kind = _PERSONS.get(route.tail_kind) if route.accepts is Accepts.CHAT else None
            return None if kind is None else kind(route.person)
        if isinstance(person, Mobile) and self._second_numbers:
            return Mobile(self.main_number(person.digits) or person.digits)
        return person

    def explain(self, destination: str, sender: str | None = None) -> Explanation:
        """The route of an address, with every row that was considered. It is not cached. Never raises."""
        route = self._route(destination)
        split = self._split(destination)
        considered = () if isinstance(split, str) else tuple(split[0].consider(split[1]))
        msisdn = None if sender is None else self.numbers.msisdn(sender)
        customer = None if msisdn is None else self.main_number(msisdn)
        if route.refused is not None:
            province = None
        elif route.province is None and sender is not None:
            province = UNKNOWN if customer is None else self.home(customer)
        else:
            province = route.province
        main = customer if customer != msisdn else None
        sender_refused = SECOND_NUMBER_REFUSED if msisdn is not None and customer is None else None
        decided = None if customer is None else self._decided(customer, route)
        return Explanation(destination, route, province, considered, main, sender_refused, decided)

    def _decided(self, msisdn: str, route: Route) -> Decided:
        """The operator of a sender, and which rows decided it and the province."""
        ported = None if self._ported is None else self._ported.find(int(msisdn))
        if self._ported is not None and ported is not None:
            row = f"{self._ported.file}: {msisdn} -> {ported.province}, {ported.operator}"
            province_by = operator_by = row
        else:
            province_by = self._segments.decided_by(msisdn)
            prefix = next((each for each in self._cmcc if msisdn.startswith(each)), None)
            operator_by = "numbers.yaml: cmcc " + (prefix or "has no span that begins this number")
        if route.province is not None:
            province_by = "the address"
        return Decided(self.operator(msisdn), operator_by, province_by if route.refused is None else "")

    def reply_from(self, route: Route) -> str:
        """The address that a reply is sent from. Raises ValueError for a refused route."""
        return _at(self._sources.reply, route)

    def opening_from(self, route: Route) -> str:
        """The address that the result of an opening is sent from. Raises ValueError as reply_from."""
        return _at(self._sources.opening, route)

    def question_from(self, route: Route, serial: str) -> str:
        """The address that a question is sent from; its answer is sent back there.

        Args:
            serial: in full, such as "00042".

        Raises:
            ValueError: a refused route, or a serial that the row for answers does not take.
        """
        head, serials = _at(self._sources.question, route)
        if not serials.fits(serial):
            raise ValueError(f"serial {serials.mismatch(serial)}; an answer to {head} wants {serials}")
        return head + serial

    def notice_from(self) -> str:
        """The address that an SMS to another customer than the sender is sent from."""
        return self._sources.notice

    def chat_from(self, sender: Person) -> str:
        """The address that a chat message is sent from. An answer to it reaches `sender`."""
        return self._sources.chat + sender.digits

    def _route(self, destination: str) -> Route:
        split = self._split(destination)
        if isinstance(split, str):
            return Route("", "", "", TailKind.NONE, Accepts.NONE, "", None, split)
        code, rest = split
        route = code.route(rest)
        if route.tail_kind not in _PERSONS:
            return route
        person = self.main_number(route.tail) if route.tail_kind is TailKind.MOBILE else route.tail
        return replace(route, person=person or route.tail)

    def _split(self, destination: str) -> tuple[AccessCode, str] | str:
        """The access code and the digits behind it, or why there is none."""
        destination = destination.strip(" ")
        for country in ("", *COUNTRY_PREFIXES, "+"):
            if not destination.startswith(country):
                continue
            number = destination[len(country) :]
            for code in self._codes:
                if number.startswith(code.code):
                    rest = number[len(code.code) :]
                    if rest and not (rest.isascii() and rest.isdigit()):
                        return f"{destination!r} is not an address of digits"
                    return code, rest
        codes = ", ".join(code.code for code in self._codes)
        return f"{destination!r} begins with no access code ({codes})"

    def _compile_sources(self, tables: Tables) -> Sources:
        shapes = (self.numbers.mobile, self.numbers.fetion_number)
        people = [shape.begins[0].ljust(shape.longest, "0") for shape in shapes]
        compiler = SourceCompiler(tables.appendix7, tables.codes, self._route, people)
        sources = compiler.compile()
        if compiler.faults:
            raise TableError(compiler.faults)
        return sources


def _of(this: ref[Routing]) -> Routing:
    """The tables of a reference that they hold themselves."""
    routing = this()
    assert routing is not None
    return routing


def _at(addresses: Mapping[str, T], route: Route) -> T:
    """The value for the access code of a route. Raises ValueError when there is none."""
    if route.refused is not None or route.access_code not in addresses:
        raise ValueError(f"nothing of this kind leaves from {route.address or 'a refused address'}")
    return addresses[route.access_code]
