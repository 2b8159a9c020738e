"""Runs of the load generator over real sockets: against a gateway, and against centres that misbehave."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.net.connection import Connection
from gateway.simulator.errors import BindRefusedError, NotConnectedError
from gateway.simulator.handset import SHIPPED
from gateway.simulator.load.driver import drive
from gateway.simulator.load.mix import Line, Mix
from gateway.simulator.load.plan import Plan
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.proofs.served import inside, until, write_config
from tests.simulator.fake_smsc import FakeSmsc, deliveries
from tests.simulator.real_gateway import running_gateway

MS = 1_000_000


def reply(submit: SubmitSm) -> list[DeliverSm]:
    """One SMS back."""
    return deliveries("161034", submit.source_addr, "OK")


@pytest.mark.parametrize("rate", [None, 400.0])
@pytest.mark.parametrize("binds", [1, 3])
async def test_a_real_gateway_answers_everything(rate: float | None, binds: int, tmp_path: Path) -> None:
    """In closed and open loop, over one bind and several: every message has its answer and its reply."""
    plan = Plan(count=150, window=10, binds=binds, rate=rate, timeout=30)
    async with running_gateway(tmp_path) as account:
        outcome = await drive(plan, account)
    traffic = outcome.traffic
    assert outcome.good
    assert (traffic.sent, traffic.complete, traffic.finished) == (150, 150, 150)
    assert (traffic.answered.count, traffic.replied.count) == (150, 150)
    assert 0 < traffic.answered.least <= traffic.answered.percentile(990) <= traffic.answered.greatest
    assert traffic.unasked_deliveries == traffic.unasked_responses == 0
    assert traffic.late.count == (150 if rate else 0)
    if rate:
        assert (traffic.ended - traffic.began) / 1e9 >= 149 / rate


async def test_existing_handsets_send_again(tmp_path: Path) -> None:
    """random:N: several messages of one handset are under way at once, and each gets its own reply."""
    mix = Mix(messages=[Line(text="KTFX", to="161"), Line(text="CXFX", to="161")])
    plan = Plan(count=60, window=20, pool=4, mix=mix, timeout=30)
    config = write_config(tmp_path, limits={"instructions_per_minute": 0, "same_text": 0})
    async with inside(config) as gateway:
        outcome = await drive(plan, replace(SHIPPED, port=gateway.port))
    assert outcome.good
    assert outcome.traffic.replied.count == 60


class Stalling(FakeSmsc):
    """Stands still for a second behind its 100th message. took: seconds from the coming of each message to
    its answer, as the centre sees it."""

    def __init__(self) -> None:
        super().__init__(self._react)
        self.took: list[float] = []
        self._arrived: dict[int, float] = {}

    def _submit(self, connection: Connection, submit: SubmitSm) -> None:
        self._arrived[submit.sequence_number] = time.monotonic()
        super()._submit(connection, submit)

    def _react(self, submit: SubmitSm) -> list[DeliverSm]:
        self.took.append(time.monotonic() - self._arrived[submit.sequence_number])
        if len(self.took) == 100:
            self.holds = True
            asyncio.get_running_loop().call_later(1.0, self._go_on)
        return reply(submit)

    def _go_on(self) -> None:
        self.holds = False
        held = list(self.held)
        self.release(len(held))
        for submit in held:
            self.deliver(self._react(submit))


async def test_a_stall_shows_in_the_open_loop() -> None:
    """A centre stands still for a second. With a rate p99 says so, because each message that was due in that
    second is late. Counted from the sending, as the centre sees them, it would be hidden: only the messages
    in the window, 2 of 400, met it."""
    smsc = Stalling()
    async with smsc:
        outcome = await drive(Plan(count=400, window=2, rate=200, timeout=30), smsc.account)
    assert outcome.good
    for times in (outcome.traffic.answered, outcome.traffic.replied, outcome.traffic.late):
        assert times.percentile(990) >= 900 * MS
        assert times.percentile(500) < times.percentile(990)
    took = sorted(smsc.took)
    assert len(took) == 400
    assert took[395] < 0.4  # p99 is the 396th
    assert took[399] >= 0.9


async def test_a_stall_is_one_window_in_the_closed_loop() -> None:
    """Without a rate only the messages of the window meet the stall: max says so, p99 does not."""
    smsc = Stalling()
    async with smsc:
        outcome = await drive(Plan(count=400, window=2, timeout=30), smsc.account)
    assert outcome.good
    assert outcome.traffic.answered.percentile(990) < 400 * MS
    assert outcome.traffic.answered.greatest >= 900 * MS


@pytest.mark.parametrize("status", [CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL])
async def test_refusals_are_counted_and_not_sent_again(status: CommandStatus) -> None:
    """A refused message is counted by its status, sent once, and has no time."""
    async with FakeSmsc(reply) as smsc:
        smsc.answer = status
        outcome = await drive(Plan(count=20, window=3), smsc.account)
        assert len({submit.source_addr for submit in smsc.submitted}) == len(smsc.submitted) == 20
    assert (outcome.end, outcome.good) == ("finished", False)
    assert outcome.traffic.refused == {status: 20}
    assert outcome.traffic.answered.count == 0


async def test_time_outs_are_counted() -> None:
    """No answer within the timeout, or no reply: both are counted, and the run ends."""
    async with FakeSmsc() as smsc:
        smsc.holds = True
        unanswered = (await drive(Plan(count=4, window=2, timeout=0.05), smsc.account)).traffic
    async with FakeSmsc() as smsc:
        unreplied = (await drive(Plan(count=4, window=2, timeout=0.05), smsc.account)).traffic
    assert (unanswered.unanswered, unanswered.unreplied, unanswered.complete) == (4, 0, 0)
    assert (unreplied.unanswered, unreplied.unreplied, unreplied.complete) == (0, 4, 0)
    assert unreplied.answered.count == 4


async def test_a_lost_connection_ends_the_run() -> None:
    """A connection that breaks: the run ends and says why, with what was measured so far."""
    async with FakeSmsc(reply) as smsc:
        smsc.holds = True
        run = asyncio.create_task(drive(Plan(count=100, window=5), smsc.account))
        await until(lambda: len(smsc.held) == 5, "a full window")
        smsc.release(2)
        await until(lambda: len(smsc.held) == 5, "a full window again")
        smsc.cut()
        outcome = await run
    assert (outcome.end, outcome.good) == ("lost", False)
    assert outcome.reason
    assert (outcome.traffic.sent, outcome.traffic.answered.count) == (7, 2)


async def test_a_gateway_that_unbinds_ends_the_run() -> None:
    """A gateway that stops: the run ends, and says that it sent unbind."""
    async with FakeSmsc(reply) as smsc:
        smsc.holds = True
        run = asyncio.create_task(drive(Plan(count=100, window=5), smsc.account))
        await until(lambda: len(smsc.held) == 5, "a full window")
        smsc.release(5)
        assert smsc.connection is not None
        smsc.connection.unbind()
        outcome = await run
    assert outcome.end == "lost"
    assert "has unbound" in outcome.reason


async def test_a_cancelled_run_reports() -> None:
    """Cancelled, as Ctrl-C does: what was measured so far comes back."""

    def reacts(submit: SubmitSm) -> list[DeliverSm]:
        smsc.holds = len(smsc.submitted) >= 20
        return reply(submit)

    async with FakeSmsc(reacts) as smsc:
        run = asyncio.create_task(drive(Plan(count=300, window=5), smsc.account))
        await until(lambda: smsc.statuses.total() >= 20, "some traffic")
        run.cancel()
        outcome = await run
    assert outcome.end == "interrupted"
    assert outcome.traffic.complete == 20


async def test_binds_that_cannot_be_made() -> None:
    """A refused bind and a gateway that is not there are errors of their own."""
    async with FakeSmsc() as smsc:
        with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
            await drive(Plan(count=1, window=1), replace(smsc.account, password="wrong"))
    with pytest.raises(NotConnectedError, match="Connection refused"):
        await drive(Plan(count=1, window=1), smsc.account)


async def test_deliveries_in_other_forms_count() -> None:
    """Replies as data_sm, with a service_type, in another spelling; a receipt and an SMS to a stranger are
    answered and counted as unasked for."""

    def reacts(submit: SubmitSm) -> Iterable[DeliverSm]:
        number = submit.source_addr
        if number == "8613500000000":
            return [DeliverSm(service_type="CMT", source_addr="161", destination_addr=number)]
        if number == "8613500000001":
            return [DeliverSm(source_addr="161", destination_addr=number.removeprefix("86"))]
        if number == "8613500000002":
            receipt = DeliverSm(source_addr="161", destination_addr=number, esm_class=4)
            stranger = DeliverSm(source_addr="161", destination_addr="8613999999999")
            return [receipt, stranger, DeliverSm(source_addr="161", destination_addr=f"+{number}")]
        data = DataSm(source_addr="161", destination_addr=number)
        assert smsc.connection is not None
        smsc.connection.session.send(data, data, asyncio.get_running_loop().time())
        return []

    async with FakeSmsc(reacts) as smsc:
        outcome = await drive(Plan(count=4, window=1), smsc.account)
        await until(lambda: smsc.statuses.total() >= 6, "our answers")
        assert smsc.statuses[CommandStatus.ROK] == smsc.statuses.total()
    assert outcome.good
    assert outcome.traffic.unasked_deliveries == 2
