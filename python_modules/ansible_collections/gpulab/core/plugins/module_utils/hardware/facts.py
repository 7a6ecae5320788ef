"""Gather the facts: one probe per section."""

from __future__ import annotations

import os
from typing import Any, Callable

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.summary import (
    read_gpu_software,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.clock import read_clock
from ansible_collections.gpulab.core.plugins.module_utils.hardware.cpu import read_cpu
from ansible_collections.gpulab.core.plugins.module_utils.hardware.disks import read_disks
from ansible_collections.gpulab.core.plugins.module_utils.hardware.finding import FACTS_SCHEMA
from ansible_collections.gpulab.core.plugins.module_utils.hardware.memory import read_memory
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nics import read_nics
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia import read_nvidia
from ansible_collections.gpulab.core.plugins.module_utils.hardware.osinfo import (
    read_kernel,
    read_os,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.pci import read_gpus
from ansible_collections.gpulab.core.plugins.module_utils.hardware.runner import (
    Probe,
    RunAll,
    run_probes,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.system import read_system
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import RunTool, run_tool
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tree import Tree

# Files answer in milliseconds; what takes a thousand times as long hangs.
_FILES_S = 5.0
_CLOCK_S = 5.0
# Without persistence mode nvidia-smi wakes every GPU first: seconds on eight of them.
_NVIDIA_S = 30.0
# Package databases take seconds on a busy machine with rpm, and DKMS does: see gpu_software.read.
_PACKAGES_S = 60.0


def gather(
    tree: Tree,
    run: RunTool = run_tool,
    machine: str = "",
    deadline_s: float = _PACKAGES_S,
    run_all: RunAll = run_probes,
) -> dict[str, Any]:
    """Return the facts of a machine as ``hardware.schema.json`` describes them.

    A section that could not be read is null, and ``probes`` says why; an empty list means that
    there is none.

    Args:
        tree: The machine's files.
        run: How to run a tool.
        machine: The kernel's name of the architecture; this machine's own by default.
        deadline_s: Upper limit of every probe's own deadline, in seconds.
        run_all: How to run the probes: in processes of their own, or here (`run_in_turn`), where
            nothing can hang because everything has been read already.
    """
    architecture = machine or os.uname().machine

    def probe(seconds: float, read: Callable[[], Any]) -> Probe:
        return Probe(read, min(seconds, deadline_s))

    outcomes = run_all(
        {
            "system": probe(_FILES_S, lambda: read_system(tree)),
            "cpu": probe(_FILES_S, lambda: read_cpu(tree, architecture)),
            "memory": probe(_FILES_S, lambda: read_memory(tree)),
            "disks": probe(_FILES_S, lambda: read_disks(tree)),
            "nics": probe(_FILES_S, lambda: read_nics(tree)),
            "gpus": probe(_FILES_S, lambda: read_gpus(tree)),
            "nvidia": probe(_NVIDIA_S, lambda: read_nvidia(tree, run)),
            "gpu_software": probe(_PACKAGES_S, lambda: read_gpu_software(tree, run)),
            "os": probe(_FILES_S, lambda: read_os(tree)),
            "kernel": probe(_FILES_S, lambda: read_kernel(tree)),
            "clock": probe(_CLOCK_S, lambda: read_clock(run)),
        }
    )
    facts: dict[str, Any] = {"schema": FACTS_SCHEMA}
    facts.update({name: outcome.value for name, outcome in outcomes.items()})
    facts["probes"] = {
        name: {
            "status": "ok" if outcome.ok else "unknown",
            "reason": outcome.reason,
            "seconds": round(outcome.seconds, 3),
        }
        for name, outcome in outcomes.items()
    }
    return facts
