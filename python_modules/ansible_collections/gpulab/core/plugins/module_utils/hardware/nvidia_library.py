"""Find the installed NVML library, and its version, in every place that distributions give it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .sysfs import Tree

# Debian's and Ubuntu's names of the 64-bit architectures that NVIDIA's driver is built for.
_TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu", "powerpc64le-linux-gnu")
# Others, nearest to what the loader finds first: Red Hat, Fedora and SUSE; Arch and NVIDIA's own
# installer; NixOS; nodes whose driver another system's image brings (Container-Optimized OS, Talos,
# the GPU Operator's driver container).
_FOLDERS = (
    "usr/lib64",
    "usr/lib64/nvidia",
    "usr/lib",
    "usr/lib/nvidia",
    "run/opengl-driver/lib",
    "usr/local/lib",
    "usr/local/nvidia/lib64",
    "usr/local/glibc/usr/lib",
    "home/kubernetes/bin/nvidia/lib64",
    *(f"run/nvidia/driver/usr/lib/{triplet}" for triplet in _TRIPLETS),
    "run/nvidia/driver/usr/lib64",
)
_LINK = "libnvidia-ml.so.1"
_FILE = re.compile(r"libnvidia-ml\.so\.(\d+\.\d+(?:\.\d+)?)", re.ASCII)


def library_version(tree: Tree) -> str | None:
    """Return the version of the installed NVML library, from its file's name.

    Where a folder holds several, as after an upgrade, the one that the loader's link names counts.
    """
    for folder in _folders(tree):
        linked = _FILE.fullmatch(tree.real(f"{folder}/{_LINK}").rpartition("/")[2])
        if linked:
            return linked.group(1)
        for name in tree.names(folder):
            match = _FILE.fullmatch(name)
            if match:
                return match.group(1)
    return None


def _folders(tree: Tree) -> Iterator[str]:
    """Return the folders to look in.

    Debian keeps its driver out of the loader's folders (``nvidia/current``, older branches beside
    it as ``nvidia/tesla-470``), and Ubuntu's before 18.04 had a folder for each branch.
    """
    for triplet in _TRIPLETS:
        folder = f"usr/lib/{triplet}"
        yield folder
        yield f"{folder}/nvidia/current"
        yield f"{folder}/nvidia"
        for name in tree.names(f"{folder}/nvidia"):
            yield f"{folder}/nvidia/{name}"
    yield from _FOLDERS
    for name in tree.names("usr/lib"):
        if name.startswith("nvidia-"):
            yield f"usr/lib/{name}"
