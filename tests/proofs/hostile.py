"""A gateway whose clock hurries: timers and pauses of a minute pass in seconds, beside real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from gateway.testing import RunningGateway
from tests.proofs.served import lines

STEP: Final = 0.01
"""Seconds between two moves of the clock."""
HURRY: Final = 50
"""How many times as fast as real it goes."""


@asynccontextmanager
async def hurrying(gateway: RunningGateway) -> AsyncIterator[None]:
    """Let the clock of the gateway go on, fast."""

    async def hurry() -> None:
        while True:
            gateway.clock.move_to(gateway.clock.now_ms() + round(STEP * HURRY * 1000))
            gateway.app.tick_connections()
            await gateway.app.tick(housekeeping=True)
            await asyncio.sleep(STEP)

    async with asyncio.TaskGroup() as tasks:  # what the gateway raises ends the test
        task = tasks.create_task(hurry())
        yield
        task.cancel()


async def until(condition: Callable[[], object], what: Callable[[], str], within: float) -> None:
    """Wait for a condition. Raises AssertionError with what() if it does not come true in so many seconds."""
    for _ in range(int(within / STEP)):
        if condition():
            return
        await asyncio.sleep(STEP)
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
