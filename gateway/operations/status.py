"""What `fetion-gateway status` says of a running gateway."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from commands.tables import InForce
from gateway.clock import Clock
from gateway.events.relay import Relays
from gateway.inbound.queue import InboundQueue
from gateway.operations.logs import Log
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.processing.pipeline import Pipeline

SPAN: Final = 60.0
"""Seconds over which rates are told."""
RECENT: Final = 60.0
"""Seconds after the last failure of the store in which a gateway counts as unhealthy. While SMS come, the
store is tried every few seconds. While none come nobody knows; without an end to it, a gateway to which
nobody sends because it is unhealthy would never be healthy again."""
LEAST_FREE: Final = 64 << 20
"""Octets that must be free on the disk of the store."""


class Rates:
    """How many SMS came and were taken a second, over the last SPAN, or since the start where that is less.

    sample() is called every few seconds. totals: SMS that came, and SMS that peers have taken.
    """

    def __init__(self, totals: Callable[[], tuple[int, int]], monotonic: Callable[[], float]) -> None:
        self._totals = totals
        self._monotonic = monotonic
        self._samples: deque[tuple[float, int, int]] = deque()
        self.sample()

    def sample(self) -> None:
        """Note the totals; forget those of which a newer one is old enough."""
        now = self._monotonic()
        self._samples.append((now, *self._totals()))
        while len(self._samples) > 1 and self._samples[1][0] <= now - SPAN:
            self._samples.popleft()

    def report(self) -> dict[str, float]:
        """SMS per second in each direction, and over how many seconds."""
        since, came, left = self._samples[0]
        came_now, left_now = self._totals()
        seconds = self._monotonic() - since
        if seconds <= 0:
            return {"in_per_s": 0.0, "out_per_s": 0.0, "over_s": 0.0}
        return {
            "in_per_s": round((came_now - came) / seconds, 1),
            "out_per_s": round((left_now - left) / seconds, 1),
            "over_s": round(seconds, 1),
        }


@dataclass(frozen=True, slots=True)
class Watched:
    """What is reported on. links: gives what is told of the links to SMS centres."""

    binds: Binds
    queue: InboundQueue
    outbox: Outbox
    pipeline: Pipeline
    events: Relays
    log: Log
    links: Callable[[], list[dict[str, Any]]] = list


class Status:
    """Reports.

    accounts: all that may bind. links: connections to brokers (BrokerLines.links). nodes: gives what is told
    of the nodes that share the store; None: it has one gateway. provinces: gives what is told of them; None:
    no broker is set.
    """

    def __init__(
        self,
        parts: Watched,
        clock: Clock,
        tables: InForce,
        accounts: tuple[str, ...],
        links: Mapping[str, Mapping[str, Any]],
        nodes: Callable[[], list[dict[str, Any]]] | None = None,
        provinces: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.rates = Rates(parts.binds.totals, clock.monotonic)
        self._parts = parts
        self._clock = clock
        self._tables = tables
        self._accounts = accounts
        self._links = links
        self._nodes = nodes
        self._provinces = provinces
        self._started = clock.monotonic()
        self._started_ms = clock.now_ms()
        self._version = version("fetion-gateway")  # now: the package may be replaced while this process runs

    async def report(self) -> dict[str, Any]:
        """Everything, in plain values. Times in milliseconds since the epoch, ages in seconds."""
        parts = self._parts
        outbox, pipeline = parts.outbox, parts.pipeline
        failing, last = pipeline.failing_s
        counts, backlog = parts.events.counts, parts.events.backlog
        return {
            "version": self._version,
            "tables": self._tables.tables.version,
            "pid": os.getpid(),
            "started_at": self._started_ms,
            "up_s": round(self._clock.monotonic() - self._started, 1),
            "stopping": parts.queue.stopping,
            "binds": self._binds(),
            "links": parts.links(),
            "rates": self.rates.report(),
            "outbox": {
                "depth": outbox.depth,
                "in_flight": outbox.in_flight,
                "limit": outbox.limit,
                "full": outbox.full,
            },
            "store": {
                "failures": pipeline.failures,
                "failing_s": round(failing, 1),
                "last_failure_s": round(last, 1),
            },
            "nodes": [] if self._nodes is None else self._nodes(),
            "provinces": None if self._provinces is None else self._provinces(),
            "log": {"lost": parts.log.lost},
            "events": {
                name: {
                    "waiting": backlog[name],
                    "parked": parked,
                    "dropped": dropped,
                }
                for name, (parked, dropped) in counts.items()
            },
            "brokers": {name: dict(link) for name, link in self._links.items()},
        }

    def _binds(self) -> dict[str, dict[str, int]]:
        """How many binds each account has, by mode; every account is named."""
        found: dict[str, dict[str, int]] = {account: {} for account in self._accounts}
        now = self._clock.monotonic()
        for bind in self._parts.binds.all():
            mode = str(bind.describe(now).get("mode", "bind"))
            of_account = found.setdefault(bind.account, {})
            of_account[mode] = of_account.get(mode, 0) + 1
        return found


def faults_of(report: Mapping[str, Any]) -> list[str]:
    """Why a gateway is not healthy; empty: it is. Nobody bound is healthy: centres come when they want.

    report: of Status.report; `free` in its store: octets free on the disk, None where that is not known.
    """
    store, outbox = report["store"], report["outbox"]
    faults = []
    if store["failures"] and store["last_failure_s"] < RECENT:
        since = f"for {store['failing_s']:g} s the store has failed, and SMS are refused"
        faults.append(f"{since}: storage.failed in the log says why")
    if store.get("free") is not None and store["free"] < LEAST_FREE:
        faults.append(f"less than {LEAST_FREE >> 20} MiB are free on the disk of the store: make room")
    if outbox["full"]:
        faults.append(f"{outbox['depth']} SMS wait in the outbox, SMS are refused: is a receiver bound?")
    if report["stopping"]:
        faults.append("it is stopping")
    return faults
