"""A gateway whose clock hurries: timers and pauses of a minute pass in seconds, beside real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from gateway.simulator.smsc.centre import SmsCentre
from gateway.testing import RunningGateway
from tests.proofs.served import lines

STEP: Final = 0.01
"""Seconds between two moves of the clock."""
HURRY: Final = 50
"""How many times as fast as real the clock goes, unless told otherwise."""

WINDOW: Final = 10
"""Of a link: so many SMS are in doubt when one is lost."""
UNCERTAIN: Final = ("swallow", "wrong_sequence", "wrong_command", "lost")
"""After these the gateway cannot know whether an SMS was taken: it may come a second time."""


@asynccontextmanager
async def hurrying(gateway: RunningGateway, times: int = HURRY) -> AsyncIterator[None]:
    """Let the clock of the gateway go on, so many times as fast as real."""

    async def hurry() -> None:
        while True:
            gateway.clock.move_to(gateway.clock.now_ms() + round(STEP * times * 1000))
            gateway.app.tick_connections()
            await gateway.app.tick(housekeeping=True)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:  # what the gateway raises ends the test
        task = tasks.create_task(hurry())
        yield
        task.cancel()


async def until(condition: Callable[[], object], what: Callable[[], str], within: float) -> None:
    """Wait for a condition. Raises AssertionError with what() if it does not come true in so many seconds."""
    for _ in range(int(within / STEP)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what())


def handled(gateway: RunningGateway) -> Counter[str]:
    """How often an SMS of each handset was executed."""
    return Counter(each["msisdn"] for each in told(gateway, "sms.handled"))


def told(gateway: RunningGateway, event: str) -> list[Mapping[str, Any]]:
    """The lines of an event in the log."""
    return [line for line in lines(gateway.log_file()) if line["event"] == event]


def idle(gateway: RunningGateway) -> bool:
    """Whether nothing waits to leave, is under way, or is parked."""
    outbox = gateway.app.outbox
    return not outbox.in_flight and not outbox.depth


async def settled(gateway: RunningGateway, centre: SmsCentre, numbers: Sequence[str], within: float) -> str:
    """What must be true of a centre that has healed: the SMS of each handset was answered, executed once, and
    its reply came at least once, or is parked and so reported; nothing waits. Returns the figures."""
    counts = centre.ledger.counts

    def stuck() -> str:
        return f"{centre.open} deliveries open, {gateway.app.outbox.depth} in the outbox: {counts}"

    await until(lambda: not centre.open and idle(gateway), stuck, within)
    assert {each.statuses[-1] for each in centre.ledger.delivered if not each.receipt} == {0}
    assert handled(gateway) == Counter(numbers)
    got = Counter(sms.receiver for sms in centre.unread if "飞信号" in sms.text)
    parked = {line["msisdn"] for line in told(gateway, "sms.parked")}
    assert got.keys() | parked == set(numbers)
    again = sum(each.times > 1 for each in centre.ledger.delivered)
    repeats = got.total() - len(got)
    doubtful = sum(count for name, count in counts.items() if name.startswith(UNCERTAIN))
    assert repeats <= WINDOW * doubtful
    return (
        f"{len(numbers)} SMS, {again} of them sent again, executed once; {repeats} replies came twice,"
        f" {len(parked)} parked; {dict(counts)}"
    )
