"""Choose the device and the precision, and make PyTorch repeatable on it."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class DeviceUnavailableError(RuntimeError):
    """The device that was asked for cannot be used."""


@dataclass(frozen=True)
class Device:
    """What the benchmark runs on.

    Attributes:
        torch_device: where tensors live.
        precision: ``fp32``, ``bf16`` or ``fp16`` (with a gradient scaler).
        name: model of the CPU or GPU.
        uuid: the GPU's UUID as nvidia-smi prints it; None on a CPU.
        bdf: the GPU's PCI address as sysfs writes it; None on a CPU.
        capability: compute capability, such as ``9.0``; None on a CPU.
        memory_bytes: the GPU's memory; None on a CPU.
        threads: CPU threads that PyTorch uses.
    """

    torch_device: torch.device
    precision: str
    name: str
    uuid: str | None
    bdf: str | None
    capability: str | None
    memory_bytes: int | None
    threads: int

    def describe(self) -> dict[str, str | int | None]:
        """The document's ``device`` section."""
        return {
            "type": self.torch_device.type,
            "name": self.name,
            "uuid": self.uuid,
            "bdf": self.bdf,
            "capability": self.capability,
            "memory_bytes": self.memory_bytes,
            "precision": self.precision,
            "threads": self.threads,
        }


def choose_precision(capability: tuple[int, int] | None) -> str:
    """Precision by hardware: bf16 from Ampere (8.0) on, fp16 on Volta and Turing, else fp32.

    Args:
        capability: compute capability of the GPU; None for a CPU.
    """
    if capability is None or capability < (7, 0):
        return "fp32"
    return "bf16" if capability >= (8, 0) else "fp16"


def cpu_name() -> str:
    """Model of the CPU, or its architecture where /proc/cpuinfo names none (ARM)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def choose_threads(cpu_threads: int) -> int:
    """``OMP_NUM_THREADS`` if it is a positive number, else the preset's."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else cpu_threads


def open_device(requested: str, cpu_threads: int) -> Device:
    """Take the device: ``auto`` is the first GPU if PyTorch sees one, else the CPU.

    Args:
        requested: ``auto``, ``cpu`` or ``cuda``.
        cpu_threads: the preset's CPU threads.

    Raises:
        DeviceUnavailableError: ``cuda`` was asked for and PyTorch sees no GPU.
    """
    threads = choose_threads(cpu_threads)
    torch.set_num_threads(threads)
    # An operation without a repeatable implementation must raise, not drift.
    torch.use_deterministic_algorithms(True)
    if requested == "cpu" or (requested == "auto" and not torch.cuda.is_available()):
        return Device(torch.device("cpu"), "fp32", cpu_name(), None, None, None, None, threads)
    if not torch.cuda.is_available():
        build = torch.version.cuda
        why = "this build of PyTorch has no CUDA" if build is None else f"CUDA {build} sees no GPU"
        msg = f"cuda was asked for, but {why}"
        raise DeviceUnavailableError(msg)
    device = torch.device("cuda", 0)
    torch.cuda.reset_peak_memory_stats(device)
    found = describe_gpu(0)
    properties = torch.cuda.get_device_properties(device)
    return Device(
        torch_device=device,
        precision=choose_precision((properties.major, properties.minor)),
        name=found["name"],
        uuid=found["uuid"],
        bdf=found["bdf"],
        capability=found["capability"],
        memory_bytes=found["memory_bytes"],
        threads=threads,
    )


def describe_gpu(index: int) -> dict[str, Any]:
    """Name, UUID, PCI address, compute capability and memory of a GPU that PyTorch sees."""
    properties = torch.cuda.get_device_properties(index)
    return {
        "name": properties.name,
        "uuid": f"GPU-{properties.uuid}",
        # A GPU is function 0 of its device.
        "bdf": f"{properties.pci_domain_id:04x}:{properties.pci_bus_id:02x}"
        f":{properties.pci_device_id:02x}.0",
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
    }


def autocast(device: Device) -> torch.autocast:
    """The context in which the model runs in the device's precision; fp32 casts nothing."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[device.precision]
    return torch.autocast(
        device_type=device.torch_device.type, dtype=kind, enabled=device.precision != "fp32"
    )


@contextlib.contextmanager
def full_speed() -> Iterator[None]:
    """Let PyTorch choose the fastest kernels, repeatable or not, and TF32 for fp32 products.

    For what is measured, not for what is compared: outside, results repeat bit by bit.
    """
    deterministic = torch.are_deterministic_algorithms_enabled()
    fp32_products = torch.get_float32_matmul_precision()
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_float32_matmul_precision(fp32_products)


def parse_available(meminfo: str) -> int | None:
    """``MemAvailable`` of /proc/meminfo in bytes, or None where it is not given."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def available_bytes(device: Device) -> int | None:
    """Memory that the device has free now: the GPU's, or the host's for a CPU; None if unknown."""
    if device.torch_device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device.torch_device)
        return int(free)
    try:
        return parse_available(Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        return None
