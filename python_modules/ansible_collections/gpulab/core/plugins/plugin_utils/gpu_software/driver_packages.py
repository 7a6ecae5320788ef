"""Which packages a node's driver is made of: what to install, what is in the way, what is held."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .driver_node import Node, Platform, Request
from .fabric import fabric_packages

#: The driver's packages, and not those that the roles cuda, nvidia_container and dcgm answer for.
OURS = re.compile(
    r"(lib)?nvidia-(?!cuda-|container|cudnn)|libcuda1$|cuda-drivers|kmod-nvidia"
    r"|linux-modules-nvidia-|firmware-nvidia-|nvlsm$|libnvsdm(-\d+)?$"
)
#: What brings the newest kernel of a flavour: linux-image-generic, linux-image-cloud-amd64.
#: Beside them are linux-image-extra-virtual, an empty package, and such with symbols to debug.
KERNEL_META = re.compile(r"linux-image-(?!unsigned-|extra-|[0-9])(?!.*-dbg(sym)?$)")
#: NVIDIA's packages that keep apt to a branch or version.
PINNING = "nvidia-driver-pinning-"
_VERSION = re.compile(r"[0-9]+([.][0-9]+)+")


@dataclass(frozen=True)
class DriverPackages:
    """Packages by name; `specs` are what the package manager is given.

    Attributes:
        names: all that the driver is made of here.
        same: those of them that have the driver's version.
        pinning: those of them that keep apt to the branch.
        specs: `names`, with the version where one is to be had or kept, and what has to follow it.
        keep: the version to stay with, "" for the branch's newest.
        exact: the version that `specs` carry, "" for none.
        missing: those of `names` that are not there.
        wrong_version: those of `same` that have another version than the declared one.
        other_flavour: those that bring modules of the other flavour or source.
        other_pinning: those that keep apt to another branch or version.
        owned: those that are there, whoever brought them.
        unheld: those of `owned` that an upgrade would change.
    """

    names: list[str]
    same: list[str]
    pinning: list[str]
    specs: list[str]
    keep: str
    exact: str
    missing: list[str]
    wrong_version: list[str]
    other_flavour: list[str]
    other_pinning: list[str]
    owned: list[str]
    unheld: list[str]

    @property
    def held(self) -> list[str]:
        """Those of `owned` that no upgrade changes."""
        return [name for name in self.owned if name not in self.unheld]


def choose_packages(
    node: Node, plan: Mapping[str, Any], platform: Platform, request: Request
) -> DriverPackages:
    """Decide which packages a node's driver is made of.

    Args:
        node: what is on the node.
        plan: what `resolve.make_plan` returns for it.
        platform: its platform's names.
        request: what is asked for.

    Returns:
        The packages; those of a source or flavour that the platform does not have are none.
    """
    sets = platform.names(plan["source"])
    fabric = list(sets.get("fabricmanager", ())) if plan["fabricmanager"] else []
    with_driver, by_themselves = fabric_packages(plan, platform.distribution)
    same = [*sets.get(plan["flavour"], ()), *sets.get("same", ()), *fabric, *with_driver]
    gds = sets.get("gds", ()) if request.settings.get("gds") else ()
    other = [*sets.get("other", ()), *_modules(node, sets)]
    names = _unique(*same, *other, *by_themselves, *gds)
    wrong_version = _wrong_version(same, node, plan["version"])
    other_flavour = _other_flavour(node, plan, platform)
    exact = plan["version"] or request.pinned or _version_that_stays(node, plan, request)
    followers = (
        _followers(node, plan["branch"], names, other_flavour)
        if platform.manager == "apt" and wrong_version
        else []
    )
    owned = sorted(
        name
        for name in _unique(*node.packages, *node.listed)
        if OURS.match(name) and not name.endswith(".service")
    )
    owned += _kernels_held(node, sets)
    return DriverPackages(
        names=names,
        same=same,
        pinning=[name for name in names if name.startswith(PINNING)],
        specs=[
            *_with_version([*same, *followers] if exact else same, exact, platform.manager),
            *(name for name in names if name not in same),
        ],
        keep=plan["version"] or ("" if request.upgrade else _version_there(node, same)),
        exact=exact,
        missing=[name for name in names if name not in node.packages and name not in node.listed],
        wrong_version=wrong_version,
        other_flavour=other_flavour,
        other_pinning=[
            name for name in node.packages if name.startswith(PINNING) and name not in names
        ],
        owned=owned,
        unheld=[name for name in owned if not _is_held(name, node)],
    )


def _modules(node: Node, sets: Mapping[str, Any]) -> list[str]:
    """The signed modules of each kernel that may boot.

    By the kernel's own name: that of a flavour is of one of its kernels alone (``generic`` of 24.04
    is 6.8, beside ``generic-6.17`` and ``generic-hwe-24.04``).
    """
    kernels = node.bootable or ["generic"]
    return [prefix + kernel for prefix in sets.get("per_kernel", ()) for kernel in kernels]


def _kernels_held(node: Node, sets: Mapping[str, Any]) -> list[str]:
    """What would bring a kernel for which no modules are there; with signed ones alone."""
    signed = bool(sets.get("per_kernel")) and bool(node.bootable)
    return sorted(filter(KERNEL_META.match, node.listed)) if signed else []


def _wrong_version(same: list[str], node: Node, version: str) -> list[str]:
    if not version:
        return []
    wanted = re.compile(rf"(^|:){re.escape(version)}([^0-9]|$)")
    return [
        name
        for name in same
        if name in node.packages and not wanted.search(node.packages[name]["version"])
    ]


def _other_flavour(node: Node, plan: Mapping[str, Any], platform: Platform) -> list[str]:
    """Packages whose modules would lie beside the chosen ones, or before them."""
    other = "proprietary" if plan["flavour"] == "open" else "open"
    named = platform.names(plan["source"]).get(other, ())
    return _unique(
        *(name for name in named if name in node.packages),
        *(name for name in node.packages if platform.is_other_module(name, plan["source"])),
    )


def _version_that_stays(node: Node, plan: Mapping[str, Any], request: Request) -> str:
    """The version that was there: what is missing of it must not bring a newer one.

    A distribution's archive has only its newest, so that nothing is asked of it.
    """
    there = node.version_before
    stays = plan["source"] == "nvidia" and not request.upgrade
    return there if stays and there.startswith(f"{plan['branch']}.") else ""


def _followers(node: Node, branch: str, names: list[str], other_flavour: list[str]) -> list[str]:
    """Dependencies that go to another version of the same branch with the rest.

    apt puts none back to an older one that it is not told (apt_preferences(5): pins above 1000
    alone do that).
    """
    there = node.version_before
    if not there.startswith(f"{branch}."):
        return []
    of_it = re.compile(rf"([0-9]+:)?{re.escape(there)}([^0-9.]|$)")
    return [
        name
        for name, package in node.packages.items()
        if of_it.match(package["version"])
        and OURS.match(name)
        and name not in names
        and name not in other_flavour
    ]


def _with_version(names: list[str], exact: str, manager: str) -> list[str]:
    separator = "=" if manager == "apt" else "-"
    return [f"{name}{separator}{exact}*" for name in names] if exact else names


def _version_there(node: Node, same: list[str]) -> str:
    package = node.packages.get(same[0]) if same else None
    found = _VERSION.search(package["version"]) if package else None
    return found.group() if found else ""


def _is_held(name: str, node: Node) -> bool:
    return bool(node.packages.get(name, {}).get("held")) or node.listed.get(name) == "held"


def _unique(*names: str) -> list[str]:
    return list(dict.fromkeys(names))
