"""Decide which GPU software a node gets. Pure: what the node is goes in, a plan comes out.

What the declaration asks for and the node's GPUs can't have becomes a problem that names the GPU,
the key, the value and what would work; the plan's value is then empty, never one that fails later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...module_utils.gpu_software.catalogue import (
    ARCHITECTURES,
    BRANCHES,
    DEBIAN_FLAVOURS,
    DEFAULT_BRANCH,
    FIRST_BRANCH,
    FIRST_OPEN_ONLY_BRANCH,
    OPEN,
    PROPRIETARY,
    TOOLKITS,
    branch_flavours,
    branch_number,
    branch_of,
    branch_runs,
    compiles_for,
    has_ended,
    version_key,
)
from ...module_utils.gpu_software.chips import (
    identify,
    is_grace_hopper,
    is_hgx_blackwell,
    is_rack_blackwell,
)
from ...module_utils.hardware.gpu_names import NVIDIA_NAMES
from .driver_source import AUTO, DISTRIBUTION, DRIVER, NVIDIA, choices, nowhere
from .releases import DEBIAN, System

NO_BRANCH = "no driver branch could be chosen"
CUDA = "lab_software.cuda"


@dataclass(frozen=True)
class Gpu:
    """What decides of one GPU; an unknown one has no architecture and restricts nothing."""

    label: str
    device_id: str | None
    architecture: str | None
    capability: str
    flavours: tuple[str, ...]
    first_branch: int
    last_branch: int | None

    def takes_branch(self, branch: str) -> bool:
        """Return whether a driver of the branch drives it."""
        number = branch_number(branch)
        return self.first_branch <= number and (
            self.last_branch is None or number <= self.last_branch
        )

    def fits(self, flavour: str, branch: str) -> bool:
        """Return whether modules of this flavour and branch exist and drive it."""
        return (
            flavour in self.flavours
            and flavour in branch_flavours(branch)
            and self.takes_branch(branch)
        )

    def takes_cuda(self, version: str) -> bool:
        """Return whether the toolkit compiles for it; true where its capability is unknown."""
        return not self.capability or compiles_for(version, self.capability)


@dataclass
class _Plan:
    """What is decided so far."""

    gpus: Sequence[Gpu]
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def make_plan(
    nvidia: Mapping[str, Any],
    software: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    *,
    month: str = "",
) -> dict[str, Any]:
    """Return the plan for one node.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``; ``gpus``, ``nvswitches`` and
            ``secure_boot`` decide. ``gpus`` null is a problem, not a node without GPUs.
        software: ``lab_software``.
        facts: ``ansible_facts``; ``distribution`` and ``distribution_major_version`` decide.
        month: this one, as ``2026-12``, to tell what has ended; "" tells nothing.

    Returns:
        ``architectures``, ``flavour``, ``flavour_why``, ``branch``, ``version``, ``source``,
        ``source_why``, ``fabricmanager``, ``nvlsm``, ``imex``, ``cuda``, ``cuda_codes`` (what to
        compile for: ``["90", "120"]``), ``cuda_default``, ``cuda_branch_max``, ``dcgm_note``,
        ``notes``, ``problems``. With a problem, ``flavour``, ``branch`` and
        ``cuda_default`` may be empty: nothing could be chosen that works.
    """
    driver = _section(software, "nvidia_driver")
    plan = _Plan(_gpus(nvidia.get("gpus") or ()))
    if nvidia.get("gpus") is None:
        reason = (nvidia.get("unread") or {}).get("gpus", "no reason was given")
        plan.problems.append(f"which GPUs this machine has could not be read: {reason}")
    plan.notes += [
        f"{gpu.label} is not in the catalogue: nothing is known of what drives it"
        for gpu in plan.gpus
        if gpu.architecture is None
    ]
    system = System.of(facts or {}, str(nvidia.get("secure_boot") or "unknown"))
    source, source_why, branch = _source_and_branch(driver, system, plan)
    if branch and has_ended(branch, month):
        plan.notes.append(
            f"branch {branch} gets no fixes since {BRANCHES[branch].end_of_life}: plan for another"
        )
    from_debian = source == DISTRIBUTION and bool(branch) and system.name == DEBIAN
    flavour, flavour_why = _flavour(driver, branch, plan, from_debian=from_debian)
    version = _version(driver, branch, plan)
    cuda = [_toolkit(wanted, branch, system, plan) for wanted in _cuda_versions(software)]
    fabric = _fabric(nvidia, plan)
    return {
        "architectures": sorted({gpu.architecture for gpu in plan.gpus if gpu.architecture}),
        "flavour": flavour,
        "flavour_why": flavour_why,
        "branch": branch,
        "version": version,
        "source": source,
        "source_why": source_why,
        **fabric,
        "cuda": cuda,
        "cuda_codes": _codes(plan.gpus),
        "cuda_default": _cuda_default(software, cuda, plan),
        "cuda_branch_max": BRANCHES[branch].cuda_max if branch else "",
        "dcgm_note": _dcgm_note(system),
        "notes": plan.notes,
        "problems": plan.problems,
    }


def _section(software: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    section = (software or {}).get(name)
    return section if isinstance(section, Mapping) else {}


def _gpus(listed: Sequence[Mapping[str, Any]]) -> list[Gpu]:
    """The GPUs in the order of their addresses, so that messages never change places."""
    return sorted((_gpu(gpu) for gpu in listed), key=lambda gpu: gpu.label)


def _gpu(gpu: Mapping[str, Any]) -> Gpu:
    device_id = gpu.get("device_id")
    name = gpu.get("name") or NVIDIA_NAMES.get(device_id or "")
    # The address first: it sorts as the bus does.
    label = f"{gpu.get('bdf')} {name or f'NVIDIA device {device_id}'}"
    chip = identify(device_id, name)
    if chip is None:
        return Gpu(label, device_id, None, "", (OPEN, PROPRIETARY), 0, None)
    architecture = ARCHITECTURES[chip.architecture]
    return Gpu(
        label,
        device_id,
        chip.architecture,
        chip.capability,
        (OPEN,) if is_grace_hopper(device_id) else architecture.flavours,
        FIRST_BRANCH.get(chip.capability, 0),
        architecture.last_branch,
    )


def _source_and_branch(
    driver: Mapping[str, Any], system: System, plan: _Plan
) -> tuple[str, str, str]:
    """Return source, why, and the branch: "" where none that was asked for can drive the GPUs."""
    asked = str(driver.get("branch") or "")
    if not asked and driver.get("version"):
        asked = branch_of(str(driver["version"]))
    source = str(driver.get("source") or AUTO)
    if asked and asked not in BRANCHES:
        plan.problems.append(
            f"{DRIVER}.branch: {asked} is not a branch that is known; known: {', '.join(BRANCHES)}"
        )
        return NVIDIA if source == AUTO else source, f"{DRIVER}.branch is not known", ""
    possible = choices(source, asked, system)
    if not possible:
        plan.problems.append(nowhere(source, asked, system))
        return NVIDIA if source == AUTO else source, "no source has it", ""
    choice = next(
        (one for one in possible if all(gpu.takes_branch(one.branch) for gpu in plan.gpus)),
        possible[0],
    )
    if source == AUTO and choice.source == NVIDIA and system.secure_boot == "on":
        plan.notes.append(
            "Secure Boot is on, and modules from NVIDIA's repository are signed by a key of this "
            "machine: enrol it (mokutil --import), or they will not load"
        )
    advice = f" (with source: {NVIDIA})" if choice.source == DISTRIBUTION and not asked else ""
    branch = choice.branch if _branch_drives(choice.branch, advice, plan) else ""
    return choice.source, choice.why, branch


def _branch_drives(branch: str, advice: str, plan: _Plan) -> bool:
    """Tell whether the branch drives every GPU, in either flavour; else say which it does not."""
    refused = [gpu for gpu in plan.gpus if not gpu.takes_branch(branch)]
    working = [other for other in BRANCHES if all(_any_flavour(gpu, other) for gpu in plan.gpus)]
    for gpu in refused:
        limit = (
            f"is driven up to branch {gpu.last_branch}"
            if gpu.last_branch and branch_number(branch) > gpu.last_branch
            else f"needs branch {gpu.first_branch} or later"
        )
        plan.problems.append(
            f"{gpu.label}: {DRIVER}.branch {branch} cannot drive it: {_title(gpu)} {limit}; "
            + _would_work("branch", working, plan.gpus)
            + (advice if working else "")
        )
    return not refused


def _any_flavour(gpu: Gpu, branch: str) -> bool:
    return any(gpu.fits(flavour, branch) for flavour in (OPEN, PROPRIETARY))


def _flavour(
    driver: Mapping[str, Any], branch: str, plan: _Plan, *, from_debian: bool
) -> tuple[str, str]:
    """Return the flavour of the modules and why; "" where none drives all GPUs."""
    asked = str(driver.get("flavour") or AUTO)
    # Without a branch the flavour is still worth judging: by the branch that drives most.
    on = branch or DEFAULT_BRANCH
    works = [
        flavour
        for flavour in branch_flavours(on)
        if all(flavour in gpu.flavours for gpu in plan.gpus)
    ]
    if not works:
        only = {
            flavour: [gpu.label for gpu in plan.gpus if gpu.flavours == (flavour,)]
            for flavour in (OPEN, PROPRIETARY)
        }
        if only[OPEN] and only[PROPRIETARY]:
            plan.problems.append(
                f"{DRIVER}.flavour: no module drives all GPUs of this machine: "
                f"{', '.join(only[PROPRIETARY])} can have the {PROPRIETARY} ones alone, "
                f"{', '.join(only[OPEN])} the {OPEN} ones alone: move one kind to another machine"
            )
        elif branch:
            plan.problems.append(
                f"{', '.join(only[PROPRIETARY])}: {DRIVER}.branch {branch} has no {PROPRIETARY} "
                f"modules any more (none from {FIRST_OPEN_ONLY_BRANCH} on)"
            )
        return "", "no flavour drives all GPUs"
    if asked == AUTO:
        usual = DEBIAN_FLAVOURS.get(on, works[0]) if from_debian else works[0]
        if usual in works and usual != works[0]:
            return usual, f"Debian's {works[0]} modules of branch {on} lag behind its kernels"
        return works[0], _auto_why(works, plan)
    if asked in works:
        return asked, f"{DRIVER}.flavour asks for it"
    for gpu in plan.gpus:
        if asked not in gpu.flavours:
            plan.problems.append(
                f"{gpu.label}: {DRIVER}.flavour {asked} cannot drive it: {_title(gpu)} needs the "
                f"{gpu.flavours[0]} modules; declare flavour: {AUTO}"
            )
    if asked not in branch_flavours(on):
        plan.problems.append(
            f"{DRIVER}.flavour: branch {on} has no {asked} modules (none from "
            f"{FIRST_OPEN_ONLY_BRANCH} on); declare flavour: {AUTO}"
        )
    return "", f"{DRIVER}.flavour {asked} cannot be had"


def _auto_why(works: Sequence[str], plan: _Plan) -> str:
    if not plan.gpus:
        return "no NVIDIA GPU on the PCI bus: the open modules, as for Turing and later"
    if works[0] == OPEN:
        return "every GPU is Turing or later"
    old = sorted({_title(gpu) for gpu in plan.gpus if gpu.flavours == (PROPRIETARY,)})
    return f"{', '.join(old)} GPUs are older than Turing and have no open modules"


def _version(driver: Mapping[str, Any], branch: str, plan: _Plan) -> str:
    version = str(driver.get("version") or "")
    if version and branch and branch_of(version) != branch:
        plan.problems.append(
            f"{DRIVER}.version: {version} is not of branch {branch}: declare a version {branch}.x, "
            f'or branch "{branch_of(version)}"'
        )
        return ""
    return version if branch else ""


def _cuda_versions(software: Mapping[str, Any] | None) -> list[str]:
    versions = _section(software, "cuda").get("versions") or ()
    return [str(version) for version in versions]


def _toolkit(wanted: str, branch: str, system: System, plan: _Plan) -> dict[str, Any]:
    """Say whether one toolkit is of use here.

    The release can have it, its driver is there, and it compiles for all GPUs.
    """
    if wanted not in TOOLKITS:
        why = f"CUDA {wanted} is not known; known: {', '.join(TOOLKITS)}"
        return {"version": wanted, "usable": False, "why": why}
    refusing = [gpu for gpu in plan.gpus if not gpu.takes_cuda(wanted)]
    if refusing:
        able = [other for other in TOOLKITS if all(gpu.takes_cuda(other) for gpu in plan.gpus)]
        labels = ", ".join(gpu.label for gpu in refusing)
        titles = ", ".join(sorted({_title(gpu) for gpu in refusing}))
        why = (
            f"{labels}: CUDA {wanted} does not compile for {titles}; "
            f"{_would_work('CUDA', able, plan.gpus)}"
        )
        return {"version": wanted, "usable": False, "why": why}
    if not system.has_toolkit(wanted):
        why = (
            f"CUDA {wanted} is not in NVIDIA's repository for {system.title}, which begins with "
            f"{system.can_have.first_toolkit}"
        )
        return {"version": wanted, "usable": False, "why": why}
    if not branch:
        return {"version": wanted, "usable": False, "why": NO_BRANCH}
    if not branch_runs(branch, wanted):
        why = (
            f"CUDA {wanted} needs a driver of branch {TOOLKITS[wanted].branch_min} or later, and "
            f"this node gets {branch}"
        )
        return {"version": wanted, "usable": False, "why": why}
    why = f"branch {branch} runs it"
    if version_key(wanted) > version_key(BRANCHES[branch].cuda_max):
        why += (
            f" by minor version compatibility (its own is {BRANCHES[branch].cuda_max}): PTX and "
            "features of later drivers do not work"
        )
    return {"version": wanted, "usable": True, "why": why}


def _dcgm_note(system: System) -> str:
    if system.can_have.dcgm:
        return ""
    return (
        f"NVIDIA does not list {system.title} for DCGM: its repository may have no package for it"
    )


def _codes(gpus: Sequence[Gpu]) -> list[str]:
    """Return the machine codes of the GPUs' own compute capabilities, the oldest first.

    One architecture may have several: Blackwell has 10.0, 10.3, 12.0 and 12.1, and code for 10.0
    does not run on 12.0.
    """
    capabilities = sorted({gpu.capability for gpu in gpus if gpu.capability}, key=version_key)
    return [capability.replace(".", "") for capability in capabilities]


def _cuda_default(
    software: Mapping[str, Any] | None, cuda: Sequence[Mapping[str, Any]], plan: _Plan
) -> str:
    """Return the default toolkit; report what is not usable, as a note where another one is."""
    usable = [str(one["version"]) for one in cuda if one["usable"]]
    # Why there is no branch stands among the problems already.
    unusable = [one for one in cuda if not one["usable"] and one["why"] != NO_BRANCH]
    reports = plan.notes if usable else plan.problems
    reports += [f"{CUDA}.versions {one['version']}: {one['why']}" for one in unusable]
    if not usable:
        return ""
    declared = str(_section(software, "cuda").get("default") or "")
    highest = max(usable, key=version_key)
    if not declared or declared in usable:
        return declared or highest
    plan.notes.append(
        f"{CUDA}.default {declared} is not usable on this node: {highest} takes its place"
    )
    return highest


def _fabric(nvidia: Mapping[str, Any], plan: _Plan) -> dict[str, bool]:
    ids = [gpu.device_id for gpu in plan.gpus]
    hgx = any(is_hgx_blackwell(device_id) for device_id in ids)
    return {
        "fabricmanager": hgx or bool(nvidia.get("nvswitches")),
        "nvlsm": hgx,
        "imex": any(is_rack_blackwell(device_id) for device_id in ids),
    }


def _title(gpu: Gpu) -> str:
    return ARCHITECTURES[gpu.architecture].title if gpu.architecture else "an unknown architecture"


def _would_work(what: str, values: Sequence[str], gpus: Sequence[Gpu]) -> str:
    if values:
        # All of them in a row would bury the message.
        listed = ", ".join(values) if len(values) < 4 else f"{values[0]} to {values[-1]}"
        return f"what works: {what} {listed}"
    together = "all GPUs of this machine together" if len(gpus) > 1 else "it"
    return f"nothing that is known drives {together}"
