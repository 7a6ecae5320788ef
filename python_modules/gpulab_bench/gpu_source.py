"""Where samples of the GPUs come from: NVML, else nvidia-smi, else nowhere, and then why."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible_collections.gpulab.core.plugins.module_utils.hardware import nvidia_smi, nvml
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvml_library import find_pynvml
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvml_reader import Reader
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError
from ansible_collections.gpulab.core.plugins.module_utils.process import Group, run

Gpu = dict[str, Any]

# The driver's sign of life. NVML is not asked without it: NVML would load the driver.
DRIVER = Path("/proc/driver/nvidia/version")

SMI_TIMEOUT_S = 10.0


class Nothing:
    """No GPU can be sampled."""

    name = "none"

    def __init__(self, reason: str) -> None:
        """Remember why."""
        self.reason = reason

    def identify(self) -> list[Gpu]:
        """No GPU."""
        return []

    def sample(self) -> list[Gpu]:
        """No GPU."""
        return []

    def close(self) -> None:
        """Nothing to close."""


class Nvml:
    """NVML by its Python binding."""

    name = "nvml"
    reason = ""

    def __init__(self, binding: ModuleType) -> None:
        """Open every GPU.

        Raises:
            nvml.NvmlError: NVML refuses.
        """
        self._binding = binding
        self._session = nvml.session(binding)
        self._session.__enter__()
        try:
            handles = [nvml.handle_of(binding, index) for index in range(nvml.count(binding))]
        except nvml.NvmlError:
            self.close()
            raise
        self._handles = handles
        self._identities = [
            {
                key: value or ""
                for key, value in nvml.read_gpu(binding, handle).items()
                if key in ("bdf", "uuid", "serial", "name")
            }
            for handle in handles
        ]

    def identify(self) -> list[Gpu]:
        """Each GPU's names and its NVLinks with their counters."""
        return [
            {**identity, "nvlinks": nvml.read_nvlinks(Reader(self._binding, handle))}
            for identity, handle in zip(self._identities, self._handles)
        ]

    def sample(self) -> list[Gpu]:
        """Each GPU's state now."""
        return [
            {**identity, **_state(Reader(self._binding, handle))}
            for identity, handle in zip(self._identities, self._handles)
        ]

    def close(self) -> None:
        """End the session."""
        self._session.__exit__(None, None, None)


class Smi:
    """The program nvidia-smi, a process for each sample: slower, and so less often."""

    name = "nvidia-smi"
    reason = ""

    def identify(self) -> list[Gpu]:
        """Each GPU's names and its NVLinks with their counters."""
        state, errors = _said(nvidia_smi.NVLINK_STATE), _said(nvidia_smi.NVLINK_ERRORS)
        return nvidia_smi.with_nvlinks(self.sample(), state, errors)

    def sample(self) -> list[Gpu]:
        """Each GPU's state now; [] where nvidia-smi does not say."""
        try:
            found: list[Gpu] = nvidia_smi.parse_smi(_said(nvidia_smi.QUERY))["gpus"]
        except ProbeError:
            return []
        return found

    def close(self) -> None:
        """Nothing to close."""


def _state(reader: Reader) -> Gpu:
    """What changes under load, in the shape of hardware_info's facts."""
    return {
        **nvml.read_memory(reader),
        "clocks_event_reasons": nvml.read_event_reasons(reader),
        "link": nvml.read_link(reader),
        "utilization": nvml.read_utilization(reader),
        "clocks": nvml.read_clocks(reader),
        "temperature": nvml.read_temperature(reader),
        "power": nvml.read_power(reader),
    }


def _said(command: tuple[str, ...]) -> str:
    """What a program printed; '' where it did not start or end."""
    done = run(command, os.environ, SMI_TIMEOUT_S, group=Group.CALLERS)
    return "" if done.timed_out else done.stdout


def open_source(driver: Path = DRIVER) -> Nvml | Smi | Nothing:
    """The best source that this node has."""
    if not driver.exists():
        return Nothing(f"no NVIDIA driver is loaded: {driver} is not there")
    binding = find_pynvml()
    why = "nvidia-ml-py is not installed"
    if binding is not None:
        try:
            return Nvml(binding)
        except nvml.NvmlError as error:
            why = f"NVML: {error}"
    smi = Smi()
    return smi if smi.sample() else Nothing(f"{why}, and nvidia-smi tells nothing")
