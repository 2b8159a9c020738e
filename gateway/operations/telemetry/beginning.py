"""Starts the export of spans. The libraries of the extra are imported here only when it is wanted."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack

from gateway.clock import Clock
from gateway.observer import Observer
from gateway.operations.telemetry.spans import Spans
from gateway.settings import Settings


def begin(
    settings: Settings, node: str, clock: Clock, counts: Counter[str], opened: AsyncExitStack
) -> Sequence[Observer]:
    """Export to the collector of the configuration, if there is one.

    Args:
        settings: say where the collector is.
        node: name of this gateway.
        clock: of the gateway.
        counts: gets how many spans were exported, failed, dropped.
        opened: ends the export when it is closed.

    Returns:
        who makes the spans; nobody where there is no collector.
    """
    endpoint, storage = settings.telemetry.endpoint, settings.storage
    if endpoint is None:
        return ()
    from gateway.operations.telemetry.exporting import Exporting, Making, open_exporter

    spans = Spans(clock, counts)
    store = f"{node}:{storage.place}" if storage.in_file else storage.place  # a server is one for all nodes
    exporting = Exporting(spans, Making(store, node), open_exporter(endpoint))
    exporting.start()
    opened.push_async_callback(exporting.close)
    return (spans,)
