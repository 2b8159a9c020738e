"""A batch is on the disk before the first octet of its answers leaves: seen from inside and in the kernel."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from gateway.app import Environment, Gateway
from gateway.message import number_of
from gateway.net.connection import Connection
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.smpp.codec import decode
from gateway.smpp.coding import Alphabet
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdus import DeliverSm, SubmitSmResp
from gateway.storage.sqlite.store import SqliteStore
from tests.conftest import Report
from tests.crash.centre import Centre
from tests.crash.ledger import Ledger
from tests.crash.load import Kind, Load
from tests.crash.process import SERVE, GatewayProcess, write_config
from tests.crash.stores import LateNotingStore, NotingStore
from tests.crash.syscalls import OPTIONS, Order, order_in

BATCHES = 100
WINDOW = 20


class WatchedTransport:
    """A transport that shows what is written before it is."""

    def __init__(self, transport: asyncio.Transport, watch: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._watch = watch

    def write(self, octets: bytes) -> None:
        """Show, then write."""
        self._watch(octets)
        self._transport.write(octets)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class WatchedConnection(Connection):
    """A connection of the listener on such a transport."""

    watch: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        watched = WatchedTransport(cast(asyncio.Transport, transport), self.watch)
        super().connection_made(cast(asyncio.BaseTransport, watched))


class Witness:
    """Compares what leaves with what the store says is durable."""

    def __init__(self) -> None:
        self.store: NotingStore | None = None
        self.answers = 0
        self.deliveries = 0
        self.early: list[str] = []
        self._splitter = FrameSplitter()
        self._alphabet = Alphabet.from_config({}, "gsm")

    def open_store(self, kind: type[NotingStore], path: Path) -> SqliteStore:
        """What Gateway takes as open_store, with the kind bound."""
        store = kind.open(path)
        assert isinstance(store, NotingStore)
        self.store = store
        return store

    def watch(self, octets: bytes) -> None:
        """These octets are about to be written to the peer."""
        store = self.store
        assert store is not None
        for frame in self._splitter.feed(octets):
            pdu = decode(frame)
            if isinstance(pdu, SubmitSmResp):
                self.answers += 1
                if number_of(pdu.message_id) not in store.durable:
                    self.early.append(f"answer {pdu.message_id}")
            elif isinstance(pdu, DeliverSm):
                self.deliveries += 1
                text = self._alphabet.decode(pdu.short_message, pdu.data_coding)
                if (pdu.destination_addr, pdu.source_addr, text) not in store.durable_out:
                    self.early.append(f"reply to {pdu.destination_addr}")


async def converse(port: int, enough: Callable[[Ledger], bool]) -> Ledger:
    """Load, until it is enough and everything is answered."""
    ledger, traffic = Ledger(), Load(seed=1, rounds=0)
    centre = await Centre.connect(port, ledger, traffic, window=WINDOW)
    traffic.open_all()
    await centre.until(lambda: len(ledger.received) == len(traffic.handsets))
    traffic.befriend()
    await centre.until(lambda: not ledger.unanswered)
    traffic.chatting = True
    await centre.until(lambda: enough(ledger))
    traffic.end()
    await centre.until(lambda: not ledger.unanswered)
    return ledger


async def watched_run(folder: Path, kind: type[NotingStore], monkeypatch: pytest.MonkeyPatch) -> Witness:
    """A gateway in this process, with witnesses at its store and at its transport."""
    witness = Witness()
    monkeypatch.setattr(WatchedConnection, "watch", staticmethod(witness.watch), raising=False)
    monkeypatch.setattr("gateway.net.listener.Connection", WatchedConnection)
    settings = load(write_config(folder), {})
    log = open_log(settings.logging)
    try:
        async with Gateway(
            settings, log, Environment(open_store=partial(witness.open_store, kind))
        ) as gateway:
            store = witness.store
            assert store is not None
            await converse(gateway.port, lambda _: store.batches >= BATCHES)
            assert (store.pragma("journal_mode"), store.pragma("synchronous")) == ("wal", 2)
    finally:
        log.close()
    return witness


async def test_nothing_leaves_before_its_commit_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    """Over 100 batches no answer and no reply is written before the sync of its batch has returned."""
    witness = await watched_run(tmp_path, NotingStore, monkeypatch)
    assert witness.store is not None
    report(f"{witness.store.batches} batches, {witness.answers} answers, {witness.deliveries} replies")
    assert witness.early == []
    assert min(witness.answers, witness.deliveries) > BATCHES


async def test_the_witness_sees_answers_that_leave_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same witness objects where a batch is committed with the next one."""
    witness = await watched_run(tmp_path, LateNotingStore, monkeypatch)
    assert len(witness.early) > BATCHES


@pytest.fixture
def strace() -> str:
    """strace, where it is there and may trace; else the test is skipped and says why."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not on PATH")
    tried = subprocess.run(
        [strace, *OPTIONS, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return strace


async def test_the_kernel_syncs_before_it_sends(tmp_path: Path, strace: str, report: Report) -> None:
    """strace of `serve`, 100 batches: each message is in the log, and that synced, before it is answered."""
    trace = tmp_path / "strace"
    command = (strace, *OPTIONS, "-o", str(trace), *SERVE, "--config", str(write_config(tmp_path)))
    gateway = await GatewayProcess.start(command, tmp_path / "gateway.log")
    try:
        ledger = await converse(gateway.port, lambda ledger: ledger.figures.messages >= BATCHES * WINDOW)
        assert await gateway.stop() == 0
    finally:
        await gateway.end()
    order = order_in(trace)
    chats = [message for message in ledger.messages if message.kind is Kind.CHAT]
    report(f"{order.batches} batches, {len(order.answered)} answers, {len(chats)} chats found in the log")
    early = [m for m in chats if not order.on_disk[m.text] < order.answered[m.message_id]]
    assert early == []
    assert order.batches >= BATCHES
    trace.unlink()  # it is large


def in_hex(text: str) -> str:
    """As strace writes it."""
    return "".join(f"\\x{octet:02x}" for octet in text.encode())


WAL = f'9 pwrite64(5<{in_hex("/x/fetion.db-wal")}>, "{in_hex("..message 7....")}", 15, 32) = 15'
MAIN = f'9 pwrite64(4<{in_hex("/x/fetion.db")}>, "{in_hex("..message 7....")}", 15, 32) = 15'
SYNC = f"9 fdatasync(5<{in_hex('/x/fetion.db-wal')}>) = 0"
SYNC_MAIN = f"9 fdatasync(4<{in_hex('/x/fetion.db')}>) = 0"
BEGUN = f"8 fdatasync(5<{in_hex('/x/fetion.db-wal')}> <unfinished ...>"
ENDED = "8 <... fdatasync resumed>) = 0"
ANSWER = (
    '9 write(7<TCP:[127.0.0.1:2775->127.0.0.1:40000]>, "'
    r"\x00\x00\x00\x12\x80\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x61\x00"
    '", 18) = 18'
)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        ((WAL, SYNC, ANSWER), True),
        ((WAL, BEGUN, ENDED, ANSWER), True),
        ((WAL, ANSWER, SYNC), False),
        ((WAL, BEGUN, ANSWER, ENDED), False),
        ((SYNC, WAL, ANSWER, SYNC), False),
        ((BEGUN, WAL, ENDED, ANSWER, SYNC), False),
        ((MAIN, SYNC_MAIN, ANSWER, WAL, SYNC), False),
    ],
)
def test_what_strace_says_is_read_rightly(lines: tuple[str, ...], right: bool) -> None:
    """A sync counts from its end, for what was in the log when it began; a send from its beginning."""
    order = Order()
    order.follow(lines)
    assert order.batches == 1
    assert (order.on_disk["message 7."] < order.answered["a"]) is right
