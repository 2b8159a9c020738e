"""The soak: load and faults together, then peace; everybody is answered, and all is compared."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from gateway.channels.smpp.settings import SHIPPED_ACCOUNT
from gateway.net.connection import Connection
from gateway.testing import configuration
from tests.crash.process import store_path
from tests.soak.centre import Centre, Line
from tests.soak.controls import Controls
from tests.soak.faults import Faults
from tests.soak.ledger import Ledger
from tests.soak.load import Load
from tests.soak.process import SoakedProcess

RUNNER = (sys.executable, "-m", "tests.soak.runner")

PATIENCE = 90.0
"""Seconds for what should take seconds: a condition to wait for, no measurement."""

ENOUGH = 100
"""SMS that other binds have answered: what came before them on one that does not read was answered too."""

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it. messages: SMS before the peace; 0: as many as `seconds` let through.

    moods: share of the deliveries that the centre does not answer as it should. kills: kill -9 and a new
    start, all in the first quarter, so that the last process lives long. patience: seconds within which
    everybody is answered at the end.
    """

    seed: int
    messages: int = 0
    seconds: float = 0.0
    pairs: int = 20
    rate: int = 250
    latency: float = 0.04
    every: int = 400
    lasting: float = 2.0
    moods: float = 0.015
    kills: int = 3
    standstills: bool = True
    patience: float = PATIENCE


@dataclass(slots=True)
class Verdict:
    """faults: where notes and store do not agree. memory: (seconds, octets) of the last process."""

    faults: list[str]
    counts: dict[str, int]
    events: dict[str, int]
    memory: list[tuple[float, int]] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{counts}; log: {', '.join(f'{n} {e}' for e, n in sorted(self.events.items()))}"


def write_config(folder: Path, response: float, **account: object) -> Path:
    """Configure small timers and windows, a small backlog of the log, and no limits for handsets.

    response: seconds within which a deliver_sm must be answered. account: overrides what the shipped account
    has.
    """
    return configuration.write_config(
        folder,
        {
            "smpp": {
                "timers": {"response": response, "enquire_link": 2},
                "accounts": [{**SHIPPED_ACCOUNT, "window_in": 60, "window_out": 50, **account}],
            },
            "storage": {"url": f"sqlite:///{store_path(folder)}", "key_file": str(folder / "fetion.key")},
            "logging": {"format": "json", "backlog": 65_536},
            "limits": {
                "instructions_per_minute": 0,
                "same_text": 0,
                "sms_per_day": 10_000_000,
                "sms_per_month": 10_000_000,
            },
        },
    )


class Soak:
    """One store, one centre, one gateway after the other."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._ledger = Ledger()
        self._load = Load(plan.seed, plan.pairs)
        self._centre = Centre(
            self._ledger, self._load, Random(f"centre {plan.seed}"), plan.rate, plan.latency
        )
        self._controls = Controls(folder / "controls")
        self._faults = Faults(
            plan.seed,
            self._centre,
            self._controls,
            every=plan.every,
            lasting=plan.lasting,
            standstills=plan.standstills,
        )
        self._random = Random(f"kills {plan.seed}")
        self._processes: list[SoakedProcess] = []
        self._memory: list[tuple[float, int]] = []

    async def run(self, response: float = 1, **account: object) -> Verdict:
        """The whole of it. response, account: of the configuration."""
        config = write_config(self._folder, response, **account)
        async with AsyncExitStack() as stack:
            stack.callback(self._controls.close)
            await self._start(config, stack)
            async with asyncio.TaskGroup() as tasks:
                for line in self._centre.lines:
                    tasks.create_task(line.run())
                try:
                    await self._prepare()
                    await self._storm(config, stack)
                    stuck = await self._peace()
                    if stuck:
                        await self._processes[-1].end()
                    else:
                        assert await self._processes[-1].stop() == 0
                finally:
                    self._centre.ended = True
                    for line in self._centre.lines:
                        if line.link is not None:
                            line.link.cut()
        return self._verdict(stuck)

    async def _start(self, config: Path, stack: AsyncExitStack) -> None:
        """A gateway, to which the lines bind by themselves."""
        command = (*RUNNER, "--config", str(config), "--controls", str(self._folder / "controls"))
        process = await SoakedProcess.start(command, self._folder / "gateway.log")
        assert isinstance(process, SoakedProcess)
        stack.push_async_callback(process.end)
        self._processes.append(process)
        self._faults.process = process
        self._memory.clear()
        self._centre.port = process.port

    async def _prepare(self) -> None:
        """Everybody opens Fetion, and the pairs become buddies. All is well meanwhile."""
        load, centre = self._load, self._centre
        for begin in (load.open_all, load.befriend):
            begin()
            assert await self._until(lambda: centre.quiet), "the beginning is not answered"
        # KTFX is answered with one SMS, HY# with two, 是 with two.
        expected = 2 * len(load.pairs) + 4 * len(load.pairs)
        assert await self._until(lambda: centre.quiet and len(self._ledger.first) >= expected)

    async def _storm(self, config: Path, stack: AsyncExitStack) -> None:
        """Load and faults, and now and then the end of the gateway."""
        plan, counts = self._plan, self._ledger.counts
        self._load.going = True
        self._centre.moods.share = plan.moods
        self._centre.submitted = self._faults.submitted
        begin, begun = self._loop.time(), counts["submitted"]

        def share() -> float:
            if plan.messages:
                return (counts["submitted"] - begun) / plan.messages
            return (self._loop.time() - begin) / plan.seconds

        for moment in sorted(self._random.uniform(0.02, 0.25) for _ in range(plan.kills)):
            await self._until(partial(_reached, share, moment), plan.seconds + PATIENCE)
            counts["fault: kill -9"] += 1
            self._centre.port = 0
            self._processes[-1].kill()
            assert await self._processes[-1].died() == -9
            self._controls.delay_ms, self._controls.disk = 0, self._controls.disk.WELL
            await self._start(config, stack)
        while share() < 1:
            enough = counts["acknowledged"] + ENOUGH
            going = await self._until(partial(_going, share, counts, enough))
            assert going, "the load came to a standstill"
        self._centre.submitted = lambda: None
        self._centre.moods.share = 0
        self._faults.end()

    async def _peace(self) -> list[str]:
        """One bind whose answers are surely lost, then no more faults: everything is acknowledged, and
        everybody gets an answer. Gives who does not.

        Nothing is cut here that has not been: what the centre left unanswered before must free itself.
        """
        centre, patience = self._centre, self._plan.patience
        assert await self._answered(lambda: any(line.window_free for line in centre.lines)), "no bind is back"
        line = next(line for line in centre.lines if line.window_free)
        connection = line.connection
        assert connection is not None
        hang_up = line.read_no_more()
        unread = partial(_unread, line, connection)
        assert await self._answered(unread), "the other binds are not answered"
        hang_up()
        self._load.going = False
        if not await self._until(lambda: centre.quiet, patience):
            return ["not everything is acknowledged at the end"]
        self._load.ask_all()
        everybody = set(self._load.handsets)
        if not await self._until(lambda: centre.quiet and everybody <= self._ledger.states, patience):
            return [f"silenced: {msisdn}" for msisdn in sorted(everybody - self._ledger.states)]
        return []

    async def _answered(self, condition: Callable[[], bool]) -> bool:
        """Wait for ENOUGH answers, and for a condition."""
        counts = self._ledger.counts
        before = counts["acknowledged"]
        return await self._until(lambda: counts["acknowledged"] > before + ENOUGH and condition())

    async def _until(self, condition: Callable[[], bool], within: float = PATIENCE) -> bool:
        """Send, sample, and wait for a condition; whether it came true."""
        end = self._loop.time() + within
        while not condition():
            now = self._loop.time()
            if now > end:
                return False
            self._centre.pump()
            if not self._memory or now - self._began - self._memory[-1][0] >= 1:
                self._memory.append((now - self._began, self._processes[-1].resident))
            await asyncio.sleep(0.01)
        return True

    def _verdict(self, stuck: list[str]) -> Verdict:
        faults = stuck + self._ledger.faults(store_path(self._folder))
        events: dict[str, int] = {}
        for process in self._processes:
            for name, count in process.events.items():
                events[name] = events.get(name, 0) + count
            for reason, count in process.reasons.items():
                events[f"bind.closed: {reason}"] = events.get(f"bind.closed: {reason}", 0) + count
            events["lines lost"] = events.get("lines lost", 0) + process.lost
        return Verdict(faults, dict(self._ledger.counts), events, [s for s in self._memory if s[1]])


def _reached(share: Callable[[], float], moment: float) -> bool:
    return share() >= moment


def _going(share: Callable[[], float], counts: Counter[str], enough: int) -> bool:
    return share() >= 1 or counts["acknowledged"] >= enough


def _unread(line: Line, connection: Connection) -> bool:
    """Whether nothing more is sent there: its window is full, or the gateway has had enough of it."""
    return line.connection is not connection or not connection.session.window_free
