"""query_sm, cancel_sm, replace_sm and broadcasts at a running gateway, by each version."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.smpp.enquiring import final_date
from gateway.message import Delivery
from gateway.processing import enquiries
from gateway.processing.enquiries import WITHDRAWN
from gateway.processing.pipeline import STALLED
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    BindTransmitter,
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    CancelSmResp,
    DeliverSm,
    QueryBroadcastSm,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.status import name_of
from gateway.smpp.tlvs import CONGESTION_STATE
from gateway.storage.contract import StoreFault
from gateway.storage.memory import MemoryStores
from gateway.testing import RunningGateway, running_gateway
from tests.channels.asking import NO_ID, NOBODY, SERVICE, S, ask, bound, gateway, multi, sme
from tests.support import ALICE, BOB, Wire, part_of_many

# query_sm


async def test_what_became_of_an_sms(tmp_path: Path) -> None:
    """It was executed when it came: final_date is that time, in the zone of the service."""
    async with gateway(tmp_path) as running, bound(running) as wire:
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        at = running.clock.now_ms()
        for source in (ALICE, f"+86{ALICE}", f"86{ALICE} "):
            told = await ask(wire, QuerySm(message_id=sent.message_id, source_addr=source))
            assert isinstance(told, QuerySmResp)
            assert (told.command_status, told.message_state, told.error_code) == (S.ROK, 2, 0)
            assert told.message_id == sent.message_id
            assert told.final_date == final_date(at, ZoneInfo("Asia/Shanghai"))
            assert told.final_date.endswith("32+")


async def test_who_has_not_sent_it_hears_nothing(tmp_path: Path) -> None:
    """Another handset, another account, an id that nobody has; what is no id is named as such."""
    async with gateway(tmp_path) as running, bound(running) as wire:
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        for message_id, source, status in (
            (sent.message_id, BOB, S.RQUERYFAIL),
            (sent.message_id, "", S.RQUERYFAIL),
            (NO_ID, ALICE, S.RQUERYFAIL),
            (sent.message_id[-8:].replace("0", "f"), ALICE, S.RQUERYFAIL),
            ("", ALICE, S.RINVMSGID),
            ("x" * 16, ALICE, S.RINVMSGID),
            (f" {sent.message_id}", ALICE, S.RINVMSGID),
            ("f" * 16, ALICE, S.RINVMSGID),
        ):
            told = await ask(wire, QuerySm(message_id=message_id, source_addr=source))
            assert (told.command_status, told.message_state) == (status, 0), message_id
        async with bound(running, account="other") as another:
            told = await ask(another, QuerySm(message_id=sent.message_id, source_addr=ALICE))
            assert told.command_status == S.RQUERYFAIL


async def test_what_became_of_a_part(tmp_path: Path) -> None:
    """It waits; it was executed with the others; it was given up; after long nobody knows."""
    async with gateway(tmp_path) as running, bound(running) as wire:

        async def state(of: SubmitSmResp) -> int:
            return int((await ask(wire, QuerySm(message_id=of.message_id, source_addr=ALICE))).message_state)

        first = await ask(wire, part_of_many(1, 2, 1, b"CX"))
        assert await state(first) == 1
        last = await ask(wire, part_of_many(1, 2, 2, b"FX"))
        assert (await state(first), await state(last)) == (2, 2)
        old = await ask(wire, part_of_many(2, 2, 1, b"old"))
        await ask(wire, part_of_many(2, 2, 1, b"new"))  # other octets: the older set is over
        assert await state(old) == 3
    async with gateway(tmp_path / "again") as running:
        async with bound(running) as wire:
            given_up = await ask(wire, part_of_many(3, 2, 1, b"CX"))
        await running.advance(hours=2)
        async with bound(running) as wire:
            assert await state(given_up) == 7


@given(
    st.integers(978_307_200_000, 3_092_601_600_000),
    st.integers(-48, 48),
)
def test_a_final_date_is_that_time(at: int, quarters: int) -> None:
    """Of 2001 to 2067: read back by its own offset it is the time, to a tenth of a second."""
    zone = timezone(timedelta(minutes=15 * quarters))
    text = final_date(at, zone)
    assert len(text) == 16
    local = datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    offset = int(text[13:15]) * (1 if text[15] == "+" else -1)
    read = local.timestamp() * 1000 + int(text[12]) * 100 - offset * 15 * 60_000
    assert 0 <= at - read < 100
    assert (offset, text[15] == "-") == (quarters, quarters < 0)


# Versions


@pytest.mark.parametrize("version", [0x33, 0x34, 0x50])
async def test_each_version_asks_with_its_ids(tmp_path: Path, version: int) -> None:
    """A peer of 3.3 has ids of 8 characters, by which its SMS are found again; no TLV comes to it."""
    async with gateway(tmp_path) as running, bound(running, version) as wire:
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        assert len(sent.message_id) == (8 if version == 0x33 else 16)
        told = await ask(wire, QuerySm(message_id=sent.message_id, source_addr=ALICE))
        assert (told.message_id, told.message_state) == (sent.message_id, 2)
        many = await ask(wire, multi(*sme(SERVICE, NOBODY)))
        assert len(many.message_id) == len(sent.message_id)
        bad = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=NOBODY))
        assert bad.command_status == S.RINVDSTADR
        for answer in (sent, told, many, bad):
            assert set(answer.tlvs) == ({CONGESTION_STATE} if version == 0x50 else set())


async def test_a_short_id_of_an_earlier_run(tmp_path: Path) -> None:
    """The SMS of this run counts first; else the latest of the handset in earlier ones."""
    opener = MemoryStores().open_store
    request = SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX")
    async with running_gateway(tmp_path, open_store=opener) as running, bound(running, 0x33) as wire:
        old = await ask(wire, request)
    async with running_gateway(tmp_path, open_store=opener) as running, bound(running, 0x33) as wire:
        told = await ask(wire, QuerySm(message_id=old.message_id, source_addr=ALICE))
        assert (told.command_status, told.message_state) == (S.ROK, 2)
        new = await ask(wire, replace(request, source_addr=BOB))
        assert (await ask(wire, QuerySm(message_id=new.message_id, source_addr=BOB))).message_state == 2


@pytest.mark.parametrize("version", [0x33, 0x34, 0x50])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (BroadcastSm(source_addr=ALICE), S.RBCASTFAIL),
        (QueryBroadcastSm(message_id="1"), S.RBCASTQUERYFAIL),
        (CancelBroadcastSm(message_id="1"), S.RBCASTCANCELFAIL),
    ],
)
async def test_nothing_is_broadcast(tmp_path: Path, version: int, request_: Request, status: int) -> None:
    """To a peer of 5.0 each has its own status; older ones do not know that, nor the request."""
    async with gateway(tmp_path) as running, bound(running, version) as wire:
        answer = await ask(wire, request_)
        assert answer.command_status == (status if version == 0x50 else S.RINVCMDID)
        assert name_of(answer.command_status) in running.log_file().read_text()


@pytest.mark.parametrize("version", [0x34, 0x50])
async def test_operations_of_an_account(tmp_path: Path, version: int) -> None:
    """What is not among them is prohibited, and the rest goes on."""
    async with gateway(tmp_path, operations=["submit_sm"]) as running, bound(running, version) as wire:
        for request in (multi(*sme(SERVICE)), QuerySm(message_id=NO_ID), CancelSm(message_id=NO_ID)):
            answer = await ask(wire, request)
            assert answer.command_status == (S.RPROHIBITED if version == 0x50 else S.RINVCMDID)
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        assert sent.command_status == S.ROK


async def test_the_status_that_the_peer_wants_for_it(tmp_path: Path) -> None:
    """One status for all requests that the account may not send, whichever they are."""
    errors = {"send": {"operation_not_allowed": 0x45}}
    async with (
        gateway(tmp_path, operations=["data_sm"], errors=errors) as running,
        bound(running) as wire,
    ):
        one = SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX")
        for request in (one, multi(*sme(SERVICE)), QuerySm(message_id=NO_ID), CancelSm(message_id=NO_ID)):
            assert (await ask(wire, request)).command_status == S.RSUBMITFAIL, request.name


async def test_an_account_for_many_only(tmp_path: Path) -> None:
    """It may send submit_multi and no submit_sm."""
    async with gateway(tmp_path, operations=["submit_multi"]) as running, bound(running) as wire:
        answer = await ask(wire, multi(*sme(SERVICE, NOBODY)))
        assert (answer.command_status, len(answer.unsuccess_smes)) == (S.ROK, 1)
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        assert sent.command_status == S.RINVCMDID


# cancel_sm, replace_sm


async def friends(running: RunningGateway) -> None:
    """Two customers who may write to each other, and no receiver is bound any more."""
    alice, bob = await running.handset(ALICE), await running.handset(BOB)
    for handset in (alice, bob):
        await handset.send("KTFX", SERVICE)
        await handset.expect(regex=".")
    await alice.send(f"HY#{BOB}", SERVICE)
    question = await bob.expect(regex="同意|好友")
    await bob.send("是", question.sender)
    await running.settle()
    await running.close()


def chat(text: str, number: int = 1) -> SubmitSm:
    """From Alice to Bob."""
    return SubmitSm(
        source_addr=ALICE,
        destination_addr=SERVICE + BOB,
        data_coding=8,
        short_message=text.encode("utf-16-be"),
        sequence_number=number,
    )


def waiting(running: RunningGateway) -> list[str]:
    """The texts that wait for Bob."""
    queue = running.app.outbox._queues.get(("smsc", BOB), ())
    return [sms.text for sms in queue]


async def test_it_is_too_late(tmp_path: Path) -> None:
    """What was executed is not cancelled or replaced; each has its own status."""
    async with gateway(tmp_path) as running, bound(running) as wire:
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        for request, status in (
            (CancelSm(message_id=sent.message_id, source_addr=ALICE), S.RCANCELFAIL),
            (CancelSm(source_addr=ALICE, destination_addr=SERVICE), S.RCANCELFAIL),
            (CancelSm(source_addr=ALICE), S.RINVMSGID),
            (ReplaceSm(message_id=sent.message_id, source_addr=ALICE, short_message=b"x"), S.RREPLACEFAIL),
            (ReplaceSm(source_addr=ALICE), S.RINVMSGID),
        ):
            assert (await ask(wire, request)).command_status == status, request.name
        assert running.app.outbox.depth == 1  # what the sender is told waits for a receiver, as before


async def test_what_waits_for_another_is_taken_back(tmp_path: Path) -> None:
    """A chat that has never left: by its id, first or last of those that wait; it is answered when that is
    stored, and the trace says who it was."""
    async with gateway(tmp_path) as running:
        await friends(running)
        async with bound(running) as wire:
            sent = [await ask(wire, chat(text, number)) for number, text in enumerate("一二三四", 1)]
            assert waiting(running) == ["一", "二", "三", "四"]
            for one in (2, 0):
                gone = await ask(wire, CancelSm(message_id=sent[one].message_id, source_addr=ALICE))
                assert (type(gone), gone.command_status) == (CancelSmResp, S.ROK)
                assert running.app.outbox.to_store == 0
                again = await ask(wire, CancelSm(message_id=sent[one].message_id, source_addr=ALICE))
                assert again.command_status == S.RCANCELFAIL
            assert (waiting(running), running.app.outbox.depth) == (["二", "四"], 2)
            other = await ask(wire, CancelSm(message_id=sent[1].message_id, source_addr=BOB))
            assert other.command_status == S.RCANCELFAIL
            replaced = await ask(wire, ReplaceSm(message_id=sent[1].message_id, source_addr=ALICE))
            assert (type(replaced), replaced.command_status) == (ReplaceSmResp, S.RREPLACEFAIL)
        store = running.app.store
        assert [each.text for each in await store.waiting(0, 10)] == ["二", "四"]
        bob = await running.handset(BOB)
        assert [(await bob.expect(regex=".")).text for _ in range(2)] == ["二", "四"]
        assert running.log_file().read_text().count(WITHDRAWN) == 2


async def test_the_latest_one_without_an_id(tmp_path: Path) -> None:
    """By source and destination, however they are spelled: the newest first."""
    async with gateway(tmp_path) as running:
        await friends(running)
        async with bound(running) as wire:
            for number, text in enumerate("一二三", 1):
                await ask(wire, chat(text, number))
            request = CancelSm(source_addr=f"+86{ALICE}", destination_addr=f"86{SERVICE}{BOB}")
            for left in (["一", "二"], ["一"], []):
                assert (await ask(wire, request)).command_status == S.ROK
                assert waiting(running) == left
            assert (await ask(wire, request)).command_status == S.RCANCELFAIL
            await ask(wire, chat("五", 5))
            for source, to in ((BOB, SERVICE + BOB), (ALICE, SERVICE), (ALICE, NOBODY)):
                answer = await ask(wire, CancelSm(source_addr=source, destination_addr=to))
                assert answer.command_status == S.RCANCELFAIL
            assert waiting(running) == ["五"]


async def test_what_may_have_left_stays(tmp_path: Path) -> None:
    """An SMS that is on its way, or waited at a restart, is not taken back."""
    stores = MemoryStores()
    async with running_gateway(tmp_path, open_store=stores.open_store) as running:
        await friends(running)
        async with bound(running) as wire, Wire.to(running.account.port) as silent:
            await silent.bind()  # receives, and answers nothing
            sent = await ask(wire, chat("一"))
            assert (await silent.reads(DeliverSm)).source_addr == SERVICE + ALICE
            behind = await ask(wire, chat("二", 2))
            answer = await ask(wire, CancelSm(message_id=sent.message_id, source_addr=ALICE))
            assert answer.command_status == S.RCANCELFAIL
            answer = await ask(wire, CancelSm(message_id=behind.message_id, source_addr=ALICE))
            assert answer.command_status == S.ROK
    async with running_gateway(tmp_path, open_store=stores.open_store) as running, bound(running) as wire:
        answer = await ask(wire, CancelSm(message_id=sent.message_id, source_addr=ALICE))
        assert answer.command_status == S.RCANCELFAIL
        [left] = await running.app.store.waiting(0, 10)
        assert left.state is Delivery.WAITING


# Many, and the end


async def test_too_many_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room is refused for a while; the others are answered."""
    monkeypatch.setattr(enquiries, "MOST", 3)
    async with gateway(tmp_path) as running, bound(running) as wire:
        asked = [QuerySm(message_id=NO_ID, source_addr=ALICE, sequence_number=n) for n in range(1, 11)]
        wire.send(*asked)
        answers = [await wire.reads(QuerySmResp) for _ in asked]
        statuses = {each.sequence_number: each.command_status for each in answers}
        assert [statuses[n] for n in range(1, 11)] == [S.RQUERYFAIL] * 3 + [S.RMSGQFUL] * 7


@pytest.mark.parametrize("version", [0x33, 0x34])
async def test_many_questions_at_once(tmp_path: Path, version: int) -> None:
    """All are answered, in their order, however few are worked together."""
    async with gateway(tmp_path) as running, bound(running, version) as wire:
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        numbers = range(2, 2 + 3 * enquiries.AT_ONCE)
        query = QuerySm(message_id=sent.message_id, source_addr=ALICE)
        wire.send(*[replace(query, sequence_number=number) for number in numbers])
        answers = [await wire.reads(QuerySmResp) for _ in numbers]
        assert [each.sequence_number for each in answers] == [*numbers]
        assert {each.message_state for each in answers} == {2}


async def test_a_stop_answers_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that cannot be answered any more is refused, and the session ends politely."""
    held = asyncio.Event()

    async def waits(_: object) -> Any:
        await held.wait()

    async with AsyncExitStack() as opened:
        async with gateway(tmp_path) as running:
            wire = await opened.enter_async_context(bound(running))
            monkeypatch.setattr(running.app.store, "find", waits)
            for number in (1, 2):
                wire.send(QuerySm(message_id=NO_ID, source_addr=ALICE, sequence_number=number))
            reading = asyncio.create_task(said_until_the_end(wire))
        assert await reading == [("query_sm_resp", S.RMSGQFUL), ("query_sm_resp", S.RMSGQFUL), ("unbind", 0)]


async def said_until_the_end(wire: Wire) -> list[tuple[str, int]]:
    """What the gateway says; an unbind is answered."""
    said = []
    while (pdu := await wire.read()) is not None:
        said.append((pdu.name, pdu.command_status))
        if isinstance(pdu, Unbind):
            wire.send(UnbindResp(sequence_number=pdu.sequence_number))
    return said


async def test_a_store_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary status; a bug of ours answers too, and the next question is answered as ever."""
    async with gateway(tmp_path) as running, bound(running) as wire:
        for error, status in ((StoreFault("gone"), S.RSYSERR), (KeyError("bug"), S.RQUERYFAIL)):

            async def fails(_: object, error: Exception = error) -> Any:
                raise error

            with monkeypatch.context() as patched:
                patched.setattr(running.app.store, "find", fails)
                told = await ask(wire, QuerySm(message_id=NO_ID, source_addr=ALICE))
            assert told.command_status == status
        sent = await ask(wire, SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX"))
        told = await ask(wire, QuerySm(message_id=sent.message_id, source_addr=ALICE))
        assert told.message_state == 2


# What a peer of 5.0 hears of the gateway


@pytest.mark.parametrize(
    ("version", "said"), [(0, {}), (0x33, {}), (0x34, {0x0210: 0x34}), (0x50, {0x0210: 0x50})]
)
async def test_the_version_in_the_answer_to_a_bind(
    tmp_path: Path, version: int, said: dict[int, int]
) -> None:
    """sc_interface_version from 3.4 on: the version that the session has."""
    async with gateway(tmp_path) as running, Wire.to(running.account.port) as wire:
        bind = BindTransmitter(system_id="smsc", password="fetion16", interface_version=version)
        assert (await wire.bind(bind)).tlvs == said


async def test_congestion_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 where nothing waits; as full as the outbox is; 100 while the store fails, and as before again."""
    request = SubmitSm(source_addr=ALICE, destination_addr=SERVICE, short_message=b"CXFX")
    async with gateway(tmp_path) as running, bound(running, 0x50) as wire:

        async def told() -> object:
            await running.app.tick(housekeeping=False)
            return (await ask(wire, QuerySm(message_id=NO_ID))).tlvs[CONGESTION_STATE]

        assert await told() == 0
        running.app.outbox.limit = 4
        assert (await ask(wire, request)).command_status == S.ROK  # its answer finds no receiver
        await running.settle()
        assert await told() == 25

        async def fails(_: object) -> None:
            raise StoreFault("gone")

        with monkeypatch.context() as patched:
            patched.setattr(running.app.store, "commit", fails)
            assert (await ask(wire, request)).command_status == S.RSYSERR
            assert await told() == 100
        running.clock.move_to(running.clock.now_ms() + 10_000)
        assert (await ask(wire, request)).command_status == S.ROK
        await running.settle()
        assert await told() == 50


async def test_a_batch_that_lasts_is_congestion(tmp_path: Path) -> None:
    """As a share of STALLED; it is forgotten when nothing waits any more."""
    async with gateway(tmp_path) as running:
        load, answers = running.app._load, running.app._load._answers
        answers.waited = STALLED / 2
        assert load.percent == 50
        answers.waited = 10 * STALLED
        assert load.percent == 100
        await running.app.tick(housekeeping=False)
        assert load.percent == 0
