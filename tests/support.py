"""What the tests of the durable core share: values to store, a clock that a test moves, binds in memory.

The running gateway and its clients come from tests.proofs.served.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from commands.tables import Tables
from gateway.channels.smpp.channel import SmppConfiguration
from gateway.clock import SystemClock
from gateway.message import Answer, Attempt, JournalEntry, MobileTerminated
from gateway.net.admission import ConnectionLimits
from gateway.smpp.codec import decode, encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import (
    BindRequest,
    BindResponse,
    BindTransceiver,
    SubmitSm,
)
from gateway.smpp.session import Timers
from gateway.storage.sqlite.store import SqliteStore
from routing import loader
from routing.table import Routing
from tests.proofs.served import PASSWORD, PATIENCE, SYSTEM_ID

ALICE, BOB = "13800138000", "13900139000"
START_MS = 1_200_000_000_000
GSM = Alphabet.from_config({}, "gsm")
NO_ACCOUNTS = SmppConfiguration("127.0.0.1", 0, {}, {}, Timers(), ConnectionLimits(), {})
P = TypeVar("P", bound=Pdu)
T = TypeVar("T")
SESSIONS = 1 << 32
"""Session numbers of the first run begin behind this one."""


@cache
def routing() -> Routing:
    """The shipped tables, read once."""
    return Routing.load()


@cache
def tables() -> Tables:
    """The shipped tables of both kinds, read once."""
    return Tables.load()


SECOND, MAIN, REFUSED_SECOND = "13899951234", "13800001234", "13899900000"
"""Second numbers of the examples in routing/appendix6.yaml, the first with the main number it counts for."""


def operators_tables(folder: Path) -> Routing:
    """The tables of an operator with second numbers: the shipped ones, whose examples act."""
    shipped = Path(loader.__file__).parent
    folder.mkdir()
    for name in loader.FILES:
        text = (shipped / name).read_text("utf-8")
        (folder / name).write_text(text.replace("    example: true\n", ""), "utf-8")
    return Routing.load(folder)


class HandClock:
    """A clock that stands until a test sets it (gateway.clock.Clock).

    gateway.testing.FakeClock only goes forward, in whole milliseconds, and shows one time; here the two
    readings may differ and a step may be a fraction of a millisecond. now: seconds. wall: seconds by which
    somebody has put the time of day forward.
    """

    def __init__(self) -> None:
        self.now = 1.0
        self.wall = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return START_MS + round((self.now + self.wall) * 1000)


class MovedClock(SystemClock):
    """The machine's clocks, put forward by `ahead` seconds: for a gateway whose timers really run.

    wall: seconds by which somebody has put the time of day forward, or back.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self.wall = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.ahead

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return super().now_ms() + round((self.ahead + self.wall) * 1000)


def received(
    number: int,
    *,
    session: int = SESSIONS + 1,
    digest: bytes = b"digest",
    source: str = ALICE,
    at: int = START_MS,
) -> JournalEntry:
    """Make the journal row of an SMS from a handset to 161."""
    return JournalEntry(
        number=number,
        at=at,
        account=SYSTEM_ID,
        session=session,
        sequence=number & 0xFFFF,
        source=source,
        destination="161",
        msisdn=source,
        access_code="161",
        sub_code="",
        province="100",
        esm_class=0,
        data_coding=0,
        parts=1,
        instruction="service.open",
        outcome="done",
        text="KTFX",
        detail=None,
        digest=digest,
        hidden="",
    )


def leaving(
    number: int,
    to: str = ALICE,
    text: str = "text",
    *,
    account: str = SYSTEM_ID,
    bind: int = 0,
    expires_at: int = START_MS + 72 * 3_600_000,
) -> MobileTerminated:
    """Make an SMS to a handset. bind: the session that its cause came in on."""
    return MobileTerminated(
        number,
        number + 1_000_000,
        to,
        account,
        bind,
        "161",
        to,
        0,
        1,
        text,
        START_MS,
        expires_at,
        reference=number & 0xFFFF,
    )


def attempt_of(number: int, ordinal: int, result: Answer = Answer.TIMEOUT) -> Attempt:
    """Make an attempt to send an SMS, by default one that was not answered."""
    at = START_MS + 1000 * ordinal
    return Attempt(number, ordinal, 1, at, at + 500, SESSIONS + 1, "127.0.0.1:5000", result, "", "")


def part_of_many(
    reference: int,
    total: int,
    number: int,
    octets: bytes,
    *,
    to: str = "161",
    sender: str = ALICE,
    data_coding: int = 0,
) -> SubmitSm:
    """Make one part of a long message, numbered in its user data header."""
    return SubmitSm(
        source_addr=sender,
        destination_addr=to,
        esm_class=0x40,
        data_coding=data_coding,
        short_message=bytes((5, 0, 3, reference, total, number)) + octets,
    )


def store_at(path: Path) -> SqliteStore:
    """Open the store of a file; it commits in the caller's thread, however slow the disk is."""
    store = SqliteStore.open(path)
    store.slow = False
    return store


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, as those of the store of store_at."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise AssertionError("it waits")


def store_of(folder: Path) -> Path:
    """Return the path of the store of write_config."""
    return folder / "var" / "fetion.db"


class Wire:
    """A TCP connection on which a test sends exactly the PDUs that it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter()
        self._frames: deque[bytes] = deque()

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, host: str = "127.0.0.1", source: str | None = None) -> AsyncIterator["Wire"]:
        """Connect; close without unbind at the end of the block. source: our own address."""
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection(host, port, local_addr=local)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def close(self) -> None:
        """Without a word."""
        self._writer.close()

    def send(self, *pdus: Pdu | bytes) -> None:
        """Send all PDUs in one write."""
        self._writer.write(b"".join(pdu if isinstance(pdu, bytes) else encode(pdu) for pdu in pdus))

    async def read(self) -> Pdu | None:
        """Read the next PDU. Returns None when the other side has closed."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                try:
                    octets = await self._reader.read(65_536)
                except ConnectionError:
                    return None
                if not octets:
                    return None
                self._frames.extend(self._splitter.feed(octets))
        return decode(self._frames.popleft())

    async def reads(self, kind: type[P]) -> P:
        """Read the next PDU and assert its type."""
        pdu = await self.read()
        assert isinstance(pdu, kind), f"{pdu!r} instead of {kind.__name__}"
        return pdu

    async def bind(self, request: BindRequest | None = None) -> BindResponse:
        """Bind as the shipped account, as a transceiver unless told otherwise."""
        self.send(request or BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1))
        return await self.reads(BindResponse)
