"""routing.provenance: every value states where it comes from."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from routing.provenance import Provenance, Sourced


def test_a_value_with_its_provenance() -> None:
    """Attested, standard and reconstructed values are accepted."""
    assert Sourced[str](value="034", provenance=Provenance.ATTESTED, source="G2").value == "034"
    assert Sourced[int](value=11, provenance=Provenance.STANDARD).value == 11
    assert Sourced[str](value="x", provenance=Provenance.RECONSTRUCTED, ground="guess").ground == "guess"


@pytest.mark.parametrize(
    "record",
    [
        {"value": "034"},
        {"value": "034", "provenance": "attested"},
        {"value": "034", "provenance": "attested", "source": " "},
        {"value": "034", "provenance": "attested", "ground": "a ground is no source"},
        {"value": "034", "provenance": "reconstructed"},
        {"value": "034", "provenance": "reconstructed", "source": "a source is no ground"},
        {"value": "034", "provenance": "known", "source": "G2"},
        {"provenance": "standard"},
    ],
)
def test_a_value_without_its_provenance_is_refused(record: dict[str, str]) -> None:
    """An attested value names a source, a reconstructed one its ground."""
    with pytest.raises(ValidationError):
        Sourced[str].model_validate(record)
