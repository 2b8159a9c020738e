"""Sends spans to a collector of OpenTelemetry, in a thread of its own: nothing runs in the event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from gateway.operations.telemetry.spans import Span, Spans

EVERY: Final = 1.0
"""Seconds between two exports."""
BATCH: Final = 512
"""Spans of one request."""
TIMEOUT: Final = 5
"""Seconds that a collector has for a request."""
CLOSING: Final = 2.0
"""Seconds at the stop for the last spans."""
SCOPE: Final = InstrumentationScope("fetion-gateway")
_KINDS: Final = {"sms.in": SpanKind.SERVER, "sms.out": SpanKind.CLIENT}
_MS: Final = 1_000_000


def open_exporter(endpoint: str) -> SpanExporter:
    """Sends to a collector over HTTP."""
    return OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT)


class Making:
    """Makes spans of OpenTelemetry. An SMS and what it causes have the same trace, on all nodes of a store.

    store: what names the store, for ids that no other store has. node: name of this one.
    """

    def __init__(self, store: str, node: str) -> None:
        self._key = blake2b(store.encode(), digest_size=32).digest()
        self._resource = Resource(
            {
                "service.name": "fetion-gateway",
                "service.version": version("fetion-gateway"),
                "service.instance.id": node,
            }
        )

    def span(self, span: Span) -> ReadableSpan:
        """As the SDK has it. Times in nanoseconds."""
        root = span.cause or span.number
        return ReadableSpan(
            span.name,
            context=self._context(root, span.number),
            parent=self._context(root, span.cause) if span.cause else None,
            resource=self._resource,
            attributes={f"fetion.{name}": value for name, value in span.attributes},
            events=[Event(name, timestamp=at * _MS) for name, at in span.events],
            kind=_KINDS[span.name],
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.OK),
            start_time=span.begin * _MS,
            end_time=span.end * _MS,
            instrumentation_scope=SCOPE,
        )

    def _context(self, root: int, number: int) -> SpanContext:
        trace_id = self._hash(b"trace", root, 16)
        span_id = self._hash(b"span", number, 8)
        return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def _hash(self, person: bytes, number: int, size: int) -> int:
        digest = blake2b(number.to_bytes(8, "big"), key=self._key, person=person, digest_size=size).digest()
        return int.from_bytes(digest, "big") or 1


class Exporting:
    """Exports what Spans notes, every EVERY seconds. wait: waits for the end of the gateway, or so long."""

    def __init__(
        self,
        spans: Spans,
        making: Making,
        exporter: SpanExporter,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._spans = spans
        self._making = making
        self._exporter = exporter
        self._wait = wait
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def close(self) -> None:
        """Export what waits, and end; a collector that does not answer is not waited for."""
        self._end.set()
        await asyncio.to_thread(self._thread.join, CLOSING)

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._wait(self._end, EVERY)
            self._export(self._spans.take())
        self._exporter.shutdown()

    def _export(self, spans: Sequence[Span]) -> None:
        counts = self._spans.counts
        for begin in range(0, len(spans), BATCH):
            batch = [self._making.span(span) for span in spans[begin : begin + BATCH]]
            done = self._exporter.export(batch) is SpanExportResult.SUCCESS
            counts["exported" if done else "failed"] += len(batch)
