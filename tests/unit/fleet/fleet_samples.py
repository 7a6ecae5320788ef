"""Builds what the modules return, so that a test states only what it is about."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records

# The folder of their lab, in reports/ and in state/.
LAB = "basement-000000"
RUN_ID = "20261123T171500Z"


def finding(check: str = "cpu.cores", **changes: Any) -> dict[str, Any]:
    return {
        "id": check,
        "part": {"kind": "cpu", "name": "", "serial": "", "bdf": "", "slot": ""},
        "observed": 16,
        "expected": 16,
        "unit": "",
        "source": "/sys/devices/system/cpu",
        "severity": "fail",
        "status": "pass",
        "action": "",
        "evidence": "",
        **changes,
    }


def hardware() -> dict[str, Any]:
    return {
        "schema": 1,
        "cpu": {"model": "AMD EPYC 9554", "cores": 64},
        "nvidia": {"gpus": [{"name": "NVIDIA H100 80GB HBM3"}] * 8},
        "probes": {"cpu": {"status": "ok", "reason": "", "seconds": 0.01}},
    }


def benchmark(**changes: Any) -> dict[str, Any]:
    return {
        "verdict": "pass",
        "checks": [finding("train.loss", part={"kind": "framework"})],
        "metrics": [
            {"id": "train.tokens_per_s", "scope": "node", "value": 123456.7, "unit": "1/s"}
        ],
        "result": {
            "preset": "xs",
            "environment": {"torch": "2.13.0"},
            "training": {"losses": [3.4, 2.9, 1.7, 0.4]},
        },
        "durations_s": {"train": 12.5},
        **changes,
    }


def record(
    name: str,
    *,
    groups: tuple[str, ...] = ("compute",),
    checks: list[dict[str, Any]] | None = None,
    trained: dict[str, Any] | None = None,
    spec: str = "compute-minimum",
    **host: Any,
) -> records.Record:
    """A node that went through every stage due to it, and passed unless told otherwise."""
    record = records.new(RUN_ID, {"name": name, "groups": groups, **host})
    found = {"checks": [finding()] if checks is None else checks}
    records.add_verification(record, hardware(), found, spec)
    if "compute" in groups:
        records.add_benchmark(record, trained or benchmark())
    return record


def failure(host: str, **changes: Any) -> dict[str, Any]:
    return {
        "host": host,
        "stage": "base",
        "playbook": "site.yml",
        "play": "Base",
        "task": "Install packages",
        "message": "No space left on device",
        "unreachable": False,
        "every_host": False,
        "action": f"free space on {host}",
        "time": "2026-11-23T17:15:09Z",
        **changes,
    }
