"""What the state of a node's driver is decided from: node, platform, and what is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.gpu_software.kernel_names import has_order

#: Package names by what they are for: see `Platform.names`.
Names = Mapping[str, Sequence[str]]
NO_NAMES: Names = {}


@dataclass(frozen=True)
class Node:
    """What is on a node.

    Attributes:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``.
        before: the same, as it was before this run changed anything.
        listed: name → state of what the module does not read. An installed package is ``held`` or
            ``free``; a ``tool`` is a package that the role's own work needs, and that is not there;
            a unit is ``enabled`` or ``masked``; the key ``mok`` is ``enrolled``; the command of a
            persistence daemon's unit that leaves persistence mode off is ``persistence-off``.
        in_container: whether its kernel is its host's.
        bootable: the kernels that may run next, as `bootable_kernels` returns them.
    """

    nvidia: Mapping[str, Any]
    before: Mapping[str, Any]
    listed: Mapping[str, str]
    in_container: bool
    bootable: Sequence[str]

    @property
    def packages(self) -> Mapping[str, Any]:
        """NVIDIA's packages: name → ``version`` and ``held``; none where they could not be read."""
        return self.nvidia["packages"] or {}

    @property
    def version_before(self) -> str:
        """Version of the driver that was there before, "" for none."""
        return self.before["module"]["on_disk"] or self.before["userspace"] or ""


@dataclass(frozen=True)
class Platform:
    """How a node's platform calls things; the role's vars files have the names.

    Attributes:
        distribution: as Ansible's facts call it.
        manager: the package manager, likewise.
        sets: source → what → package names. ``open`` and ``proprietary`` bring the modules;
            ``same`` has the driver's version whatever the flavour, ``other`` versions of its own;
            ``fabricmanager`` and ``gds`` (GPUDirect Storage) come where they are needed.
        module_packages: pattern of all packages that bring modules, whatever source and flavour;
            "" where the sets alone tell.
        own_module_packages: source → pattern of those that the chosen flavour has there.
        headers_prefix: what precedes a kernel's name in its headers' package.
        headers_without_kernel: the headers' packages of a node without a kernel of its own.
        mok_advice: how a machine-owner key is enrolled.
    """

    distribution: str
    manager: str
    sets: Mapping[str, Names]
    module_packages: str
    own_module_packages: Mapping[str, str]
    headers_prefix: str
    headers_without_kernel: Sequence[str]
    mok_advice: str

    def names(self, source: str) -> Names:
        """Return the package names of a source, by what they are for."""
        return self.sets.get(source, NO_NAMES)

    def is_other_module(self, package: str, source: str) -> bool:
        """Tell whether a package brings modules of another source or flavour than is chosen."""
        if not self.module_packages or not re.match(self.module_packages, package):
            return False
        own = self.own_module_packages.get(source)
        return own is not None and not re.match(own, package)


@dataclass(frozen=True)
class Request:
    """What is asked for, beside the plan.

    Attributes:
        settings: ``node_gpu``.
        upgrade: whether the branch's newest is to take the place of what is there.
        pinned: the version that apt was pinned to in this run, "" for none.
    """

    settings: Mapping[str, Any]
    upgrade: bool
    pinned: str


def parse_look(lines: Sequence[str]) -> dict[str, str]:
    """Return name → state of the lines ``<state> <name>`` that the role's look prints."""
    rows = (line.partition(" ") for line in lines)
    return {name: state for state, _, name in rows}


def bootable_kernels(kernel: Mapping[str, Any] | None, images: Sequence[str]) -> list[str]:
    """List the kernels that a node runs, or may run after its next boot.

    Args:
        kernel: what ``gpulab.core.nvidia_info`` returns as ``nvidia.kernel``.
        images: the kernels whose packages are installed.

    Returns:
        The running one, the newer ones, and those of which nobody can tell; none for a container,
        whose kernel is its host's.
    """
    if not kernel or kernel["in_container"]:
        return []
    running, installed = kernel["running"], list(kernel["installed"])
    newer = installed[installed.index(running) + 1 :] if running in installed else []
    perhaps = [name for name in installed if name not in newer and not has_order(running, name)]
    return [running, *(name for name in [*newer, *perhaps] if name in images)]
