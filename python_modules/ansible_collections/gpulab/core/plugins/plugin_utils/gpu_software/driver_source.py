"""Where a node's driver can come from: which sources have which branches of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...module_utils.gpu_software.catalogue import DEFAULT_BRANCH
from .releases import DEBIAN, UBUNTU, System

AUTO = "auto"
NVIDIA, DISTRIBUTION = "nvidia", "distribution"
DRIVER = "lab_software.nvidia_driver"


@dataclass(frozen=True)
class Choice:
    """A source, a branch that it has, and why it would be taken."""

    source: str
    branch: str
    why: str


def choices(source: str, asked: str, system: System) -> list[Choice]:
    """List what can be had, the best first; what is asked for leaves no other."""
    own = [branch for branch in system.can_have.own_branches if asked in ("", branch)]
    usual = [DEFAULT_BRANCH] if DEFAULT_BRANCH in own else own[-1:]
    vendor = asked or (
        DEFAULT_BRANCH
        if system.vendor_has_branch(DEFAULT_BRANCH)
        else system.can_have.default_branch
    )
    by_vendor = [Choice(NVIDIA, vendor, "NVIDIA's repository has every branch")]
    if not system.vendor_has_branch(vendor):
        by_vendor = []
    elif system.can_have.first_branch:
        by_vendor = [Choice(NVIDIA, vendor, f"NVIDIA's repository has branch {vendor}")]
    if source == NVIDIA:
        return [Choice(NVIDIA, one.branch, f"{DRIVER}.source asks for it") for one in by_vendor]
    if source == DISTRIBUTION:
        return [Choice(DISTRIBUTION, one, f"{DRIVER}.source asks for it") for one in usual]
    if usual and system.name == UBUNTU and system.secure_boot == "on":
        why = "Secure Boot is on, and Ubuntu's own modules are signed for it"
        return [Choice(DISTRIBUTION, usual[0], why), *by_vendor]
    by_itself = [
        Choice(DISTRIBUTION, one, f"{system.title} ships branch {one} itself") for one in usual
    ]
    # Debian's own where it is of the branch; Ubuntu's where NVIDIA's repository lacks the usual.
    first = system.name == DEBIAN and asked
    lacks = system.name == UBUNTU and vendor != (asked or DEFAULT_BRANCH)
    return [*by_itself, *by_vendor] if first or lacks else [*by_vendor, *by_itself]


def nowhere(source: str, asked: str, system: System) -> str:
    """Say that no source has what is asked for, and what there is."""
    own = system.can_have.own_branches
    if source == DISTRIBUTION and not own:
        return (
            f"{DRIVER}.source: {system.title} has no NVIDIA driver of its own: declare "
            f"source: {NVIDIA} or {AUTO}"
        )
    ships = f"which ships {', '.join(own)}" if own else "which ships none"
    if source == DISTRIBUTION:
        others = (
            " (its packages of other branches are empty and bring one of these)"
            if system.name == UBUNTU
            else ""
        )
        return (
            f"{DRIVER}.branch: {asked} is not in {system.title}, {ships}{others}: declare branch "
            f'"{own[-1]}", or source: {NVIDIA}'
        )
    there = ", ".join(system.vendor_branches)
    return (
        f"{DRIVER}.branch: {asked} is not in NVIDIA's repository for {system.title}, which has "
        f"{there}"
        + (f", nor in {system.title}, {ships}" if source == AUTO else "")
        + ": declare one of these"
        + (f", or source: {DISTRIBUTION}" if source == NVIDIA and asked in own else "")
    )
