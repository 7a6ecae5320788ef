"""All metrics of a run by metric and node: what the matrix and the overview both show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..checks.peers import outliers
from ..records.records import Record
from . import metric_catalogue


class Key(NamedTuple):
    """One row or column: a metric, one of its statistics ("value" or a percentile), its unit.

    What processors measured is a row of its own (``on_cpu``) where the metric's name is a GPU's:
    one median over both would be neither's.
    """

    id: str
    statistic: str
    unit: str
    on_cpu: bool = False

    @property
    def measure(self) -> metric_catalogue.Measure:
        """What the metric is called and where it belongs."""
        return metric_catalogue.of(self.id)

    @property
    def shown_id(self) -> str:
        """Its id, told apart where one id has a row of GPUs and one of processors."""
        return f"{self.id} (CPU)" if self.on_cpu else self.id

    @property
    def label(self) -> str:
        """The metric's name for a reader, with its statistic where it has several."""
        if self.on_cpu:
            return self.measure.on_cpu
        if not self.measure.percentiles:
            return self.measure.label
        return f"{self.measure.label}, {'mean' if self.statistic == 'value' else self.statistic}"


class Sample(NamedTuple):
    """One measured number and its mark as an outlier."""

    value: float
    mark: outliers.Mark | None


# By key and node, the samples of each of the node's parts; [] where the value is null.
Measured = dict[Key, dict[str, list[Sample]]]


def of(records: Mapping[str, Record]) -> Measured:
    """Return every number that a node measured on itself or its parts, in the order of reading.

    What was measured between two nodes is left to the heat map. A metric whose value is null is
    kept without a sample: it applies, and there is no number.
    """
    found: Measured = {}
    for node, record in sorted(records.items()):
        for metric in record["metrics"]:
            if metric["scope"].startswith("peer:"):
                continue
            for key, value in _statistics(metric):
                samples = found.setdefault(key, {}).setdefault(node, [])
                if value is not None:
                    samples.append(Sample(value, outliers.of(record, metric)))
    return dict(sorted(found.items(), key=lambda item: metric_catalogue.order(item[0].id)))


def _statistics(metric: Mapping[str, Any]) -> Iterator[tuple[Key, float | None]]:
    measure = metric_catalogue.of(metric["id"])
    on_cpu = bool(measure.on_cpu) and metric["scope"] == "cpu"
    for statistic in ("value", *measure.percentiles):
        yield Key(metric["id"], statistic, metric["unit"], on_cpu), metric.get(statistic)
