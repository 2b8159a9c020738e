"""The messages under way, and counts and times of the finished ones. No I/O, no clock.

Times are nanoseconds of one monotonic clock; the caller passes them. A message is finished when it was
answered and all its replies have come, when it was refused, or when its time was over. What is kept is
bounded: at most `most_open` messages are under way, and everything else is a count or a histogram.
"""

from collections import Counter
from typing import Final, Protocol

from gateway.simulator.load.histogram import Histogram
from gateway.simulator.load.plan import Plan, Source

FIRST_SEQUENCE: Final = 16
"""First sequence number of messages; lower numbers are for a link's own requests."""

MOST_OPEN: Final = 100_000
"""Messages that may be under way, most of them answered and without their reply. With windows so large that
they alone could be as many: twice the windows."""

_SECOND: Final = 1_000_000_000


class Link(Protocol):
    """The bind on which a message leaves. free: room in its window."""

    free: int


class Message:
    """One message under way.

    since: what its times count from; sent: when it left. link: where it waits for its answer, None: it was
    answered. replies: those that are still to come. after: the next message of the same handset.
    """

    __slots__ = ("after", "link", "number", "replies", "sent", "sequence", "since")

    def __init__(self, sequence: int, number: bytes, since: int, sent: int, link: Link, replies: int) -> None:
        self.sequence = sequence
        self.number = number
        self.since = since
        self.sent = sent
        self.link: Link | None = link
        self.replies = replies
        self.after: Message | None = None


class Traffic:
    """All messages of a run, over all its binds.

    sent, finished, complete: messages so far; complete ones were answered and have every reply. answered,
    replied: times of the positive answers and of the last replies. late: between the moment at which a
    message was due and its sending (only with a rate). refused: by command_status.
    """

    def __init__(self, plan: Plan) -> None:
        self._take = Source(plan).take
        self._count = plan.count
        self._gap = _SECOND / plan.rate if plan.rate else 0.0
        self._timeout = int(plan.timeout * _SECOND)
        self._open: dict[int, Message] = {}
        self._waiting: dict[bytes, Message] = {}
        self.most_open = max(MOST_OPEN, 2 * plan.window * plan.binds)
        self.began = 0
        self.ended = 0
        self.sent = 0
        self.finished = 0
        self.complete = 0
        self.answered = Histogram()
        self.replied = Histogram()
        self.late = Histogram()
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self.unreplied = 0
        self.unasked_deliveries = 0
        self.unasked_responses = 0
        self.held = False

    @property
    def over(self) -> bool:
        """Whether every message is finished."""
        return self.finished >= self._count

    def begin(self, now: int) -> None:
        """Start the run: the first message is due."""
        self.began = self.ended = now

    def allowed(self, now: int) -> int:
        """Return how many messages may be sent now, if a window has room."""
        left = self._count - self.sent
        if self._gap:
            left = min(left, int((now - self.began) / self._gap) + 1 - self.sent)
        room = self.most_open - len(self._open)
        if room < left:
            self.held = self.held or room <= 0
            return room
        return left

    def next_due(self) -> int | None:
        """Return when the next message is due; None without a rate, or if there is none."""
        if not self._gap or self.sent >= self._count:
            return None
        return self.began + int(self.sent * self._gap)

    def send(self, link: Link, now: int) -> bytes:
        """Return the octets of the next message, which is sent now."""
        sequence = FIRST_SEQUENCE + self.sent
        octets, number, replies = self._take(sequence)
        since = now
        if self._gap:
            since = self.began + int(self.sent * self._gap)
            self.late.record(now - since)
        self._open[sequence] = message = Message(sequence, number, since, now, link, replies)
        if replies:
            earlier = self._waiting.setdefault(number, message)
            if earlier is not message:
                while earlier.after is not None:
                    earlier = earlier.after
                earlier.after = message
        self.sent += 1
        link.free -= 1
        return octets

    def take_response(self, sequence: int, status: int, now: int) -> None:
        """Note the response to a message."""
        message = self._open.get(sequence)
        if message is None or message.link is None:
            self.unasked_responses += 1
            return
        message.link.free += 1
        message.link = None
        if status:
            self.refused[status] += 1
            self._finish(message, now)
            return
        self.answered.record(now - message.since)
        if not message.replies:
            self.complete += 1
            self._finish(message, now)

    def take_delivery(self, number: bytes, now: int) -> bool:
        """An SMS came to a handset; whether it is a reply: to its oldest message under way."""
        message = self._waiting.get(number)
        if message is None:
            return False
        message.replies -= 1
        if message.replies:
            return True
        self.replied.record(now - message.since)
        if message.after is None:
            del self._waiting[number]
        else:
            self._waiting[number] = message.after
        if message.link is None:
            self.complete += 1
            self._finish(message, now)
        return True

    def expire(self, now: int) -> None:
        """Give up the messages that are overdue."""
        limit = now - self._timeout
        overdue = []
        for message in self._open.values():  # in the order in which they were sent
            if message.sent > limit:
                break
            overdue.append(message)
        for message in overdue:
            if message.link is None:
                self.unreplied += 1
            else:
                self.unanswered += 1
                message.link.free += 1
                message.link = None
            self._finish(message, now)

    def _finish(self, message: Message, now: int) -> None:
        del self._open[message.sequence]
        if message.replies:
            self._wait_no_more(message)
        self.finished += 1
        self.ended = now

    def _wait_no_more(self, message: Message) -> None:
        """Replies that come now are not for it."""
        earlier = self._waiting[message.number]
        if earlier is not message:
            while earlier.after is not message:
                assert earlier.after is not None
                earlier = earlier.after
            earlier.after = message.after
        elif message.after is None:
            del self._waiting[message.number]
        else:
            self._waiting[message.number] = message.after
