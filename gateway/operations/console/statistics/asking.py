"""What a visitor asks of a report: period, range and filters, out of the parameters of an address."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from gateway.operations.console.refused import Refused, Said
from gateway.operations.console.rights import HEADQUARTERS, Viewer
from gateway.operations.console.statistics.catalogue import Report
from gateway.operations.console.statistics.counting import Scope
from gateway.operations.console.statistics.periods import Span, shifted
from gateway.storage.figures import SERVICE, WAYS, PeriodKind, begin_of

MOST: Final[Mapping[PeriodKind, int]] = MappingProxyType(
    {PeriodKind.DAY: 100, PeriodKind.WEEK: 60, PeriodKind.MONTH: 60}
)
"""Periods that a page shows at most: a quarter of days, a year of weeks, five of months."""
USUAL: Final[Mapping[PeriodKind, int]] = MappingProxyType(
    {PeriodKind.DAY: 31, PeriodKind.WEEK: 13, PeriodKind.MONTH: 13}
)
"""Periods that are shown where no range is given; the last one goes on."""
EARLIEST: Final = date(2000, 1, 1)
NOTHING_UNDERSTOOD: Final = "-"
"""The instruction of SMS in which none was understood, as an address has it."""

PARAMETERS: Final = ("period", "from", "to", "province", "way", "instruction")
_DATE: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)
_INSTRUCTION: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)

Say = Callable[..., str]
"""Gives a text of texts/statistics.yaml by its key."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. today: the day on which it is asked, in service.timezone."""

    span: Span
    scope: Scope
    today: date

    @property
    def province(self) -> str:
        """The province as an address has it."""
        return HEADQUARTERS if self.scope.province is None else self.scope.province


class Asking:
    """Reads the parameters of one visitor's address. Raises Refused with a sentence in his language."""

    def __init__(self, say: Say, viewer: Viewer, provinces: Collection[str], today: date) -> None:
        self._say = say
        self._viewer = viewer
        self._provinces = provinces
        self._today = today

    def question(self, report: Report, given: Iterable[tuple[str, str]]) -> Question:
        """The question of a report's address."""
        asked = self.parameters(given, PARAMETERS)
        kind = self._kind(asked.get("period", PeriodKind.DAY.value))
        span = self._span(kind, asked.get("from", ""), asked.get("to", ""))
        scope = Scope(
            self.province(asked.get("province", "")),
            self._way(report, asked.get("way", "")),
            self._instruction(report, asked.get("instruction", "")),
        )
        return Question(span, scope, self._today)

    def parameters(self, given: Iterable[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
        """The parameters that have a value, each once; 400 for any other than the known ones."""
        asked: dict[str, str] = {}
        for name, value in given:
            if name not in known:
                raise self._wrong("unknown_parameter", allowed=", ".join(known))
            if name in asked:
                raise self._wrong("twice", name=name)
            if value:
                asked[name] = value
        return asked

    def province(self, code: str) -> str | None:
        """The province that is asked for; None: the whole network. 403 for one that he does not see."""
        viewer = self._viewer
        if not code:
            return None if viewer.sees_all else viewer.province
        if code != HEADQUARTERS and code not in self._provinces:
            raise self._wrong("bad_province")
        if not viewer.sees(code):
            raise Refused(HTTPStatus.FORBIDDEN, "statistics.foreign", province=viewer.province)
        return None if code == HEADQUARTERS else code

    def _kind(self, text: str) -> PeriodKind:
        try:
            return PeriodKind(text)
        except ValueError as error:
            raise self._wrong("bad_period") from error

    def _span(self, kind: PeriodKind, first: str, last: str) -> Span:
        current = begin_of(kind, self._today)
        most, usual = MOST[kind], USUAL[kind]
        if last:
            end = self._begin(kind, "to", last)
            begin = self._begin(kind, "from", first) if first else shifted(kind, end, 1 - usual)
        else:
            begin = self._begin(kind, "from", first) if first else shifted(kind, current, 1 - usual)
            end = min(current, shifted(kind, begin, usual - 1))
        if begin > end:
            raise self._wrong("backwards")
        span = Span(kind, begin, end)
        if len(span) > most:
            raise self._wrong("too_long", most=most, unit=Said(f"statistics.unit_{kind.value}"))
        return span

    def _begin(self, kind: PeriodKind, name: str, text: str) -> date:
        try:
            if not _DATE.fullmatch(text):
                raise ValueError(text)
            day = date.fromisoformat(text if len(text) > len("2026-11") else f"{text}-01")
        except ValueError as error:
            raise self._wrong("bad_date", name=name) from error
        if not EARLIEST + timedelta(days=1) <= day <= self._today and begin_of(kind, day) != begin_of(
            kind, self._today
        ):
            raise self._wrong("outside", name=name, first=EARLIEST.isoformat(), last=self._today.isoformat())
        return begin_of(kind, day)

    def _way(self, report: Report, way: str) -> str | None:
        if not way:
            return None
        if "way" not in report.filters:
            raise self._wrong("no_filter", name="way")
        if way not in {*WAYS, SERVICE}:
            raise self._wrong("bad_way", allowed=", ".join((*WAYS, SERVICE)))
        return way

    def _instruction(self, report: Report, instruction: str) -> str | None:
        if not instruction:
            return None
        if "instruction" not in report.filters:
            raise self._wrong("no_filter", name="instruction")
        if instruction == NOTHING_UNDERSTOOD:
            return ""
        if not _INSTRUCTION.fullmatch(instruction):
            raise self._wrong("bad_instruction")
        return instruction

    def _wrong(self, key: str, **values: object) -> Refused:
        return Refused(HTTPStatus.BAD_REQUEST, f"statistics.{key}", **values)
