"""The page of metrics on a port of its own, in Prometheus' formats, over all workers of this server.

Of its own, since what a server does is nobody's business who can reach it: whoever asks here shows no token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from itertools import accumulate

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from codraw.metrics import FAMILIES, Ask, Family, Row

PATIENCE_S = 3.0
HANGING: Mapping[int, None] = {0: None}
"""The process is here, and its loop does not turn."""
WORKER = "worker"
BUILT: Mapping[str, Callable[..., Metric]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Exposition(Collector):
    """Listens from the start, and shows something once it was told whom to ask. Raises OSError."""

    def __init__(self, host: str, port: int) -> None:
        self._asked: tuple[Ask, asyncio.AbstractEventLoop] | None = None
        registry = CollectorRegistry()
        registry.register(self)
        self._server, self._thread = start_http_server(port, host, registry)

    def ask(self, whom: Ask) -> None:
        """In the running event loop, from the thread that serves the page."""
        self._asked = whom, asyncio.get_running_loop()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        return families(self._answers())

    def _answers(self) -> Mapping[int, Sequence[Row] | None]:
        if self._asked is None:
            return {}
        whom, loop = self._asked
        asking = _rows(whom)
        try:
            return asyncio.run_coroutine_threadsafe(asking, loop).result(PATIENCE_S)
        except (TimeoutError, CancelledError):
            return HANGING
        except RuntimeError:
            asking.close()  # the loop is over
            return HANGING


async def _rows(whom: Ask) -> Mapping[int, Sequence[Row] | None]:
    return await whom()


def families(answers: Mapping[int, Sequence[Row] | None]) -> Iterator[Metric]:
    """Each with the worker's place as first label: a new process at the same place begins to count anew."""
    up = GaugeMetricFamily("codraw_worker_up", "1 if the worker answers", labels=(WORKER,))
    made = {family.name: (family, _empty(family)) for family in FAMILIES}
    for place, rows in sorted(answers.items()):
        up.add_metric((str(place),), float(rows is not None))
        for name, labels, value in rows or ():
            # A worker of a newer version may know what its parent does not.
            if name in made and len(labels) == len(made[name][0].labels):
                _add(*made[name], (str(place), *labels), value)
    yield up
    yield from (metric for _, metric in made.values() if metric.samples)


def _empty(family: Family) -> Metric:
    return BUILT[family.kind](family.name, family.help, labels=(WORKER, *family.labels))


def _add(family: Family, metric: Metric, labels: Sequence[str], value: float | Sequence[float]) -> None:
    if isinstance(metric, HistogramMetricFamily):
        if not isinstance(value, (int, float)):
            total, *counts = value
            bounds = (*(str(float(bound)) for bound in family.bounds), "+Inf")
            metric.add_metric(labels, [*zip(bounds, accumulate(counts), strict=True)], total)
    elif isinstance(metric, (CounterMetricFamily, GaugeMetricFamily)) and isinstance(value, (int, float)):
        metric.add_metric(labels, value)
