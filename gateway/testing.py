"""Aids for tests, ours and those of whoever builds on the gateway; docs/testing.md shows them at work.

- `FakeClock`: time that stands still until it is moved.
- `running_gateway`: a gateway with a fresh store on a free port, whose clock a test moves (`advance`).
- `session_pair`: two SMPP sessions that are bound to each other, in memory.
- `BadLink`: a TCP line that cuts, holds back, delays and splits octets.

With pytest the fixtures `gateway` and `handset` (pytest_fetion_gateway) do most of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from math import ceil
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import yaml

from gateway.app import Gateway
from gateway.logs import open_log
from gateway.secrets import HashCost
from gateway.settings import load
from gateway.simulator.handset import Account, Centre, Handset
from gateway.smpp.pdus import BindRequest, BindResponse, BindTransceiver, DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Limits, Session, Side
from gateway.smpp.timers import Timers

NOON: Final = 1_180_670_400_000
"""Where a FakeClock begins: noon of 1 June 2007 in Shanghai, in milliseconds since the epoch."""

CHEAP: Final = HashCost(passes=1, memory_kib=64)
"""What hashing a password costs in tests: next to nothing."""

PATIENCE: Final = 5.0
"""Seconds for what should take milliseconds: a peer that does not answer is not waited for any longer."""

GLANCE: Final = 0.001
"""Seconds between two looks at what has no event of its own."""


class FakeClock:
    """A clock that stands still until it is moved (gateway.clock.Clock): both of its readings show one time.

    The event loop's own timers stay real: a wait in the code under test takes as long as ever.
    """

    def __init__(self, start_ms: int = NOON) -> None:
        self._start_ms = start_ms
        self._now_ms = start_ms

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return (self._now_ms - self._start_ms) / 1000

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        """Put the clock forward. ValueError for a time that is over."""
        if now_ms < self._now_ms:
            raise ValueError(f"the clock is {self._now_ms - now_ms} ms beyond that time")
        self._now_ms = now_ms


class RunningGateway:
    """A gateway, its clock, and the handsets that talk to it. Made by running_gateway.

    app: the gateway itself. account: where and as whom to bind. folder: store, key and log are in it.
    """

    def __init__(self, app: Gateway, clock: FakeClock, account: Account, folder: Path) -> None:
        self.app = app
        self.clock = clock
        self.account = account
        self.folder = folder
        self._centres = contextlib.AsyncExitStack()

    async def handset(self, msisdn: str) -> Handset:
        """A handset behind a bind of its own that asks for its number; it stays to the end of the gateway.

        Raises ValueError for a number that is no mobile of 11 digits.
        """
        if not (len(msisdn) == 11 and msisdn.isascii() and msisdn.isdigit() and msisdn.startswith("1")):
            raise ValueError(f"{msisdn!r} is no mobile number of 11 digits")
        connecting = Centre.connect(self.account, [msisdn], address_range=msisdn)
        centre = await self._centres.enter_async_context(await connecting)
        return centre.handsets[msisdn]

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let time pass on the gateway's clock, with what it brings: deadlines, retries, expiry, quotas.

        Every retry that falls due on the way is made at its time. Returns when all is still again.
        """
        span = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        end = self.clock.now_ms() + round(span * 1000)
        await self.settle()
        while True:
            now = self.clock.now_ms()
            retry = self.app.outbox.next_retry()
            due = end if retry is None else now + ceil((retry - self.clock.monotonic()) * 1000)
            self.clock.move_to(due if now < due < end else end)
            await self._pass_time()
            if self.clock.now_ms() >= end:
                return

    async def advance_seconds(self, seconds: float) -> None:
        """The same for whoever counts in seconds only (gateway.simulator.runner.Advance)."""
        await self.advance(seconds=seconds)

    async def settle(self) -> None:
        """Wait until the gateway has worked all that came and every SMS that can leave has been answered.

        A peer that owes an answer is waited for PATIENCE seconds. Raises what a task of the gateway raised.
        """
        drained = asyncio.create_task(self.app.drained())
        failed = asyncio.create_task(self.app.failed())
        done, pending = await asyncio.wait(
            (drained, failed), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    async def close(self) -> None:
        """Unbind every handset."""
        await self._centres.aclose()

    async def _pass_time(self) -> None:
        """The clock was moved: sessions see it, then the gateway does what it does ten times a second."""
        connections = list(self.app.listener.connections)
        for connection in connections:
            connection.tick()
        # Each session asks its silent peer whether it lives; the next move must find that answered.
        for _ in range(int(PATIENCE / GLANCE)):
            if not any(connection.session.asking for connection in connections):
                break
            await asyncio.sleep(GLANCE)
        await self.app.tick(housekeeping=True)
        await self.settle()


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path, config: Mapping[str, Any] | None = None, *, seed: int = 0
) -> AsyncIterator[RunningGateway]:
    """A gateway on a free port, all that it writes below `folder`, with cheap password hashes and FakeClock.

    config: sections as in config.yaml, over the defaults. seed: of Fetion numbers and passwords, which are
    the same in each run. Raises TableError for a wrong config, OSError.
    """
    settings = load(_write_config(folder, config or {}), {})
    clock = FakeClock()
    account = settings.smpp.default_account
    log = open_log(settings.logging, clock=lambda: clock.now_ms() / 1000)
    gateway = Gateway(
        settings, log, clock=clock, random=Random(seed), choice=Random(seed).choice, hash_cost=CHEAP
    )
    try:
        async with gateway:
            where = Account(settings.smpp.listen.host, gateway.port, account.system_id, account.password)
            running = RunningGateway(gateway, clock, where, folder)
            try:
                yield running
            finally:
                await running.close()
    finally:
        log.close()


def _write_config(folder: Path, config: Mapping[str, Any]) -> Path:
    """The file of a gateway that keeps to its folder; relative paths are relative to it."""
    sections: dict[str, Any] = {
        "smpp": {"listen": {"port": 0}},
        "storage": {"url": "sqlite:///fetion.db", "key_file": "fetion.key"},
        "logging": {"file": "gateway.log", "format": "json", "level": "debug"},
    }
    _lay_over(sections, config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(sections, allow_unicode=True), encoding="utf-8")
    return path


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = deepcopy(value)


def session_pair(
    bind: BindRequest | None = None,
    *,
    now: float = 0.0,
    timers: Timers | None = None,
    limits: Limits | None = None,
) -> tuple[Session, Session]:
    """A message centre and an ESME, bound to each other in memory, as transceiver unless told otherwise.

    What one of them has for the other: `other.receive(one.output(), now)`.
    """
    timers, limits = timers or Timers(), limits or Limits()
    request = bind or BindTransceiver(system_id="esme")
    response = request.response
    assert response is not None
    assert issubclass(response, BindResponse)
    messages = frozenset(each.command_id for each in (SubmitSm, DeliverSm, DataSm))
    centre = Session(Side.MC, now=now, timers=timers, limits=limits, serves=messages | {request.command_id})
    esme = Session(Side.ESME, now=now, timers=timers, limits=limits, serves=messages)
    esme.send(request, None, now)
    for event in centre.receive(esme.output(), now):
        assert isinstance(event, BindRequest)
        centre.answer(event, response(system_id="centre"))
    esme.receive(centre.output(), now)
    return centre, esme


class BadLink:
    """A line between a client and a server that misbehaves on demand. Connect to `port` on 127.0.0.1.

    Use it in `async with`. pieces: octets are passed on so many at a time at most; 0: as they come. delay:
    seconds by which every piece is late. Both may be changed while it runs.
    """

    def __init__(self, host: str, port: int, *, pieces: int = 0, delay: float = 0.0) -> None:
        self.pieces = pieces
        self.delay = delay
        self.port = 0
        self.passed = 0
        self._far = (host, port)
        self._left: int | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut what is connected and stop listening."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection at once, as a pulled plug does; new ones are taken."""
        self._left = None
        for writer in self._writers:
            writer.transport.abort()

    def cut_after(self, octets: int) -> None:
        """Break every connection when so many more octets have passed, in both directions together."""
        self._left = octets

    def stall(self) -> None:
        """Pass nothing on; connections stay, octets are kept back."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on what was kept back, and everything again."""
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        ends = {writer}
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
            ends.add(far_writer)
            self._writers |= ends
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer))
                both.create_task(self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # nobody listens at the far end; or the link ends, and asyncio would log that as an error
        finally:
            self._lines.discard(line)
            self._writers -= ends
            for each in ends:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, to its end; the end goes to the other side."""
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(65_536):
                size = self.pieces or len(octets)
                for start in range(0, len(octets), size):
                    if not await self._pass_on(octets[start : start + size], writer):
                        return
            writer.write_eof()

    async def _pass_on(self, piece: bytes, writer: asyncio.StreamWriter) -> bool:
        """One piece; False when the line was cut in it."""
        await asyncio.sleep(self.delay)
        await self._flowing.wait()
        whole = self._left is None or len(piece) < self._left
        piece = piece if whole else piece[: self._left]
        writer.write(piece)
        self.passed += len(piece)
        if self._left is not None:
            self._left -= len(piece)
        if not whole:
            await asyncio.sleep(0)
            self.cut()
            return False
        await writer.drain()
        return True
