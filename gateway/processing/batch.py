"""One batch on its way to the commit: pure work on an in-memory world.

A batch is what arrived while the last one was worked. Its SMS are told apart (recognition), then executed in
order (execution): the second SMS of a handset sees what the first did.
"""

from gateway.inbound.mobile_originated import MobileOriginated
from gateway.processing.execution import Execution
from gateway.processing.prepared import Prepared
from gateway.processing.recognition import Recognition


class Batches:
    """Prepares the commits of one gateway."""

    def __init__(self, recognition: Recognition, execution: Execution) -> None:
        self._recognition = recognition
        self._execution = execution

    async def prepare(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int, poison: Exception | None = None
    ) -> None:
        """Put everything up to the commit into `prepared`; take_back() makes it undone.

        poison: why the only SMS of the batch is not to be handled: it is journaled as failed. Raises
        StorageError.
        """
        fresh = await self._recognition.fresh(batch, prepared, now_ms)
        for m in fresh if poison else ():
            m.fault = poison
        await self._execution.run(fresh, prepared, now_ms)

    def take_back(self, batch: list[MobileOriginated], prepared: Prepared) -> None:
        """The batch is not in the store: what it used up is there again."""
        self._recognition.take_back(batch)
        self._execution.take_back(prepared)
