"""The observer that counts: sums per batch, in plain integers and dictionaries.

Nothing here is called per SMS but what an SMS seldom meets: a batch tells all of it at once
(Observer.committed). Labels are bounded: outcomes, purposes and provinces are those of our tables; whatever a
peer may choose (a status) is one of at most KINDS, or OTHER.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

from gateway.message import (
    NONE_CAME,
    Asked,
    Commit,
    Delivery,
    EarlyReceipt,
    Kind,
    MobileTerminated,
    PartReceipt,
)
from gateway.observer import Observer, Remote
from gateway.operations.metrics.histogram import Histogram

KINDS: Final = 40
"""Values of a label that a peer may choose; further ones count as OTHER."""
OTHER: Final = "other"

SECONDS: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0),
)
"""Upper bounds for what lasts."""
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Upper bounds for batches."""

# A member named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes one.
_SENT: Final = Delivery.SENT
_OUTCOMES: Final = {Delivery.FAILED: "failed", Delivery.EXPIRED: "expired"}
_PURPOSES: Final = {Kind.RECEIPT: "receipt", Kind.ACKNOWLEDGEMENT: "acknowledgement"}
_OUTCOME: Final = attrgetter("outcome")
_PROVINCE: Final = attrgetter("province")

Key = tuple[str, str, str]
"""Purpose, outcome, province."""


class Kinds:
    """Counts by a name of which there are at most KINDS."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Count one."""
        counts = self.counts
        counts[name if name in counts or len(counts) < KINDS else OTHER] += 1


class Tally(Observer):
    """Counts since the start. home: returns the province code of a mobile.

    came, left: SMS from and to handsets; an SMS left when it is closed: sent, failed or expired. total_left:
    those that peers took. retries: attempts beyond the first of each closed SMS. happened: by what it is.
    spans: by what became of them (gateway.operations.telemetry).
    """

    def __init__(self, home: Callable[[str], str]) -> None:
        self._home = home
        self.came: Counter[Key] = Counter()
        self.left: Counter[Key] = Counter()
        self.total_came = self.total_left = 0
        self.round_trip = Histogram(SECONDS)
        self.commit = Histogram(SECONDS)
        self.batch = Histogram(SIZES)
        self.refused = Kinds()
        self.deferrals = Kinds()
        self.receipts = Kinds()
        self.happened: Counter[str] = Counter()
        self.spans: Counter[str] = Counter()
        self.retries = 0

    # Per batch

    def committed(
        self, commit: Commit, purposes: Sequence[str], waits: Sequence[float], seconds: float
    ) -> None:
        """Count a batch."""
        messages = commit.messages
        if messages:
            self.came.update(zip(purposes, map(_OUTCOME, messages), map(_PROVINCE, messages), strict=True))
            self.total_came += len(messages)
            self.round_trip.add_all(waits)
            self.batch.add(len(messages))
        self.commit.add(seconds)
        if commit.closed:
            self._close(commit.closed)

    def _close(self, closed: Sequence[MobileTerminated]) -> None:
        home, left, taken = self._home, self.left, 0
        for sms in closed:
            outcome = "sent" if sms.state is _SENT else _OUTCOMES.get(sms.state, OTHER)
            taken += outcome == "sent"
            purpose = _PURPOSES[sms.kind] if sms.kind else "reply" if sms.bind else "notice"
            left[purpose, outcome, home(sms.msisdn)] += 1
            if sms.attempts > 1:
                self.retries += sms.attempts - 1
        self.total_left += taken

    # What an SMS seldom meets

    def rejected(
        self, remote: Remote, sequence: int, source: str, destination: str, reason: str, status: str
    ) -> None:
        """A refusal, by its status: reasons are free text."""
        del remote, sequence, source, destination, reason
        self.refused.add(status)

    def repeated(self, remote: Remote, sequence: int, msisdn: str, number: int) -> None:
        """A retransmission."""
        del remote, sequence, msisdn, number
        self.happened["resends"] += 1

    def faulted(self, number: int, msisdn: str, instruction: str, error: Exception) -> None:
        """A bug that an SMS has met."""
        del number, msisdn, instruction, error
        self.happened["bugs"] += 1

    def broken(self, where: str, error: Exception) -> None:
        """A bug that no SMS has met."""
        del where, error
        self.happened["bugs"] += 1

    def console_broken(self, number: str, path: str, error: Exception) -> None:
        """A bug that a page has met."""
        del number, path, error
        self.happened["bugs"] += 1

    def console_login_failed(self, account: str, remote: str, reason: str) -> None:
        """Somebody who could not log in at the console."""
        del account, remote, reason
        self.happened["logins_failed"] += 1

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """A long message that was given up."""
        del source, destination, parts
        self.happened["incomplete"] += 1

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """An SMS that waits."""
        del sms
        self.deferrals.add(reason)

    def parked(self, sms: MobileTerminated) -> None:
        """An SMS that an operator has to decide on."""
        del sms
        self.happened["parked"] += 1

    def late(self, sms: MobileTerminated, remote: Remote, *, twice: bool) -> None:
        """An answer behind the response timer."""
        del sms, remote, twice
        self.happened["late_answers"] += 1

    def moved(self, sms: MobileTerminated, before: str) -> None:
        """An SMS that leaves through a backup."""
        del sms, before
        self.happened["moved"] += 1

    def receipted(self, part: PartReceipt) -> None:
        """A receipt, by what it says: the state that we know."""
        self.receipts.add("none came" if part.error == NONE_CAME else part.state.name.lower())

    def receipt_unmatched(self, receipt: EarlyReceipt, reason: str) -> None:
        """A receipt of no SMS that we know."""
        del receipt, reason
        self.receipts.add("unmatched")

    def bind_refused(self, peer: str, system_id: str, reason: str, status: str) -> None:
        """Somebody who was not let in."""
        del peer, system_id, reason, status
        self.happened["binds_refused"] += 1

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection that was closed before it was bound."""
        del peer, reason
        self.happened["turned_away"] += 1

    def storage_failed(self, error: Exception, failures: int, pause: float) -> None:
        """A batch that was not stored: told of the 1st, 2nd, 4th, 8th ... in a row."""
        del error, pause
        self.happened["store_failures"] += failures - failures // 2

    def province_refused(self, province: str, reason: str) -> None:
        """An SMS of a province's system that is not sent."""
        del province, reason
        self.happened["province_refusals"] += 1

    def province_unanswered(self, asked: Asked) -> None:
        """An SMS that a province did not answer in time."""
        del asked
        self.happened["province_silences"] += 1
