"""The report of a run, as text and as one object for programs; and the progress bar."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, TextIO

from gateway.simulator.load.driver import Outcome
from gateway.simulator.load.histogram import Histogram
from gateway.simulator.load.plan import Plan
from gateway.simulator.load.traffic import Traffic
from gateway.smpp.status import name_of

PERCENTILES: Final = (("p50", 500), ("p95", 950), ("p99", 990))

_NO_ANSWER, _NO_REPLY = "no_answer_in_time", "no_reply_in_time"
_SAID: Final[Mapping[str, str]] = MappingProxyType(
    {_NO_ANSWER: "no answer in time", _NO_REPLY: "no reply in time"}
)
_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_WIDTH: Final = 30


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where, when and how a run was made. command: without the password. loop: the event loop's module."""

    command: str
    began: datetime
    loop: str


def as_object(outcome: Outcome, circumstances: Circumstances) -> dict[str, object]:
    """Return everything that `lines` shows, and the circumstances. Rates are per second."""
    plan, traffic = outcome.plan, outcome.traffic
    return {
        "command": circumstances.command,
        "date": circumstances.began.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "loop": circumstances.loop,
        "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
        "seed": plan.seed,
        "plan": {
            "count": plan.count,
            "window": plan.window,
            "binds": plan.binds,
            "rate": plan.rate,
            "timeout": plan.timeout,
            "first": plan.first,
            "pool": plan.pool,
            "mix": [line.model_dump(by_alias=True) for line in plan.mix.messages],
        },
        "end": outcome.end,
        "reason": outcome.reason,
        "good": outcome.good,
        "sent": traffic.sent,
        "round_trips": traffic.complete,
        "unfinished": traffic.sent - traffic.finished,
        "seconds": round(_seconds(traffic), 6),
        "rate": _rate(traffic),
        "latency_ms": {name: _times(histogram) for name, histogram in _histograms(outcome)},
        "errors": _errors(outcome),
        "unasked": {"deliveries": traffic.unasked_deliveries, "responses": traffic.unasked_responses},
        "held": traffic.held,
    }


def lines(outcome: Outcome) -> list[str]:
    """Return the report as text."""
    plan, traffic = outcome.plan, outcome.traffic
    goal = f", {plan.rate:,g}/s wished" if plan.rate else ""
    said = [
        f"{traffic.complete:,} round trips of {plan.count:,} messages, {traffic.sent:,} sent, "
        f"in {_seconds(traffic):.2f} s",
        f"rate         {_rate(traffic):,.0f} round trips/s{goal}",
        f"{'milliseconds':<12}" + "".join(f"{name:>10}" for name in ("p50", "p95", "p99", "max")),
    ]
    for name, histogram in _histograms(outcome):
        times = _times(histogram)
        said.append(f"{name:<12}" + "".join(f"{times[key]:>10.2f}" for key in ("p50", "p95", "p99", "max")))
    errors = _errors(outcome)
    shown = ", ".join(f"{_SAID.get(name, name)} {number:,}" for name, number in errors.items())
    said.append(f"errors       {shown or 'none'}")
    if traffic.sent > traffic.finished:
        said.append(f"unfinished   under way at the end: {traffic.sent - traffic.finished:,}")
    if traffic.unasked_deliveries or traffic.unasked_responses:
        said.append(
            f"unasked      {traffic.unasked_deliveries:,} SMS and {traffic.unasked_responses:,} responses "
            "that no message under way had asked for"
        )
    if traffic.held:
        said.append(f"held         sending waited: {traffic.most_open:,} messages were under way at once")
    if outcome.end == "lost":
        said.append(f"connection lost: {outcome.reason}")
    elif outcome.end == "interrupted":
        said.append("interrupted")
    return said


class Progress:
    """A progress bar, redrawn on one line of a terminal; nothing elsewhere."""

    def __init__(self, stream: TextIO, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream.isatty() else None
        self._plan = plan
        self._clock = clock
        self._seen = (clock(), 0)

    def show(self, traffic: Traffic) -> None:
        """Draw the bar."""
        if self._stream is None:
            return
        (then, before), self._seen = self._seen, (self._clock(), traffic.finished)
        rate = (traffic.finished - before) / max(self._seen[0] - then, 0.001)
        part = traffic.finished / self._plan.count
        bar = "#" * int(part * _WIDTH)
        errors = traffic.finished - traffic.complete
        self._stream.write(f"\r[{bar:<{_WIDTH}}] {part:4.0%} {rate:>9,.0f}/s  errors {errors:,}\x1b[K")
        self._stream.flush()

    def clear(self) -> None:
        """Erase the bar."""
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _histograms(outcome: Outcome) -> list[tuple[str, Histogram]]:
    traffic = outcome.traffic
    rows = [("answer", traffic.answered), ("reply", traffic.replied)]
    return [*rows, ("late", traffic.late)] if outcome.plan.rate else rows


def _times(histogram: Histogram) -> dict[str, float]:
    found = {name: histogram.percentile(tenths) / _MS for name, tenths in PERCENTILES}
    mean = histogram.total / histogram.count / _MS if histogram.count else 0.0
    values = {**found, "max": histogram.greatest / _MS, "mean": mean, "min": histogram.least / _MS}
    return {**{name: round(value, 4) for name, value in values.items()}, "count": histogram.count}


def _errors(outcome: Outcome) -> Mapping[str, int]:
    traffic = outcome.traffic
    refused = {name_of(status): number for status, number in sorted(traffic.refused.items())}
    late = {_NO_ANSWER: traffic.unanswered, _NO_REPLY: traffic.unreplied}
    return refused | {name: number for name, number in late.items() if number}


def _seconds(traffic: Traffic) -> float:
    return (traffic.ended - traffic.began) / _SECOND


def _rate(traffic: Traffic) -> float:
    seconds = _seconds(traffic)
    return round(traffic.complete / seconds, 1) if seconds > 0 else 0.0
