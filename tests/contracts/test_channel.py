"""The contract of a channel (gateway.channels.contract), over every one. Rules by their numbers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.channels.contract import CannotSend, Inbound, Loss
from gateway.errors import Verdict
from gateway.message import MobileTerminated
from tests.contracts.channels import ASKING, CHANNELS, LIMITED, TIMED, WINDOW, Rig, running
from tests.support import ALICE, leaving

TOO_LONG = "1" * 100
"""A number that is longer than any."""


@pytest.fixture(params=CHANNELS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Each of them, started."""
    async with running(CHANNELS[request.param]()) as started:
        yield started


def now() -> float:
    """Monotonic seconds."""
    return asyncio.get_running_loop().time()


def composed(rig: Rig, number: int, account: str, text: str = "text") -> MobileTerminated:
    """An SMS to Alice, cut for that account."""
    sms = leaving(number, text=text, account=account)
    sms.segments = rig.composer.compose(sms)
    sms.parts = len(sms.segments)
    return sms


async def test_an_sms_comes(rig: Rig) -> None:
    """Rules 1 and 8: a bind is told of, then that it is ready, then its SMS in order, as sent."""
    bind, far = await rig.bind()
    for text in ("KTFX", "飞信"):
        await far.submits(ALICE, "161", text)
    came = [each for (each,) in await rig.told.until("received", 2) if isinstance(each, Inbound)]
    assert [name for name, *_ in rig.told.heard] == ["bound", "ready", "received", "received"]
    assert [each.alphabet.decode(each.octets, each.data_coding) for each in came] == ["KTFX", "飞信"]
    assert {(each.source, each.destination, each.bind) for each in came} == {(ALICE, "161", bind)}
    assert [each.alphabet.join([(each.octets, each.data_coding)]) for each in came] == ["KTFX", "飞信"]


async def test_accept(rig: Rig) -> None:
    """Rules 2 and 3: each SMS is answered by its origin, whatever the order, with the next flush."""
    bind, far = await rig.bind()
    await far.submits(ALICE, "161", "first")
    (first,), *_ = await rig.told.until("received")
    await far.submits(ALICE, "161", "second")
    _, (second,) = await rig.told.until("received", 2)
    assert isinstance(first, Inbound)
    assert isinstance(second, Inbound)
    bind.accept(first.origin, "0000000100000001")
    bind.accept(second.origin, "0000000100000002")
    bind.flush()
    assert [await far.answered(), await far.answered()] == ["0000000100000001", "0000000100000002"]


@pytest.mark.parametrize("verdict", Verdict)
async def test_reject(rig: Rig, verdict: Verdict) -> None:
    """Rule 9: every verdict has a status, and the peer gets the one that is told."""
    bind, far = await rig.bind()
    await far.submits(ALICE, "161", "KTFX")
    ((came,),) = await rig.told.until("received")
    assert isinstance(came, Inbound)
    status = bind.reject(came.origin, verdict)
    bind.flush()
    assert status
    assert await far.answered() == status


@pytest.mark.parametrize("text", ["text", "long " * 100], ids=["one", "long"])
async def test_send(rig: Rig, text: str) -> None:
    """Rules 4 and 5: a part is told of once, as sent, and settled behind it."""
    bind, far = await rig.bind()
    sms = composed(rig, 1, bind.account, text)
    for part in range(sms.parts):
        sms.parts_done = part
        bind.send(sms, now())
        bind.flush()
        await far.arrives()
        await far.answers()
        await rig.told.until("settled", part + 1)
    told = [name for name, *_ in rig.told.heard[2:]]
    assert told == ["sent", "settled"] * sms.parts
    assert rig.told.named("sent") == [(sms,)] * sms.parts


@pytest.mark.parametrize(("how", "retry"), [("later", True), ("for good", False)])
async def test_refused(rig: Rig, how: str, retry: bool) -> None:
    """Rule 4: a part that the peer does not take is told of as refused, and whether it may come again."""
    bind, far = await rig.bind()
    sms = composed(rig, 1, bind.account)
    bind.send(sms, now())
    bind.flush()
    await far.arrives()
    await far.answers(how)
    await rig.told.until("settled")
    assert rig.told.heard[2:] == [("refused", sms, retry), ("settled",)]


async def test_room(rig: Rig) -> None:
    """Rule 7: a bind says how many SMS it takes now; an answer makes room."""
    bind, far = await rig.bind()
    rooms = [bind.room]
    for number in range(WINDOW):
        bind.send(composed(rig, number + 1, bind.account), now())
        rooms.append(bind.room)
    bind.flush()
    await far.arrives()
    await far.answers()
    await rig.told.until("sent")
    assert [*rooms, bind.room] == [2, 1, 0, 1]


async def test_receives(rig: Rig) -> None:
    """Rule 7: a bind says whether it receives."""
    receiving, _ = await rig.bind()
    sending, _ = await rig.bind(receives=False)
    assert (receiving.receives, sending.receives) == (True, False)
    assert receiving.number != sending.number
    assert rig.channel.connections == 2


async def test_has_read(rig: Rig) -> None:
    """An answer to what was queued behind a mark says that its peer has read all before it; not earlier than
    it came."""
    bind, far = await rig.bind()
    mark, before = bind.mark, now()
    bind.send(composed(rig, 1, bind.account), now())
    bind.flush()
    await far.arrives()
    await far.answers()
    await rig.told.until("settled")
    assert bind.has_read(mark, now())
    at_once = rig.reads_at_once  # a mark is then as good as read
    assert bind.has_read(bind.mark, now()) is at_once
    assert bind.has_read(mark, before - 1) is at_once


async def test_asks_for(rig: Rig) -> None:
    """A bind on which nobody asks for particular handsets says so."""
    bind, _ = await rig.bind()
    assert bind.asks_for(ALICE) is None


@pytest.mark.parametrize("rig", ASKING, indirect=True)
async def test_asks_for_some(rig: Rig) -> None:
    """Where a peer can ask for handsets, the bind says how closely it asks for one: more than 0, or 0."""
    closer, _ = await rig.bind(wants="^1380013")
    wider, _ = await rig.bind(wants="^138")
    weights = [bind.asks_for(ALICE) or 0 for bind in (closer, wider)]
    assert weights[0] > weights[1] > 0
    assert [bind.asks_for("13900139000") for bind in (closer, wider)] == [0, 0]


@pytest.mark.parametrize("rig", LIMITED, indirect=True)
async def test_cannot_send(rig: Rig) -> None:
    """An SMS that the protocol cannot carry raises CannotSend, and nothing is queued: the next one leaves."""
    bind, far = await rig.bind()
    unfit = composed(rig, 1, bind.account)
    unfit.destination = TOO_LONG
    with pytest.raises(CannotSend):
        bind.send(unfit, now())
    assert bind.room == WINDOW
    sms = composed(rig, 2, bind.account)
    bind.send(sms, now())
    bind.flush()
    await far.arrives()
    await far.answers()
    assert await rig.told.until("sent") == [(sms,)]


@pytest.mark.parametrize("rig", TIMED, indirect=True)
async def test_unknown(rig: Rig) -> None:
    """Rule 6: of a peer that answers others, an SMS that it does not answer in time is told of as unknown,
    once; the bind goes on."""
    bind, far = await rig.bind()
    first, second = composed(rig, 1, bind.account), composed(rig, 2, bind.account)
    for sms in (first, second):
        bind.send(sms, now())
    bind.flush()
    await far.arrives()
    await far.arrives()
    await far.answers(newest=True)
    await rig.told.until("sent")
    rig.time_passes(bind.response_timeout)
    assert await rig.told.until("unknown") == [(first,)]
    assert rig.told.named("sent") == [(second,)]
    assert not bind.closed
    assert bind.room == WINDOW


@pytest.mark.parametrize("rig", TIMED, indirect=True)
@pytest.mark.parametrize("how", ["", "later", "for good"])
async def test_late(rig: Rig, how: str) -> None:
    """Rule 12: what is answered after it was told of as unknown is told once more, as what it says."""
    bind, far = await rig.bind()
    first, second = composed(rig, 1, bind.account), composed(rig, 2, bind.account)
    for sms in (first, second):
        bind.send(sms, now())
    bind.flush()
    await far.arrives()
    await far.arrives()
    await far.answers(newest=True)
    await rig.told.until("sent")
    rig.time_passes(bind.response_timeout)
    await rig.told.until("unknown")
    await far.answers(how)
    if how:
        assert await rig.told.until("late_refused") == [(first, how == "later")]
    else:
        assert await rig.told.until("late") == [(first,)]
    assert rig.told.named("unknown") == [(first,)]


async def test_lost(rig: Rig) -> None:
    """Rules 4 and 8: the last that is told of a bind that is cut is what was unanswered, oldest first; it is
    closed, and its peer may not have read our answers."""
    bind, far = await rig.bind()
    several = [composed(rig, number, bind.account) for number in (1, 2)]
    for sms in several:
        bind.send(sms, now())
    bind.flush()
    await far.arrives()
    await far.cut()
    ((unanswered, loss),) = await rig.told.until("lost")
    assert unanswered == several
    assert isinstance(loss, Loss)
    assert not loss.polite
    assert bind.closed
    assert [name for name, *_ in rig.told.heard if name != "disconnected"] == ["bound", "ready", "lost"]


async def test_abort(rig: Rig) -> None:
    """One bind ends at once, and its peer may not have read our answers; once more changes nothing."""
    bind, _ = await rig.bind()
    bind.abort("no reason")
    ((unanswered, loss),) = await rig.told.until("lost")
    assert unanswered == []
    assert isinstance(loss, Loss)
    assert (loss.reason, loss.polite) == ("no reason", False)
    assert bind.closed
    bind.abort("again")
    assert len(rig.told.named("lost")) == 1


async def test_unbind(rig: Rig) -> None:
    """All connections end politely at an unbind: the peers have read our answers."""
    _, far = await rig.bind()
    rig.channel.close()
    rig.channel.unbind()
    await far.unbinds()
    ((unanswered, loss),) = await rig.told.until("lost")
    await rig.told.until("disconnected")
    assert unanswered == []
    assert isinstance(loss, Loss)
    assert loss.polite
    assert rig.channel.connections == 0


async def test_counts(rig: Rig) -> None:
    """Rule 10: what came counts when it came, what left when its peer has taken the whole of it."""
    bind, far = await rig.bind()
    await far.submits(ALICE, "161", "KTFX")
    await rig.told.until("received")
    assert (bind.messages_in, bind.messages_out) == (1, 0)
    for number, how in ((1, "later"), (2, "")):
        bind.send(composed(rig, number, bind.account), now())
        bind.flush()
        await far.arrives()
        await far.answers(how)
        await rig.told.until("settled", number)
    assert (bind.messages_in, bind.messages_out) == (1, 1)
