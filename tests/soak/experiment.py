"""The soak: load and faults together, then peace; everybody is answered, and all is compared."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import yaml

from gateway.settings import SHIPPED_ACCOUNT
from tests.crash.process import store_path
from tests.soak.centre import Centre
from tests.soak.controls import Controls
from tests.soak.faults import Faults
from tests.soak.ledger import Ledger
from tests.soak.load import Load
from tests.soak.process import SoakedProcess

RUNNER = (sys.executable, "-m", "tests.soak.runner")

PATIENCE = 90.0
"""Seconds for what should take seconds: a condition to wait for, no measurement."""

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it. messages: SMS before the peace; 0: as many as `seconds` let through.

    moods: share of the deliveries that the centre does not answer as it should. kills: kill -9 and a new
    start, all in the first quarter, so that the last process lives long.
    """

    seed: int
    messages: int = 0
    seconds: float = 0.0
    pairs: int = 20
    rate: int = 250
    every: int = 400
    lasting: float = 2.0
    moods: float = 0.015
    kills: int = 3
    standstills: bool = True


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


def write_config(folder: Path, **account: object) -> Path:
    """Small timers and windows, a small backlog of the log, no limits for handsets. account: what else it
    has."""
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "smpp": {
                    "listen": {"port": 0},
                    "timers": {"response": 1, "enquire_link": 2},
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
            }
        ),
        "utf-8",
    )
    return path


class Soak:
    """One store, one centre, one gateway after the other."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._ledger = Ledger()
        self._load = Load(plan.seed, plan.pairs)
        self._centre = Centre(self._ledger, self._load, Random(f"centre {plan.seed}"), plan.rate)
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

    async def run(self, **account: object) -> Verdict:
        """The whole of it. account: values of the account's configuration."""
        config = write_config(self._folder, **account)
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
            await self._until(lambda moment=moment: share() >= moment, plan.seconds + PATIENCE)
            counts["fault: kill -9"] += 1
            self._centre.port = 0
            self._processes[-1].kill()
            assert await self._processes[-1].died() == -9
            self._controls.delay_ms, self._controls.disk = 0, self._controls.disk.WELL
            await self._start(config, stack)
        assert await self._until(lambda: share() >= 1, plan.seconds + PATIENCE), (
            "the load came to a standstill"
        )
        self._load.going = False
        self._centre.submitted = lambda: None
        self._centre.moods.share = 0
        self._faults.end()

    async def _peace(self) -> list[str]:
        """No more faults: everything is acknowledged, and everybody gets an answer. Gives who does not."""
        for line in self._centre.lines:
            # What was left unanswered stays so, and would keep the bind from ending politely.
            if line.link is not None:
                line.link.cut()
        if not await self._until(lambda: self._centre.quiet):
            return ["not everything is acknowledged at the end"]
        self._load.ask_all()
        everybody = set(self._load.handsets)
        if not await self._until(lambda: self._centre.quiet and everybody <= self._ledger.states):
            return [f"silenced: {msisdn}" for msisdn in sorted(everybody - self._ledger.states)]
        return []

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
            events["lines lost"] = events.get("lines lost", 0) + process.lost
        return Verdict(faults, dict(self._ledger.counts), events, [s for s in self._memory if s[1]])
