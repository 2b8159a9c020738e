"""Notes the spans of SMS: plain values in a bounded queue, which a thread takes away."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.message import Commit, MobileTerminated, message_id
from gateway.observer import Observer

WAITING: Final = 10_000
"""Spans that wait for the exporter; further ones are dropped, and counted."""

Attributes = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """What happened to one SMS. number: of it. cause: number of the SMS that caused it, 0: it came from a
    handset. begin, end: ms since the epoch. events: what happened on the way, and when. failed: why it did
    not arrive, "" where it did."""

    name: str
    number: int
    cause: int
    begin: int
    end: int
    attributes: Attributes
    events: tuple[tuple[str, int], ...]
    failed: str = ""


class Spans(Observer):
    """Makes spans of each batch, after its commit. No number of a handset and no text is in them.

    counts: `dropped` spans, and what the exporter adds.
    """

    def __init__(self, clock: Clock, counts: Counter[str]) -> None:
        self.counts = counts
        self._clock = clock
        self._waiting: deque[Span] = deque()
        self._lock = threading.Lock()

    def committed(
        self, commit: Commit, purposes: Sequence[str], waits: Sequence[float], seconds: float
    ) -> None:
        """Note the SMS of a batch that came, and those that are closed with it."""
        now_ms, now = self._clock.now_ms(), self._clock.monotonic()
        stored = int(now_ms - seconds * 1000)
        found = [
            Span(
                "sms.in",
                entry.number,
                0,
                min(entry.at, int(now_ms - wait * 1000)),
                now_ms,
                (
                    ("message_id", message_id(entry.number)),
                    ("account", entry.account),
                    ("province", entry.province),
                    ("purpose", purpose),
                    ("instruction", entry.instruction),
                    ("outcome", entry.outcome),
                    ("batch", len(purposes)),
                ),
                (("received", entry.at), ("handed_to_store", stored), ("committed", now_ms)),
            )
            for entry, purpose, wait in zip(commit.messages, purposes, waits, strict=True)
        ]
        found += [_out(sms, now, now_ms) for sms in commit.closed]
        if found:
            self._put(found)

    def take(self) -> list[Span]:
        """All that wait; they wait no longer."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _put(self, spans: list[Span]) -> None:
        with self._lock:
            room = WAITING - len(self._waiting)
            self._waiting.extend(spans[:room])
        if len(spans) > room:
            self.counts["dropped"] += len(spans) - room


def _out(sms: MobileTerminated, now: float, now_ms: int) -> Span:
    """The span of a closed SMS: from when it was stored until it was closed."""
    end = sms.closed_at or now_ms
    events = [("committed", sms.at)]
    if sms.attempts:
        left = int(now_ms - (now - sms.handed_over) * 1000)  # of an earlier run: not known, so bounded
        events.append(("left", max(sms.at, min(end, left))))
    events.append(("answered" if not sms.error else "given_up", end))
    return Span(
        "sms.out",
        sms.number,
        sms.cause,
        min(sms.at, end),
        end,
        (
            ("message_id", message_id(sms.number)),
            ("cause_id", message_id(sms.cause)),
            ("account", sms.account),
            ("state", sms.state.name.lower()),
            ("attempts", sms.attempts),
            ("parts", sms.parts),
        ),
        tuple(events),
        sms.error,
    )
