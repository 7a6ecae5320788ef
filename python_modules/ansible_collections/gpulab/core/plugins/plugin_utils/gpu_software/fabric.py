"""Which packages and modules a node's NVLink fabric needs, beside the fabric manager. Pure.

Sources (read 2026-12-01):
    NVIDIA's repositories: the lists of packages of deb and rpm releases. Up to branch 575
        ``libnvsdm`` and ``nvidia-imex`` have the branch in their names, from 580 on they do not.
    Canonical's: https://packages.ubuntu.com/nvidia-imex-580; it has neither nvlsm nor libnvsdm.
    Modules: https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/ (HGX B200 and
        later: nvlsm talks to the switches by management datagrams over the board's own adapters);
        a fabric manager that starts without ib_umad ends its precheck with an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.gpu_software.catalogue import branch_number
from .driver_source import NVIDIA

#: From here on the names have no branch.
_FIRST_PLAIN = 580
#: What nvlsm reaches the switches by; the kernel does not load the second one by itself.
MODULES = ("mlx5_ib", "ib_umad")


def fabric_packages(plan: Mapping[str, Any], distribution: str) -> tuple[list[str], list[str]]:
    """Return the packages of the driver's version, and those with versions of their own.

    Args:
        plan: what `resolve.make_plan` returns for the node.
        distribution: as Ansible's facts call it.
    """
    branch = plan["branch"]
    plain = branch_number(branch) >= _FIRST_PLAIN and plan["source"] == NVIDIA
    suffix = "" if plain else f"-{branch}"
    if missing(plan, distribution):
        return [], []
    return (
        [f"nvidia-imex{suffix}"] if plan["imex"] else [],
        ["nvlsm", f"libnvsdm{suffix}"] if plan["nvlsm"] else [],
    )


def missing(plan: Mapping[str, Any], distribution: str) -> list[str]:
    """Return what the fabric needs and the chosen source does not have."""
    if plan["source"] == NVIDIA:
        return []
    return [
        *(["nvlsm"] if plan["nvlsm"] else []),
        *(["nvidia-imex"] if plan["imex"] and distribution != "Ubuntu" else []),
    ]


def fabric_modules(plan: Mapping[str, Any]) -> Sequence[str]:
    """Return the kernel modules that must be loaded before the fabric manager starts."""
    return MODULES if plan["nvlsm"] else ()
