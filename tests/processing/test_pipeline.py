"""The life of an SMS in a running gateway, over real sockets: taken once, answered, replied to."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.inbound import queue as queue_module
from gateway.inbound.hashing import HASHES_PER_MINUTE
from gateway.secrets import Hasher
from gateway.simulator.esme import Bind, Esme
from gateway.smpp.pdus import (
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from tests.processing.machine_service import (
    QUERY,
    LiveGateway,
    accounts,
    drained,
    live_gateway,
    opened,
    status,
    stays_silent,
)
from tests.proofs.served import (
    PASSWORD,
    PATIENCE,
    accepted,
    bind,
    delivered,
    rows,
    sms,
    text_of,
    until,
)
from tests.support import ALICE, BOB, Wire, part_of_many, store_of


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Passwords are hashed once this is set."""
    gate, hashed = asyncio.Event(), Hasher.hash

    async def wait(self: Hasher, password: str) -> str:
        await gate.wait()
        return await hashed(self, password)

    monkeypatch.setattr(Hasher, "hash", wait)
    return gate


# Taken and answered


async def test_a_reply_goes_to_the_bind_of_its_cause(tmp_path: Path) -> None:
    """Each of two binds of one account gets the replies to what came in on it, from the number written to."""
    async with (
        live_gateway(tmp_path) as live,
        await bind(live.port) as one,
        await bind(live.port) as two,
    ):
        for esme, handset, to in ((one, ALICE, "161"), (two, BOB, "12520"), (one, BOB, "161")):
            await accepted(esme, sms(handset, to, QUERY))
            reply = await delivered(esme)
            assert (reply.source_addr, reply.destination_addr) == (to, handset)


@pytest.mark.parametrize(
    ("spelling", "ton"),
    [
        (ALICE, 0),
        ("8613800138000", 1),
        ("+8613800138000", 1),
        ("12593" + ALICE, 0),
        ("0" + ALICE, 0),
        ("138-0013-8000", 0),
    ],
)
async def test_a_reply_is_spelled_like_its_cause(tmp_path: Path, spelling: str, ton: int) -> None:
    """The handset's number comes back exactly as it was written, with its TON and NPI."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await accepted(esme, sms(spelling, "161", QUERY, source_addr_ton=ton, source_addr_npi=1))
        reply = await delivered(esme)
        assert (reply.destination_addr, reply.dest_addr_ton, reply.dest_addr_npi) == (spelling, ton, 1)
        assert live.journal()[0]["msisdn"] == ALICE


async def test_data_sm_is_answered_in_kind(tmp_path: Path) -> None:
    """A data_sm is an SMS; its response is data_sm_resp with the message id."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        request = DataSm(source_addr=ALICE, destination_addr="161", tlvs={MESSAGE_PAYLOAD: QUERY.encode()})
        response = await esme.submit(request)
        assert isinstance(response, DataSmResp)
        assert int(response.message_id, 16) == live.journal()[0]["number"]
        await delivered(esme)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (sms(ALICE, "99999", QUERY), CommandStatus.RINVDSTADR),
        (sms("", "161", QUERY), CommandStatus.RINVSRCADR),
        (sms(ALICE, "161", QUERY, esm_class=0x04), CommandStatus.RINVESMCLASS),
        (part_of_many(1, 2, 1, b"secr", to="12520050"), CommandStatus.RINVMSGLEN),
    ],
)
async def test_refusals_leave_no_trace(tmp_path: Path, request_: SubmitSm, expected: int) -> None:
    """A refused SMS is answered at once, is in no table, and the session goes on."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        assert await status(esme, request_) == expected
        assert (live.count("journal"), live.count("part")) == (0, 0)
        await stays_silent(esme)


async def test_the_window_of_the_account(tmp_path: Path) -> None:
    """One request more than window_in at the same moment gets RTHROTTLED; the others are done."""
    requests = [sms(ALICE, "161", QUERY, sequence_number=number) for number in (2, 3, 4)]
    async with (
        live_gateway(tmp_path, smpp=accounts(window_in=2)) as live,
        Wire.to(live.port) as wire,
    ):
        await wire.bind()
        wire.send(*requests)
        answers = [await wire.reads(SubmitSmResp) for _ in requests]
        found = {answer.sequence_number: answer.command_status for answer in answers}
        assert found == {2: 0, 3: 0, 4: CommandStatus.RTHROTTLED}
        assert len(live.journal()) == 2


async def test_what_a_handset_sends_waits_for_its_password(tmp_path: Path, gate: asyncio.Event) -> None:
    """While a password is hashed later SMS of that handset wait, so their order holds; others go on."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        waiting = [
            asyncio.create_task(accepted(esme, sms(ALICE, "12520", "P"))),
            asyncio.create_task(accepted(esme, sms(ALICE, "161", QUERY))),
        ]
        await until(lambda: live.gateway.pipeline._hashing.waiting == 2, "both SMS")
        await accepted(esme, sms(BOB, "161", QUERY))
        assert (await delivered(esme)).destination_addr == BOB
        gate.set()
        await asyncio.gather(*waiting)
        assert [(await delivered(esme)).source_addr for _ in range(2)] == ["12520", "161"]


async def test_passwords_are_not_made_without_end(tmp_path: Path) -> None:
    """So many a minute and handset; then the customer is told, and no password is changed."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await opened(esme, ALICE)
        replies = []
        for _ in range(HASHES_PER_MINUTE + 1):
            await accepted(esme, sms(ALICE, "12520", "P"))
            replies.append(text_of(await delivered(esme)))
        assert len(set(replies[:-1])) == HASHES_PER_MINUTE
        assert len(live.journal("password.random")) == HASHES_PER_MINUTE
        live.clock.ahead += 61
        await accepted(esme, sms(ALICE, "12520", "P"))
        assert text_of(await delivered(esme)) not in replies


async def test_a_full_queue_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too much waits, for a batch or to leave, new SMS get RMSGQFUL."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        with monkeypatch.context() as patch:
            patch.setattr(queue_module, "QUEUE", 0)
            assert await status(esme, sms(ALICE, "161", QUERY)) == CommandStatus.RMSGQFUL
        live.gateway.outbox.limit = 0
        assert await status(esme, sms(ALICE, "161", QUERY)) == CommandStatus.RMSGQFUL
        live.gateway.outbox.limit = 100
        await accepted(esme, sms(ALICE, "161", QUERY))
        assert len(live.journal()) == 1


# Resends


async def test_two_equal_texts_run_twice(tmp_path: Path) -> None:
    """On a healthy session the same octets again are another SMS, with a number and a reply of its own."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        ids = [await accepted(esme, sms(ALICE, "161", QUERY)) for _ in range(2)]
        assert len(set(ids)) == 2
        assert len(live.journal()) == 2
        assert [text_of(await delivered(esme)) for _ in range(2)]


async def test_a_resend_after_a_cut_is_done_once(tmp_path: Path) -> None:
    """The session is cut after the answer: one resend, with a new sequence number, gets the same message id
    and no second reply; the next equal text is an SMS of its own."""
    async with live_gateway(tmp_path) as live:
        first = await bind(live.port)
        number = await accepted(first, sms(ALICE, "161", QUERY))
        await delivered(first)
        await live.closed(1)
        await first.abort()
        await until(lambda: not live.gateway.binds.all(), "the end of the bind")
        async with await bind(live.port) as second:
            await accepted(second, sms(BOB, "161", QUERY))
            await delivered(second)
            assert await accepted(second, sms(ALICE, "161", QUERY)) == number
            assert len(live.journal()) == 2
            assert await accepted(second, sms(ALICE, "161", QUERY)) != number
            assert (await delivered(second)).destination_addr == ALICE
            await stays_silent(second)


async def test_resends_over_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SMS that was overtaken while its password was hashed, here by others of its batch, is recognised
    like those."""

    async def at_once(_: Hasher, password: str) -> str:
        return password[::-1]

    monkeypatch.setattr(Hasher, "hash", at_once)
    requests = [sms(ALICE, "12520", "P"), *(sms(f"1360013600{n}", "161", QUERY) for n in range(3))]
    async with live_gateway(tmp_path) as live:
        async with await bind(live.port) as esme:
            await opened(esme, ALICE)
        async with Wire.to(live.port) as wire:
            await wire.bind()
            for number, request in enumerate(requests):
                request.sequence_number = number
            wire.send(*requests)
            answers = [await wire.reads(SubmitSmResp) for _ in requests]
        assert [answer.sequence_number for answer in answers] == [1, 2, 3, 0]
        await until(lambda: not live.gateway.binds.all(), "the end of the bind")
        before = live.count("journal")
        async with await bind(live.port) as second:
            numbers = [await accepted(second, each) for each in requests]
        assert numbers == [answer.message_id for answer in (answers[3], *answers[:3])]
        assert live.count("journal") == before


async def test_a_cut_before_the_answer(tmp_path: Path, gate: asyncio.Event) -> None:
    """What was not answered when its session was cut was not taken: its resend is done, once."""
    async with live_gateway(tmp_path) as live:
        async with await bind(live.port) as esme:
            await opened(esme, ALICE)
        async with Wire.to(live.port) as wire:
            await wire.bind()
            wire.send(sms(ALICE, "12520", "P"))
            await until(lambda: live.gateway.pipeline._hashing.waiting, "the SMS")
        await until(lambda: not live.gateway.binds.all(), "the end of the bind")
        gate.set()
        await until(lambda: live.gateway.pipeline.idle, "the hash and its batch")
        assert live.journal("password.random") == []
        async with await bind(live.port) as esme:
            await accepted(esme, sms(ALICE, "12520", "P"))
            assert len(live.journal("password.random")) == 1
            await delivered(esme)
            await stays_silent(esme)


async def test_an_orderly_restart_forgets_nothing_and_doubts_nothing(tmp_path: Path) -> None:
    """After a stop with unbind the same text is a new SMS."""
    for _ in range(2):
        async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
            await accepted(esme, sms(ALICE, "161", QUERY))
            assert (await delivered(esme)).destination_addr == ALICE
            count = len(live.journal())
    assert count == 2


# SMS to another handset


async def test_another_handset_is_reached_where_it_wrote_last(tmp_path: Path) -> None:
    """An SMS to somebody else goes to the bind of the closest address_range in the account that he last wrote
    through, spelled as he last wrote; not to the bind of the cause."""
    section = accounts()
    section["accounts"].append({"system_id": "other", "password": PASSWORD})
    async with live_gateway(tmp_path, smpp=section) as live, await bind(live.port) as cause:

        async def join(address_range: str, mode: Bind = "transceiver") -> Esme:
            return await Esme.connect(
                "127.0.0.1", live.port, "other", PASSWORD, bind=mode, address_range=address_range
            )

        async with (
            await join("") as free,
            await join("86139*", "receiver") as prefix,
            await join(BOB) as exact,
        ):
            await opened(cause, ALICE, BOB)
            await accepted(free, sms(f"86{BOB}", "161", QUERY, source_addr_ton=1, source_addr_npi=1))
            await delivered(free)
            await accepted(cause, sms(ALICE, "12520", f"HY#{BOB}"))
            question = await delivered(exact)
            assert (question.destination_addr, question.dest_addr_ton) == (f"86{BOB}", 1)
            assert question.source_addr.startswith("12520033")
            assert [d.destination_addr for d in await drained(cause)] == [ALICE]
            assert prefix.inbox.empty()
            assert free.inbox.empty()


async def test_without_a_receiver_it_waits(tmp_path: Path) -> None:
    """A transmitter's reply waits in the store, over a restart too, and leaves once, at the next bind that
    receives."""
    async with live_gateway(tmp_path) as live, await bind(live.port, "transmitter") as esme:
        await accepted(esme, sms(ALICE, "161", QUERY))
    async with live_gateway(tmp_path) as live:
        assert live.gateway.outbox.depth == 1
        async with (
            await bind(live.port, "receiver", "137*"),
            await bind(live.port, "receiver", "138*") as mine,
        ):
            assert (await delivered(mine)).destination_addr == ALICE
            await live.closed(1)
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await stays_silent(esme)


async def test_redelivery_after_a_reconnect(tmp_path: Path) -> None:
    """A reply that was not answered when the connection was cut comes again on the next bind."""
    async with live_gateway(tmp_path) as live:
        async with Wire.to(live.port) as wire:
            await wire.bind()
            wire.send(sms(ALICE, "161", QUERY))
            await wire.reads(SubmitSmResp)
            lost = await wire.reads(DeliverSm)
        await until(lambda: not live.gateway.binds.all(), "the end of the bind")
        async with await bind(live.port) as esme:
            again = await delivered(esme)
            assert (again.short_message, again.source_addr) == (lost.short_message, lost.source_addr)
            await live.closed(1)
            await stays_silent(esme)


async def test_submit_and_unbind_at_once(tmp_path: Path) -> None:
    """A peer that unbinds behind its SMS gets its answer first; the reply waits for the next bind."""
    async with live_gateway(tmp_path) as live:
        async with Wire.to(live.port) as wire:
            await wire.bind()
            wire.send(sms(ALICE, "161", QUERY), Unbind(sequence_number=9))
            assert (await wire.reads(SubmitSmResp)).command_status == 0
            await wire.reads(UnbindResp)
            assert await wire.read() is None
        async with await bind(live.port) as esme:
            assert (await delivered(esme)).destination_addr == ALICE


# Stopping


async def test_a_stopping_gateway(tmp_path: Path) -> None:
    """It takes nothing new (RMSGQFUL), lets nobody in, waits for the answers to its replies, then unbinds."""
    leave = asyncio.Event()

    async def run_until_left(ready: "asyncio.Future[LiveGateway]") -> None:
        async with live_gateway(tmp_path) as live:
            ready.set_result(live)
            await leave.wait()

    ready: asyncio.Future[LiveGateway] = asyncio.get_running_loop().create_future()
    life = asyncio.create_task(run_until_left(ready))
    live = await ready
    async with Wire.to(live.port) as wire:
        await wire.bind()
        wire.send(sms(ALICE, "161", QUERY))
        await wire.reads(SubmitSmResp)
        reply = await wire.reads(DeliverSm)
        leave.set()
        await until(lambda: live.gateway.queue.stopping, "the stop")
        wire.send(sms(BOB, "161", QUERY))
        assert (await wire.reads(SubmitSmResp)).command_status == CommandStatus.RMSGQFUL
        with pytest.raises(ConnectionRefusedError):
            async with Wire.to(live.port):
                pass
        wire.send(DeliverSmResp(sequence_number=reply.sequence_number))
        unbind = await wire.reads(Unbind)
        wire.send(UnbindResp(sequence_number=unbind.sequence_number))
        assert await wire.read() is None
    async with asyncio.timeout(PATIENCE):
        await life
    assert rows(store_of(tmp_path), "SELECT state FROM outbox") == [{"state": 1}]
    assert [row["msisdn"] for row in live.journal()] == [ALICE]


async def test_a_stop_has_a_deadline(tmp_path: Path) -> None:
    """A peer that answers nothing is cut off at the deadline; what it did not answer stays in the store."""
    async with AsyncExitStack() as later, live_gateway(tmp_path, shutdown={"deadline": 0.2}) as live:
        wire = await later.enter_async_context(Wire.to(live.port))
        await wire.bind()
        wire.send(sms(ALICE, "161", QUERY))
        await wire.reads(SubmitSmResp)
        await wire.reads(DeliverSm)
    assert rows(store_of(tmp_path), "SELECT state FROM outbox") == [{"state": 0}]
