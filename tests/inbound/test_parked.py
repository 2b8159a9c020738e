"""SMS that were unanswered too often: parked, and decided on by an operator."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.message import Delivery, message_id
from gateway.operations.control import CommandRefused, ask
from gateway.outbound.outbox import LOSSES
from gateway.testing import running_gateway
from tests.inbound.parking import Parked, parking
from tests.peers import Sending
from tests.proofs.served import bind, delivered, lines, text_of
from tests.support import leaving


def test_the_third_loss_parks_it() -> None:
    """The oldest SMS in flight at three losses leaves no more by itself; until then it is sent again, and
    the SMS behind it to the same handset leave when it is parked."""
    sending = Sending()
    poison, follower = leaving(1, text="first"), leaving(2, text="second")
    peer = sending.bind()
    sending.hand_over(poison, follower)
    for losses in range(1, LOSSES):
        sending.lose(peer)
        assert (poison.losses, poison.state) == (losses, Delivery.WAITING)
        peer = sending.bind()
        assert len(peer.unanswered) == 1
    sending.lose(peer)
    assert poison.state is Delivery.PARKED
    assert ("parked", 1) in sending.said
    peer = sending.bind()
    sending.answer(peer)
    assert [text for _, text in peer.texts] == ["second"]
    assert sending.outbox.depth == 0
    assert sending.unwritten.closed == [follower]


def test_each_loss_is_to_be_committed() -> None:
    """Every loss of a session puts the SMS that it left unanswered among the changes for the next commit."""
    sending = Sending()
    waiting = leaving(1)
    for _ in range(LOSSES):
        peer = sending.bind()
        if not waiting.losses:
            sending.hand_over(waiting)
        woken = sending.woken
        sending.lose(peer)
        assert sending.woken > woken
    assert sending.unwritten.changed == [waiting] * LOSSES


def test_an_answer_in_between_is_no_loss() -> None:
    """Only losses while it was in flight count: SMS that wait for a bind or for a window lose nothing."""
    sending = Sending()
    first, second = leaving(1), leaving(2, to="13900139000")
    peer = sending.bind(window=1)
    sending.hand_over(first, second)
    for _ in range(LOSSES - 1):
        sending.lose(peer)
        peer = sending.bind(window=1)
    assert (first.losses, second.losses) == (LOSSES - 1, 0)


@pytest.fixture(params=["KTFX", "P"])
async def parked(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Parked]:
    """One of which the text is stored as it is, and one of which it is sealed."""
    async with parking(tmp_path, request.param) as found:
        yield found


async def test_it_is_parked_in_the_store(parked: Parked) -> None:
    """The park is committed with the count of losses and the reason, logged once, and not expired by time."""
    row = parked.row()
    assert (row["state"], row["losses"], row["closed_at"]) == (Delivery.PARKED, LOSSES, 0)
    assert row["error"] == f"unanswered {LOSSES} times (timeouts, lost sessions)"
    await parked.gateway.advance(days=4)
    async with await bind(parked.gateway.account.port, "receiver") as receiver:
        await receiver.enquire()
        assert receiver.inbox.empty()
    assert parked.row()["state"] == Delivery.PARKED
    said = [line for line in lines(parked.gateway.folder / "gateway.log") if line["event"] == "sms.parked"]
    assert [line["message_id"] for line in said] == [parked.id]


async def test_retry_sends_it_once_more(parked: Parked) -> None:
    """A retried SMS leaves as it was, a sealed one too, and counts its losses anew."""
    assert await parked.ask("outbox retry") == "waiting"
    assert (parked.row()["state"], parked.row()["losses"]) == (Delivery.WAITING, 0)
    async with await bind(parked.gateway.account.port, "receiver") as receiver:
        text = text_of(await delivered(receiver))
        assert "飞信" in text
        await parked.gateway.settle()
    assert parked.row()["state"] == Delivery.SENT


async def test_drop_gives_it_up(parked: Parked) -> None:
    """A dropped SMS is closed as failed, with the reason; of a sealed one nothing is left."""
    secret = parked.row()["secret"]
    assert parked.row()["text"] is not None
    assert await parked.ask("outbox drop") == "failed"
    row = parked.row()
    assert (row["state"], row["error"]) == (Delivery.FAILED, "dropped by an operator")
    assert row["closed_at"] > 0
    assert (row["text"] is None) == bool(secret)


async def test_only_what_is_parked_can_be_decided_on(parked: Parked) -> None:
    """A decision about an SMS that is not parked, or not there, is refused with the reason, twice about the
    same as well."""
    await parked.ask("outbox drop")
    for message in (parked.id, message_id(7), "nonsense"):
        for command in ("outbox retry", "outbox drop"):
            with pytest.raises(CommandRefused, match=r"not parked|16 hexadecimal"):
                await parked.ask(command, message)


async def test_control_checks_what_it_is_asked(parked: Parked) -> None:
    """An unknown command and wrong arguments are refused by name."""
    with pytest.raises(CommandRefused, match="no command 'outbox'; there are: binds, outbox retry"):
        await ask(parked.store, "outbox")
    with pytest.raises(CommandRefused, match="outbox drop takes these texts: message"):
        await ask(parked.store, "outbox drop")
    for asked in ("", "7", "[[1]]", '[["x", "y", "z"]]', "[[[], 1, 2]]", "{", "[" * 3000):
        with pytest.raises(CommandRefused, match="outbox why takes a JSON array"):
            await ask(parked.store, "outbox why", messages=asked)
    [nothing] = await ask(parked.store, "outbox why", messages=f'[["{parked.id}", [], {{}}]]')
    assert nothing == {"reason": "the gateway has not taken it out of the store yet", "until": None}
    with pytest.raises(CommandRefused, match="binds takes these texts: none"):
        await ask(parked.store, "binds", message="x")


@pytest.mark.parametrize("text", ["KTFX", "P"])
async def test_a_parked_one_survives_a_restart(text: str, tmp_path: Path) -> None:
    """After a restart it is still parked, is not sent, and can be retried."""
    async with parking(tmp_path, text) as parked:
        store = parked.store
    async with running_gateway(tmp_path) as again, await bind(again.account.port, "receiver") as receiver:
        await receiver.enquire()
        assert receiver.inbox.empty()
        assert await ask(store, "outbox retry", message=parked.id) == "waiting"
        assert "飞信" in text_of(await delivered(receiver))


async def test_the_commands(parked: Parked, capsys: pytest.CaptureFixture[str]) -> None:
    """`outbox list` shows what is parked, `retry` and `drop` say what became of it, and 1 is the exit code
    for what cannot be."""
    config = ["--config", str(parked.gateway.folder / "config.yaml")]

    async def call(*words: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, ["outbox", *words, *config])
        return code, capsys.readouterr().out

    code, said = await call("list")
    assert code == 0
    assert f"{parked.id}  parked" in said
    code, said = await call("list", "--json")
    row = json.loads(said)
    assert (row["message_id"], row["state"]) == (parked.id, "parked")
    assert row["why"] == f"unanswered {LOSSES} times (timeouts, lost sessions)"
    assert await call("drop", parked.id) == (0, f"{parked.id}  failed\n")
    assert await call("retry", parked.id) == (1, "")
