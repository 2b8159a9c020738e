"""Spans of SMS: a running gateway sends them to a collector; nothing waits for one, and nothing grows."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.message import Commit, Delivery
from gateway.operations.telemetry import settings
from gateway.operations.telemetry.exporting import BATCH, Exporting, Making
from gateway.operations.telemetry.settings import MISSING
from gateway.operations.telemetry.spans import WAITING, Spans
from gateway.settings import load
from gateway.testing import running_gateway
from gateway.testing.configuration import write_config
from routing.tablefile import TableError
from tests.support import ALICE, HandClock, leaving, received

PATIENCE = 10.0


class Collector:
    """A collector of OpenTelemetry on a free port. spans: what came. failing: answers 400."""

    def __init__(self) -> None:
        self.spans: list[Sent] = []
        self.failing = False
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(400 if collector.failing else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run one."""
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        thread.join()
        collector.server.server_close()


async def test_an_sms_and_its_reply_are_one_trace(tmp_path: Path) -> None:
    """The spans of KTFX and of its replies: one trace, the reply below the SMS, times in order; neither the
    handset's number nor a text is in them. The last ones are sent at the stop."""
    with collecting() as collector:
        config = {"telemetry": {"endpoint": collector.url}}
        async with running_gateway(tmp_path, config) as gateway:
            alice = await gateway.handset(ALICE)
            await alice.send("KTFX", "161")
            await alice.expect("飞信")
            await gateway.settle()
        counts = gateway.app.metrics.tally.spans
    came = [span for span in collector.spans if span.name == "sms.in"]
    left = [span for span in collector.spans if span.name == "sms.out"]
    assert len(came) == 1
    assert left
    assert counts == {"exported": len(collector.spans)}
    assert {span.trace_id for span in collector.spans} == {came[0].trace_id}
    assert {span.parent_span_id for span in left} == {came[0].span_id}
    assert [event.name for event in came[0].events] == ["received", "handed_to_store", "committed"]
    assert [event.name for event in left[0].events] == ["committed", "left", "answered"]
    for span in collector.spans:
        times = [event.time_unix_nano for event in span.events]
        assert times == sorted(times)
        assert span.start_time_unix_nano <= times[0] <= times[-1] <= span.end_time_unix_nano
    told = {each.key: each.value.string_value for each in came[0].attributes}
    assert (told["fetion.purpose"], told["fetion.outcome"]) == ("base", "done")
    assert ALICE not in str(collector.spans)
    assert "KTFX" not in str(collector.spans)


async def test_a_collector_that_fails_changes_nothing(tmp_path: Path) -> None:
    """SMS are answered; the spans count as failed."""
    with collecting() as collector:
        collector.failing = True
        async with running_gateway(tmp_path, {"telemetry": {"endpoint": collector.url}}) as gateway:
            alice = await gateway.handset(ALICE)
            await alice.send("KTFX", "161")
            await alice.expect("飞信")
            await gateway.settle()
        counts = gateway.app.metrics.tally.spans
    assert set(counts) == {"failed"}


def test_spans_are_bounded() -> None:
    """Where nobody takes them, WAITING are kept; the others are dropped and counted."""
    counts: Counter[str] = Counter()
    spans = Spans(HandClock(), counts)
    messages = [received(number) for number in range(300)]
    for _ in range(WAITING // 300 + 2):
        spans.committed(Commit(messages=messages), ["base"] * 300, [0.001] * 300, 0.001)
    assert len(spans.take()) == WAITING
    assert counts["dropped"] == (WAITING // 300 + 2) * 300 - WAITING
    assert spans.take() == []


async def test_export_in_batches() -> None:
    """What waits at the end is exported too, in requests of at most BATCH; a span that failed says why."""
    exporter, sizes = InMemorySpanExporter(), []
    whole = exporter.export

    def export(batch: object) -> SpanExportResult:
        sizes.append(len(batch))  # type: ignore[arg-type]
        return whole(batch)  # type: ignore[arg-type]

    exporter.export = export  # type: ignore[method-assign, assignment]
    spans = Spans(HandClock(), Counter())
    lost = leaving(5)
    lost.state, lost.error, lost.cause = Delivery.EXPIRED, "expired", 3
    spans.committed(
        Commit(messages=[received(n) for n in range(1, BATCH + 1)], closed=[lost]),
        ["base"] * BATCH,
        [0.0] * BATCH,
        0.0,
    )
    exporting = Exporting(spans, Making("store", "here"), exporter)
    exporting.start()
    async with asyncio.timeout(PATIENCE):
        await exporting.close()
    assert sizes == [BATCH, 1]
    *_, last = exporter.get_finished_spans()
    assert last.status.description == "expired"
    assert last.parent is not None


def test_ids() -> None:
    """The same SMS has the same ids on every node of a store, and others in another store."""
    spans = Spans(HandClock(), Counter())
    spans.committed(Commit(messages=[received(7)]), ["base"], [0.0], 0.0)
    (span,) = spans.take()
    here, there, other = (
        Making(store, node).span(span).get_span_context()
        for store, node in (("a", "1"), ("a", "2"), ("b", "1"))
    )
    assert here is not None
    assert here == there
    assert other is not None
    assert (other.trace_id, other.span_id) != (here.trace_id, here.span_id)


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://x", "http://", "http://x:99999", "http://x:a"])
def test_wrong_endpoints(tmp_path: Path, endpoint: str) -> None:
    """An endpoint that is no URL is a fault of the configuration, with what to write."""
    with pytest.raises(TableError, match=r"telemetry\.endpoint: .* is no URL of a collector: write http://"):
        load(write_config(tmp_path, {"telemetry": {"endpoint": endpoint}}), {})


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting and without the libraries: a fault that says what to install."""
    monkeypatch.setattr(settings, "find_spec", lambda _: None)
    with pytest.raises(TableError) as fault:
        load(write_config(tmp_path, {"telemetry": {"endpoint": "http://127.0.0.1:4318"}}), {})
    assert f"telemetry.endpoint: {MISSING}" in str(fault.value)
    assert load(write_config(tmp_path), {}).telemetry.endpoint is None
