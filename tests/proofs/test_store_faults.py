"""A store without room, a failing disk, a handler with a bug: who is told what, and that nothing is lost."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any, Self

import pytest

from commands.handlers import HANDLERS
from commands.model import Given, Instruction, Outcome, World
from gateway.message import Commit, Delivery, Retransmission, Watermark, number_of
from gateway.simulator.errors import NotConnectedError
from gateway.simulator.esme import Esme
from gateway.smpp.pdu import Response
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite.store import SqliteStore
from tests.proofs.served import (
    PATIENCE,
    accepted,
    bind,
    delivered,
    events,
    handle_with,
    inside,
    lines,
    rows,
    sms,
    text_of,
    texts,
    until,
    write_config,
)
from tests.support import at_once

ONE, OTHER = "13800138000", "13800138001"
CHATS = 40
ROK, RMSGQFUL, RSYSERR = CommandStatus.ROK, CommandStatus.RMSGQFUL, CommandStatus.RSYSERR


class TriedStore(SqliteStore):
    """A store whose disk does as it is told: it fails while `broken`, and waits while `held` is not set."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.broken = False
        self.holds_messages = False
        self.waits = threading.Event()
        self.held = threading.Event()
        self.held.set()

    @classmethod
    def of(cls, path: Path) -> Self:
        """As SqliteStore.open, which makes one of this class."""
        store = cls.open(path)
        assert isinstance(store, cls)
        store.slow = False
        return store

    def write(self, commit: Commit) -> None:
        """The rows."""
        super().write(commit)
        self.holds_messages = bool(commit.messages)

    def sync(self) -> None:
        """The commit; one with messages says that it waits, and does so."""
        if self.holds_messages:
            self.waits.set()
            self.held.wait(PATIENCE)
        if self.broken:
            self._roll_back()
            raise StoreFault("disk: I/O error")
        super().sync()

    def pages(self, more: int) -> None:
        """Let the file grow by so many pages only."""
        count = self._db.execute("PRAGMA page_count").fetchone()[0]
        self._db.execute(f"PRAGMA max_page_count = {count + more}")


def chat(number: int) -> Any:
    """An SMS of which there is only one."""
    return sms(ONE, f"12520{OTHER}", f"chat {number:03} " + "x" * 140)


async def buddies(esme: Esme) -> None:
    """Two customers who may chat; what they were told is read."""
    for request in (
        sms(ONE, "161", "KTFX"),
        sms(OTHER, "161", "KTFX"),
        sms(ONE, "161", f"HY#{OTHER}"),
        sms(OTHER, "161", "是", 8),
    ):
        await accepted(esme, request)
    await texts(esme, 6)


def status_of(response: Response) -> int:
    """How a request was answered."""
    return response.command_status


async def insist(esme: Esme, number: int) -> str:
    """Send a chat until it is taken, as a centre does; the message id."""
    for _ in range(1000):
        response = await esme.submit(chat(number))
        if response.command_status == ROK:
            return str(getattr(response, "message_id", ""))
        await asyncio.sleep(0.01)
    raise AssertionError(f"never taken: 0x{response.command_status:X}")


def chats(store: Path) -> list[tuple[int, str]]:
    """Number and text of every chat in the journal."""
    found = rows(store, "SELECT number, text FROM journal WHERE instruction = 'chat' ORDER BY number")
    return [(row["number"], row["text"]) for row in found]


async def test_a_full_store(tmp_path: Path) -> None:
    """Without room messages get RMSGQFUL and leave no trace; those that were acknowledged are stored and
    delivered; with room everything is taken, once."""
    stores: list[TriedStore] = []

    def open_store(path: Path) -> TriedStore:
        stores.append(TriedStore.of(path))
        return stores[-1]

    store = tmp_path / "var/fetion.db"
    async with inside(write_config(tmp_path), open_store=open_store) as gateway:
        async with await bind(gateway.port) as handset:
            await buddies(handset)
            stores[0].pages(4)
            answers = [await handset.submit(chat(number)) for number in range(CHATS)]
            taken = {n for n, answer in enumerate(answers) if status_of(answer) == ROK}
            assert {status_of(answer) for answer in answers} == {ROK, RMSGQFUL}
            ids = [number_of(str(getattr(answers[n], "message_id", ""))) for n in sorted(taken)]
            assert [number for number, _ in chats(store)] == ids
            stores[0].pages(4000)
            for number in sorted(set(range(CHATS)) - taken):
                await insist(handset, number)
            read = [text[:8] for _, text in await texts(handset, CHATS)]
        assert sorted(read) == [f"chat {number:03}" for number in range(CHATS)]
        assert len(chats(store)) == CHATS
    assert {
        line["kind"] for line in lines(tmp_path / "gateway.log") if line["event"] == "storage.failed"
    } == {"StoreFull"}
    outbox = rows(store, "SELECT state FROM outbox")
    assert {row["state"] for row in outbox} == {Delivery.SENT}


async def test_a_disk_that_fails(tmp_path: Path) -> None:
    """While commits fail every message gets RSYSERR, and the disk is tried further apart each time; the first
    failure, the second, the fourth and so on are told. When it is well again the same messages are taken and
    done once each, in order, and that is told too."""
    store = TriedStore.of(tmp_path / "var/fetion.db")
    log = tmp_path / "gateway.log"
    config = write_config(tmp_path)
    async with (
        inside(config, open_store=lambda _: store) as gateway,
        await bind(gateway.port) as handset,
    ):
        await buddies(handset)
        await until(lambda: gateway.pipeline.idle, "the end of what came before")
        store.broken = True
        for _ in range(3):
            before = events(log).count("storage.failed")
            answers: list[Response] = []
            while events(log).count("storage.failed") == before:
                answers += await asyncio.gather(*(handset.submit(chat(n)) for n in range(CHATS)))
            assert {status_of(answer) for answer in answers} == {RSYSERR}
        store.broken = False
        for number in range(CHATS):
            await insist(handset, number)
        read = [text[:8] for _, text in await texts(handset, CHATS)]
    assert read == [f"chat {number:03}" for number in range(CHATS)]
    assert [text[:8] for _, text in chats(tmp_path / "var/fetion.db")] == read
    told = [line for line in lines(log) if line["event"] == "storage.failed"]
    assert [(line["failures"], line["pause_s"]) for line in told[:3]] == [(1, 0.1), (2, 0.2), (4, 0.8)]
    [recovered] = [line for line in lines(log) if line["event"] == "storage.recovered"]
    assert recovered["failures"] >= 4


@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_is_answered_before_the_outcome_is_known(tmp_path: Path, fails: bool) -> None:
    """While the disk works no answer leaves. The connection is cut meanwhile: sent again, each message is
    done once, whether that commit came off or not."""
    store = TriedStore.of(tmp_path / "var/fetion.db")
    async with inside(write_config(tmp_path), open_store=lambda _: store) as gateway:
        first = await bind(gateway.port)
        await buddies(first)
        await until(lambda: gateway.pipeline.idle, "the end of what came before")
        store.slow = True  # as measured on a slow disk: the commit is a thread's
        store.held.clear()
        store.waits.clear()
        asked = [asyncio.create_task(first.submit(chat(number))) for number in range(5)]
        await until(store.waits.is_set, "the commit")
        assert not any(task.done() for task in asked)
        await first.abort()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {NotConnectedError}
        await until(lambda: not gateway.binds.all(), "the loss")
        store.broken = fails
        store.held.set()
        await until(lambda: fails or len(chats(tmp_path / "var/fetion.db")), "the outcome")
        async with await bind(gateway.port) as second:
            store.broken = False
            ids = [await insist(second, number) for number in range(5)]
            read = [text[:8] for _, text in await texts(second, 5)]
            assert second.inbox.empty()
    assert read == [f"chat {number:03}" for number in range(5)]
    assert [f"{number:016x}" for number, _ in chats(tmp_path / "var/fetion.db")] == ids


async def test_a_handler_that_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug fails one message: journaled as failed, answered positively, one apology whose number is in the
    log; the others of its batch are done, and nothing of its own changes stays."""

    def state(world: World, understood: Instruction, _given: Given) -> Outcome:
        world.edit(understood.sender).nickname = "half done"
        raise LookupError("a bug")

    handle_with(monkeypatch, "service.state", state)
    log, path = tmp_path / "gateway.log", tmp_path / "var/fetion.db"
    async with inside(write_config(tmp_path)) as gateway, await bind(gateway.port) as handset:
        await buddies(handset)
        requests = (chat(1), sms(ONE, "161", "CXFX"), chat(2))
        ids = await asyncio.gather(*(accepted(handset, request) for request in requests))
        told = await texts(handset, 3)
        assert [text[:8] for to, text in told if to == OTHER] == ["chat 001", "chat 002"]
        apology = next(text for to, text in told if to == ONE)
        await accepted(handset, sms(ONE, "161", "BZ"))
        assert "KTFX" in text_of(await delivered(handset))
    failed = [line for line in lines(log) if line["event"] == "sms.failed"]
    assert [line["message_id"] for line in failed] == [ids[1]]
    assert failed[0]["error_id"] in apology
    assert re.search(r"in state\n", failed[0]["exception"])
    outcomes = rows(path, "SELECT outcome FROM journal WHERE number = ?", number_of(ids[1]))
    assert [row["outcome"] for row in outcomes] == ["failed"]
    assert rows(path, "SELECT msisdn FROM customer WHERE doc LIKE '%half done%'") == []
    assert len(rows(path, "SELECT number FROM outbox WHERE cause = ?", number_of(ids[1]))) == 1


async def test_two_that_cannot_be_stored_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose changes break a rule of the store fails alone, with an apology; its batch is stored."""

    def take_the_same(world: World, understood: Instruction, given: Given) -> Outcome:
        outcome = HANDLERS["service.open"](world, understood, given)
        world.edit(understood.sender).fetion_number = "555555555"
        return outcome

    handle_with(monkeypatch, "service.open", take_the_same)
    async with inside(write_config(tmp_path)) as gateway, await bind(gateway.port) as handset:
        requests = (sms(msisdn, "161", "KTFX") for msisdn in (ONE, OTHER))
        await asyncio.gather(*(accepted(handset, request) for request in requests))
        told = dict(await texts(handset, 2))
    assert "欢迎" in told[ONE]
    assert "编号" in told[OTHER]
    outcomes = rows(tmp_path / "var/fetion.db", "SELECT outcome FROM journal ORDER BY number")
    assert [row["outcome"] for row in outcomes] == ["done", "failed"]


def test_a_commit_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The store that these tests use really takes back what it could not commit."""
    store = TriedStore.of(tmp_path / "fetion.db")
    store.broken = True
    store.write(Commit(repeats=[Retransmission(1, 2, 3)]))
    with pytest.raises(StoreFault):
        store.sync()
    store.broken = False
    store.write(Commit(settled=Watermark(7, 1)))
    store.sync()
    assert at_once(store.settled()) == (7, 1)
    store.release()
