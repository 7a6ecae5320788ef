"""Gather the facts: one probe per section."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Callable, NoReturn

from ..gpu_software.container_proof import prove
from ..gpu_software.summary import read_gpu_software
from ..hardware.clock import read_clock
from ..hardware.cpu import read_cpu
from ..hardware.dimms import read_dimms
from ..hardware.disks import read_disks
from ..hardware.edac import read_edac
from ..hardware.gpu_fabric import read_gpu_fabric
from ..hardware.infiniband import read_infiniband
from ..hardware.ipmi import read_ipmi_events, read_ipmi_sensors
from ..hardware.kernel_log import read_kernel_log
from ..hardware.lldp import read_lldp
from ..hardware.memory import read_memory
from ..hardware.nic_counters import PAUSE_S, read_nic_counters
from ..hardware.nics import read_nics
from ..hardware.nvidia import read_nvidia
from ..hardware.osinfo import read_kernel, read_os
from ..hardware.pci import read_gpus
from ..hardware.power_management import read_power_management
from ..hardware.runner import Probe, run_probes
from ..hardware.slot_names import join
from ..hardware.slots import read_slots
from ..hardware.smart import read_smart
from ..hardware.sysfs import ProbeError, Tree
from ..hardware.system import read_system
from ..hardware.tools import RunTool, run_tool
from ..hardware.topology import read_topology
from .gpu_container import Prove, read_gpu_container
from .schema import FACTS_SCHEMA

# Files answer in milliseconds; what takes a thousand times as long hangs.
_FILES_S = 5.0
_CLOCK_S = 5.0
# Without persistence mode nvidia-smi wakes every GPU first: seconds on eight of them.
_NVIDIA_S = 30.0
# Package databases take seconds on a busy node with rpm, and DKMS does: see gpu_software.read.
_PACKAGES_S = 60.0
# A kernel log of many days is read whole.
_LOG_S = 15.0
# Containers are started twice, and their image may have to be fetched first.
_CONTAINER_S = 600.0
# A sleeping hard disk spins up in ten seconds; longer takes one that tries a command over and over.
_SMART_S = 20.0
# A BMC answers for each of its hundred sensors and events by itself, over a slow bus.
_BMC_S = 30.0


def _no_binding() -> ModuleType | None:
    return None


def gather(
    tree: Tree,
    run: RunTool = run_tool,
    machine: str = "",
    deadline_s: float | None = None,
    pause_s: float = PAUSE_S,
    *,
    smart: bool = True,
    find_binding: Callable[[], ModuleType | None] = _no_binding,
    container_toolkit: Mapping[str, str] | None = None,
    prove_request: Prove = prove,
) -> dict[str, Any]:
    """Return the facts of a node as ``hardware.schema.json`` describes them.

    A section that could not be read is null, and ``probes`` says why; an empty list means that
    there is none.

    Args:
        tree: The node's files.
        run: How to run a tool.
        machine: The kernel's name of the architecture; this machine's own by default.
        deadline_s: Every probe's deadline in seconds; None: each has its own.
        pause_s: Seconds between the two readings of the network counters.
        smart: Whether to ask the disks for their health, which opens them.
        find_binding: Returns NVML's Python binding, or None: then nvidia-smi is asked.
        container_toolkit: As `read_gpu_container` takes it; None where none is declared.
        prove_request: How to try containers.
    """
    architecture = machine or os.uname().machine
    smart_s = deadline_s or _SMART_S

    def probe(seconds: float, read: Callable[[], Any]) -> Probe:
        return Probe(read, deadline_s or seconds)

    outcomes = run_probes(
        {
            "system": probe(_FILES_S, lambda: read_system(tree)),
            "cpu": probe(_FILES_S, lambda: read_cpu(tree, architecture)),
            "memory": probe(_FILES_S, lambda: read_memory(tree)),
            "dimms": probe(_FILES_S, lambda: read_dimms(run)),
            "edac": probe(_FILES_S, lambda: read_edac(tree)),
            "power_management": probe(_FILES_S, lambda: read_power_management(tree)),
            "slots": probe(_FILES_S, lambda: read_slots(tree, run)),
            "disks": probe(_FILES_S, lambda: read_disks(tree)),
            # Each disk's own deadline ends first, so that the others are told.
            "smart": probe(
                smart_s,
                lambda: read_smart(tree, run, 0.8 * smart_s) if smart else _refuse(),
            ),
            "nics": probe(_FILES_S, lambda: read_nics(tree)),
            "nic_counters": probe(_FILES_S + pause_s, lambda: read_nic_counters(tree, pause_s)),
            "infiniband": probe(_FILES_S, lambda: read_infiniband(tree)),
            "lldp": probe(_FILES_S, lambda: read_lldp(run)),
            "topology": probe(_FILES_S, lambda: read_topology(tree)),
            "ipmi_sensors": probe(_BMC_S, lambda: read_ipmi_sensors(tree, run)),
            "ipmi_events": probe(_BMC_S, lambda: read_ipmi_events(tree, run)),
            "gpus": probe(_FILES_S, lambda: read_gpus(tree)),
            "nvidia": probe(_NVIDIA_S, lambda: read_nvidia(tree, run, find_binding)),
            "gpu_software": probe(_PACKAGES_S, lambda: read_gpu_software(tree, run)),
            "gpu_fabric": probe(_FILES_S, lambda: read_gpu_fabric(tree, run)),
            "gpu_container": probe(
                _CONTAINER_S,
                lambda: read_gpu_container(tree, run, container_toolkit, prove_request),
            ),
            "kernel_log": probe(_LOG_S, lambda: read_kernel_log(tree, run)),
            "os": probe(_FILES_S, lambda: read_os(tree)),
            "kernel": probe(_FILES_S, lambda: read_kernel(tree)),
            "clock": probe(_CLOCK_S, lambda: read_clock(run)),
        }
    )
    facts: dict[str, Any] = {"schema": FACTS_SCHEMA}
    facts.update({name: outcome.value for name, outcome in outcomes.items()})
    join(facts)
    facts["probes"] = {
        name: {
            "status": "ok" if outcome.ok else "unknown",
            "reason": outcome.reason,
            "seconds": round(outcome.seconds, 3),
        }
        for name, outcome in outcomes.items()
    }
    return facts


def _refuse() -> NoReturn:
    raise ProbeError("switched off: hardware_info was called with smart: false")
