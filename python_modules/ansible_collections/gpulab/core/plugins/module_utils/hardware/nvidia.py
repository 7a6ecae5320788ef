"""State of NVIDIA's driver, and the GPUs that it can talk to.

The bus says which GPUs are plugged in (pci.py); this says which of them work. What is on the bus
and not here has a driver fault or has failed.
"""

from __future__ import annotations

import re

# The input is cut to nvidia-smi's own element first, so it can declare no entity.
import xml.etree.ElementTree as ET
from typing import Any

from ansible_collections.gpulab.core.plugins.module_utils.hardware.pci import is_nvidia, read_gpus
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import RunTool
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tree import (
    ProbeError,
    Tree,
    first,
)

NO_DEVICE = "not loaded: no NVIDIA device on the PCI bus"
_SMI = ("nvidia-smi", "-q", "-x")
_MIB = 1024 * 1024
_LIBRARY_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/x86_64-linux-gnu/nvidia/current",
)
_LOST = re.compile(
    r"Unable to determine the device handle for GPU\s*(?:\d+:\s*)?"
    r"([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])"
)
_MISMATCH = re.compile(r"Driver/library version mismatch")


def read_nvidia(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return the driver's state and the GPUs that NVML lists.

    nvidia-smi is asked only when the module is loaded: otherwise it would try to load it, and a
    probe must change nothing.

    Raises:
        ProbeError: nvidia-smi gives an answer that can't be understood.
    """
    facts: dict[str, Any] = {
        "module_loaded": False,
        "module_version": None,
        "module_flavour": None,
        "library_version": library_version(tree),
        "cuda_version": None,
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
    answer = run(_SMI)
    if answer.missing:
        # Nothing is known about the GPUs; the bus and the module still are.
        facts.update(gpus=None, lost=None, message="nvidia-smi is not installed")
        return facts
    everything = f"{answer.stdout}\n{answer.stderr}"
    facts["lost"] = lost_gpus(everything)
    if "<nvidia_smi_log" in answer.stdout:
        facts.update(parse_smi(answer.stdout))
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


def normal_bdf(text: str) -> str:
    """Return NVML's address (00000000:3B:00.0) as sysfs writes it (0000:3b:00.0)."""
    domain, _, rest = text.strip().lower().partition(":")
    return f"{domain.lstrip('0').rjust(4, '0')}:{rest}"


def parse_smi(text: str) -> dict[str, Any]:
    """Return ``cuda_version`` and ``gpus`` from the output of ``nvidia-smi -q -x``.

    Reads the formats of the drivers since R470 (nvsmi_device v11, v12, v13). What the board does
    not have or the driver does not tell ("N/A", "ERR!", "[Unknown Error]") is null.

    Raises:
        ProbeError: The text is no such output.
    """
    start, end = text.find("<nvidia_smi_log"), text.rfind("</nvidia_smi_log>")
    if start < 0 or end < start:
        raise ProbeError("nvidia-smi: no complete XML in its output")
    try:
        # Entities are defined in a DTD, before the root element: the slice has dropped it.
        root = ET.fromstring(text[start : end + len("</nvidia_smi_log>")])  # noqa: S314
    except (ET.ParseError, ValueError) as error:
        raise ProbeError(f"nvidia-smi: {error}") from error
    return {
        "cuda_version": _text(root, "cuda_version"),
        "gpus": [_parse_gpu(gpu) for gpu in root.findall("gpu")],
    }


def _parse_gpu(gpu: ET.Element) -> dict[str, Any]:
    bdf = first((_text(gpu, "pci/pci_bus_id"), gpu.get("id")))
    link = "pci/pci_gpu_link_info"
    memory = _quantity(gpu, "fb_memory_usage/total", "MiB")
    return {
        "bdf": normal_bdf(bdf) if bdf else None,
        "name": _text(gpu, "product_name"),
        "uuid": _text(gpu, "uuid"),
        "serial": _serial(gpu),
        "memory_bytes": None if memory is None else int(memory) * _MIB,
        "vbios_version": _text(gpu, "vbios_version"),
        "ecc": _switch(gpu, "ecc_mode/current_ecc"),
        "ecc_pending": _switch(gpu, "ecc_mode/pending_ecc"),
        "mig": _switch(gpu, "mig_mode/current_mig"),
        "persistence": _switch(gpu, "persistence_mode"),
        "clocks_event_reasons": _event_reasons(gpu),
        "link": {
            "width": _width(gpu, f"{link}/link_widths/current_link_width"),
            "width_max": _width(gpu, f"{link}/link_widths/max_link_width"),
            "generation": _integer(gpu, f"{link}/pcie_gen/current_link_gen"),
            "generation_max": _integer(gpu, f"{link}/pcie_gen/max_link_gen"),
        },
    }


def _text(element: ET.Element, path: str) -> str | None:
    text = (element.findtext(path) or "").strip()
    unreadable = (
        text.strip("[]").lower() in ("n/a", "err!", "unknown error", "not supported", "")
        or "deprecated" in text
        or text.startswith(("GPU is lost", "GPU requires reset", "Insufficient Permissions"))
    )
    return None if unreadable else text


def _serial(gpu: ET.Element) -> str | None:
    serial = _text(gpu, "serial")
    # All zeros: consumer boards and clouds that hide it. It names no part.
    return serial if serial and serial.strip("0") else None


def _quantity(element: ET.Element, path: str, unit: str) -> float | None:
    pattern = rf"(\d{{1,12}}(?:\.\d{{1,6}})?) {re.escape(unit)}"
    match = re.fullmatch(pattern, _text(element, path) or "", re.ASCII)
    return float(match.group(1)) if match else None


def _integer(element: ET.Element, path: str) -> int | None:
    match = re.fullmatch(r"\d{1,9}", _text(element, path) or "", re.ASCII)
    return int(match.group()) if match else None


def _width(element: ET.Element, path: str) -> int | None:
    match = re.fullmatch(r"(\d{1,2})x", _text(element, path) or "", re.ASCII)
    return int(match.group(1)) if match else None


def _switch(element: ET.Element, path: str) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(_text(element, path) or "")


def _event_reasons(gpu: ET.Element) -> list[str] | None:
    """Return the active reasons for lowered clocks; None if the driver does not tell.

    Driver 535 renamed the element and its children from "throttle" to "event".
    """
    for kind in ("event", "throttle"):
        reasons = gpu.find(f"clocks_{kind}_reasons")
        if reasons is not None:
            prefix = f"clocks_{kind}_reason_"
            return sorted(
                reason.tag[len(prefix) :]
                for reason in reasons
                if reason.tag.startswith(prefix) and (reason.text or "").strip() == "Active"
            )
    return None


def library_version(tree: Tree) -> str | None:
    """Return the version of the installed NVML library, from its file's name."""
    for folder in _LIBRARY_FOLDERS:
        for name in tree.names(folder):
            match = re.fullmatch(r"libnvidia-ml\.so\.(\d+\.\d+(?:\.\d+)?)", name, re.ASCII)
            if match:
                return match.group(1)
    return None
