"""Where a value of a table comes from.

The tables of the source document are not public, so each value states its provenance:

    {value: "034", provenance: attested, source: "fetion.md 1.1 G2"}
    {value: "161", provenance: reconstructed, ground: "161 is moving to 12520"}

attested: a source says so; `source` names it. standard: common practice or a public standard. reconstructed:
inferred by this project, never the document's text; `ground` says from what.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, Self, TypeVar

from pydantic import model_validator

from routing.tablefile import Closed

T = TypeVar("T")


class Provenance(StrEnum):
    """How well a value is known."""

    ATTESTED = "attested"
    STANDARD = "standard"
    RECONSTRUCTED = "reconstructed"


class Origin(Closed):
    """The provenance of a value, or of a column of a table whose rows all come from the same place."""

    provenance: Provenance
    source: str | None = None
    ground: str | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.provenance is Provenance.ATTESTED and not (self.source or "").strip():
            raise ValueError("an attested value names its source")
        if self.provenance is Provenance.RECONSTRUCTED and not (self.ground or "").strip():
            raise ValueError("a reconstructed value gives its ground")
        return self


class Sourced(Origin, Generic[T]):
    """A value with its provenance."""

    value: T
