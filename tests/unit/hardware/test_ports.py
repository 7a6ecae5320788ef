"""Processors, ports and nodes of memory: from the kernel's own files to the verdict."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hardware_machines import FactsOf, Machine, cpus
from host_machines import rdma

from ansible_collections.gpulab.core.plugins.module_utils.hardware.cpu import read_cpu
from ansible_collections.gpulab.core.plugins.module_utils.hardware.infiniband import (
    read_infiniband,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify

NODES = "sys/devices/system/node"


@pytest.mark.parametrize(
    ("files", "nodes"),
    [
        # Grace Hopper: each GPU's memory is cut into nodes without processors.
        ({f"{NODES}/online": "0-9", f"{NODES}/has_cpu": "0-1"}, 2),
        ({f"{NODES}/online": "0,2-9", f"{NODES}/has_cpu": "0"}, 1),
        # Memory over CXL.
        ({f"{NODES}/online": "0-2", f"{NODES}/has_cpu": "0-1"}, 2),
        ({f"{NODES}/online": "0-3", f"{NODES}/has_cpu": "0-3"}, 4),
        ({f"{NODES}/online": "0-1"}, 2),
    ],
)
def test_numa_nodes_are_those_with_processors(
    tmp_path: Path, facts_of: FactsOf, files: dict[str, object], nodes: int
) -> None:
    tree = Tree(str(Machine({**cpus(2, 8), **files}).lay(tmp_path)))
    facts = copy.deepcopy(facts_of("server"))
    facts["cpu"] = read_cpu(tree, "aarch64")
    for wanted, status in ((nodes, "pass"), (nodes + 1, "fail")):
        (found,) = verify(facts, {"cpu": {"numa_nodes_min": wanted}})
        assert found["status"] == status


def port(
    number: int,
    state: str = "4: ACTIVE",
    physical: str = "5: LinkUp",
    rate: str = "400 Gb/sec (4X NDR)",
    layer: str = "InfiniBand",
) -> dict[str, object]:
    real = f"sys/devices/pci0000:00/0000:0{number}:00.0"
    path = f"{real}/infiniband/mlx5_{number}/ports/1"
    return {
        **rdma(number, real),
        f"{path}/state": state,
        f"{path}/phys_state": physical,
        f"{path}/rate": rate,
        f"{path}/link_layer": layer,
    }


UP = port(0)
POLLING = port(1, "1: DOWN", "2: Polling")
SLOW = port(2, rate="200 Gb/sec (4X HDR)")
BOND = port(3, rate="100 Gb/sec (4X EDR)", layer="Ethernet")
BOND_DOWN = port(4, "1: DOWN", "3: Disabled", "40 Gb/sec (4X QDR)", "Ethernet")
ROCE = port(5, layer="Ethernet")
ROCE_DOWN = port(6, "1: DOWN", "3: Disabled", layer="Ethernet")


@pytest.mark.parametrize(
    ("ports", "least", "named"),
    [
        ((POLLING, BOND), 1, ["mlx5_1/1"]),
        ((POLLING, BOND), 2, ["mlx5_1/1"]),
        ((UP, POLLING, BOND), 2, ["mlx5_1/1"]),
        ((UP, POLLING, BOND), 3, ["mlx5_1/1"]),
        ((UP, POLLING, SLOW), 2, ["mlx5_1/1"]),
        ((UP, POLLING, SLOW), 3, ["mlx5_1/1", "mlx5_2/1"]),
        ((UP, SLOW, BOND), 2, ["mlx5_2/1"]),
        ((UP, POLLING, BOND_DOWN), 2, ["mlx5_1/1"]),
        ((UP, POLLING, BOND_DOWN), 3, ["mlx5_1/1", "mlx5_4/1"]),
        ((UP, BOND), 2, ["mlx5_3/1"]),
        # Where there is no InfiniBand, Ethernet is meant.
        ((ROCE, ROCE_DOWN, BOND), 2, ["mlx5_6/1"]),
        ((ROCE, BOND), 2, ["mlx5_3/1"]),
        ((ROCE, ROCE_DOWN, BOND), 3, ["mlx5_3/1", "mlx5_6/1"]),
    ],
)
def test_the_port_that_is_missed_is_named(
    tmp_path: Path,
    facts_of: FactsOf,
    ports: tuple[dict[str, Any], ...],
    least: int,
    named: list[str],
) -> None:
    files = {path: content for one in ports for path, content in one.items()}
    facts = copy.deepcopy(facts_of("server"))
    facts["infiniband"] = read_infiniband(Tree(str(Machine(files).lay(tmp_path))))
    found = verify(facts, {"infiniband": {"ports_min": least, "rate_gbps_min": 400}})
    assert {one["status"] for one in found} == {"fail"}
    assert sorted(one["part"]["name"] for one in found) == named
