"""What a node has that decides on its framework environment. Reads only; standard library only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..hardware.pci import is_nvidia, read_gpus
from ..hardware.sysfs import Tree
from ..process import run_group

# Written into an environment when it was proved, so that half a one is not taken for a whole one.
PROVED = ".gpulab-proved"


def nvidia_gpus(tree: Tree) -> list[str]:
    """Return the PCI addresses of the NVIDIA GPUs, sorted.

    The bus is asked, not the driver: the build must be right before a driver is installed.

    Raises:
        ProbeError: The bus can't be read, so that nobody knows whether there is a GPU.
    """
    return [gpu["bdf"] for gpu in read_gpus(tree) if is_nvidia(gpu)]


def gpu_devices(tree: Tree) -> list[str]:
    """Return the PCI device ids of the NVIDIA GPUs, in the order of `nvidia_gpus`.

    Raises:
        ProbeError: as `nvidia_gpus`.
    """
    return [gpu["device_id"] for gpu in read_gpus(tree) if is_nvidia(gpu)]


def link_target(prefix: Path) -> str:
    """Return the name of what the link `prefix` points to, "" when there is nothing."""
    if not prefix.is_symlink() or not prefix.exists():
        return ""
    return prefix.resolve().name


def environments(versions: Path, proc: Path) -> list[dict[str, Any]]:
    """Return the environments under `versions`, sorted by name.

    Each is {name, proved, made (seconds of the epoch), processes ([process id] that run in it)}.
    """
    if not versions.is_dir():
        return []
    folders = sorted(entry for entry in versions.resolve().iterdir() if entry.is_dir())
    running = processes_in(folders, proc)
    return [
        {
            "name": folder.name,
            "proved": (folder / PROVED).is_file(),
            "made": (folder / "pyvenv.cfg").stat().st_mtime
            if (folder / "pyvenv.cfg").is_file()
            else 0.0,
            "processes": running[folder],
        }
        for folder in folders
    ]


def processes_in(folders: Iterable[Path], proc: Path) -> dict[Path, list[int]]:
    """Return the ids of the processes that use files of each folder, sorted.

    The executable does not tell: in a virtual environment it is the platform's interpreter. What
    tells is a library of the environment in the process's memory, its working directory, or a path
    of the environment among its arguments. Paths in memory are the real ones, so a process that
    was started through the link counts for the environment that it loaded.
    """
    found: dict[Path, list[int]] = {folder: [] for folder in folders}
    if not found:
        return found
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        text = _traces(process)
        for folder, processes in found.items():
            if f"{folder}/" in text:
                processes.append(int(process.name))
    return {folder: sorted(processes) for folder, processes in found.items()}


def _traces(process: Path) -> str:
    """Return a process's arguments, executable, directory and mapped files; "" if it has ended.

    Root may read all of them, save of processes that do not belong to its node (the host's
    init, seen from some containers); of these the arguments are enough. A kernel thread has none.
    """
    try:
        traces = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        traces += [f"{(process / name).readlink()}/" for name in ("exe", "cwd")]
        traces.append((process / "maps").read_bytes().decode(errors="replace"))
    except PermissionError:
        pass
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "\n".join(traces)


def free_bytes(path: Path) -> int:
    """Return the bytes free for `path`, asked of its nearest folder that exists."""
    existing = next(folder for folder in (path, *path.parents) if folder.is_dir())
    return shutil.disk_usage(existing).free


def makes_environments(interpreter: Path) -> bool:
    """Tell whether the interpreter exists and can make a virtual environment with pip in it."""
    asked = [str(interpreter), "-I", "-c", "import ensurepip, venv"]
    return run_group(asked, os.environ, 30).returncode == 0


def unlike(files: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the paths of the files that are not there with their content, in order.

    Each is {path, content, only_with}; one whose `only_with` names a folder that is not there is
    not wanted on this node.
    """
    return [
        entry["path"]
        for entry in files
        if not entry.get("only_with") or Path(entry["only_with"]).is_dir()
        if not _holds(Path(entry["path"]), entry["content"])
    ]


def _holds(path: Path, content: str) -> bool:
    try:
        return path.read_bytes() == content.encode()
    except OSError:
        return False
