"""How busy a gateway is, in one number, as congestion_state has it: 0 idle, 100 congested."""

from collections.abc import Callable
from typing import Final

from gateway.inbound.queue import QUEUE, InboundQueue
from gateway.outbound.outbox import Outbox
from gateway.processing.answers import Answers
from gateway.processing.pipeline import STALLED, Pipeline

CONGESTED: Final = 100


class Load:
    """The fullest of these: the queue of SMS that came, the outbox, and how long the oldest SMS of the last
    batch waited for its answer, out of STALLED seconds. Where the store fails it is CONGESTED.

    tell: is told the number after each batch, and ten times a second.
    """

    def __init__(
        self,
        queue: InboundQueue,
        outbox: Outbox,
        answers: Answers,
        pipeline: Pipeline,
        tell: Callable[[int], None],
    ) -> None:
        self._queue = queue
        self._outbox = outbox
        self._answers = answers
        self._pipeline = pipeline
        self._tell = tell

    def tick(self) -> None:
        """Forget the last batch where nothing waits, and measure."""
        if self._pipeline.idle:
            self._answers.waited = 0.0
        self.measure()

    def measure(self) -> None:
        """Tell how busy the gateway is now."""
        self._tell(self.percent)

    @property
    def percent(self) -> int:
        """How busy it is now."""
        if self._pipeline.failures:
            return CONGESTED
        shares = (
            len(self._queue) / QUEUE,
            self._outbox.depth / self._outbox.limit,
            self._answers.waited / STALLED,
        )
        return min(CONGESTED, int(CONGESTED * max(shares)))
