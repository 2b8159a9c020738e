"""The test vectors: octets, what they mean, and what a receiver does with them (``verdict``)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.smpp.pdu import Pdu
from gateway.smpp.tlvs import BY_TAG, Form
from gateway.smpp.wire import SmeAddress

PROJECT = Path(__file__).resolve().parents[2]
OWN = PROJECT / "tests" / "vectors"
PUBLIC = PROJECT / ".." / "shared" / "reference" / "vectors"


@dataclass(frozen=True)
class Vector:
    """One line of a vector file."""

    name: str
    octets: bytes
    verdict: str
    expected: dict[str, Any]


def load(folder: Path, pattern: str) -> list[Vector]:
    """The vectors of all files of a folder that match; none when the folder is not there."""
    lines = [line for path in sorted(folder.glob(pattern)) for line in path.read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    return [Vector(row["id"], bytes.fromhex(row["hex"]), row["verdict"], row["expected"]) for row in rows]


def as_expected(pdu: Pdu, names: set[str]) -> dict[str, Any]:
    """The fields of a PDU under the names and in the forms that the vectors use."""
    fields: dict[str, Any] = {}
    for name in names:
        match name:
            case "sm_length":
                fields[name] = len(getattr(pdu, "short_message", b""))
            case "short_message_hex":
                fields[name] = getattr(pdu, "short_message", b"").hex()
            case "number_of_dests":
                fields[name] = len(getattr(pdu, "dest_addresses", ()))
            case "no_unsuccess":
                fields[name] = len(getattr(pdu, "unsuccess_smes", ()))
            case "dest_addresses":
                fields[name] = [
                    {"dest_flag": 1 if isinstance(dest, SmeAddress) else 2, **asdict(dest)}
                    for dest in getattr(pdu, name)
                ]
            case "unsuccess_smes":
                fields[name] = [asdict(entry) for entry in getattr(pdu, name)]
            case _:
                fields[name] = getattr(pdu, name)
    return fields


def expected_tlvs(tlvs: list[dict[str, Any]]) -> dict[int, Any]:
    """The TLVs of a vector in the form of a PDU: integers and texts where the length fits the table."""
    values: dict[int, Any] = {}
    for tlv in tlvs:
        row = BY_TAG.get(tlv["tag"])
        value: Any = bytes.fromhex(tlv["value_hex"])
        if row is not None and row.least <= len(value) <= row.most:
            if row.form is Form.INTEGER:
                value = tlv["int"]
            elif row.form is Form.C_STRING:
                value = tlv["text"]
        if row is not None and row.repeatable:
            value = (*values.get(row.tag, ()), value)
        values[tlv["tag"]] = value
    return values
