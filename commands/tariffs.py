"""The tariffs of the service: tariffs.yaml, checked at load. Amounts are in fen (1 yuan = 100 fen)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from commands.charging import PRODUCTS
from routing.provenance import Sourced
from routing.tablefile import Closed, Fault, TableError, locate, nearest

FILE = "tariffs.yaml"

Fen = Annotated[int, Field(ge=0, le=1_000_000)]


class TariffsRecord(Closed):
    """The schema of tariffs.yaml."""

    uplink: Sourced[Fen]
    downlink: Sourced[Fen]
    month: dict[str, Sourced[Fen]]


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Amounts in fen.

    uplink: for an SMS to the service. downlink: for an SMS from it. month: product -> its monthly fee.
    """

    uplink: int
    downlink: int
    month: Mapping[str, int]

    def sentence_values(self) -> dict[str, str]:
        """The values that sentences use: `month_` + product in lower case -> fee in yuan."""
        return {f"month_{product.lower()}": yuan(fen) for product, fen in self.month.items()}


def load_tariffs(path: Path | None = None) -> Tariffs:
    """The tariffs in `path`, or the shipped ones.

    Raises:
        TableError: the file is not valid, lacks a product of charging.PRODUCTS or has another one.
    """
    located = locate(path or Path(__file__).with_name(FILE), TariffsRecord)
    record = located.value
    faults: list[Fault] = [
        located.fault(("month", name), f"no product {name!r}; {nearest(name, PRODUCTS)}")
        for name in record.month
        if name not in PRODUCTS
    ]
    faults += [
        located.fault(("month",), f"the fee of {name} is missing, 0 when it is free")
        for name in PRODUCTS
        if name not in record.month
    ]
    if faults:
        raise TableError(faults)
    fees = {name: fee.value for name, fee in record.month.items()}
    return Tariffs(record.uplink.value, record.downlink.value, fees)


def yuan(fen: int) -> str:
    """An amount as customers read it: 500 is "5", 550 is "5.5", 555 is "5.55"."""
    whole, rest = divmod(fen, 100)
    return f"{whole}.{rest:02}".rstrip("0") if rest else str(whole)
