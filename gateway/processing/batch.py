"""Prepares a batch for its commit: pure work on an in-memory world.

A batch is what arrived while the previous batch was processed. Recognition sorts its SMS, then execution runs
them in order: the second SMS of a handset sees the changes of the first.
"""

from gateway.inbound.mobile_originated import MobileOriginated
from gateway.processing.actions import Actions
from gateway.processing.execution import Execution
from gateway.processing.placement import Placement
from gateway.processing.prepared import Prepared
from gateway.processing.recognition import Recognition
from gateway.processing.reports import Reports


class Batches:
    """Prepares the commits of one gateway. placement: None where no other one uses the store."""

    def __init__(
        self,
        recognition: Recognition,
        execution: Execution,
        reports: Reports,
        actions: Actions,
        placement: Placement | None = None,
    ) -> None:
        self._recognition = recognition
        self._execution = execution
        self._reports = reports
        self._actions = actions
        self._placement = placement

    async def prepare(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int, poison: Exception | None = None
    ) -> None:
        """Process a batch up to its commit; take_back() undoes that.

        Args:
            batch: SMS in the order in which they are executed.
            prepared: receives the commit and the answers.
            now_ms: the time of the batch.
            poison: why the only SMS of the batch must not be handled; it is journaled as failed.

        Raises:
            StorageError: from the store.
        """
        sorted_out = await self._actions.sort(batch, prepared)
        fresh = await self._recognition.fresh(sorted_out, prepared, now_ms)
        for m in fresh if poison else ():
            m.fault = poison
        await self._execution.run(fresh, prepared, now_ms)
        self._reports.add(prepared, now_ms)
        if self._placement is not None:
            self._placement.place(prepared.commit.outgoing, prepared.elsewhere)

    def take_back(self, batch: list[MobileOriginated], prepared: Prepared) -> None:
        """Undo the effects of a batch that was not stored."""
        self._recognition.take_back(batch)
        self._execution.take_back(prepared)
