"""The values of every metric, of what was counted and of the gateway at this moment."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.operations.metrics.gauges import Binds, Now
from gateway.operations.metrics.histogram import Histogram
from gateway.operations.metrics.latest import Latest
from gateway.operations.metrics.samples import Samples
from gateway.operations.metrics.tally import Tally

Value = tuple[str, tuple[str, ...], float]
"""Name of a metric, values of its labels, value."""

HAPPENED: Mapping[str, str] = {
    "fetion_resends": "resends",
    "fetion_long_incomplete": "incomplete",
    "fetion_parked": "parked",
    "fetion_late_answers": "late_answers",
    "fetion_moved": "moved",
    "fetion_binds_refused": "binds_refused",
    "fetion_connections_refused": "turned_away",
    "fetion_store_failures": "store_failures",
    "fetion_province_refusals": "province_refusals",
    "fetion_province_silences": "province_silences",
    "fetion_console_logins_failed": "logins_failed",
    "fetion_bugs": "bugs",
}
"""Metric -> what Tally calls it."""


def histograms(tally: Tally, samples: Samples) -> Mapping[str, Histogram]:
    """Metric -> what was counted."""
    return {
        "fetion_round_trip_seconds": tally.round_trip,
        "fetion_batch_size": tally.batch,
        "fetion_commit_seconds": tally.commit,
        "fetion_event_loop_lag_seconds": samples.lag,
    }


def counted(tally: Tally, latest: Latest) -> Iterator[Value]:
    """What was counted since the start."""
    for direction, messages in (("in", tally.came), ("out", tally.left)):
        for key, count in messages.items():
            yield "fetion_messages", (direction, *key), count
    for name, kinds in (
        ("fetion_refusals", tally.refused),
        ("fetion_deferrals", tally.deferrals),
        ("fetion_receipts", tally.receipts),
    ):
        for kind, number in kinds.counts.items():
            yield name, (kind,), number
    for name, event in HAPPENED.items():
        yield name, (), tally.happened[event]
    yield "fetion_retries", (), tally.retries
    for state, number in tally.spans.items():
        yield "fetion_spans", (state,), number
    for event, number in latest.counts.items():
        yield "fetion_alarms", (event,), number


def measured(now: Now) -> Iterator[Value]:
    """The gateway at this moment."""
    status = now.status
    outbox, store = status["outbox"], status["store"]
    yield "fetion_outbox_depth", (), outbox["depth"]
    yield "fetion_outbox_limit", (), outbox["limit"]
    yield "fetion_outbox_in_flight", (), outbox["in_flight"]
    yield "fetion_queue_depth", (), now.queue
    yield "fetion_queue_limit", (), now.queue_limit
    yield "fetion_load_ratio", (), now.load
    yield "fetion_event_loop_busy_ratio", (), now.loop
    yield "fetion_figures_waiting", (), now.uncounted
    yield "fetion_store_up", (), not store["failures"]
    yield "fetion_store_failing_seconds", (), store["failing_s"]
    yield "fetion_log_lines_lost", (), now.lost
    yield "fetion_clock_ahead_seconds", (), now.ahead_s
    yield "fetion_ready", (), not now.faults
    yield "fetion_up_seconds", (), status["up_s"]
    yield "fetion_build_info", (status["version"], status["tables"]), 1
    yield from _binds(now.binds, status["binds"])
    yield from _links(status["links"])
    yield from _around(status)


def _binds(binds: Binds, accounts: Mapping[str, Any]) -> Iterator[Value]:
    yield "fetion_binds", ("receiving",), binds.receiving
    yield "fetion_binds", ("other",), binds.other
    for account in accounts:
        yield "fetion_account_binds", (account,), binds.by_account.get(account, 0)
    for account, window in binds.windows.items():
        for direction, used, limit in (
            ("in", window.used_in, window.limit_in),
            ("out", window.used_out, window.limit_out),
        ):
            yield "fetion_window_used", (account, direction), used
            yield "fetion_window_limit", (account, direction), limit


def _links(links: list[Mapping[str, Any]]) -> Iterator[Value]:
    for link in links:
        labels = (str(link["name"]), str(link["mode"]))
        yield "fetion_link_up", labels, link["session"] is not None
        yield "fetion_link_failures", labels, link["failures"]


def _around(status: Mapping[str, Any]) -> Iterator[Value]:
    """Brokers, consumers of events, other nodes."""
    for consumer, link in status["brokers"].items():
        yield "fetion_broker_connected", (consumer,), bool(link["connected"])
    for consumer, events in status["events"].items():
        yield "fetion_events_waiting", (consumer,), events["waiting"]
        yield "fetion_events_parked", (consumer,), events["parked"]
        yield "fetion_events_dropped", (consumer,), events["dropped"]
    live = sum(1 for node in status["nodes"] if node["live"])
    yield "fetion_nodes", ("live",), live
    yield "fetion_nodes", ("dead",), len(status["nodes"]) - live
