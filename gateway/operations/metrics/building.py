"""The metrics of one gateway, put together."""

from collections.abc import Callable

from gateway.clock import SteadyClock
from gateway.observer import Observer
from gateway.operations.load import Load
from gateway.operations.loop_time import LoopTime
from gateway.operations.metrics.exposition import Exposition
from gateway.operations.metrics.gauges import Gauges
from gateway.operations.metrics.latest import Latest
from gateway.operations.metrics.samples import Samples
from gateway.operations.metrics.snapshot import Snapshot, Snapshots
from gateway.operations.metrics.tally import Tally
from gateway.operations.status import Status, Watched


class Metrics:
    """Counts from the start of the gateway. gauges: what is read of it, as soon as it is built (`watch`)."""

    gauges: Gauges

    def __init__(self, clock: SteadyClock, home: Callable[[str], str]) -> None:
        self.tally = Tally(home)
        self.latest = Latest(clock.now_ms)
        self.samples = Samples(self.tally, clock.monotonic)
        self.loop_time = LoopTime()
        self.exposition = Exposition(self.tally, self.latest, self.samples)
        self.snapshots = Snapshots(self.tally, self.latest, self.samples, clock)
        self._clock = clock

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who hears what happens."""
        return self.tally, self.latest

    def watch(self, parts: Watched, status: Status, load: Load, uncounted: Callable[[], int]) -> None:
        """Read these parts. uncounted: gives the commits that are in no figure yet."""
        self.gauges = Gauges(parts, status, load, self.loop_time, uncounted, self._clock)

    async def snapshot(self) -> Snapshot:
        """The gateway as it is."""
        return await self.snapshots.take(self.gauges)
