"""/metrics: the rows of metrics() and the process metrics of the service, in the Prometheus text format.

If the database does not answer, ml_database_up is 0 and the metrics of the database are absent, so that no old value
appears as a current one. The status is 200 in any case, because the service itself is up.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from candlecast.core.errors import DatabaseGone, QueryRefused
from candlecast.web.pool import DatabasePool
from candlecast.web.responses import PreparedResponse

#: Seconds. The scrape timeout in deploy/prometheus is 4 seconds.
TIMEOUT = 3.5
_HISTOGRAM = ("_bucket", "_sum", "_count")


async def read_metrics(pool: DatabasePool) -> PreparedResponse:
    """All metrics; the status is always 200."""
    try:
        rows = await pool.fetch("select name, labels, value, type, help from public.metrics()", timeout=TIMEOUT)
    except (DatabaseGone, QueryRefused):
        return PreparedResponse(200, format_metrics([], up=False), CONTENT_TYPE_PLAIN_0_0_4)
    return PreparedResponse(200, format_metrics(rows, up=True), CONTENT_TYPE_PLAIN_0_0_4)


def format_metrics(rows: Iterable[dict[str, Any]], *, up: bool) -> bytes:
    """Rows of metrics() as text, grouped by family, with the buckets of each histogram in order."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Rows(rows, up=up))
    return generate_latest(registry)


class _Rows(Collector):
    def __init__(self, rows: Iterable[dict[str, Any]], *, up: bool) -> None:
        self._rows = list(rows)
        self._up = up

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("ml_database_up", "1 if the database answers candlecast serve, else 0.", self._up)
        families: dict[str, Metric] = {}
        for row in self._rows:
            name = find_family(row["name"], row["type"])
            family = families.setdefault(name, Metric(name, row["help"], row["type"]))
            labels = {label: str(value) for label, value in (row["labels"] or {}).items()}
            family.add_sample(row["name"], labels, float("nan") if row["value"] is None else row["value"])
        for family in families.values():
            if family.type == "histogram":
                family.samples.sort(key=lambda sample: _sort_key(family.name, sample))
            yield family


def find_family(name: str, of_type: str) -> str:
    """The family name, used in HELP and TYPE: without the suffixes of histograms and counters.

    prometheus_client adds _total.
    """
    if of_type == "counter":
        return name.removesuffix("_total")
    if of_type == "histogram":
        for suffix in _HISTOGRAM:
            if name.endswith(suffix):
                return name.removesuffix(suffix)
    return name


def _sort_key(name: str, sample: Sample) -> tuple[Any, ...]:
    """Sorts by series; within a series the buckets in ascending order, then sum and count."""
    series = sorted((label, value) for label, value in sample.labels.items() if label != "le")
    return (series, _HISTOGRAM.index(sample.name.removeprefix(name)), float(sample.labels.get("le", "0")))
