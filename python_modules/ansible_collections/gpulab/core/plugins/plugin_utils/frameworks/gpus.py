"""Whether a framework's CUDA build runs on a node's GPUs and driver, by what its lock pins. Pure.

docs/gpu-software.md says how the table is brought up to date.

Sources (read 2026-12-01):
    PyTorch: its support matrix by release, https://github.com/pytorch/pytorch/blob/main/RELEASE.md,
        and https://github.com/pytorch/pytorch/issues/172352 and 190385: from 2.11 on only the build
        with CUDA 12.6 has Maxwell, Pascal and Volta, and 2.15 has none of it; that build ends with
        Hopper.
    TensorFlow: 2.21's binaries are for 6.0, 7.0, 8.0, 8.9 and 9.0, of CUDA 12.5, whose PTX no
        Blackwell takes: https://github.com/tensorflow/tensorflow/issues/111958
    cuDNN: 9.10 is the last for GPUs before Turing.
    Drivers: the toolkits of `catalogue.TOOLKITS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...module_utils.gpu_software.catalogue import (
    branch_min_of,
    branch_number,
    branch_of,
    version_key,
)
from ...module_utils.gpu_software.chips import identify
from ...module_utils.hardware.gpu_names import NVIDIA_NAMES

_LINE = re.compile(r"^([a-z0-9][a-z0-9.-]*)===?([^ ;\\]+)", re.MULTILINE)
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")
_CUDNN_BEFORE_TURING = (9, 10)
_TURING = (7, 5)
_BLACKWELL = (10, 0)
_OLD_GPUS = (
    "give this node a lock with CUDA 12.6 (docs/gpu-software.md, 'Frameworks on old GPUs') by "
    "{name}_lock_cuda, or declare {name}_build: cpu for it"
)
_NEW_GPUS = (
    "declare {name}_build: cpu for this node, or run TensorFlow in NVIDIA's container; PyTorch has "
    "a build for it"
)


@dataclass(frozen=True)
class Needs:
    """What a build with CUDA needs.

    Attributes:
        cuda: the CUDA that it brings, ``13.0``; "" for none, or one that its lock does not tell.
        first: the oldest compute capability that it has code for.
        before: the first capability that it has none for; None where there is no such limit.
        branch_min: the oldest driver branch that runs it; 0 where that is unknown.
    """

    cuda: str
    first: tuple[int, ...]
    before: tuple[int, ...] | None
    branch_min: int


def pinned(lock: str) -> dict[str, str]:
    """Return name → version of a requirements lock, whatever Python and machine a line is for."""
    return {match[1]: match[2] for match in _LINE.finditer(lock)}


def needs_of(framework: str, pins: Mapping[str, str]) -> Needs:
    """Return what a framework's CUDA build needs.

    Args:
        framework: name of its role.
        pins: what its lock pins, name → version.
    """
    runtime = _version(_RUNTIME, pins)
    cuda = ".".join(runtime.split(".")[:2])
    if not cuda:
        return Needs("", (0,), None, 0)
    key = version_key(cuda)
    first = (6, 0) if framework == "tensorflow" else (5, 0)
    cudnn = version_key(_version(_CUDNN, pins))
    without_old = key >= (12, 8) and framework == "pytorch"
    if without_old or key >= (13,) or cudnn[:2] > _CUDNN_BEFORE_TURING:
        first = _TURING
    ends = framework == "tensorflow" or key < (12, 8)
    return Needs(cuda, first, _BLACKWELL if ends else None, branch_min_of(cuda))


def gpu_problem(
    framework: str, title: str, needs: Needs, devices: Sequence[str], driver: str
) -> str:
    """Say why the build would not run on a node, and what would; "" where nothing forbids it.

    Args:
        framework: name of its role.
        title: its own name.
        needs: what `needs_of` returns.
        devices: PCI device ids of the node's GPUs; one that nobody knows restricts nothing.
        driver: version or branch of the driver that the node has or gets, "" for none.
    """
    build = f"{title}'s build with CUDA {needs.cuda}"
    known = {device: chip for device in devices if (chip := identify(device)) and chip.capability}
    too_old = [one for one, chip in known.items() if version_key(chip.capability) < needs.first]
    too_new = [
        one
        for one, chip in known.items()
        if needs.before is not None and version_key(chip.capability) >= needs.before
    ]
    for found, advice in ((too_old, _OLD_GPUS), (too_new, _NEW_GPUS)):
        if found:
            names = ", ".join(sorted({NVIDIA_NAMES.get(one, one) for one in found}))
            return f"{build} has no code for {names}: {advice.format(name=framework)}"
    branch = branch_number(branch_of(driver))
    if branch and branch < needs.branch_min:
        return (
            f"{build} needs a driver of branch {needs.branch_min} or later, and this node has or "
            f"gets {driver}: declare lab_software.nvidia_driver.branch, or a lock with an older "
            f"CUDA in {framework}_lock_cuda"
        )
    return ""


def _version(name: re.Pattern[str], pins: Mapping[str, str]) -> str:
    return next((version for one, version in pins.items() if name.fullmatch(one)), "")
