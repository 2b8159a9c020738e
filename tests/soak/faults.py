"""The faults of a soak, drawn from a seed: which, after how many SMS, and how long each lasts."""

import asyncio
from collections.abc import Callable
from random import Random

from tests.soak.centre import Centre
from tests.soak.controls import Controls, Disk
from tests.soak.process import SoakedProcess

MINUTE_MS = 60_000

SILENCE = 3.0
"""Seconds for which a connection passes nothing, or the SMSC reads nothing.

The gateway ends a bind that answers nothing for two response timers.
"""

ON_A_LINE = ("cut", "cut", "cut inside a PDU", "cut inside a PDU", "silence", "centre that does not read")

EVERYDAY = (
    *ON_A_LINE,
    *("slow disk", "failing disk", "disk failing at the sync", "full disk"),
    *("stalled log reader", "clock forward", "clock back"),
)
"""One round of faults: each occurs once before any occurs again."""

STANDSTILL = "disk standing still"
"""One commit takes so long that the SMSC retransmits: only in long soaks, like the kill."""


class Faults:
    """Causes the faults. The SMSC calls `submitted` after each SMS that it sends.

    every: maximum of SMS between two faults. lasting: maximum of seconds that most faults last.
    """

    def __init__(
        self,
        seed: int,
        centre: Centre,
        controls: Controls,
        *,
        every: int,
        lasting: float,
        standstills: bool,
    ) -> None:
        self.process: SoakedProcess | None = None
        self._random = Random(f"faults {seed}")
        self._centre = centre
        self._controls = controls
        self._every = every
        self._lasting = lasting
        self._round = (*EVERYDAY, STANDSTILL) if standstills else EVERYDAY
        self._left: list[str] = []  # of this round
        self._next = self._random.randint(every // 4, every)
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def submitted(self) -> None:
        """Note that one more SMS was sent; begin a fault if it is due."""
        self._next -= 1
        if self._next > 0:
            return
        self._next = self._random.randint(self._every // 4, self._every)
        if not self._left:
            self._left = list(self._round)
            self._random.shuffle(self._left)
        name = self._left.pop()
        if self._begin(name, self._random.uniform(0.2, self._lasting)):
            self._centre.ledger.counts[f"fault: {name}"] += 1

    def end(self) -> None:
        """End all faults, except those of the clock."""
        for handle in self._ends.values():
            handle.cancel()
        self._ends.clear()
        self._heal_disk()
        self._flow()

    def _begin(self, name: str, lasting: float) -> bool:
        """Begin a fault. Returns False if there is nothing that it could affect."""
        if name in ON_A_LINE:
            return self._on_a_line(name)
        match name:
            case "slow disk":
                self._controls.delay_ms = self._random.randint(20, 80)
                self._later("disk", lasting, self._heal_disk)
            case "disk standing still":
                self._controls.delay_ms = self._random.randint(5_500, 20_000)
                self._later("disk", 0.3, self._heal_disk)
            case "failing disk" | "disk failing at the sync" | "full disk":
                kinds = {"failing disk": Disk.FAILS, "full disk": Disk.FULL}
                self._controls.disk = kinds.get(name, Disk.FAILS_AT_SYNC)
                self._later("disk", lasting, self._heal_disk)
            case "stalled log reader":
                if self.process is None:
                    return False
                self.process.flowing.clear()
                self._later("log", 4 * lasting, self._flow)
            case "clock forward":
                self._centre.ledger.forward += 1
                self._controls.offset_ms += self._random.randint(1, 180 * MINUTE_MS)
            case "clock back":
                self._controls.offset_ms -= self._random.randint(1, 180 * MINUTE_MS)
        return True

    def _on_a_line(self, name: str) -> bool:
        """Begin a fault of one bind."""
        lines = [line for line in self._centre.lines if line.submits]
        if not lines:
            return False
        line = self._random.choice(lines)
        link = line.link
        assert link is not None
        match name:
            case "cut":
                link.cut()
            case "cut inside a PDU":
                link.cut_after(self._random.randint(1, 3000))
            case "silence":
                link.stall()
                self._loop.call_later(SILENCE, link.cut)
            case "centre that does not read":
                self._loop.call_later(SILENCE, line.read_no_more())
        return True

    def _later(self, place: str, seconds: float, then: Callable[[], None]) -> None:
        """Call the end of a fault once, after the last fault at that place."""
        if place in self._ends:
            self._ends[place].cancel()
        self._ends[place] = self._loop.call_later(seconds, then)

    def _heal_disk(self) -> None:
        self._controls.delay_ms = 0
        self._controls.disk = Disk.WELL

    def _flow(self) -> None:
        if self.process is not None:
            self.process.flowing.set()
