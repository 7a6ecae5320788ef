"""The facts of the hardware tests' nodes, which serve here too."""

from __future__ import annotations

from typing import Any

import pytest
from gpu_machines import GPU_MACHINES
from hardware_machines import MACHINES, FactsOf

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree


@pytest.fixture(scope="session")
def facts_of(tmp_path_factory: pytest.TempPathFactory) -> FactsOf:
    """Return a function from a fixture node's name to its facts."""

    def gathered(name: str) -> dict[str, Any]:
        machine = {**MACHINES, **GPU_MACHINES}[name]
        tree = Tree(str(machine.lay(tmp_path_factory.mktemp(name))))
        return gather(tree, machine.run, machine.machine, machine.deadline_s)

    return gathered
