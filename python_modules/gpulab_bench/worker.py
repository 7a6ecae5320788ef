"""A worker process: runs stages in order, and leaves a file per stage as each of them ends.

A file is ``<stage>.json`` in the run's folder: ``status`` (done, stopped, skipped, error), ``data``
(what the stage returned, or null), ``error`` ({kind, message} or null), ``reason`` (of a skip),
``seconds``, ``started`` and ``ended`` (CLOCK_MONOTONIC, which all processes share), ``windows``.
A worker that dies loses only the stage that it was in.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from ansible_collections.gpulab.core.plugins.module_utils.atomic_write import replacing
from gpulab_bench.children import die_with_parent
from gpulab_bench.context import (
    Context,
    DiskError,
    FrameworkError,
    Order,
    Skip,
    local_rank,
    plans_of,
    ranks,
)
from gpulab_bench.profiles import StagePlan
from gpulab_bench.stop import Stop

EXIT_DONE = 0
EXIT_STAGE_FAILED = 1
EXIT_STOPPED = 6

DONE = "done"
STOPPED = "stopped"
SKIPPED = "skipped"
ERROR = "error"

# What PyTorch says when the host's memory is exhausted; it raises a plain RuntimeError.
_NO_HOST_MEMORY = "DefaultCPUAllocator"

# Errors of stages, by the name of their class: importing some of these classes imports PyTorch.
_KINDS = {
    "DeviceUnavailableError": "device",
    "DoesNotFitError": "does_not_fit",
    "PeerError": "peer",
}


def say(line: str) -> None:
    """Say something to the supervisor, which passes it on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def work(stages: list[str], folder: Path, progress: Callable[[str], None]) -> int:
    """Run stages until done, told to stop, or until one fails.

    Args:
        stages: names, in order.
        folder: of the run, with its order.
        progress: takes a line for a person to read.

    Returns:
        The exit status.
    """
    die_with_parent()
    # cuBLAS repeats its sums only with a fixed workspace, chosen before CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # PyTorch works without NumPy here, and says so on every import.
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    stop = Stop(None, time.perf_counter())
    stop.listen()
    order = Order.read(folder)
    plans = plans_of(order.profile)
    rank, world_size = ranks()
    context = Context(
        order, folder, stop, progress, plans[stages[0]], rank=rank, world_size=world_size
    )
    try:
        return run_stages(stages, context, plans)
    finally:
        leave_group()


def run_stages(stages: list[str], context: Context, plans: Mapping[str, StagePlan]) -> int:
    """Run stages in order; the exit status."""
    for name in stages:
        if context.stop.reason() is not None:
            return EXIT_STOPPED
        context.plan = plans[name]
        context.windows = {}
        if context.rank == 0:
            context.progress(f"stage {name} begins")
        result = run_stage(name, context)
        if local_rank() == 0:
            write_windows(context.folder, name, context.windows)
        # Of a group, the first rank speaks; another does when it alone failed.
        if context.rank == 0 or result["status"] == ERROR:
            write_result(context.folder, name, result)
        if context.rank == 0:
            context.progress(f"stage {name} {result['status']} after {result['seconds']:.1f} s")
        if result["status"] == ERROR:
            return EXIT_STAGE_FAILED
    return EXIT_DONE if context.stop.reason() is None else EXIT_STOPPED


def leave_group() -> None:
    """Take leave of the other ranks, where a stage of this process set up their exchange."""
    # Asked of what is loaded already: a worker without PyTorch does not import it to say goodbye.
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_initialized():
        distributed.destroy_process_group()


def run_stage(name: str, context: Context) -> dict[str, Any]:
    """Run one stage and say how it went, whatever happens in it."""
    started = time.monotonic()
    result: dict[str, Any] = {"status": DONE, "data": None, "error": None, "reason": ""}
    try:
        stage = importlib.import_module(f"gpulab_bench.stages.{name}")
        result["data"] = stage.run(context)
        if context.stop.reason() is not None:
            result["status"] = STOPPED
    except Skip as skip:
        result.update(status=SKIPPED, reason=str(skip))
    except Exception as error:  # whatever breaks must still leave a result
        kind = kind_of(error)
        message = f"{type(error).__name__}: {error}" if kind == "runtime" else str(error)
        result.update(status=ERROR, error={"kind": kind, "message": message})
        if kind == "runtime":
            traceback.print_exc()
    ended = time.monotonic()
    return {
        **result,
        "seconds": ended - started,
        "started": started,
        "ended": ended,
        "windows": context.windows,
    }


def kind_of(error: Exception) -> str:
    """Sort an error: ``framework``, ``disk``, ``out_of_memory``, ``runtime`` or one of `_KINDS`."""
    if isinstance(error, FrameworkError):
        return "framework"
    if isinstance(error, DiskError):
        return "disk"
    name = type(error).__name__
    if name in _KINDS:
        return _KINDS[name]
    # By name: PyTorch's classes cannot be imported where PyTorch is what is broken.
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return "out_of_memory"
    return "out_of_memory" if _NO_HOST_MEMORY in str(error) else "runtime"


def write_result(folder: Path, name: str, result: dict[str, Any]) -> None:
    """Leave a stage's result, whole or not at all; of several the first stands."""
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_text(json.dumps(result, allow_nan=False), encoding="utf-8")
    try:
        os.link(draft, folder / f"{name}.json")
    except FileExistsError:
        sys.stderr.write(f"gpulab_bench: stage {name} already has a result\n")
    finally:
        draft.unlink()


def write_windows(folder: Path, name: str, windows: Mapping[str, Any]) -> None:
    """Leave when this node's devices worked: of a group over several nodes, each leaves its own."""
    with replacing(folder / f"{name}.windows") as draft:
        draft.write_text(json.dumps(windows), encoding="utf-8")


def read_windows(folder: Path, name: str) -> dict[str, Any]:
    """What `write_windows` left, or nothing."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.windows").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def read_result(folder: Path, name: str) -> dict[str, Any] | None:
    """What a worker left of a stage, or None."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found
