"""A lab with a history: runs that follow each other, and nodes with parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fleet_samples as samples

from ansible_collections.gpulab.core.plugins.plugin_utils.history import history
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

GPU = "GPU-6ac3a5f2-0000-4000-8000-000000000001"
OTHER = "GPU-77b1c0de-0000-4000-8000-000000000002"


def gpu(uuid: str = GPU, **changes: Any) -> dict[str, Any]:
    serial = "1654" + uuid[-1]
    return {"name": "H100", "uuid": uuid, "serial": serial, "bdf": "0000:c1:00.0", **changes}


def hardware(*gpus: dict[str, Any], **sections: Any) -> dict[str, Any]:
    disk = {"name": "nvme0n1", "model": "PM9A3", "serial": "S4EVNX0R", "transport": "nvme"}
    return {
        "schema": 1,
        "cpu": {"model": "AMD EPYC 9554", "cores": 64},
        "os": {"virtualization": "none"},
        "gpus": [{"bdf": "0000:c1:00.0", "slot": "5", "name": "H100"}],
        "nvidia": {"gpus": list(gpus)},
        "disks": [disk],
        "nics": [{"name": "eth0", "physical": True, "mac": "0C:42:A1:00:00:01", "bus": "pci"}],
        "dimms": {
            "ecc": "Multi-bit ECC",
            "slots": [
                {
                    "serial": "3A1C",
                    "slot": "P0_DIMM_A1",
                    "part_number": "M393",
                    "installed": True,
                },
                {"serial": None, "slot": "P0_DIMM_A2", "part_number": None, "installed": False},
            ],
        },
        "probes": {},
        **sections,
    }


def bad(part: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    found = part or {"kind": "gpu", "name": "H100", "uuid": GPU}
    return samples.finding(
        "gpu.ecc",
        part=found,
        status="fail",
        evidence="3 uncorrected",
        action="replace it",
        **changes,
    )


def past_file() -> Path:
    """Where these runs' history is."""
    return paths.state_dir(samples.LAB) / history.FILE


class Lab:
    """Runs of a lab, one an hour, each with its report."""

    def __init__(self, root: Path) -> None:
        """Start without any."""
        self.reports = root / "reports" / samples.LAB
        self.hour = 0

    def run(self, *nodes: records.Record) -> Path:
        self.hour += 1
        run_id = f"20261101T{self.hour:02}0000Z"
        folder = self.reports / run_id
        folder.mkdir(parents=True, exist_ok=True)
        for node in nodes:
            node["run_id"] = run_id
            node["created"] = f"2026-11-01T{self.hour:02}:00:00Z"
            if node["training"]:
                node["training"]["run_id"] = run_id
                node["training"]["at"] = node["created"]
            records.save(node, folder)
        # These runs are of 2026 whenever the tests run.
        report.write(folder, [], "basement", max_age_h=1e6)
        return folder


def node(name: str, *gpus: dict[str, Any], **kinds: Any) -> records.Record:
    """A node with these GPUs; its disk, DIMM and port have names of their own."""
    found = hardware(*gpus)
    number = name[-1]
    found["disks"][0]["serial"] += number
    found["dimms"]["slots"][0]["serial"] += number
    found["nics"][0]["mac"] += number
    found.update(kinds.pop("facts", {}))
    checks = kinds.pop("checks", None)
    tokens = kinds.pop("tokens", None)
    record = samples.record(name, checks=checks, **kinds)
    record["hardware"] = found
    if tokens is not None:
        scope = f"gpu:{gpus[0]['uuid']}" if gpus else "cpu"
        metric = {"id": "train.tokens_per_s", "scope": scope, "value": tokens, "unit": "1/s"}
        records.add_benchmark(record, samples.benchmark(metrics=[metric]))
    return record


def checks_of(folder: Path, name: str, check: str) -> list[dict[str, Any]]:
    record = records.load(folder / f"{name}.json")
    return [found for found in record["checks"] if found["id"] == check]
