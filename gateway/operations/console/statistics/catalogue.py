"""The table of reports: reports.yaml, read and checked."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import resources
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from gateway.storage.figures import SERVICE, WAYS, Measure
from routing.tablefile import Closed, shipped

Id: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Dimension: TypeAlias = Literal["way", "instruction"]


class Words(Closed):
    """The same in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]

    def of(self, language: str) -> str:
        """In one of them."""
        return self.zh if language == "zh" else self.en


def _in_both(value: Any) -> Any:
    """What is only names is the same in both languages."""
    return {"zh": value, "en": value} if isinstance(value, str) else value


Source: TypeAlias = Annotated[Words, BeforeValidator(_in_both)]


class Count(Closed):
    """The figures of a measure with these values only; a dimension that is absent may have any."""

    measure: Measure
    way: tuple[str, ...] = ()
    what: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    of: Literal["times", "parts"] = "times"

    @model_validator(mode="after")
    def _known_ways(self) -> Self:
        if unknown := set(self.way) - {*WAYS, SERVICE}:
            raise ValueError(f"no such way: {', '.join(sorted(unknown))}")
        return self


class Net(Closed):
    """Columns that are added and taken off."""

    plus: tuple[Id, ...]
    minus: tuple[Id, ...] = ()


class Ratio(Closed):
    """One column divided by another."""

    of: Id
    by: Id


class Column(Closed):
    """A figure of a report: what it is called, what it means, how it is made.

    hidden: others are made of it, and it is not shown.
    """

    id: Id
    title: Words
    definition: Words
    count: Count | None = None
    net: Net | None = None
    running: Net | None = None
    hidden: bool = False
    ratio: Ratio | None = None

    @model_validator(mode="after")
    def _one_way_to_make_it(self) -> Self:
        given = [each for each in (self.count, self.net, self.running, self.ratio) if each is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of count, net, running, ratio")
        return self

    @property
    def made_of(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        if self.net is not None:
            return (*self.net.plus, *self.net.minus)
        if self.ratio is not None:
            return (self.ratio.of, self.ratio.by)
        return () if self.running is None else (*self.running.plus, *self.running.minus)


class Report(Closed):
    """A report."""

    id: Id
    title: Words
    ground: Literal["attested", "ours"]
    source: Source
    filters: tuple[Dimension, ...]
    breakdown: tuple[Dimension, ...]
    chart: Annotated[tuple[Id, ...], Field(min_length=1, max_length=4)]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]

    @cached_property
    def by_id(self) -> Mapping[str, Column]:
        """Its columns."""
        return {column.id: column for column in self.columns}

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """The columns that are shown."""
        return tuple(column for column in self.columns if not column.hidden)

    def sums_up(self, column: Column) -> bool:
        """Whether the values of periods, provinces or ways may be added; not where customers are told apart
        or the value is a sum or a ratio already."""
        if column.count is not None:
            return column.count.measure is not Measure.ACTIVE
        return column.net is not None and all(self.sums_up(self.by_id[each]) for each in column.made_of)

    @model_validator(mode="after")
    def _names_only_its_columns(self) -> Self:
        ids = [column.id for column in self.columns]
        if len(set(ids)) < len(ids):
            raise ValueError(f"report {self.id}: a column stands twice")
        if self.columns[0].hidden or any(
            self.by_id[name].hidden for name in self.chart if name in self.by_id
        ):
            raise ValueError(f"report {self.id}: the first column and those of the chart cannot be hidden")
        named = {*self.chart, *(name for column in self.columns for name in column.made_of)}
        if unknown := named - set(ids):
            raise ValueError(f"report {self.id}: no such column: {', '.join(sorted(unknown))}")
        told_apart = [column for column in self.columns if column.count and not self.sums_up(column)]
        if told_apart and (self.breakdown or self.sums_up(self.columns[0])):
            raise ValueError(f"report {self.id}: {told_apart[0].id} cannot be added over periods and ways")
        for column in self.columns:
            if any(self.by_id[name].count is None for name in column.made_of):
                raise ValueError(f"report {self.id}: {column.id} must be made of counts")
        return self


class NotCarried(Closed):
    """An attested report that the data of this gateway cannot carry."""

    title: Words
    source: str
    reason: Words


class Catalogue(Closed):
    """All reports. key: the key figures, REPORT.COLUMN."""

    reports: Annotated[tuple[Report, ...], Field(min_length=1)]
    key: Annotated[tuple[str, ...], Field(min_length=1)]
    not_carried: tuple[NotCarried, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Report]:
        """The reports."""
        return {report.id: report for report in self.reports}

    def key_figures(self) -> Iterator[tuple[Report, Column]]:
        """The key figures: report and column."""
        for name in self.key:
            report, _, column = name.partition(".")
            yield self.by_id[report], self.by_id[report].by_id[column]

    @model_validator(mode="after")
    def _key_figures_exist(self) -> Self:
        if len(self.by_id) < len(self.reports):
            raise ValueError("a report stands twice")
        try:
            list(self.key_figures())
        except KeyError as error:
            raise ValueError(f"key names what is no report or column: {error}") from error
        return self


def load_catalogue() -> Catalogue:
    """The shipped table of reports."""
    file = resources.files(__package__) / "reports.yaml"
    return Catalogue.model_validate(shipped(file.read_text("utf-8")))
