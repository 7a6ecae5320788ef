"""Decide which CUDA toolkits a node installs, from where, and what goes with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def cuda_packages(
    nvidia: Mapping[str, Any],
    plan: Mapping[str, Any],
    *,
    versions: Sequence[str],
    cudnn: str,
    nccl: str,
    nccl_packages: Sequence[str],
    distribution_version: str,
    distribution_packages: Sequence[str],
    remove_undeclared: bool,
) -> dict[str, Any]:
    """Compare a node's toolkits with its plan.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``.
        plan: what `resolve.make_plan` returns for the node.
        versions: the declared toolkits.
        cudnn: the major version of cuDNN, "" for none.
        nccl: the version of NCCL, or how it begins, "" for none.
        nccl_packages: the packages of NCCL on this platform.
        distribution_version: the toolkit of the node's own distribution, "" for none.
        distribution_packages: its packages.
        remove_undeclared: whether other toolkits are to go.

    Returns:
        ``usable``, versions, and ``unusable``, the plan's entries with ``why``; ``vendors``, the
        toolkits that come from NVIDIA, and ``default_is_own``, whether the default one does not;
        ``own_wanted`` and ``vendor_wanted``, package → version ("": the newest), and those of them
        that are ``own_missing`` and ``vendor_missing``; ``undeclared``, the toolkits that are to
        go; ``problem``, why nothing can be installed, or "".
    """
    usable = [one["version"] for one in plan["cuda"] if one["usable"]]
    default = plan["cuda_default"]
    own = [
        version
        for version in usable
        if version == distribution_version and plan["source"] == "distribution"
    ]
    vendors = [version for version in usable if version not in own]
    own_wanted = dict.fromkeys(distribution_packages if own else (), "")
    vendor_wanted = {
        **{f"cuda-toolkit-{version.replace('.', '-')}": "" for version in vendors},
        **(_libraries(default, cudnn, nccl, nccl_packages) if default else {}),
    }
    # A package that was installed and not held was left in the middle.
    held = {name for name, package in (nvidia["packages"] or {}).items() if package["held"]}
    there = nvidia["cuda"]["versions"]
    return {
        "usable": usable,
        "unusable": [one for one in plan["cuda"] if not one["usable"]],
        "vendors": vendors,
        "default_is_own": default in own,
        "own_wanted": own_wanted,
        "vendor_wanted": vendor_wanted,
        "own_missing": [name for name in own_wanted if name not in held],
        "vendor_missing": [name for name in vendor_wanted if name not in held],
        "undeclared": [one for one in there if one not in versions] if remove_undeclared else [],
        "problem": _problem(plan, libraries=bool(cudnn or nccl), is_own=default in own),
    }


def _libraries(default: str, cudnn: str, nccl: str, nccl_packages: Sequence[str]) -> dict[str, str]:
    """Return cuDNN and NCCL, which are built for the default toolkit's major version of CUDA."""
    major = default.partition(".")[0]
    # apt takes a pattern that ends with a star for a mere beginning unless a digit class stands
    # before it; dnf needs the star.
    nccl_version = f"{nccl}.*+cuda{major}.[0-9]*"
    return {
        **({f"cudnn{cudnn}-cuda-{major}": ""} if cudnn else {}),
        **(dict.fromkeys(nccl_packages, nccl_version) if nccl else {}),
    }


def _problem(plan: Mapping[str, Any], *, libraries: bool, is_own: bool) -> str:
    if plan["problems"]:
        return " ".join(plan["problems"])
    if libraries and is_own:
        return (
            "lab_software.cuda.cudnn and nccl need a toolkit from NVIDIA, and "
            f"{plan['cuda_default']} comes from the distribution here: leave them out for this "
            "machine, or set lab_software.nvidia_driver.source to nvidia."
        )
    return ""
