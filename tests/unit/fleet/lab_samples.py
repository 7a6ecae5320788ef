"""A lab of any size with everything that a report can show, and the faults that it must show."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import fleet_samples as samples

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records

GPU = "NVIDIA H100 80GB HBM3"
# Checks of each GPU, so that a node has as many findings as a real one.
_GPU_CHECKS = ("gpu.ecc", "gpu.remap", "gpu.link", "gpu.power", "gpu.temperature", "gpu.nvlink")
_NODE_CHECKS = (
    "cpu.cores", "memory.size", "memory.dimms", "memory.errors", "disk.capacity", "disk.health",
    "nic.speed", "nic.errors", "clock.sync", "os.kernel", "psu.redundant", "fan.status",
)  # fmt: skip


def uuid(node: str, gpu: int) -> str:
    return f"GPU-{node}-{gpu:04}"


def gpu_part(node: str, gpu: int) -> dict[str, str]:
    return {
        "kind": "gpu",
        "name": GPU,
        "serial": f"16549220{gpu:02}{abs(hash(node)) % 1000:03}",
        "bdf": f"0000:{16 + 9 * gpu:02X}:00.0",
        "slot": str(gpu + 1),
        "uuid": uuid(node, gpu),
        "port": "",
    }


def metric(name: str, value: float | None, unit: str, scope: str = "node", **more: Any) -> dict:
    blank = dict.fromkeys(("n", "p50", "p95", "p99", "baseline", "z"))
    return {"id": name, "scope": scope, "value": value, "unit": unit, **blank, **more}


def metrics_of(node: str, gpus: int, chance: random.Random, slow: float = 1.0) -> list[dict]:
    """Return all metrics of the guide; ``slow`` below 1 makes the node an outlier in training."""

    def near(value: float, spread: float = 0.01) -> float:
        return value * (1 + chance.gauss(0, spread))

    tokens = near(187_400) * slow
    response = near(4.1)
    found = [
        metric("train.epoch_s", near(212.0) / slow, "s"),
        metric("train.tokens_per_s", tokens, "1/s", n=140, baseline=187_100.0, z=-9.4 * (slow < 1)),
        metric("train.step_s", 0.0875 / slow, "s", n=140, p50=0.0874 / slow, p95=0.091 / slow),
        metric("train.mfu", near(0.41) * slow, ""),
        metric("train.loss_first", near(3.41), "nat"),
        metric("train.loss_last", near(0.42), "nat"),
        metric("train.nonfinite_steps", 0, ""),
        metric("ddp.tokens_per_s", gpus * tokens * 0.93, "1/s"),
        metric("ddp.efficiency", near(0.93), ""),
        metric("inference.requests_per_s.c1", near(241.0), "1/s"),
        metric("inference.requests_per_s.c8", near(1322.0), "1/s"),
        metric("gpu.utilization_train", near(97.2, 0.004), "%"),
        metric("gpu.utilization_inference", near(64.0, 0.03), "%"),
        metric("accuracy.precision", 0.997, ""),
        metric("accuracy.recall", 0.996, ""),
        metric("accuracy.f1", 0.9965, ""),
        metric("accuracy.pass_at_1", near(0.984, 0.002), ""),
        metric("accuracy.token", 0.998, ""),
        metric("memory.gpu_utilization", near(71.0), "%"),
        metric("memory.gpu_peak", 61_203_283_968, "B"),
        metric("memory.host_utilization", near(18.0, 0.05), "%"),
        metric("memory.host_peak", 24_696_061_952, "B"),
        metric("disk.read", near(2961.0, 0.03), "MB/s"),
        metric("disk.write", near(1804.0, 0.03), "MB/s"),
        metric("network.bandwidth", near(9.31, 0.004), "Gb/s"),
        metric("reliability.crash_rate", 0.0, ""),
        metric("reliability.restarts", 0, ""),
        metric("reliability.error_rate", 0.0, ""),
        metric("inference.response_ms.c1", response, "ms", p50=response, p95=5.2, p99=7.9),
        metric("inference.response_ms.c8", near(6.0), "ms", p50=5.9, p95=8.8, p99=13.4),
        metric("user.satisfaction", None, ""),
        metric("allreduce.bus", near(462.0), "GB/s", "gpus"),
    ]
    for gpu in range(gpus):
        scope = f"gpu:{uuid(node, gpu)}"
        found += [
            metric("gemm.tflops", near(742.0), "TFLOP/s", scope),
            metric("memory_bandwidth.device", near(2890.0), "GB/s", scope),
            metric("memory_bandwidth.h2d", near(54.1), "GB/s", scope),
            metric("memory_bandwidth.d2h", near(53.2), "GB/s", scope),
        ]
    return found


def result(chance: random.Random, *, steps: int = 150, slow: float = 1.0) -> dict[str, Any]:
    """Return what the benchmark's document tells of a training whose loss falls."""
    pace = chance.uniform(0.9, 1.1)
    losses = [
        0.4 + 3.1 * math.exp(-pace * step / 35) + abs(chance.gauss(0, 0.04))
        for step in range(steps)
    ]
    seconds = [abs(chance.gauss(0.0875, 0.0012)) / slow for _ in range(steps)]
    seconds[0] = 2.4
    if slow < 1:
        seconds[steps // 2] = 0.9
    return {
        "preset": "gpt2-124m",
        "environment": {"torch": "2.13.0"},
        "training": {
            "steps_done": steps,
            "warmup_steps": 10,
            "losses": losses,
            "step_seconds": seconds,
            "step_s": {"n": steps - 10, "mean": 0.0875, "median": 0.0874, "p95": 0.091},
        },
    }


def checks_of(node: str, gpus: int) -> list[dict[str, Any]]:
    found = [
        samples.finding(check, part={"kind": check.partition(".")[0]}) for check in _NODE_CHECKS
    ]
    return found + [
        samples.finding(check, part=gpu_part(node, gpu), observed=0, expected=0, source="NVML")
        for gpu in range(gpus)
        for check in _GPU_CHECKS
    ]


def lab(nodes: int, gpus: int = 8, seed: int = 7) -> dict[str, records.Record]:
    """Return the records of a lab; in one of three nodes or more, some are not well.

    The last node trains slowly and has one lame link; the second has lost a GPU, and the clock of
    the third is off.
    """
    chance = random.Random(seed)  # noqa: S311  samples, no secrets
    names = [f"node{number:02}" for number in range(1, nodes + 1)]
    found: dict[str, records.Record] = {}
    for number, name in enumerate(names):
        checks = checks_of(name, gpus)
        if nodes > 2 and number == 1:
            checks.append(lost(name))
        if nodes > 2 and number == 2:
            checks.append(clock_off())
        slow = 0.77 if nodes > 2 and number == nodes - 1 else 1.0
        trained = samples.benchmark(
            metrics=metrics_of(name, gpus, chance, slow), result=result(chance, slow=slow)
        )
        place = {"rack": f"A{1 + number // 20}", "unit": 1 + 2 * (number % 20)}
        record = samples.record(name, checks=checks, trained=trained, **place)
        lame = names[-1] if nodes > 2 else ""
        records.add_stage(record, records.PAIRS, *pairs_of(name, names, lame, chance))
        if slow < 1:
            records.add_stage(record, records.FLEET, [slow_training()])
        found[name] = record
    return found


def lost(node: str) -> dict[str, Any]:
    return samples.finding(
        "gpu.count",
        part=gpu_part(node, 4),
        observed=7,
        expected=8,
        status="fail",
        source="NVML; /sys/bus/pci/devices",
        evidence="8 on the PCI bus, 7 answer the driver",
        action="reseat the GPU in slot 5, then verify again",
    )


def clock_off() -> dict[str, Any]:
    return samples.finding(
        "clock.offset",
        part={"kind": "clock"},
        observed=0.412,
        expected=0.1,
        unit="s",
        severity="warn",
        status="warn",
        source="chronyc -c tracking",
        evidence="0.412 s behind, at most 0.1 s",
        action="check the time servers in lab_time_servers",
    )


def slow_training() -> dict[str, Any]:
    return samples.finding(
        "outlier.train.tokens_per_s",
        part={"kind": "node"},
        observed=144_100.0,
        expected=187_100.0,
        unit="1/s",
        severity="warn",
        status="warn",
        source="the lab's own baseline",
        evidence="23 % below the median of its cohort, z -9.4",
        action="look for a throttled GPU: nvidia-smi -q -d PERFORMANCE",
    )


def pairs_of(
    name: str, names: list[str], lame: str, chance: random.Random
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return findings and metrics of one node's pairs; from ``lame`` to the first node it limps.

    The pair of the last two but one was not measured.
    """
    findings, metrics = [], []
    for peer in names:
        if peer == name or (len(names) > 3 and {name, peer} == set(names[-3:-1])):
            continue
        limps = name == lame and peer == names[0]
        speed = 0.94 if limps else chance.gauss(9.38, 0.03)
        metrics += [
            metric("pair.bandwidth", speed, "Gb/s", f"peer:{peer}"),
            metric("pair.round_trip", chance.gauss(0.11, 0.01), "ms", f"peer:{peer}", p50=0.11),
        ]
        if limps:
            findings.append(
                samples.finding(
                    "pair.bandwidth",
                    part={"kind": "link", "name": f"{name} to {peer}"},
                    observed=0.94,
                    expected=9.0,
                    unit="Gb/s",
                    status="fail",
                    source="iperf3",
                    evidence="slow between these two only, 1 path in fabric: "
                    f"{name} to {peer}: 0.94 Gb/s, at least 9 Gb/s",
                    action="check the cable and the switch port",
                )
            )
    if not findings:
        findings.append(samples.finding("pair.bandwidth", part={"kind": "link"}, source="iperf3"))
    return findings, metrics


def history(names: list[str], runs: int = 14, seed: int = 3) -> dict[str, list[dict[str, Any]]]:
    """Return the last runs of each node; the last node has been getting slower."""
    chance = random.Random(seed)  # noqa: S311  samples, no secrets
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        falls = name == names[-1]
        found[name] = [
            {
                "run_id": f"202611{10 + run:02}T171500Z",
                "at": f"2026-11-{10 + run:02}T17:15:00Z",
                "verdict": chance.choices(["pass", "warn", "fail", "unknown"], [20, 2, 1, 1])[0],
                "metrics": {
                    "train.tokens_per_s": chance.gauss(187_400, 1500)
                    * (1 - 0.02 * max(0, run - 4) * falls)
                },
            }
            for run in range(runs)
        ]
    return found


def save(folder: Path, found: dict[str, records.Record]) -> None:
    for record in found.values():
        records.save(record, folder)
