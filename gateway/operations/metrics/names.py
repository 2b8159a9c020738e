"""Every metric: its name, its kind, its labels and what it is. docs/metrics.md explains them."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Sort(Enum):
    """How the values of a metric behave."""

    COUNTER = "counter"  # only grows, from 0 at the start
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter is scraped under its name with _total, a histogram with _bucket, _sum, _count."""

    name: str
    sort: Sort
    help: str
    labels: tuple[str, ...] = ()


C, G, H = Sort.COUNTER, Sort.GAUGE, Sort.HISTOGRAM

METRICS: Final = (
    Metric(
        "fetion_messages",
        C,
        "SMS: in, from handsets, answered; out, to handsets, closed",
        ("direction", "purpose", "outcome", "province"),
    ),
    Metric("fetion_round_trip_seconds", H, "From the coming of an SMS to its answer, behind its commit"),
    Metric("fetion_batch_size", H, "SMS from handsets in one commit"),
    Metric("fetion_commit_seconds", H, "How long the store took for a commit"),
    Metric("fetion_refusals", C, "SMS answered negatively, by the status of the answer", ("status",)),
    Metric("fetion_resends", C, "SMS that came again and were recognised"),
    Metric("fetion_long_incomplete", C, "Long messages given up because parts did not come"),
    Metric("fetion_deferrals", C, "SMS to handsets that had to wait, by reason", ("reason",)),
    Metric("fetion_retries", C, "Attempts beyond the first one, of closed SMS"),
    Metric("fetion_parked", C, "SMS parked for an operator's decision"),
    Metric("fetion_late_answers", C, "Answers of peers behind the response timer"),
    Metric("fetion_moved", C, "SMS that leave through the backup of their account"),
    Metric("fetion_receipts", C, "Delivery receipts, by what they say", ("state",)),
    Metric("fetion_outbox_depth", G, "SMS to handsets that wait or are in flight"),
    Metric("fetion_outbox_limit", G, "SMS in the outbox at which new SMS are refused"),
    Metric("fetion_outbox_in_flight", G, "SMS to handsets that left and are not answered"),
    Metric("fetion_queue_depth", G, "SMS from handsets that wait for a batch"),
    Metric("fetion_queue_limit", G, "SMS in the queue at which new SMS are refused"),
    Metric("fetion_load_ratio", G, "How busy the gateway is: 0 idle, 1 congested"),
    Metric("fetion_event_loop_busy_ratio", G, "Part of its time that the event loop computes"),
    Metric("fetion_figures_waiting", G, "Commits that are not in the figures of the statistics yet"),
    Metric("fetion_binds", G, "Live binds: receiving, those that take SMS now; other", ("state",)),
    Metric("fetion_account_binds", G, "Live binds of each account", ("account",)),
    Metric("fetion_window_used", G, "PDUs that wait for an answer", ("account", "direction")),
    Metric("fetion_window_limit", G, "PDUs that may wait for an answer", ("account", "direction")),
    Metric("fetion_binds_refused", C, "Binds refused"),
    Metric("fetion_connections_refused", C, "Connections closed before they were bound"),
    Metric("fetion_link_up", G, "Whether a bind of a link stands: 1 or 0", ("link", "mode")),
    Metric("fetion_link_failures", G, "Failures in a row of a link that is dialled", ("link", "mode")),
    Metric("fetion_store_up", G, "Whether the store takes batches: 1 or 0"),
    Metric("fetion_store_failing_seconds", G, "For how long the store has failed"),
    Metric("fetion_store_failures", C, "Commits that the store did not take"),
    Metric("fetion_broker_connected", G, "Whether a consumer reaches its broker: 1 or 0", ("consumer",)),
    Metric("fetion_events_waiting", G, "Events that wait for a consumer", ("consumer",)),
    Metric("fetion_events_parked", G, "Events that a consumer has refused", ("consumer",)),
    Metric("fetion_events_dropped", C, "Events that went before a consumer took them", ("consumer",)),
    Metric("fetion_province_refusals", C, "SMS of systems of provinces that were not sent"),
    Metric("fetion_province_silences", C, "SMS that a province's system did not answer in time"),
    Metric("fetion_nodes", G, "Nodes on the same store", ("state",)),
    Metric("fetion_event_loop_lag_seconds", H, "By how much ticks of the event loop came late"),
    Metric("fetion_spans", C, "Spans for OpenTelemetry, by what became of them", ("state",)),
    Metric("fetion_log_lines_lost", C, "Lines of the log that were lost"),
    Metric("fetion_clock_ahead_seconds", G, "By how much the machine's clock has gone back"),
    Metric("fetion_console_logins_failed", C, "Logins at the console that were refused"),
    Metric("fetion_alarms", C, "What an operator wants to know of, by the event of the log", ("alarm",)),
    Metric("fetion_bugs", C, "Bugs that were met"),
    Metric("fetion_ready", G, "Whether /readyz says yes: 1 or 0"),
    Metric("fetion_up_seconds", G, "Since the start"),
    Metric(
        "fetion_build_info", G, "Version of the gateway and of the tables in force", ("version", "tables")
    ),
)
"""In the order in which they are shown. Those of the process (fetion_process_...) come from its library."""

PROCESS: Final = (
    Metric("fetion_process_virtual_memory_bytes", G, "Virtual memory"),
    Metric("fetion_process_resident_memory_bytes", G, "Memory in use"),
    Metric("fetion_process_start_time_seconds", G, "When the process started, seconds since the epoch"),
    Metric("fetion_process_cpu_seconds", C, "Processor time used"),
    Metric("fetion_process_open_fds", G, "Open files and sockets"),
    Metric("fetion_process_max_fds", G, "How many may be open"),
)
"""Of the process, where the system tells them (Linux)."""
