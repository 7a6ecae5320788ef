"""The command lines of workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpulab_bench.profiles import GROUP

# The packed file, or the folder that holds this package.
HOME = Path(__file__).parents[1]

# Processes of a group on a node without GPUs: the fewest that make one.
CPU_PROCESSES = 2


def self_command() -> list[str]:
    """The command that starts this program again, from wherever it runs."""
    # -I: what keeps the user's site-packages from the supervisor keeps them from its workers.
    isolated = ["-I"] if sys.flags.isolated else []
    target = [str(HOME)] if HOME.is_file() else ["-m", "gpulab_bench"]
    return [sys.executable, *isolated, *target]


def worker_environment(kind: str) -> dict[str, str]:
    """The environment of a worker, in which `self_command` finds the package.

    Args:
        kind: of the worker.
    """
    environment = dict(os.environ)
    if not HOME.is_file():
        path = os.environ.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = f"{HOME}:{path}" if path else str(HOME)
    if kind == GROUP:
        # torchrun's own default, without its lines about it.
        environment.setdefault("OMP_NUM_THREADS", "1")
    return environment


def worker_command(
    command: list[str], kind: str, stages: list[str], folder: Path, processes: int
) -> list[str]:
    """Return the command of a worker.

    Args:
        command: from `self_command`.
        kind: of the worker; ``group`` is torchrun with ``processes`` ranks.
        stages: what it runs.
        folder: the run's.
        processes: ranks of a group.
    """
    arguments = ["--worker", kind, "--stages", ",".join(stages), "--folder", str(folder)]
    if kind != GROUP:
        return [*command, *arguments]
    # --standalone picks a free port on this machine; --no-python takes the command as it is.
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--no-python"]
    isolated = ["-I"] if "-I" in command else []
    return [
        command[0],
        *isolated,
        *torchrun,
        f"--nproc-per-node={processes}",
        *command,
        *arguments,
    ]


def group_size(probe: Mapping[str, Any]) -> int:
    """Ranks of a group on this node: one per GPU, or `CPU_PROCESSES` without any.

    Args:
        probe: data of the stage probe.
    """
    on_gpu = (probe.get("device") or {}).get("type") == "cuda"
    return len(probe["devices"]) if on_gpu else CPU_PROCESSES
