"""Operators' actions, over real sockets: through the batch, once by their request, beside customers' SMS."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from commands.actions import ACTIONS
from commands.model import Customer, CustomerState, LoadKeys, World
from gateway.errors import Refusal
from gateway.message import BY, OPERATOR, Commit
from gateway.processing.actions import MOST
from gateway.processing.operator_bind import Action, Executed, NotKnown
from gateway.storage.contract import InDoubt, StoreFault
from gateway.storage.engines import open_reader
from gateway.storage.reader import JournalRecord
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import RunningGateway, running_gateway
from tests.proofs.served import rows
from tests.support import ALICE, BOB

REASON = "客户来电：手机解锁 <b>'"


def wanted(action: str, msisdn: str = ALICE, request: str = "") -> Action:
    """What an agent asks for."""
    return Action(request or f"r-{action}-{msisdn}", "li", action, msisdn, REASON, "127.0.0.1:5")


async def customer(gateway: RunningGateway, msisdn: str = ALICE) -> Customer:
    """As he is stored."""
    world = World()
    await gateway.app.store.load(LoadKeys({msisdn}), world)
    return world.customer(msisdn) or Customer(msisdn)


async def change(gateway: RunningGateway, edit: Callable[[Customer], None]) -> None:
    """Do to ALICE what the account system of the carrier would do."""
    await gateway.settle()
    known = await customer(gateway)
    edit(known)
    await gateway.app.store.commit(Commit(customers=[known]))


def protect(known: Customer) -> None:
    """Code 494."""
    known.protected = True


def record(gateway: RunningGateway, done: Executed) -> JournalRecord:
    """The journal row of an action."""
    with closing(open_reader(gateway.folder / "fetion.db")) as reader:
        found = reader.journal_record(done.number)
    assert found is not None
    return found


async def test_an_unlocked_customer_gets_through(tmp_path: Path) -> None:
    """His SMS are refused with 494 until an agent unlocks the account; the journal says who and why."""
    async with running_gateway(tmp_path) as gateway:
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", to="161")
        await alice.expect("飞信号")
        await change(gateway, protect)
        await alice.send("NC#小明", to="161")
        await alice.expect("保护")
        reach = (await customer(gateway)).reach

        done = await gateway.app.actions.act(wanted("unlock"))
        told = await alice.expect("已经解除")
        assert told.sender == "12520"
        row = record(gateway, done)
        assert (row.account, row.instruction, row.outcome, row.text) == (
            OPERATOR, "account.unlock", "done", "",
        )  # fmt: skip
        assert row.detail[BY] == {
            "actor": "li", "action": "unlock", "reason": REASON, "request": "r-unlock-" + ALICE,
        }  # fmt: skip
        assert (await customer(gateway)).reach == reach
        await alice.send("NC#小明", to="161")
        await alice.expect("小明")
        log = gateway.log_file().read_text()
    assert "console.acted" in log


async def test_a_request_is_executed_once(tmp_path: Path) -> None:
    """A second click at the same time, later, and after a restart gives the first one's row."""
    async with running_gateway(tmp_path) as gateway:
        act, open_ = gateway.app.actions.act, wanted("open", request="one")
        first, again = await asyncio.gather(act(open_), act(open_))
        assert (first.again, again) == (False, Executed(first.number, again=True))
        assert await act(open_) == again
        assert (await customer(gateway)).state is CustomerState.OPEN
    async with running_gateway(tmp_path) as gateway:
        assert await gateway.app.actions.act(open_) == again
    sent = rows(tmp_path / "fetion.db", "SELECT * FROM outbox")
    assert len(sent) == 1


async def test_a_crash_between_commit_and_answer(tmp_path: Path) -> None:
    """The commit is stored, nobody hears of it: the same request later finds it."""
    stored: list[Commit] = []

    class Breaking(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            await super().commit(commit)
            if commit.acted:
                stored.append(commit)
                raise StoreFault("the disk went away behind the commit")

    def opening(path: Path) -> SqliteStore:
        return Breaking.open(path)

    async with running_gateway(tmp_path, open_store=opening) as gateway:
        with pytest.raises(Refusal):
            await gateway.app.actions.act(wanted("open", request="one"))
    async with running_gateway(tmp_path) as gateway:
        done = await gateway.app.actions.act(wanted("open", request="one"))
    assert done == Executed(stored[0].acted[0].number, again=True)


async def test_a_store_that_does_not_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows until it does; then the same request gives what came of the first one."""
    monkeypatch.setattr("gateway.processing.actions.PATIENCE", 0.05)
    going, returning = asyncio.Event(), asyncio.Event()

    class Slow(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            if commit.acted:
                going.set()
                await returning.wait()
            await super().commit(commit)

    def opening(path: Path) -> SqliteStore:
        return Slow.open(path)

    async with running_gateway(tmp_path, open_store=opening) as gateway:
        with pytest.raises(NotKnown, match="send the same request again"):
            await gateway.app.actions.act(wanted("open", request="one"))
        assert going.is_set()
        monkeypatch.undo()
        later = asyncio.create_task(gateway.app.actions.act(wanted("open", request="one")))
        returning.set()
        assert (await later).again is True
    assert len(rows(tmp_path / "fetion.db", "SELECT * FROM outbox")) == 1


@pytest.mark.parametrize("written", [False, True])
async def test_a_commit_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, written: bool) -> None:
    """Nobody knows whether it is stored. The same request finds out, and does not for ever hear that nobody
    knows; those in doubt keep no others out."""
    most = doubts = 2
    monkeypatch.setattr("gateway.processing.actions.MOST", most)

    class Doubtful(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            nonlocal doubts
            if not commit.acted or not doubts:
                await super().commit(commit)
                return
            if written:
                await super().commit(commit)
            doubts -= len(commit.acted)
            raise InDoubt("somebody else has it")

    def opening(path: Path) -> SqliteStore:
        return Doubtful.open(path)

    async with running_gateway(tmp_path, open_store=opening) as gateway:
        act = gateway.app.actions.act
        requests = [f"r{place}" for place in range(most)]
        while doubts:
            one = wanted("open", request=requests[doubts - 1])
            for _ in range(2):  # the second time the store is not used
                with pytest.raises(NotKnown):
                    await act(one)
            await gateway.advance(minutes=2)
        done = [await act(wanted("open", request=each)) for each in requests]
        assert {each.again for each in done} == {True}
        outcomes = [record(gateway, each).outcome for each in done]
    assert sorted(outcomes) == ["done", *["refused"] * (most - 1)]
    assert len(rows(tmp_path / "fetion.db", "SELECT * FROM operator_action")) == most


async def test_every_action_and_its_states(tmp_path: Path) -> None:
    """Each where it makes sense; where it makes none it is refused, changes nothing, and sends nothing."""
    orders = [
        *("unlock", "resend_notice", "cancel", "resume", "open", "open", "resend_notice", "unlock"),
        *("reset_password", "suspend", "reset_password", "suspend", "resume", "resume", "suspend"),
        *("cancel", "cancel"),
    ]
    refused = {0, 1, 2, 3, 5, 7, 10, 11, 13, 16}
    async with running_gateway(tmp_path) as gateway:
        outcomes = []
        for place, action in enumerate(orders):
            done = await gateway.app.actions.act(wanted(action, request=f"r{place}"))
            row = record(gateway, done)
            outcomes.append(row.outcome)
            assert row.instruction == ACTIONS[action].instruction
            assert bool(row.detail.get("replies")) == (row.outcome == "done"), action
        assert {place for place, each in enumerate(outcomes) if each == "refused"} == refused
        assert set(outcomes) == {"done", "refused"}
        assert (await customer(gateway)).state is CustomerState.CLOSED
    sent = rows(tmp_path / "fetion.db", "SELECT secret, text FROM outbox")
    assert len(sent) == len(orders) - len(refused)
    assert sum(each["secret"] for each in sent) == 1


async def test_a_paused_customer_comes_back_as_he_was(tmp_path: Path) -> None:
    """Buddies, orders and the nickname stay; meanwhile his SMS are refused with 488."""
    async with running_gateway(tmp_path) as gateway:
        alice = await gateway.handset(ALICE)
        for text, got in (("KTFX", "飞信号"), ("NC#小明", "小明")):
            await alice.send(text, to="161")
            await alice.expect(got)
        before = await customer(gateway)
        await gateway.app.actions.act(wanted("suspend"))
        await alice.expect("暂停使用")
        await alice.send("CXFX", to="161")
        await alice.expect("停机")
        await gateway.app.actions.act(wanted("resume"))
        await alice.expect("恢复使用")
        after = await customer(gateway)
    assert replace(after, version=0) == replace(before, version=0)


async def test_the_guard_does_not_count_actions(tmp_path: Path) -> None:
    """However many an agent needs; six passwords in a minute are too many for anybody."""
    limits = {"limits": {"instructions_per_minute": 3, "same_text": 2}}
    async with running_gateway(tmp_path, limits) as gateway:
        act = gateway.app.actions.act
        await act(wanted("open"))
        for place in range(8):
            done = await act(wanted("resend_notice", request=f"n{place}"))
            assert record(gateway, done).outcome == "done"
        resets = [
            record(gateway, await act(wanted("reset_password", request=f"p{place}"))) for place in range(6)
        ]
        alice = await gateway.handset(ALICE)
        await alice.send("BZ", to="161")
        await alice.expect("KTFX")
    assert [(each.outcome, each.code) for each in resets] == [("done", 200)] * 5 + [("refused", 486)]


async def test_refused_with_a_reason(tmp_path: Path) -> None:
    """Stopping, too many at once, an unknown action: nothing is queued."""
    async with running_gateway(tmp_path) as gateway:
        app = gateway.app
        many = [
            asyncio.create_task(app.actions.act(wanted("open", request=f"r{n}"))) for n in range(MOST + 3)
        ]
        ended = await asyncio.gather(*many, return_exceptions=True)
        full = [str(each) for each in ended if isinstance(each, Refusal)]
        assert len(full) == 3
        assert "try again in a moment" in full[0]
        with pytest.raises(KeyError):
            await app.actions.act(wanted("promote"))
        app.queue.stopping = True
        with pytest.raises(Refusal, match="stopping"):
            await app.actions.act(wanted("open", request="late"))
        app.queue.stopping = False
        assert (await app.actions.act(wanted("cancel", request="after"))).again is False


async def test_a_mobile_of_another_operator(tmp_path: Path) -> None:
    """Nothing is opened there."""
    async with running_gateway(tmp_path) as gateway:
        row = record(gateway, await gateway.app.actions.act(wanted("open", "13012345678")))
    assert (row.outcome, row.code) == ("refused", 404)


async def test_a_bug_fails_the_action_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is journaled as failed, sends nothing, and its request is not executed later."""
    async with running_gateway(tmp_path) as gateway:
        monkeypatch.setattr(gateway.app._addressing, "unasked", None)
        done = await gateway.app.actions.act(wanted("open"))
        row = record(gateway, done)
        assert (row.outcome, row.detail["error"]) == ("failed", "TypeError")
        monkeypatch.undo()
        assert (await gateway.app.actions.act(wanted("open"))).again is True
        other = await gateway.app.actions.act(wanted("open", BOB))
        assert record(gateway, other).outcome == "done"
    assert len(rows(tmp_path / "fetion.db", "SELECT * FROM outbox")) == 1
