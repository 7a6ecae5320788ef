"""A GPU whose speed nothing judges is named, and a lab can demand that none is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_documents import CPU, GPU, benchmarked, healthy
from history_lab import gpu, node, past_file

from ansible_collections.gpulab.core.plugins.plugin_utils.admission import admission
from ansible_collections.gpulab.core.plugins.plugin_utils.records import records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

V100 = "Tesla V100-PCIE-16GB"
H100 = "NVIDIA H100 80GB HBM3"


def trained(name: str, model: str, device: dict[str, Any] = GPU, **changes: Any) -> records.Record:
    """A node with one GPU of this model, and what its benchmark printed."""
    document = healthy({**device, "name": model})
    document.update(changes)
    record = node(name, gpu(f"GPU-of-{name}"))
    records.add_benchmark(record, benchmarked(document))
    return record


def written(run_dir: Path, *nodes: records.Record, **options: Any) -> report.Report:
    for record in nodes:
        records.save(record, run_dir)
    return report.write(run_dir, [], "basement", **options)


def told(run_dir: Path, name: str) -> dict[str, Any]:
    checks = records.load(run_dir / f"{name}.json")["checks"]
    (found,) = [check for check in checks if check["id"] == "speed.judged"]
    return found


def test_two_gpus_of_which_nothing_is_published_are_said_not_to_be_judged(run_dir: Path) -> None:
    made = written(run_dir, trained("node01", V100), trained("node02", V100))
    found = told(run_dir, "node01")
    assert (found["status"], found["severity"]) == ("unknown", "warn")
    assert found["evidence"].startswith(
        "speed not judged: matrix products, memory bandwidth, host to GPU; nothing is published "
        f"for it of {V100}"
    )
    # In the terminal, on the page, in the record and in the summary.
    assert "speed not judged: matrix products" in "\n".join(line.text for line in made.lines)
    for file in (report.PAGE, report.SUMMARY, report.JUNIT, "node01.json"):
        assert "speed not judged: matrix products" in (run_dir / file).read_text(), file
    assert {n["verdict"] for n in made.summary["nodes"]} == {"warn"}
    assert {n["state"] for n in made.summary["nodes"]} == {admission.IN_SERVICE}


def test_a_lab_that_demands_it_does_not_admit_them(run_dir: Path) -> None:
    nodes = trained("node01", V100), trained("node02", V100)
    made = written(run_dir, *nodes, require_speed=True)
    assert {n["verdict"] for n in made.summary["nodes"]} == {"unknown"}
    assert {n["state"] for n in made.summary["nodes"]} == {admission.UNVERIFIED}
    assert "speed not judged" in made.summary["nodes"][0]["state_reason"]
    # A report that does not know the inventory holds to what the last one had.
    assert report.main([str(run_dir)]) == 1
    state = json.loads((past_file().parent / admission.FILE).read_text())
    assert state["policy"]["require_speed"] is True
    assert {entry["state"] for entry in state["nodes"].values()} == {admission.UNVERIFIED}
    # The demand is dropped.
    made = written(run_dir, require_speed=False)
    assert {n["state"] for n in made.summary["nodes"]} == {admission.IN_SERVICE}


def test_three_of_a_kind_have_a_baseline(run_dir: Path) -> None:
    names = ("node01", "node02", "node03")
    made = written(run_dir, *(trained(name, V100) for name in names), require_speed=True)
    assert {n["verdict"] for n in made.summary["nodes"]} == {"pass"}
    assert told(run_dir, "node03")["status"] == "pass"


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        (H100, ""),
        # Some of its numbers are published.
        ("Tesla V100-SXM2-16GB", "matrix products"),
        ("NVIDIA L40S", "matrix products, host to GPU"),
        ("NVIDIA B200", "host to GPU"),
        # A share of a GPU is none.
        ("NVIDIA H100 80GB HBM3 MIG 3g.40gb", "matrix products, memory bandwidth, host to GPU"),
    ],
)
def test_each_speed_without_a_limit_is_named(run_dir: Path, model: str, missing: str) -> None:
    written(run_dir, trained("node01", model))
    found = told(run_dir, "node01")
    if missing:
        assert f"speed not judged: {missing}; " in found["evidence"]
    else:
        assert found["status"] == "pass"


def test_what_was_not_measured_has_no_limit_either(run_dir: Path) -> None:
    written(run_dir, trained("node01", V100, gemm=None))
    assert (
        "speed not judged: matrix products (not measured)," in told(run_dir, "node01")["evidence"]
    )


@pytest.mark.parametrize(
    ("models", "named"),
    [
        ([V100] * 2, True),
        # Eight of a model have a published exchange, two have none.
        ([H100] * 2, True),
        ([H100] * 8, False),
        ([H100] * 7 + [V100], True),
    ],
)
def test_the_exchange_of_several_gpus(run_dir: Path, models: list[str], named: bool) -> None:
    keys = ("name", "uuid", "bdf", "capability", "memory_bytes")
    devices = [
        {**{key: GPU[key] for key in keys}, "name": model, "uuid": f"GPU-{number}"}
        for number, model in enumerate(models)
    ]
    written(run_dir, trained("node01", H100, devices=devices))
    assert ("all-reduce" in told(run_dir, "node01")["evidence"]) == named


def test_a_node_without_gpus_is_not_asked(run_dir: Path) -> None:
    record = trained("node01", CPU["name"], CPU)
    made = written(run_dir, record, require_speed=True)
    assert made.summary["verdict"] == "pass"
    assert "speed.judged" not in (run_dir / "node01.json").read_text()


def test_a_processor_s_numbers_have_no_gpu_s_name(run_dir: Path) -> None:
    record = trained("node01", CPU["name"], CPU)
    written(run_dir, record)
    page = (run_dir / report.PAGE).read_text()
    assert "GPU memory bandwidth" not in page
    assert "All-reduce between GPUs" not in page
    assert "Host memory bandwidth, CPU" in page
    written(run_dir, trained("node02", H100))
    page = (run_dir / report.PAGE).read_text()
    assert "GPU memory bandwidth" in page
    assert "Host memory bandwidth, CPU" in page
