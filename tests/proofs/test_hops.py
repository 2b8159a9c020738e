"""A bug in any hop fails the SMS that meets it, and nothing else: not its bind, not its batch, not the
process.

Each hop of the way is made to raise for one handset. Its SMS is journaled as failed, answered and apologised
for where that is possible at all, and the log names the place; what other handsets send on the same bind, in
the same segment, is done.
"""

from pathlib import Path
from typing import Any

import pytest

from commands.model import Reply
from commands.parser import Parser
from commands.service import Commands
from gateway.channels.contract import Inbound
from gateway.channels.smpp.writing import Templates
from gateway.inbound.guard import Guard
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import Reassembly
from gateway.message import Commit, JournalEntry, MobileTerminated
from gateway.operations.event_log import EventLog
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.processing.addressing import Addressing
from gateway.processing.execution import Execution
from gateway.processing.handled import Handled
from gateway.smpp import codec
from gateway.smpp import session as session_module
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdus import DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.session import Session
from gateway.smpp.status import CommandStatus
from gateway.storage.sqlite.customers import Customers
from gateway.storage.sqlite.store import SqliteStore
from routing.table import Routing
from tests.proofs.served import inside, lines, rows, sms, until, write_config
from tests.support import Wire, part_of_many, store_of

VICTIM, FIRST, LAST = "13600136000", "13800138000", "13900139000"
TEXT = "13500135000"
"""What the victim's text names: a hop that sees no sender knows it by that."""


class MadeUp(Exception):
    """The bug."""


def names_the_victim(value: object) -> bool:
    """Whether something belongs to the victim's SMS."""
    if isinstance(value, Handled):
        return names_the_victim(value.m)
    if isinstance(value, Inbound):
        return value.source == VICTIM
    if isinstance(value, (MobileOriginated, MobileTerminated, JournalEntry)):
        return value.msisdn == VICTIM or getattr(value, "source", "") == VICTIM
    if isinstance(value, Reply):
        return value.to == VICTIM
    if isinstance(value, Commit):
        return any(map(names_the_victim, value.messages))
    if isinstance(value, bytes):
        return VICTIM.encode() in value or TEXT.encode() in value
    return VICTIM in repr(value) or TEXT in repr(value)


def breaks(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let a function raise when one of its arguments is of the victim's SMS; each time."""
    real = getattr(owner, name)
    first = 1 if isinstance(owner, type) else 0  # behind self

    def bug(*args: Any, **values: Any) -> Any:
        if any(map(names_the_victim, (*args[first:], *values.values()))):
            raise MadeUp(name)
        return real(*args, **values)

    monkeypatch.setattr(owner, name, bug)


BEFORE_THE_COMMIT: dict[str, tuple[Any, str]] = {
    "decoding its text": (Alphabet, "decode"),
    "understanding it": (Parser, "parse"),
    "preparing its handler": (Execution, "_draw"),
    "the guard": (Guard, "admit"),
    "its handler": (Commands, "handle"),
}
"""Hops after which the SMS can still be journaled, and an apology be sent."""

WITHOUT_AN_APOLOGY: dict[str, tuple[Any, str]] = {
    "addressing its reply": (Addressing, "address"),
    "cutting its reply into parts": (Outbox, "compose"),
}
"""The apology meets the same bug."""


async def three(wire: Wire, text: str = f"CX#{TEXT}") -> None:
    """Three handsets write in one segment, the victim in the middle."""
    await wire.bind()
    wire.send(
        sms(FIRST, "161", "CXFX", sequence_number=10),
        sms(VICTIM, "161", text, sequence_number=11),
        sms(LAST, "161", "CXFX", sequence_number=12),
    )


async def read(wire: Wire, answers: int, deliveries: int) -> tuple[dict[int, int], dict[str, DeliverSm]]:
    """So many answers and SMS, which are acknowledged: statuses by sequence_number, SMS by handset."""
    statuses: dict[int, int] = {}
    told: dict[str, DeliverSm] = {}
    while len(statuses) < answers or len(told) < deliveries:
        pdu = await wire.read()
        if isinstance(pdu, SubmitSmResp):
            statuses[pdu.sequence_number] = pdu.command_status
        elif isinstance(pdu, DeliverSm):
            told[pdu.destination_addr] = pdu
            wire.send(pdu.response(sequence_number=pdu.sequence_number))
        else:
            pytest.fail(f"the bind is gone: {pdu!r}")
    return statuses, told


def failed(folder: Path) -> list[dict[str, Any]]:
    """What the log says of bugs."""
    return [
        line
        for line in lines(folder / "gateway.log")
        if line["event"] in {"sms.failed", "gateway.fault", "pdu.refused"}
    ]


def outcomes(folder: Path) -> dict[str, str]:
    """Outcomes by sender."""
    return {
        row["source"]: row["outcome"] for row in rows(store_of(folder), "SELECT source, outcome FROM journal")
    }


@pytest.mark.parametrize("hop", [*BEFORE_THE_COMMIT, *WITHOUT_AN_APOLOGY])
async def test_a_bug_before_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hop: str) -> None:
    """All three are answered positively; the victim's SMS is journaled as failed, and its sender told where
    he can be; the log has the place; the bind lives, and the process stops in order."""
    breaks(monkeypatch, *{**BEFORE_THE_COMMIT, **WITHOUT_AN_APOLOGY}[hop])
    apologises = hop in BEFORE_THE_COMMIT
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await three(wire)
        statuses, told = await read(wire, 3, 3 if apologises else 2)
        assert statuses == {10: 0, 11: 0, 12: 0}
        assert set(told) == {FIRST, LAST, *([VICTIM] if apologises else [])}
        wire.send(sms(FIRST, "161", "CXFX", sequence_number=13))
        assert (await read(wire, 1, 1))[0] == {13: 0}
    assert outcomes(tmp_path) == {FIRST: "done", VICTIM: "failed", LAST: "done"}
    [line] = failed(tmp_path)
    assert (line["event"], line["reason"]) == ("sms.failed", "MadeUp")
    assert "in bug" in line["exception"]
    assert gateway.stored


async def test_a_bug_in_routing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of an SMS cannot be resolved by a bug: it is journaled as failed as far as it is known."""
    breaks(monkeypatch, Routing, "resolve")
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await wire.bind()
        wire.send(
            sms(FIRST, "161", "CXFX", sequence_number=10),
            sms(VICTIM, f"12520{TEXT}", "hello", sequence_number=11),
        )
        assert (await read(wire, 2, 1))[0] == {10: 0, 11: 0}
    assert outcomes(tmp_path) == {FIRST: "done", VICTIM: "failed"}
    # What counts resolves the address again.
    line, counting = sorted(failed(tmp_path), key=lambda each: each["event"], reverse=True)
    assert (line["event"], counting["event"]) == ("sms.failed", "gateway.fault")
    assert "in bug" in line["exception"]


@pytest.mark.parametrize("owner", [Reassembly, Parser])
async def test_a_bug_while_parts_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type
) -> None:
    """The part that meets it fails, with an apology."""
    breaks(monkeypatch, owner, "add" if owner is Reassembly else "parse")
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await wire.bind()
        first = part_of_many(7, 2, 1, b"CX#", sender=VICTIM)
        second = part_of_many(7, 2, 2, TEXT.encode(), sender=VICTIM)
        first.sequence_number, second.sequence_number = 10, 11
        wire.send(first, second)
        statuses, told = await read(wire, 2, 1)
        assert (statuses, set(told)) == ({10: 0, 11: 0}, {VICTIM})
    found = rows(store_of(tmp_path), "SELECT outcome FROM journal ORDER BY number")
    assert found[-1]["outcome"] == "failed"
    assert {line["reason"] for line in failed(tmp_path)} == {"MadeUp"}


@pytest.mark.parametrize(("owner", "name"), [(Customers, "load"), (SqliteStore, "write")])
async def test_a_bug_around_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    """A bug while a batch is loaded or written is narrowed down to its SMS; what cannot even be journaled is
    refused as a temporary fault, and nothing of it stays in the transaction."""
    breaks(monkeypatch, owner, name)
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await three(wire)
        statuses, told = await read(wire, 3, 2)
        assert statuses == {10: 0, 11: CommandStatus.RSYSERR, 12: 0}
        assert set(told) == {FIRST, LAST}
    assert outcomes(tmp_path) == {FIRST: "done", LAST: "done"}
    [line] = failed(tmp_path)
    assert "in bug" in line["exception"]


async def test_a_bug_in_the_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PDU that cannot be read by a bug is refused as a temporary fault with its own response; the log has
    the place, and the bind lives."""
    submit_sm = SubmitSm.command_id
    read_it = codec.DECODERS[submit_sm]

    def bug(frame: bytes, *header: Any) -> Any:
        if names_the_victim(frame):
            raise MadeUp("decode")
        return read_it(frame, *header)

    monkeypatch.setattr(session_module, "DECODERS", {**codec.DECODERS, submit_sm: bug})
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await three(wire)
        assert (await read(wire, 3, 2))[0] == {10: 0, 11: CommandStatus.RSYSERR, 12: 0}
    [line] = failed(tmp_path)
    assert line["event"] == "pdu.refused"
    assert "MadeUp at " in line["reason"]
    assert "test_hops.py:" in line["reason"]


async def test_a_bug_while_the_answer_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SMS is executed and its reply leaves; its answer does not, the others' do."""
    real = Session.acknowledge

    def bug(self: Session, request: Any, message_id: str) -> None:
        if getattr(request, "source_addr", "") == VICTIM:
            raise MadeUp("answer")
        real(self, request, message_id)

    monkeypatch.setattr(Session, "acknowledge", bug)
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await three(wire)
        statuses, told = await read(wire, 2, 3)
        assert (statuses, set(told)) == ({10: 0, 12: 0}, {FIRST, VICTIM, LAST})
    assert outcomes(tmp_path)[VICTIM] == "refused"
    assert [line["reason"] for line in failed(tmp_path)] == ["MadeUp"]


ON_THE_WAY_OUT: dict[str, tuple[Any, str]] = {
    "choosing a bind": (Binds, "choose"),
    "making its PDU": (Templates, "of"),
}


@pytest.mark.parametrize("hop", ON_THE_WAY_OUT)
async def test_a_bug_on_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hop: str) -> None:
    """The reply fails and says so; its followers to the same handset and the other handsets' SMS leave."""
    owner, name = ON_THE_WAY_OUT[hop]
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        with monkeypatch.context() as patch:
            breaks(patch, owner, name)
            await three(wire)
            statuses, told = await read(wire, 3, 2)
            assert (statuses, set(told)) == ({10: 0, 11: 0, 12: 0}, {FIRST, LAST})
        wire.send(sms(VICTIM, "161", "CXFX", sequence_number=13))
        assert set((await read(wire, 1, 1))[1]) == {VICTIM}
    states = rows(
        store_of(tmp_path), "SELECT state, error FROM outbox WHERE msisdn = ? ORDER BY number", VICTIM
    )
    assert [row["state"] for row in states] == [2, 1]
    [line] = failed(tmp_path)
    assert (line["reason"], "in bug" in line["exception"]) == ("MadeUp", True)


@pytest.mark.parametrize("name", ["handled", "sent"])
async def test_a_bug_in_a_log_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What is stored and answered stays so; the process and the bind go on."""
    breaks(monkeypatch, EventLog, name)
    async with inside(write_config(tmp_path)) as gateway, Wire.to(gateway.port) as wire:
        await three(wire)
        assert (await read(wire, 3, 3))[0] == {10: 0, 11: 0, 12: 0}
        wire.send(sms(VICTIM, "161", "CXFX", sequence_number=13))
        assert (await read(wire, 1, 1))[0] == {13: 0}
        await until(lambda: not gateway.outbox.depth, "the end of all SMS")
    assert failed(tmp_path) != []
    assert gateway.stored
