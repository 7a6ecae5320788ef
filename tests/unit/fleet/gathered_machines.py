"""The nodes of the hardware tests, and the facts that the probes give of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hardware_machines import MACHINES
from host_machines import HOST_MACHINES

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree

ALL = {**MACHINES, **HOST_MACHINES}


def gather_all(folder: Path) -> dict[str, dict[str, Any]]:
    """Read every node, laid out below a folder."""
    facts = {}
    for name, machine in ALL.items():
        root = folder / name
        root.mkdir()
        laid = machine.lay(root)
        facts[name] = gather(Tree(str(laid)), machine.run, machine.machine, 2.0, pause_s=0.01)
    return facts
