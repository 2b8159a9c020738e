"""The asyncio SMPP client, on real sockets."""

import asyncio

import pytest

from gateway.simulator.errors import BindRefusedError, NotConnectedError
from gateway.simulator.esme import INBOX_LIMIT, Esme
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdus import BindReceiver, DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.session import Limits
from gateway.smpp.status import CommandStatus
from tests.simulator.fake_smsc import FakeSmsc


async def bound(smsc: FakeSmsc, limits: Limits | None = None) -> Esme:
    """An ESME that is bound to the fake centre."""
    account = smsc.account
    return await Esme.connect(
        account.host, account.port, account.system_id, account.password, address_range="138*", limits=limits
    )


async def test_submit_gives_the_response() -> None:
    """A bind carries what was asked for, and a submit_sm gets its own response."""
    async with FakeSmsc() as smsc, await bound(smsc) as esme:
        response = await esme.submit(SubmitSm(source_addr="13800138000", destination_addr="161"))
        assert isinstance(response, SubmitSmResp)
        assert response.message_id == "1"
        assert smsc.binds[0].address_range == "138*"


async def test_other_binds() -> None:
    """The kind of bind is the caller's choice; a refusal comes as an error with the status's name."""
    async with FakeSmsc() as smsc:
        with pytest.raises(BindRefusedError, match="'smsc' refused: ESME_RINVCMDID") as refused:
            await Esme.connect(smsc.account.host, smsc.account.port, "smsc", "right", bind="receiver")
        assert refused.value.status == "ESME_RINVCMDID"
        assert BindReceiver.name == "bind_receiver"


async def test_wrong_password_is_a_typed_error() -> None:
    """A refused bind says which status refused it and leaves no connection behind."""
    async with FakeSmsc() as smsc:
        with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
            await Esme.connect(smsc.account.host, smsc.account.port, "smsc", "wrong")
        assert "0 unanswered" in await smsc.ended.get()


async def test_nobody_listens() -> None:
    """Where nobody listens the error names the address."""
    async with FakeSmsc() as smsc:
        port = smsc.account.port
    with pytest.raises(NotConnectedError, match=f"127.0.0.1:{port}: Connection refused"):
        await Esme.connect("127.0.0.1", port, "smsc", "right")


async def test_a_bind_that_nobody_answers_ends_in_time() -> None:
    """The bind has a time limit of its own, and a centre that is silent sees the connection close."""
    async with FakeSmsc() as smsc:
        smsc.binds_unanswered = True
        with pytest.raises(NotConnectedError, match=r"no answer within 0\.02 s"):
            await Esme.connect(smsc.account.host, smsc.account.port, "smsc", "right", within=0.02)
        await smsc.ended.get()


async def test_a_bind_with_a_value_too_long_is_refused_here() -> None:
    """A password of more than 8 characters is an error of the caller, not a cut password."""
    async with FakeSmsc() as smsc:
        with pytest.raises(EncodeError, match="password"):
            await Esme.connect(smsc.account.host, smsc.account.port, "smsc", "123456789")


async def test_deliveries_are_kept_then_answered() -> None:
    """A delivery is in the inbox and answered with ROK; when the inbox is full, with RMSGQFUL."""
    async with FakeSmsc() as smsc, await bound(smsc) as esme:
        for numbers in (range(900), range(900, INBOX_LIMIT + 3)):
            smsc.deliver(DeliverSm(source_addr=str(number)) for number in numbers)
            await esme.submit(SubmitSm(destination_addr="161"))  # its response comes behind the deliveries
        assert (await esme.inbox.get()).source_addr == "0"
        assert esme.inbox.qsize() == INBOX_LIMIT - 1
        assert smsc.statuses == {CommandStatus.ROK: INBOX_LIMIT, CommandStatus.RMSGQFUL: 3}


async def test_a_full_window_makes_submit_wait() -> None:
    """No more requests are open than the window holds, and all are sent in the end, in order."""
    async with FakeSmsc() as smsc, await bound(smsc, Limits(window_out=2)) as esme:
        smsc.holds = True
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(esme.submit(SubmitSm(destination_addr=str(number))))
            for expected in (2, 2, 1):
                for _ in range(expected):
                    await smsc.arrived.get()
                assert len(smsc.held) == expected
                smsc.release(expected)
        assert [submit.destination_addr for submit in smsc.submitted] == list("01234")


async def test_a_submit_given_up_keeps_its_place_until_it_is_answered() -> None:
    """Who stops waiting does not make the window larger than it is."""
    async with FakeSmsc() as smsc, await bound(smsc, Limits(window_out=1)) as esme:
        smsc.holds = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await esme.submit(SubmitSm(destination_addr="1"))
        next_one = asyncio.create_task(esme.submit(SubmitSm(destination_addr="2")))
        smsc.release(1)
        smsc.holds = False
        assert (await next_one).command_status == CommandStatus.ROK


async def test_a_cut_line_ends_every_wait() -> None:
    """What was sent and not answered, and what waited for the window, fails with the reason."""
    async with FakeSmsc() as smsc, await bound(smsc, Limits(window_out=1)) as esme:
        smsc.holds = True
        sent = asyncio.create_task(esme.submit(SubmitSm(destination_addr="1")))
        waiting = asyncio.create_task(esme.submit(SubmitSm(destination_addr="2")))
        await smsc.arrived.get()
        smsc.cut()
        for task in (sent, waiting):
            with pytest.raises(NotConnectedError, match="connection lost"):
                await task
        assert await esme.wait_lost() == esme.lost_because
        with pytest.raises(NotConnectedError):
            await esme.submit(SubmitSm(destination_addr="3"))


async def test_close_unbinds() -> None:
    """The polite end is an unbind that the other side sees; closing twice is harmless."""
    async with FakeSmsc() as smsc:
        esme = await bound(smsc)
        assert esme.lost_because is None
        await esme.close()
        await esme.close()
        assert "unbound by peer" in await smsc.ended.get()
