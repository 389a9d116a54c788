"""/metrics: the rows of metrics(), and the service's own process, in Prometheus' text format.

Where the database does not answer, ml_database_up is 0 and its other metrics are absent: no old value is told as if it
were new. The answer is 200 all the same, since the service is up.
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

#: Seconds; deploy/prometheus waits four.
TIMEOUT = 3.5
_HISTOGRAM = ("_bucket", "_sum", "_count")


async def read_metrics(pool: DatabasePool) -> PreparedResponse:
    """All of them, always 200."""
    try:
        rows = await pool.fetch("select name, labels, value, type, help from public.metrics()", timeout=TIMEOUT)
    except (DatabaseGone, QueryRefused):
        return PreparedResponse(200, format_metrics([], up=False), CONTENT_TYPE_PLAIN_0_0_4)
    return PreparedResponse(200, format_metrics(rows, up=True), CONTENT_TYPE_PLAIN_0_0_4)


def format_metrics(rows: Iterable[dict[str, Any]], *, up: bool) -> bytes:
    """Rows of metrics() as text, each family together, the buckets of a histogram in order."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Rows(rows, up=up))
    return generate_latest(registry)


class _Rows(Collector):
    def __init__(self, rows: Iterable[dict[str, Any]], *, up: bool) -> None:
        self._rows = list(rows)
        self._up = up

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("ml_database_up", "1 while the database answers candlecast serve, else 0.", self._up)
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
    """The name that HELP and TYPE carry: of a histogram's samples without the suffix; prometheus_client adds _total."""
    if of_type == "counter":
        return name.removesuffix("_total")
    if of_type == "histogram":
        for suffix in _HISTOGRAM:
            if name.endswith(suffix):
                return name.removesuffix(suffix)
    return name


def _sort_key(name: str, sample: Sample) -> tuple[Any, ...]:
    """Each series together: its buckets from the smallest on, then sum and count."""
    series = sorted((label, value) for label, value in sample.labels.items() if label != "le")
    return (series, _HISTOGRAM.index(sample.name.removeprefix(name)), float(sample.labels.get("le", "0")))
