"""The operation matrix against a file that was written from the specification."""

import csv
from itertools import product

import pytest

from gateway.smpp.operations import MAY_SEND, Side, State, may_receive
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import PDUS
from tests.smpp.vectors import OWN


def matrix() -> dict[tuple[str, Side], set[str]]:
    """The names of the states in which each side may send each PDU."""
    with (OWN / "operations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {(row["command"], side): set(row[side.value].split()) for row in rows for side in Side}


@pytest.mark.parametrize("pdu", PDUS)
def test_matrix(pdu: type[Pdu]) -> None:
    """Every side, state and PDU agrees with the file; what one side may receive, the other may send."""
    table = matrix()
    for side, state in product(Side, State):
        allowed = pdu.command_id in MAY_SEND[side][state]
        assert allowed is (state.name in table[pdu.name, side]), (side, state)
        assert may_receive(side.peer, state, pdu.command_id) is allowed


def test_file_has_every_pdu() -> None:
    """The file and the table of PDUs name the same commands."""
    assert {command for command, _ in matrix()} == {pdu.name for pdu in PDUS}
