"""Whether anything says how fast a node's GPUs have to be.

A gate holds a number against what is published of the GPU's model (`checks.benchmark.published`), a
baseline against what its like have measured. Where there is neither, any speed passes; a person has
to know that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...history import baselines
from ...records.parts import node_part
from ...records.records import Record
from ..benchmark.published import ALLREDUCE_GPUS, Published, published
from ..benchmark.result import items_at, text_at
from ..finding import Check, Finding

CHECK = Check(
    id="speed.judged",
    title="Limits of the GPUs' speed",
    source="benchmark; published rates; the cohort's values",
    threshold="each speed of each GPU has a limit: what is published of its model, or a baseline. "
    "One without warns, and is unknown where `lab_admission.require_speed` demands it",
    threshold_source="what is held against nothing has not been judged",
    severity="warn",
    action="compare the numbers by hand with those of a GPU of this model that is known to be good",
)


class _Gate(NamedTuple):
    """A speed of a GPU: in words, its metric, and the column of the published table."""

    name: str
    metric: str
    column: str


_OF_EACH = (
    _Gate("matrix products", "gemm.tflops", "gemm_tflops"),
    _Gate("memory bandwidth", "memory_bandwidth.device", "memory_gbs"),
    _Gate("host to GPU", "memory_bandwidth.h2d", "h2d_gbs"),
)
_OF_ALL = _Gate("all-reduce", "allreduce.bus", "allreduce_gbs")


def judge(record: Record, *, required: bool) -> list[Finding]:
    """Return whether each speed of a node's GPUs had a limit; nothing of a node that used none.

    Args:
        record: The node's, with the baselines filled in.
        required: The lab demands it.
    """
    gpus = items_at(record["benchmark"] or {}, "devices")
    if not gpus:
        return []
    names = list(dict.fromkeys(text_at(gpu, "name") for gpu in gpus))
    missing = [told for gate in _OF_EACH if (told := _of_each(record, gate, gpus))]
    if len(gpus) > 1 and (told := _of_all(record, gpus)):
        missing.append(told)
    part = node_part(record["host"]["name"])
    if not missing:
        return [CHECK.finding("pass", part, evidence="each speed of its GPUs was held to a limit")]
    return [
        CHECK.finding(
            "unknown",
            part,
            evidence=f"speed not judged: {', '.join(missing)}; nothing is published for it of "
            f"{' and '.join(names)}, and fewer than {baselines.FEW} values of its like are known",
            severity="fail" if required else "warn",
        )
    ]


def _of_each(record: Record, gate: _Gate, gpus: list[Mapping[str, Any]]) -> str:
    """Return the gate in words where a GPU has no limit for it, or ""."""
    measured = _measured(record, gate)
    without = [
        measured.get(f"gpu:{text_at(gpu, 'uuid')}")
        for gpu in gpus
        if not _limit(published(text_at(gpu, "name")), gate)
    ]
    return _told(gate, without)


def _of_all(record: Record, gpus: list[Mapping[str, Any]]) -> str:
    rows = {published(text_at(gpu, "name")) for gpu in gpus}
    whole = len(rows) == 1 and len(gpus) == ALLREDUCE_GPUS
    if whole and _limit(rows.pop(), _OF_ALL):
        return ""
    return _told(_OF_ALL, [next(iter(_measured(record, _OF_ALL).values()), None)])


def _told(gate: _Gate, metrics: list[Mapping[str, Any] | None]) -> str:
    without = [metric for metric in metrics if metric is None or metric.get("baseline") is None]
    if not without:
        return ""
    unmeasured = all(metric is None or metric["value"] is None for metric in without)
    return f"{gate.name} (not measured)" if unmeasured else gate.name


def _limit(row: Published | None, gate: _Gate) -> bool:
    return row is not None and getattr(row, gate.column) is not None


def _measured(record: Record, gate: _Gate) -> dict[str, Mapping[str, Any]]:
    return {m["scope"]: m for m in record["metrics"] if m["id"] == gate.metric}
