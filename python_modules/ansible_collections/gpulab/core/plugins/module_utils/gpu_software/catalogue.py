"""What goes with what: architectures, driver branches and CUDA toolkits.

Every entry names its sources by their keys in `SOURCES`; docs/gpu-software.md prints all of it, and
says how it is brought up to date. As of `AS_OF`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: When the tables were last compared with their sources.
AS_OF = "2026-12-01"
SOURCES = {
    "matrix": "https://docs.nvidia.com/datacenter/tesla/drivers/"
    "cuda-toolkit-driver-and-architecture-matrix.html",
    "branches": "https://docs.nvidia.com/datacenter/tesla/drivers/620/"
    "supported-drivers-and-cuda-toolkit-versions.html",
    "branches-615": "https://docs.nvidia.com/datacenter/tesla/drivers/615/"
    "supported-drivers-and-cuda-toolkit-versions.html",
    "guide-615": "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/615/ "
    "(2026-09-09)",
    "modules": "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
    "kernel-modules.html",
    "modules-620": "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/620/ "
    "(Recent updates: proprietary kernel modules removed)",
    "open-only": "https://developer.nvidia.com/blog/"
    "nvidia-transitions-fully-towards-open-source-gpu-kernel-modules/",
    "toolkits": "https://docs.nvidia.com/cuda/archive/13.3.0/cuda-toolkit-release-notes/ "
    "(tables 2 and 3: drivers by toolkit)",
    "toolkits-13.4": "https://docs.nvidia.com/cuda/archive/13.4.2/cuda-toolkit-release-notes/",
    "toolkits-13.5": "https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (13.5)",
    "nvcc": "release notes of the toolkit that added the architecture, under "
    "https://docs.nvidia.com/cuda/archive/",
    "debian": "https://packages.debian.org/source/bookworm/nvidia-graphics-drivers and /trixie/",
    "unconfirmed": "not confirmed against NVIDIA's pages: check before relying on it",
}

OPEN, PROPRIETARY = "open", "proprietary"
DEFAULT_BRANCH = "580"
# The first branch without proprietary modules.
FIRST_OPEN_ONLY_BRANCH = 620


@dataclass(frozen=True)
class Architecture:
    """A generation of GPUs.

    Attributes:
        title: as NVIDIA writes it.
        flavours: module flavours that drive it.
        last_branch: last driver branch that drives it; None while it is supported.
        source: keys of `SOURCES`.
    """

    title: str
    flavours: tuple[str, ...]
    last_branch: int | None
    source: tuple[str, ...]


# By age. The open modules need the GSP, which came with Turing.
ARCHITECTURES = {
    "kepler": Architecture("Kepler", (PROPRIETARY,), 470, ("matrix", "modules")),
    "maxwell": Architecture("Maxwell", (PROPRIETARY,), 580, ("matrix", "modules")),
    "pascal": Architecture("Pascal", (PROPRIETARY,), 580, ("matrix", "modules")),
    "volta": Architecture("Volta", (PROPRIETARY,), 580, ("matrix", "modules")),
    "turing": Architecture("Turing", (OPEN, PROPRIETARY), None, ("matrix", "modules")),
    "ampere": Architecture("Ampere", (OPEN, PROPRIETARY), None, ("matrix", "modules")),
    "ada": Architecture("Ada Lovelace", (OPEN, PROPRIETARY), None, ("matrix", "modules")),
    "hopper": Architecture("Hopper", (OPEN, PROPRIETARY), None, ("matrix", "modules")),
    "blackwell": Architecture("Blackwell", (OPEN,), None, ("matrix", "open-only")),
}

# Compute capability -> first and last CUDA toolkit that compiles for it ("" while it is supported).
# 12.9 is the last 12.x toolkit.
CAPABILITIES = {
    "3.0": ("6.0", "10.2"),
    "3.5": ("6.0", "11.8"),
    "3.7": ("6.5", "11.8"),
    "5.0": ("6.5", "12.9"),
    "5.2": ("6.5", "12.9"),
    "6.0": ("8.0", "12.9"),
    "6.1": ("8.0", "12.9"),
    "7.0": ("9.0", "12.9"),
    "7.5": ("10.0", ""),
    "8.0": ("11.0", ""),
    "8.6": ("11.1", ""),
    "8.9": ("11.8", ""),
    "9.0": ("11.8", ""),
    "10.0": ("12.8", ""),
    "10.3": ("12.9", ""),
    "12.0": ("12.8", ""),
    "12.1": ("12.9", ""),
}
# That nvcc got them with 12.9 could not be confirmed.
UNCONFIRMED_CAPABILITIES = frozenset({"10.3", "12.1"})


@dataclass(frozen=True)
class Branch:
    """A release branch of the data-centre driver.

    Attributes:
        kind: what NVIDIA calls it.
        end_of_life: month, ``2028-06``; "" where none was published.
        cuda_max: CUDA version that it comes with, the one ``nvidia-smi`` shows. Later toolkits of
            the same major run on it by CUDA's minor version compatibility.
        source: keys of `SOURCES`.
    """

    kind: str
    end_of_life: str
    cuda_max: str
    source: tuple[str, ...]


LTS, PRODUCTION, NEW_FEATURE = "long-term support", "production", "new feature"
BRANCHES = {
    "535": Branch(LTS, "2026-06", "12.2", ("branches-615", "toolkits")),
    "550": Branch(PRODUCTION, "2025-06", "12.4", ("toolkits", "unconfirmed")),
    "570": Branch(PRODUCTION, "2026-02", "12.8", ("toolkits", "unconfirmed")),
    "580": Branch(LTS, "2028-06", "13.0", ("branches", "toolkits")),
    "590": Branch(NEW_FEATURE, "", "13.1", ("toolkits",)),
    "595": Branch(PRODUCTION, "2027-03", "13.2", ("branches", "toolkits")),
    "610": Branch(NEW_FEATURE, "2026-08", "13.3", ("branches-615", "toolkits")),
    # Which CUDA these two report could not be confirmed: the tables say CUDA 13; it is that of
    # their months (September and November 2026).
    "615": Branch(NEW_FEATURE, "", "13.4", ("guide-615", "unconfirmed")),
    "620": Branch(LTS, "2029-09", "13.5", ("branches", "modules-620", "unconfirmed")),
}


@dataclass(frozen=True)
class Toolkit:
    """A CUDA toolkit.

    Attributes:
        branch_min: first branch that runs what it builds, by minor version compatibility.
        driver: the driver that it was released with, the least for all of its features; "" where
            none is bundled.
        source: keys of `SOURCES`.
    """

    branch_min: int
    driver: str
    source: tuple[str, ...]


# Minor version compatibility: any 11.x runs on 450 and later, 12.x on 525, 13.x on 580.
_MIN = {11: 450, 12: 525, 13: 580}
TOOLKITS = {
    version: Toolkit(_MIN[int(version.partition(".")[0])], driver, source)
    for version, driver, source in (
        ("11.8", "520.61.05", ("toolkits", "unconfirmed")),
        ("12.0", "525.60.13", ("toolkits",)),
        ("12.1", "530.30.02", ("toolkits", "unconfirmed")),
        ("12.2", "535.54.03", ("toolkits", "unconfirmed")),
        ("12.3", "545.23.06", ("toolkits", "unconfirmed")),
        ("12.4", "550.54.14", ("toolkits",)),
        ("12.5", "555.42.02", ("toolkits", "unconfirmed")),
        ("12.6", "560.28.03", ("toolkits", "unconfirmed")),
        ("12.8", "570.26", ("toolkits",)),
        ("12.9", "575.51.03", ("toolkits",)),
        ("13.0", "580.65.06", ("toolkits",)),
        ("13.1", "590.44.01", ("toolkits",)),
        ("13.2", "595.45.04", ("toolkits",)),
        ("13.3", "610.43.02", ("toolkits",)),
        # From 13.4 on no driver is bundled with the toolkit.
        ("13.4", "", ("toolkits-13.4",)),
        ("13.5", "", ("toolkits-13.5",)),
    )
}

# Debian release -> branch in its own contrib and non-free components.
DEBIAN_BRANCHES = {"12": "535", "13": "550"}
# Debian's branch -> the flavour that `auto` takes of it. Debian 12 gets new versions of the
# proprietary modules with its kernels' security updates, and of the open ones it does not:
# 535.261.03 did not build for kernel 6.1.0-56, 535.309 did (tried in November 2026).
DEBIAN_FLAVOURS = {"535": PROPRIETARY}

# Compute capability -> first branch that knows the chip: the one of the first toolkit for it.
# (Capabilities older than the oldest branch of the catalogue are known to all of them.)
FIRST_BRANCH = {"10.0": 570, "10.3": 575, "12.0": 570, "12.1": 575}


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare by; without any, an empty tuple."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def branch_number(branch: str) -> int:
    """Return the branch as a number; 0 where it is none."""
    return int(branch) if re.fullmatch(r"\d{3}", branch, re.ASCII) else 0


def branch_of(version: str) -> str:
    """Return the branch of an exact driver version: ``580`` of ``580.95.05``."""
    return version.partition(".")[0]


def has_ended(branch: str, month: str) -> bool:
    """Return whether a branch gets no fixes any more in a month, ``2026-12``."""
    end = BRANCHES[branch].end_of_life
    return bool(end) and end < month


def branch_flavours(branch: str) -> tuple[str, ...]:
    """Return the module flavours that a branch is released in."""
    return (OPEN,) if branch_number(branch) >= FIRST_OPEN_ONLY_BRANCH else (OPEN, PROPRIETARY)


def branch_runs(branch: str, cuda: str) -> bool:
    """Return whether a branch runs what a toolkit of the catalogue builds."""
    toolkit = TOOLKITS.get(cuda)
    return toolkit is not None and branch_number(branch) >= toolkit.branch_min


def branch_min_of(cuda: str) -> int:
    """Return the first branch that runs what a CUDA of this major version builds; 0 if unknown."""
    return _MIN.get(int(cuda.partition(".")[0]), 0)


def compiles_for(cuda: str, capability: str) -> bool:
    """Return whether a toolkit compiles for a compute capability of the catalogue."""
    first, last = CAPABILITIES[capability]
    key = version_key(cuda)
    return version_key(first) <= key and (not last or key <= version_key(last))
