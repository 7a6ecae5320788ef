"""Facts of the fixture machines."""

from __future__ import annotations

from typing import Any

import pytest
from gpu_machines import GPU_MACHINES
from hardware_machines import MACHINES, FactsOf
from host_machines import HOST_MACHINES

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree

TOOLKIT = {"version": "1.20.1", "spec": "/var/run/cdi/nvidia.yaml", "image": "debian:12"}
# Nothing changes in a fixture between two readings.
_PAUSE_S = 0.01


@pytest.fixture(scope="session")
def facts_of(tmp_path_factory: pytest.TempPathFactory) -> FactsOf:
    """Return a function from a node's name to its facts, each gathered once."""
    known: dict[str, dict[str, Any]] = {}

    def gathered(name: str) -> dict[str, Any]:
        if name not in known:
            machine = {**MACHINES, **GPU_MACHINES, **HOST_MACHINES}[name]
            tree = Tree(str(machine.lay(tmp_path_factory.mktemp(name))))
            known[name] = gather(
                tree,
                machine.run,
                machine.machine,
                machine.deadline_s,
                _PAUSE_S,
                find_binding=lambda: machine.binding,
                container_toolkit=TOOLKIT if machine.containers else None,
                prove_request=lambda _requested: machine.containers,
            )
        return known[name]

    return gathered
