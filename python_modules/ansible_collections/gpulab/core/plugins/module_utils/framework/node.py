"""What a node has that decides on its framework environment. Reads only; standard library only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ansible_collections.gpulab.core.plugins.module_utils.hardware.pci import is_nvidia, read_gpus
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tree import Tree


def nvidia_gpus(tree: Tree) -> list[str]:
    """Return the PCI addresses of the NVIDIA GPUs, sorted.

    The bus is asked, not the driver: the build must be right before a driver is installed.

    Raises:
        ProbeError: The bus can't be read, so that nobody knows whether there is a GPU.
    """
    return [gpu["bdf"] for gpu in read_gpus(tree) if is_nvidia(gpu)]


def link_target(prefix: Path) -> str:
    """Return the name of what the link `prefix` points to, "" when there is nothing."""
    if not prefix.is_symlink() or not prefix.exists():
        return ""
    return prefix.resolve().name


def free_bytes(path: Path) -> int:
    """Return the bytes free for `path`, asked of its nearest folder that exists."""
    existing = next(folder for folder in (path, *path.parents) if folder.is_dir())
    return shutil.disk_usage(existing).free


def makes_environments(interpreter: Path) -> bool:
    """Tell whether the interpreter exists and can make a virtual environment with pip in it."""
    try:
        done = subprocess.run(
            [str(interpreter), "-I", "-c", "import ensurepip, venv"],
            capture_output=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
