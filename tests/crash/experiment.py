"""The experiment: load, kill, start again, resend; after the last kill drain, stop, compare."""

from asyncio import get_running_loop
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.crash.centre import Centre
from tests.crash.evidence import Evidence, InFile, read_store, waiting_in
from tests.crash.ledger import Figures, Ledger
from tests.crash.load import BASE, OLD_BASE, Kind, Load
from tests.crash.process import RUNNER, SERVE, GatewayProcess, store_path, write_config
from tests.crash.stores import Instant, Wish

FEWEST = 500
MOST = 2500
"""Acknowledgements of a round before its kill, drawn between these two."""

SOON = 0.05
"""Seconds: a kill from outside comes within, so that it hits any moment."""

LONG_COMMIT = 200
"""What a full batch's commit takes at most, roughly, in hundredths of a millisecond."""

INSIDE = (Instant.WRITTEN, Instant.COMMITTING, Instant.COMMITTED)
OUTSIDE = (Instant.NEVER,)


@dataclass(frozen=True, slots=True)
class Verdict:
    """faults: where ledger, store and handsets do not agree."""

    faults: list[str]
    figures: Figures


class Experiment:
    """One store, one load, one gateway after the other.

    instants: where the processes die, in turn; NEVER: at no chosen place, by a kill -9 from outside.
    evidence: the store, where it is not in `folder`.
    """

    def __init__(
        self,
        folder: Path,
        rounds: int,
        seed: int,
        instants: tuple[Instant, ...],
        store: str = "honest",
        evidence: Evidence | None = None,
    ) -> None:
        self._folder = folder
        self._rounds = rounds
        self._instants = instants
        self._store = store
        self._evidence: Evidence = evidence or InFile(store_path(folder), folder / "copy")
        # `serve` takes 30 ms for a password, and no more than it can do between two kills is asked of it.
        self._load = Load(seed, rounds, 2) if instants == OUTSIDE else Load(seed, rounds)
        self._ledger = Ledger()
        self._wish = Wish(folder / "wish")

    async def run(self, **account: object) -> Verdict:
        """The whole of it. account: values of the account's configuration."""
        config = write_config(self._folder, self._evidence.url, **account)
        async with AsyncExitStack() as stack:
            stack.callback(self._wish.close)
            gateway, centre = await self._start(config, stack)
            await self._prepare(centre)
            for number in range(self._rounds):
                await self._round(gateway, centre, number)
                gateway, centre = await self._start(config, stack)
            await self._drain(centre)
            assert await gateway.stop() == 0
        stored = read_store(self._evidence)
        return Verdict(self._ledger.faults(stored), self._ledger.figures)

    async def _start(self, config: Path, stack: AsyncExitStack) -> tuple[GatewayProcess, Centre]:
        """A gateway, and a bind that resends at once what is unanswered."""
        self._wish.instant = Instant.NEVER
        command: tuple[str, ...] = (*SERVE, "--config", str(config))
        if self._instants != OUTSIDE:
            wish = str(self._folder / "wish")
            command = (*RUNNER, "--config", str(config), "--wish", wish, "--store", self._store)
        gateway = await GatewayProcess.start(command, self._folder / "gateway.log")
        stack.push_async_callback(gateway.end)
        return gateway, await Centre.connect(gateway.port, self._ledger, self._load)

    async def _prepare(self, centre: Centre) -> None:
        """Everybody opens Fetion; the pairs that will chat become buddies."""
        load, received = self._load, self._ledger.received
        load.open_all()
        await centre.until(lambda: len(received) == len(load.handsets))
        load.befriend()
        # Asked, question, added, accepted.
        await centre.until(lambda: len(received) == len(load.handsets) + 4 * len(load.buddies))
        await centre.until(lambda: not self._ledger.unanswered)

    async def _round(self, gateway: GatewayProcess, centre: Centre, number: int) -> None:
        """Load until the drawn acknowledgement, then death. The window stays full all the while."""
        instant = self._instants[number % len(self._instants)]

        def kill() -> None:
            if instant is Instant.NEVER:
                get_running_loop().call_later(self._load.random.uniform(0, SOON), gateway.kill)
            else:
                self._wish.delay = self._load.random.randrange(LONG_COMMIT)
                self._wish.instant = instant

        centre.kill = kill
        centre.kill_at = centre.acknowledged + self._load.random.randint(FEWEST, MOST)
        self._load.begin_round(number)
        centre.pump()
        await centre.lost_connection()
        assert await gateway.died() == -9
        self._load.chatting = False
        self._ledger.killed(waiting_in(self._evidence))

    async def _drain(self, centre: Centre) -> None:
        """Until nothing is left to come. A handset's SMS leave one behind the other, so the answer to what it
        asks last comes last: first those who are asked ask, to get their questions, then everybody."""
        load, ledger = self._load, self._ledger
        for people, number in ((load.asked, OLD_BASE), (load.handsets, BASE)):
            load.end()
            await centre.until(lambda: not ledger.unanswered and not load.waiting)
            for msisdn in people:
                load.put(Kind.STATE, msisdn, number, "CXFX")
            fences = {(msisdn, number) for msisdn in people}
            await centre.until(partial(fences.issubset, ledger.states))
        await centre.until(lambda: not ledger.unanswered)
