"""Cases of what the stage fleet judges: nodes beside each other, and beside their past."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet_samples as samples
from bench_documents import GPU, benchmarked, healthy
from check_case import Case, Findings, Fixture
from history_lab import OTHER, Lab, bad, gpu, node
from uniformity_samples import CHANGES, lab, same

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import uniformity
from ansible_collections.gpulab.core.plugins.plugin_utils.history import baselines, history
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records


def of_three(change: Callable[[dict[str, Any]], object]) -> Fixture:
    """Compare three nodes that are alike but for this change of one, and take its findings."""
    return lambda _: uniformity.judge(lab(same, change, same))["node01"]


def compared(metric: str, *values: float) -> Fixture:
    """Compare nodes that measured these values, and take the last one's findings."""

    def judged(folder: Path) -> Findings:
        nodes = []
        for number, value in enumerate(values):
            record = node(f"node{number}", gpu(f"GPU-{number}"))
            found = {"id": metric, "scope": "node", "value": value, "unit": "x"}
            records.add_benchmark(record, samples.benchmark(metrics=[found]))
            nodes.append(record)
        return checks(Lab(folder).run(*nodes), nodes[-1])

    return judged


def checks(folder: Path, record: records.Record) -> Findings:
    """Return what a run's report left of a node's stage fleet."""
    saved = records.load(folder / f"{record['host']['name']}.json")
    return [found for found in saved["checks"] if found["stage"] == records.FLEET]


def came_back(folder: Path) -> Findings:
    """A GPU fails, is away, and is there again."""
    runs = Lab(folder)
    runs.run(node("node01", gpu(), checks=[bad()]))
    runs.run(node("node01", gpu(OTHER)))
    again = node("node01", gpu())
    return checks(runs.run(again), again)


def stayed(folder: Path) -> Findings:
    """Nothing ever failed."""
    fine = node("node01", gpu())
    return checks(Lab(folder).run(fine), fine)


def of_gpu(model: str) -> Fixture:
    """Benchmark one GPU of a model."""

    def judged(folder: Path) -> Findings:
        record = node("node01", gpu())
        records.add_benchmark(record, benchmarked(healthy({**GPU, "name": model})))
        return checks(Lab(folder).run(record), record)

    return judged


def forgot(folder: Path) -> Findings:
    """The history is no database."""
    state = paths.state_dir(samples.LAB)
    state.mkdir(parents=True)
    (state / history.FILE).write_bytes(b"this is no database at all, is it")
    return stayed(folder)


CASES = {
    "uniform": Case(
        of_three(same),
        "what is odd has a finding of its trait",
        "what was not read has no vote: the check that reads it is unknown",
    ),
    **{
        f"uniform.{trait}": Case(
            "all that is as usual makes one pass: uniform",
            of_three(change),
            "what was not read has no vote: the check that reads it is unknown",
        )
        for trait, change in CHANGES.items()
    },
    "baseline": Case(
        compared("gemm.tflops", 700.0, 701.0, 699.0),
        "an outlier has a finding of its metric",
        "a metric without a value is not compared: the check that judges it is unknown",
    ),
    **{
        check.id: Case(
            "all that is as usual makes one pass: baseline",
            compared(metric, 700.0, 701.0, 350.0),
            "a metric without a value is not compared: the check that judges it is unknown",
        )
        for metric, check in baselines.CHECKS.items()
    },
    "speed.judged": Case(
        of_gpu("NVIDIA H100 80GB HBM3"),
        "what nothing judges is unknown, by default at the weight of a warning",
        of_gpu("Tesla V100-PCIE-16GB"),
    ),
    "part.returned": Case(stayed, came_back, forgot),
}
