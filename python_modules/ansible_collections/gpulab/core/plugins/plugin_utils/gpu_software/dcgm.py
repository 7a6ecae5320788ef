"""Decide which DCGM a node gets, and say what is wrong with the one that it has. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: GPUs before Turing are not in CUDA 13, and neither are DCGM's tests for them.
_BEFORE_CUDA_13 = frozenset({"maxwell", "pascal", "volta"})
#: DCGM 4 is made for these.
_CUDA = ("12", "13")
# https://docs.nvidia.com/datacenter/dcgm/latest/installation.html: driver R450 and later.
BRANCH_MIN = 450
_RELEASE = re.compile(r"4(\.\d+\.\d+)?")
#: What would lie beside the chosen package; another CUDA's is left by a change of the branch.
_BESIDE = re.compile(
    r"datacenter-gpu-manager(-config|-dbgsym)?|datacenter-gpu-manager-4-(proprietary-)?cuda\d+"
)
_PART = "datacenter-gpu-manager"
_SEEN_GPU = re.compile(r"discovery \| *\d+ *\| *Name: ")


def dcgm_plan(
    nvidia: Mapping[str, Any], plan: Mapping[str, Any], version: str, epoch: str = ""
) -> dict[str, Any]:
    """Decide which DCGM a node gets.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``.
        plan: what `resolve.make_plan` returns for the node.
        version: the declared release: "4" is the newest of DCGM 4.
        epoch: what precedes its package's version, such as ``1:``.

    Returns:
        ``cuda``, the major version that it is made for; ``wanted``, package → version; ``current``,
        whether that is there and held; ``unwanted``, packages that would lie beside it; ``held``,
        those of its parts that are held, and would keep it from changing;
        ``problem``, why it can't be had, or "".
    """
    old = not _BEFORE_CUDA_13.isdisjoint(plan["architectures"])
    cuda = "12" if old else plan["cuda_branch_max"].partition(".")[0]
    name = f"{_PART}-4-cuda{cuda}"
    packages = nvidia["packages"] or {}
    there = packages.get(name, {"held": False, "version": ""})
    release = re.compile(rf"(\d+:)?{re.escape(version)}[.-]")
    return {
        "cuda": cuda,
        "wanted": {name: f"{epoch}{version}{'.*' if version == '4' else '-*'}"},
        "current": bool(there["held"] and release.match(there["version"])),
        "unwanted": [
            other
            for other in packages
            if _BESIDE.fullmatch(other) and not other.endswith(f"cuda{cuda}")
        ],
        "held": [
            other for other, one in packages.items() if other.startswith(_PART) and one["held"]
        ],
        "problem": _problem(plan, version, cuda),
    }


def _problem(plan: Mapping[str, Any], version: str, cuda: str) -> str:
    if plan["problems"]:
        return " ".join(plan["problems"])
    if not _RELEASE.fullmatch(version):
        return (
            f"lab_software.dcgm.version is {version}: it must be 4, or a release of DCGM 4 such as "
            "4.7.0."
        )
    branch = plan["branch"]
    if cuda not in _CUDA or int(branch or 0) < BRANCH_MIN:
        return (
            f"DCGM 4 is made for CUDA 12 and 13 and driver {BRANCH_MIN} or later; branch {branch} "
            f"comes with CUDA {plan['cuda_branch_max']}. Declare a newer "
            "lab_software.nvidia_driver.branch."
        )
    return ""


def dcgm_verdict(
    said: Sequence[str], *, cuda: str, loaded: str, gpus: int, service: str
) -> dict[str, Any]:
    """Judge a node's DCGM by what its packages, its service and dcgmi say.

    Args:
        said: lines ``<package> <version>``, ``service <is-enabled> <is-active>`` and, where a
            driver is loaded, ``discovery <line of dcgmi discovery -l>``.
        cuda: the major version of CUDA that it is made for.
        loaded: the version of the loaded driver, "" for none.
        gpus: how many NVIDIA GPUs are on the PCI bus.
        service: its unit.

    Returns:
        ``problems``, sentences, and ``line``, what was verified.
    """
    parts = [line for line in said if line.startswith(_PART)]
    versions = list(dict.fromkeys(part.split()[-1] for part in parts))
    seen = sum(1 for line in said if _SEEN_GPU.match(line))
    problems = []
    if len(versions) != 1:
        problems.append(
            f"DCGM's parts are of different versions ({', '.join(parts)}): remove them and run "
            "again."
        )
    if not any(line.startswith("service enabled ") for line in said):
        problems.append(f"{service} does not start at boot: systemctl enable {service}.")
    if loaded:
        problems += _running(said, loaded, seen, gpus, service)
    version = re.sub(r"^\d+:", "", versions[0]) if versions else ""
    return {
        "problems": problems,
        "line": _line(f"DCGM {version} for CUDA {cuda}", loaded, seen, gpus),
    }


def _running(said: Sequence[str], loaded: str, seen: int, gpus: int, service: str) -> list[str]:
    problems = []
    if int(loaded.partition(".")[0]) < BRANCH_MIN:
        problems.append(f"The loaded driver {loaded} is older than DCGM works with ({BRANCH_MIN}).")
    if "service enabled active" not in said:
        problems.append(f"{service} does not run: journalctl -u {service}.")
    if seen != gpus:
        problems.append(f"DCGM sees {seen} of {gpus} GPUs: dcgmi discovery -l.")
    return problems


def _line(what: str, loaded: str, seen: int, gpus: int) -> str:
    if loaded:
        return f"{what} sees {seen} GPU(s)"
    why = "the NVIDIA driver is not loaded" if gpus else "no NVIDIA device on the PCI bus"
    return f"{what}, installed; not asked: {why}"
