"""Renders all metrics in the text formats of Prometheus and OpenMetrics, once per scrape."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from gateway.operations.metrics.gauges import Now
from gateway.operations.metrics.latest import Latest
from gateway.operations.metrics.names import METRICS, Metric, Sort
from gateway.operations.metrics.samples import Samples
from gateway.operations.metrics.tally import Tally
from gateway.operations.metrics.values import Value, counted, histograms, measured

OPEN: Final = "application/openmetrics-text"
Sizes = tuple[Sequence[float], Sequence[int], float]
"""Bounds, cumulative counts and sum of a histogram."""


class Exposition:
    """Writes what was counted: values are read in the event loop, text is made in a thread, one at a time."""

    def __init__(self, tally: Tally, latest: Latest, samples: Samples) -> None:
        self._tally = tally
        self._latest = latest
        self._samples = samples
        self._process = ProcessCollector(namespace="fetion", registry=None)
        self._one = asyncio.Lock()

    async def render(self, now: Now, accept: str) -> tuple[str, bytes]:
        """The content type and the text for what a monitoring system accepts (its header Accept)."""
        async with self._one:
            values = [*counted(self._tally, self._latest), *measured(now)]
            sizes = {
                name: (each.bounds, each.cumulative, each.total)
                for name, each in histograms(self._tally, self._samples).items()
            }
            return await asyncio.to_thread(self._text, values, sizes, accept)

    def _text(self, values: Sequence[Value], sizes: Mapping[str, Sizes], accept: str) -> tuple[str, bytes]:
        # The library fails on versions that are no numbers: it is told one of two that it knows.
        encode, content_type = choose_encoder(f"{OPEN}; version=1.0.0" if OPEN in accept else "")
        registry = CollectorRegistry()
        registry.register(_Once(chain(_families(values, sizes), self._process.collect())))
        return content_type, encode(registry)


def _families(values: Sequence[Value], sizes: Mapping[str, Sizes]) -> Iterator[Family]:
    found: dict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
    for name, labels, value in values:
        found[name].append((labels, value))
    for metric in METRICS:
        if metric.sort is Sort.HISTOGRAM:
            yield _histogram(metric, *sizes[metric.name])
        else:
            yield _family(metric, found[metric.name])


class _Once:
    """A collector of what is there now."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        """For a registry, which asks once."""
        return self._families

    def describe(self) -> Iterable[Family]:
        """For a registry: nothing is asked before the scrape."""
        return ()


def _family(metric: Metric, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    kind = CounterMetricFamily if metric.sort is Sort.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, float(value))
    return family


def _histogram(metric: Metric, bounds: Sequence[float], cumulative: Sequence[int], total: float) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help)
    names = [*(repr(float(bound)) for bound in bounds), "+Inf"]
    family.add_metric((), list(zip(names, map(float, cumulative), strict=True)), total)
    return family
