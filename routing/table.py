"""Routing: from the address an SMS was sent to, and its sender, to what it means and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from routing.loader import SecondNumbers, Tables, load_tables
from routing.model import Accepts, Explanation, Operator, Province, Route, TailKind
from routing.numbers import COUNTRY_PREFIXES, Numbers, Person
from routing.rows import AccessCode
from routing.segments import UNKNOWN
from routing.sources import SourceCompiler, Sources
from routing.tablefile import TableError

ROUTES_CACHED = 16_384
"""Destinations whose routes are kept by default: some 8 MB when every one of them is in use."""

T = TypeVar("T")


class Routing:
    """The routing tables, validated once and immutable. Build it with `load`.

    `numbers` reads a person's number, `provinces` has the provincial companies by code, `version` names
    the tables: two gateways with the same version route alike.
    """

    __slots__ = (
        "_cached",
        "_cmcc",
        "_codes",
        "_second_numbers",
        "_segments",
        "_sources",
        "numbers",
        "provinces",
        "version",
    )

    def __init__(self, tables: Tables, *, routes_cached: int = ROUTES_CACHED) -> None:
        """Raises TableError when the sources of SMS do not agree with the rows."""
        self.version: str = tables.version
        self.numbers: Numbers = tables.numbers
        self.provinces: Mapping[str, Province] = tables.provinces
        self._codes: tuple[AccessCode, ...] = tuple(tables.codes.values())
        self._cmcc: tuple[str, ...] = tables.cmcc
        self._segments = tables.segments
        self._second_numbers: tuple[SecondNumbers, ...] = tables.second_numbers
        self._cached = lru_cache(maxsize=routes_cached)(self._route)
        self._sources: Sources = self._compile_sources(tables)

    @classmethod
    def load(cls, folder: Path | None = None, *, routes_cached: int = ROUTES_CACHED) -> Routing:
        """The tables of `folder` (all five files), or the shipped ones; raises TableError."""
        return cls(load_tables(folder or Path(__file__).parent), routes_cached=routes_cached)

    def resolve(self, destination: str) -> Route:
        """What an address means. Never raises: a bad address is a route with `refused`.

        +86, 86 and 0086 come off before an access code. At most `routes_cached` routes are kept.
        """
        return self._cached(destination)

    def home(self, msisdn: str) -> str:
        """The province code of an 11-digit mobile; "000" where it is not known."""
        return self._segments.home(msisdn)

    def province(self, route: Route, msisdn: str) -> str:
        """The province an SMS belongs to: the route's own, else the sender's home."""
        return route.province if route.province is not None else self._segments.home(msisdn)

    def operator(self, msisdn: str) -> Operator:
        """Whose an 11-digit mobile is, by its segment (numbers did not move between operators in 2007)."""
        return Operator.CMCC if msisdn.startswith(self._cmcc) else Operator.OTHER

    def main_number(self, msisdn: str) -> str | None:
        """The number that counts for a sender: a second number's main one; None when it is refused."""
        for row in self._second_numbers:
            start = msisdn[: len(row.first)]
            if row.first <= start <= row.last:
                if row.main is None:
                    return None
                return str(int(row.main) + int(start) - int(row.first)) + msisdn[len(start) :]
        return msisdn

    def explain(self, destination: str, sender: str | None = None) -> Explanation:
        """The route of an address with every near row's verdict; not cached. Never raises."""
        route = self._route(destination)
        split = self._split(destination)
        considered = () if isinstance(split, str) else tuple(split[0].consider(split[1]))
        if route.refused is not None:
            province = None
        elif route.province is None and sender is not None:
            msisdn = self.numbers.msisdn(sender)
            province = UNKNOWN if msisdn is None else self.home(msisdn)
        else:
            province = route.province
        return Explanation(destination, route, province, considered)

    def reply_from(self, route: Route) -> str:
        """The address a reply leaves from. Raises ValueError for a refused route, like the next two."""
        return _at(self._sources.reply, route)

    def opening_from(self, route: Route) -> str:
        """The address that the result of an opening leaves from."""
        return _at(self._sources.opening, route)

    def question_from(self, route: Route, serial: str) -> str:
        """The address of a question, to which its answer goes back.

        `serial` is written in full ("00042"). Raises ValueError for one that the answer's row refuses.
        """
        head, serials = _at(self._sources.question, route)
        if not serials.fits(serial):
            raise ValueError(f"serial {serials.mismatch(serial)}; an answer to {head} wants {serials}")
        return head + serial

    def notice_from(self) -> str:
        """The address that a notice to somebody else leaves from."""
        return self._sources.notice

    def chat_from(self, sender: Person) -> str:
        """The address that a chat message leaves from: an answer to it reaches `sender`."""
        return self._sources.chat + sender.digits

    def _route(self, destination: str) -> Route:
        split = self._split(destination)
        if isinstance(split, str):
            return Route("", "", "", TailKind.NONE, Accepts.NONE, "", None, split)
        code, rest = split
        return code.route(rest)

    def _split(self, destination: str) -> tuple[AccessCode, str] | str:
        """Access code and the digits behind it, or why there is none."""
        for country in ("", *COUNTRY_PREFIXES):
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


def _at(addresses: Mapping[str, T], route: Route) -> T:
    """What a source has for the access code of a route."""
    if route.refused is not None or route.access_code not in addresses:
        raise ValueError(f"nothing of this kind leaves from {route.address or 'a refused address'}")
    return addresses[route.access_code]
