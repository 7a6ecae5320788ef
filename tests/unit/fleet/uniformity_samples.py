"""A lab of nodes that are alike, and ways to make one of them odd."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import fleet_samples as samples

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records

Facts = dict[str, Any]


def facts() -> Facts:
    return {
        "system": {"vendor": "Supermicro", "product": "AS-8125", "firmware_version": "1.4"},
        "os": {"name": "Ubuntu 24.04.1 LTS", "virtualization": "none"},
        "kernel": {"release": "6.8.0-45-generic"},
        "cpu": {"model": "AMD EPYC 9554", "cores": 64},
        "gpus": [
            {"vendor_id": "0x10de", "name": "H100", "bdf": f"0000:{bus}:00.0"} for bus in (1, 2)
        ]
        + [{"vendor_id": "0x1a03", "name": None, "bdf": "0000:99:00.0"}],
        "nvidia": {
            "module_version": "570.86.15",
            "cuda_version": "12.8",
            "gpus": [
                {
                    "name": "H100",
                    "uuid": f"GPU-{bus}",
                    "serial": f"16{bus}",
                    "vbios_version": "96.0",
                }
                for bus in (1, 2)
            ],
        },
        "dimms": {
            "ecc": "Multi-bit ECC",
            "slots": [
                {"serial": str(n), "size_bytes": 64 * 1024**3, "installed": True} for n in range(16)
            ]
            + [{"serial": None, "size_bytes": None, "installed": False}],
        },
        "disks": [{"model": "PM9A3", "size_bytes": 3840755982336, "kind": "ssd"}],
        "nics": [{"physical": True, "driver": "mlx5_core"}, {"physical": False, "driver": "veth"}],
        "infiniband": [{"device": "mlx5_0", "firmware": "28.39.1002", "bdf": "0000:51:00.0"}],
    }


def lab(
    *changes: Callable[[Facts], object], spec: str = "h100", groups: tuple[str, ...] = ("compute",)
) -> dict[str, records.Record]:
    """One node for each change, which it gets."""
    found = {}
    for number, change in enumerate(changes):
        node = f"node{number:02}"
        own = copy.deepcopy(facts())
        change(own)
        record = samples.record(node, groups=groups, spec=spec)
        found[node] = {**record, "hardware": own}
    return found


def same(_: Facts) -> None:
    """As it should be."""


CHANGES: dict[str, Callable[[Facts], object]] = {
    "os": lambda f: f["os"].update(name="Ubuntu 22.04.5 LTS"),
    "kernel": lambda f: f["kernel"].update(release="6.8.0-40-generic"),
    "driver": lambda f: f["nvidia"].update(module_version="550.54.15"),
    "cuda": lambda f: f["nvidia"].update(cuda_version="12.4"),
    "firmware": lambda f: f["system"].update(firmware_version="1.2"),
    "cpu": lambda f: f["cpu"].update(model="AMD EPYC 9454"),
    "gpus": lambda f: f["gpus"].pop(0),
    "dimms": lambda f: f["dimms"]["slots"].pop(0),
    "disks": lambda f: f["disks"].clear(),
    "nics": lambda f: f["nics"].append({"physical": True, "driver": "igb"}),
    "vbios": lambda f: f["nvidia"]["gpus"][1].update(vbios_version="95.9"),
    "nic_firmware": lambda f: f["infiniband"][0].update(firmware="28.36.1010"),
}
