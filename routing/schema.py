"""The schema of the routing files. routing.loader checks what goes across rows."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from routing.model import Accepts, Province
from routing.numbers import Digits, span
from routing.provenance import Origin, Sourced
from routing.tablefile import Closed


def _is_span(text: str) -> str:
    span(text)
    return text


AccessCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{3,10}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,10}|none|provinces)$")]
ProvinceCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
Segment = Annotated[str, StringConstraints(pattern=r"^1[0-9]{2,10}$")]
CallPrefix = Annotated[str, StringConstraints(pattern=r"^1[0-9]{2,7}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Span = Annotated[str, AfterValidator(_is_span)]
SourcedText = Sourced[Text]
SourcedSpan = Sourced[Span]


class RowRecord(Closed):
    """A row of appendix7.yaml: which addresses, and what a text sent there means."""

    codes: list[Sourced[AccessCode]] = Field(min_length=1)
    prefix: Sourced[Prefix]
    tail: SourcedText
    closed: Sourced[Literal[True]] | None = None
    leading_zero: Sourced[Literal[True]] | None = None
    accepts: Sourced[Accepts]
    purpose: SourcedText
    province: SourcedText


class SourceRecord(Closed):
    """The address that an SMS is sent from. at: exceptions for SMS that began at a particular access code."""

    address: SourcedText
    at: dict[AccessCode, SourcedText] = Field(default_factory=dict)


class SourceRecords(Closed):
    """The addresses that SMS are sent from, by their cause."""

    reply: SourceRecord
    opening: SourceRecord
    question: SourceRecord
    notice: SourcedText
    chat: SourcedText


class Appendix7(Closed):
    """appendix7.yaml: access codes, sub-codes, source addresses."""

    access_codes: list[Sourced[AccessCode]] = Field(min_length=1)
    rows: list[RowRecord] = Field(min_length=1)
    sources: SourceRecords


class SecondNumberRecord(Closed):
    """A range of second numbers (one phone, two numbers): refused, or replaced by the main number."""

    first: Sourced[Segment]
    last: Sourced[Segment]
    action: Sourced[Literal["refuse", "map", "main"]]
    main: Sourced[Segment] | None = None
    example: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        first, last = self.first.value, self.last.value
        if len(first) != len(last) or first > last:
            raise ValueError("first and last are equally long, first is not behind last")
        if (self.action.value != "refuse") != (self.main is not None):
            raise ValueError("the action map, and it alone, has main: the first segment of the main numbers")
        if self.main is not None:
            past_end = int(self.main.value) + int(last) - int(first)
            if len(self.main.value) != len(first) or len(str(past_end)) != len(first):
                raise ValueError("the main numbers are as long as first, and there are as many of them")
        return self


class Appendix6(Closed):
    """appendix6.yaml."""

    rows: list[SecondNumberRecord]


class ProvinceRecord(Closed):
    """A provincial company."""

    code: ProvinceCode
    zh: Text
    en: Text

    def province(self) -> Province:
        """The province as routing uses it."""
        return Province(**self.model_dump())


class Provinces(Closed):
    """provinces.yaml. Each column has one provenance, because all rows have it from the same place."""

    provenance: dict[str, Origin]
    headquarters: ProvinceRecord
    provinces: list[ProvinceRecord] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_column_is_sourced(self) -> Self:
        used = {name for row in (self.headquarters, *self.provinces) for name in row.model_fields_set}
        if bare := sorted(used - set(self.provenance)):
            raise ValueError(f"no provenance for the columns {', '.join(bare)}")
        if unknown := sorted(set(self.provenance) - set(ProvinceRecord.model_fields)):
            raise ValueError(f"provenance for unknown columns {', '.join(unknown)}")
        return self


class ShapeRecord(Closed):
    """The form of numbers of a kind: length in digits, and the prefixes that begin them."""

    digits: Sourced[Annotated[int, Field(ge=1, le=15)]]
    begins: list[SourcedSpan] = Field(min_length=1)

    @model_validator(mode="after")
    def _prefixes_are_shorter(self) -> Self:
        for begin in self.begins:
            if len(span(begin.value)[0]) > self.digits.value:
                raise ValueError(f"{begin.value!r} is longer than the number")
        return self

    def shape(self, never: tuple[str, ...]) -> Digits:
        """The set of such numbers without those that begin with one of `never`."""
        return Digits(self.digits.value, self.digits.value, tuple(each.value for each in self.begins), never)


class NumberPlanRecord(Closed):
    """numbers.yaml: mobiles, Fetion numbers, call prefixes, and the segments of China Mobile."""

    mobile: ShapeRecord
    fetion_number: ShapeRecord
    call_prefixes: list[Sourced[CallPrefix]] = Field(default_factory=list)
    cmcc: list[SourcedSpan] = Field(min_length=1)
