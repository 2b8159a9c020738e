"""The latest refusals and alarms, for whoever looks at the overview: a bounded number, without texts.

Values are kept as they came, which costs least, and masked when they are shown.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from gateway.observer import Observer, Remote

KEPT: Final = 50
LONGEST: Final = 200
"""Characters of a detail that are shown."""
_MOBILE: Final = re.compile(r"(1[3-9]\d)\d{4}(\d{4})")


@dataclass(frozen=True, slots=True)
class Refused:
    """An SMS, or a bind, that was not taken. at: ms since the epoch. account: "" where it is unknown."""

    at: int
    account: str
    source: str
    destination: str
    reason: str
    status: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an operator wants to know of. event: as in the log."""

    at: int
    event: str
    detail: str


def masked(text: str) -> str:
    """A text in which every mobile number is masked (138****8000), without control characters; at most
    LONGEST characters."""
    plain = "".join(each if each.isprintable() else "?" for each in text[: LONGEST + 1])
    shown = _MOBILE.sub(r"\1****\2", plain)
    return shown if len(plain) <= LONGEST else shown[: LONGEST - 3] + "..."


ALARMS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "storage_failed": ("storage.failed", "{0}"),
        "storage_recovered": ("storage.recovered", "{1:.1f} s"),
        "parked": ("sms.parked", "{0.number:016x}: {0.error}"),
        "faulted": ("sms.failed", "{0:016x}"),
        "broken": ("gateway.fault", "{0}: {1.__class__.__name__}"),
        "console_broken": ("console.fault", "{0} {1}: {2.__class__.__name__}"),
        "link_up": ("link.up", "{1} {2}"),
        "link_resting": ("link.resting", "{0}: {1:g} s"),
        "tls_refused": ("tls.refused", "{0}: {2}"),
        "tls_ending": ("tls.ending", "{0}: {2}"),
        "events_deferred": ("events.deferred", "{0}: {1}"),
        "events_broken": ("events.broken", "{0}: {1.__class__.__name__}"),
        "events_dropped": ("events.dropped", "{0}: {1}"),
        "event_parked": ("events.parked", "{0}: {2}"),
        "unrecognised": ("retransmissions.dropped", "{0}"),
        "node_joined": ("node.joined", "{0}"),
        "node_taken_over": ("node.taken_over", "{0}"),
        "node_clock_differs": ("node.clock_differs", "{0}: {1:.1f} s"),
        "node_untrusted": ("node.untrusted", "{0}"),
        "node_fenced": ("node.fenced", "{0}"),
        "sealed": ("outbox.sealed", "{0} {1}"),
    }
)
"""Method of the observer -> event as in the log, and how its detail is made of what the method is told."""
BY_HAND: Final = ("link.down", "link.failed", "accept.failed", "events.disconnected")
"""Events of which not every call is an alarm."""


class Latest(Observer):
    """Keeps the last KEPT refusals and alarms, and counts alarms by event. now_ms: of the clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.refusals: deque[Refused] = deque(maxlen=KEPT)
        self.alarms: deque[Alarm] = deque(maxlen=KEPT)
        events = (*(event for event, _ in ALARMS.values()), *BY_HAND)
        self.counts: Counter[str] = Counter(dict.fromkeys(events, 0))
        self._now_ms = now_ms
        for method, (event, template) in ALARMS.items():
            setattr(self, method, partial(self._told, event, template))

    def rejected(
        self, remote: Remote, sequence: int, source: str, destination: str, reason: str, status: str
    ) -> None:
        """An SMS that was not taken."""
        del sequence
        self.refusals.append(Refused(self._now_ms(), remote.account, source, destination, reason, status))

    def bind_refused(self, peer: str, system_id: str, reason: str, status: str) -> None:
        """Somebody who was not let in."""
        del peer
        self.refusals.append(Refused(self._now_ms(), system_id, "", "", reason, status))

    def link_down(
        self, remote: Remote, link: str, mode: str, reason: str, unanswered: int, pause: float | None
    ) -> None:
        """An alarm where we have not ended it."""
        del remote, unanswered
        if pause is not None:
            self._note("link.down", f"{link} {mode}: {reason}")

    def link_failed(
        self, link: str, account: str, mode: str, reason: str, failures: int, pause: float | None
    ) -> None:
        """The 1st, 2nd, 4th, 8th ... failure in a row."""
        del account, pause
        if _worth_it(failures):
            self._note("link.failed", f"{link} {mode}: {reason} ({failures})")

    def accepting(self, error: OSError | None, connections: int) -> None:
        """No connection can be taken."""
        del connections
        if error is not None:
            self._note("accept.failed", str(error))

    def consumer_disconnected(self, consumer: str, peer: str, reason: str, failures: int) -> None:
        """The 1st, 2nd, 4th, 8th ... failure in a row."""
        del peer
        if _worth_it(failures):
            self._note("events.disconnected", f"{consumer}: {reason} ({failures})")

    def _told(self, event: str, template: str, *given: Any) -> None:
        self._note(event, template.format(*given))

    def _note(self, event: str, detail: str) -> None:
        self.counts[event] += 1
        self.alarms.append(Alarm(self._now_ms(), event, detail))


def _worth_it(failures: int) -> bool:
    return failures & (failures - 1) == 0
