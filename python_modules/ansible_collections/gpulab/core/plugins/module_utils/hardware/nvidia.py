"""State of NVIDIA's driver, and the GPUs that it can talk to.

The bus says which GPUs are plugged in (pci.py); this says which of them work. What is on the bus
and not here has a driver fault or has failed.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any, Callable

from . import nvml
from .gpu_facts import normal_bdf
from .nvidia_library import library_version
from .nvidia_smi import NVLINK_ERRORS, NVLINK_STATE, QUERY, parse_smi, with_nvlinks
from .pci import is_nvidia, read_gpus
from .sysfs import ProbeError, Tree
from .tools import RunTool

NO_DEVICE = "not loaded: no NVIDIA device on the PCI bus"
# As NVML and nvidia-smi say it, of a GPU that fell off the bus.
_GPU_IS_LOST = "GPU is lost"
_LOST = re.compile(
    r"Unable to determine the device handle for GPU\s*(?:\d+:\s*)?"
    r"([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])"
)
_MISMATCH = re.compile(r"Driver/library version mismatch")


def read_nvidia(
    tree: Tree, run: RunTool, find_binding: Callable[[], ModuleType | None] = lambda: None
) -> dict[str, Any]:
    """Return the driver's state and the GPUs that NVML lists.

    NVML is asked through its Python binding where there is one, else through nvidia-smi; and only
    when the module is loaded: otherwise either would try to load it, and a probe must change
    nothing.

    Args:
        tree: The node's files.
        run: How to run a tool.
        find_binding: Returns the module `pynvml` or None.

    Raises:
        ProbeError: nvidia-smi gives an answer that can't be understood.
    """
    facts: dict[str, Any] = {
        "module_loaded": False,
        "module_version": None,
        "module_flavour": None,
        "library_version": library_version(tree),
        "cuda_version": None,
        "source": None,
        "gpus": [],
        "lost": [],
        "message": "",
    }
    proc_version = tree.text("proc/driver/nvidia/version")
    if proc_version is None and not tree.exists("sys/module/nvidia"):
        facts["message"] = _why_not_loaded(tree)
        return facts
    version, flavour = parse_module_version(proc_version or "")
    facts.update(
        module_loaded=True,
        module_version=version or tree.text("sys/module/nvidia/version"),
        module_flavour=flavour,
    )
    facts.update(_ask_nvml(find_binding()) or _ask_smi(run))
    unreachable = [
        gpu["bdf"]
        for gpu in facts["gpus"] or []
        if gpu["bdf"] and _GPU_IS_LOST in gpu["unread"].values()
    ]
    if unreachable:
        facts["lost"] = sorted({*(facts["lost"] or []), *unreachable})
    return facts


def _ask_nvml(binding: ModuleType | None) -> dict[str, Any] | None:
    """Return what NVML's binding tells; None where there is none, or NVML refuses it.

    nvidia-smi says better than the binding why NVML can't be used.
    """
    if binding is None:
        return None
    gpus: list[dict[str, Any]] = []
    complaints: list[str] = []
    try:
        with nvml.session(binding):
            for index in range(nvml.count(binding)):
                gpu, complaint = _read_index(binding, index)
                gpus += gpu
                complaints += complaint
            cuda_version = nvml.cuda_version(binding)
    except nvml.NvmlError:
        return None
    return {
        "source": "nvml",
        "cuda_version": cuda_version,
        "gpus": gpus,
        "message": "; ".join(complaints),
    }


def _read_index(binding: ModuleType, index: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a GPU, or why NVML can't reach it."""
    try:
        return [nvml.read_gpu(binding, nvml.handle_of(binding, index))], []
    except nvml.NvmlError as error:
        return [], [f"GPU {index}: {error}"]


def _ask_smi(run: RunTool) -> dict[str, Any]:
    answer = run(QUERY)
    if answer.missing:
        # Nothing is known about the GPUs; the bus and the module still are.
        return {"gpus": None, "lost": None, "message": "nvidia-smi is not installed"}
    everything = f"{answer.stdout}\n{answer.stderr}"
    facts: dict[str, Any] = {"source": "nvidia-smi", "lost": lost_gpus(everything)}
    if "<nvidia_smi_log" in answer.stdout:
        facts.update(parse_smi(answer.stdout))
        state, errors = run(NVLINK_STATE), run(NVLINK_ERRORS)
        if state.rc == 0:
            facts["gpus"] = with_nvlinks(facts["gpus"], state.stdout, errors.stdout)
        else:
            for gpu in facts["gpus"]:
                gpu["unread"]["nvlinks"] = f"nvidia-smi nvlink: {state.complaint}"
    elif _MISMATCH.search(everything):
        facts["message"] = "NVML: the loaded module and the installed library differ in version"
    elif facts["lost"] or "No devices were found" in everything:
        facts["message"] = answer.complaint
    else:
        raise ProbeError(f"nvidia-smi: {answer.complaint}")
    return facts


def _why_not_loaded(tree: Tree) -> str:
    drivers = {gpu["bdf"]: gpu["driver"] for gpu in read_gpus(tree) if is_nvidia(gpu)}
    if not drivers:
        return NO_DEVICE
    others = sorted({driver for driver in drivers.values() if driver})
    if others:
        return f"not loaded: the GPU is bound to {', '.join(others)}"
    return "not loaded: the module is not installed, or the kernel refused it"


def parse_module_version(text: str) -> tuple[str | None, str | None]:
    """Return version and flavour (open, proprietary) from /proc/driver/nvidia/version."""
    line = next((line for line in text.splitlines() if line.startswith("NVRM version:")), "")
    match = re.search(r"\s(\d{2,4}\.\d{1,4}(?:\.\d{1,4})?)\s", line + " ", re.ASCII)
    if match is None:
        return None, None
    return match.group(1), ("open" if "Open Kernel Module" in line else "proprietary")


def lost_gpus(text: str) -> list[str]:
    """Return the addresses of the GPUs that nvidia-smi says it cannot reach."""
    return sorted({normal_bdf(match) for match in _LOST.findall(text)})
