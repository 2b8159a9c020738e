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

from gateway.message import message_id
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


Describe = Callable[..., "str | None"]
"""Makes the detail of an alarm of what an observer is told; None: it is none."""

ALARMS: Final[Mapping[str, tuple[str, Describe]]] = MappingProxyType(
    {
        "storage_failed": ("storage.failed", lambda error, failures, pause: f"{error} ({failures})"),
        "storage_recovered": ("storage.recovered", lambda failures, seconds: f"{seconds:.1f} s"),
        "parked": ("sms.parked", lambda sms: f"{message_id(sms.number)}: {sms.error}"),
        "faulted": ("sms.fault", lambda number, *_: message_id(number)),
        "broken": ("gateway.fault", lambda where, error: f"{where}: {type(error).__name__}"),
        "link_down": (
            "link.down",
            lambda remote, link, mode, reason, unanswered, pause: (
                None if pause is None else f"{link} {mode}: {reason}"
            ),
        ),
        "link_failed": (
            "link.failed",
            lambda link, account, mode, reason, failures, pause: (
                f"{link} {mode}: {reason}" if failures & (failures - 1) == 0 else None
            ),
        ),
        "link_resting": ("link.resting", lambda link, seconds: f"{link}: {seconds:g} s"),
        "link_up": ("link.up", lambda remote, link, mode: f"{link} {mode}"),
        "accepting": ("listener.accept", lambda error, connections: None if error is None else str(error)),
        "tls_refused": ("tls.refused", lambda name, key, reason: f"{name}: {reason}"),
        "tls_ending": ("tls.ending", lambda name, subject, not_after, days: f"{name}: {not_after}"),
        "events_deferred": ("events.deferred", lambda consumer, error, *_: f"{consumer}: {error}"),
        "events_broken": ("events.broken", lambda consumer, error, *_: f"{consumer}: {error}"),
        "events_dropped": ("events.dropped", lambda consumer, count: f"{consumer}: {count}"),
        "event_parked": ("events.parked", lambda consumer, event, reason: f"{consumer}: {reason}"),
        "consumer_disconnected": (
            "events.disconnected",
            lambda consumer, peer, reason, failures: (
                f"{consumer}: {reason}" if failures & (failures - 1) == 0 else None
            ),
        ),
        "unrecognised": ("retransmissions.dropped", lambda count: str(count)),
        "node_joined": ("node.joined", lambda name, number: name),
        "node_taken_over": ("node.taken_over", lambda name, *_: name),
        "node_clock_differs": ("node.clock_differs", lambda name, ahead_s: f"{name}: {ahead_s:.1f} s"),
        "node_untrusted": ("node.untrusted", lambda name: name),
        "node_fenced": ("node.fenced", lambda name, error: name),
        "sealed": ("store.sealed", lambda event, number, error: f"{event} {number}"),
    }
)
"""Method of the observer -> what it is called, and its detail."""


class Notices(Observer):
    """Keeps the last KEPT refusals and alarms, and counts alarms by event. now_ms: of the clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.refusals: deque[Refused] = deque(maxlen=KEPT)
        self.alarms: deque[Alarm] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter({event: 0 for event, _ in ALARMS.values()})
        self._now_ms = now_ms
        for method, (event, describe) in ALARMS.items():
            setattr(self, method, partial(self._note, event, describe))

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

    def _note(self, event: str, describe: Describe, *given: Any, **named: Any) -> None:
        detail = describe(*given, **named)
        if detail is not None:
            self.counts[event] += 1
            self.alarms.append(Alarm(self._now_ms(), event, detail))
