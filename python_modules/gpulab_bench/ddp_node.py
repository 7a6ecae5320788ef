"""Data-parallel training over several nodes: one node's part, started on all of them at once.

Starts torchrun with this node's ranks, which meet the others' at the first node's address, and
prints one JSON document. No PyTorch is imported here; the work is the stage ``ddp`` of a worker.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

from gpulab_bench import launch, nccl, telemetry, worker
from gpulab_bench.children import Child
from gpulab_bench.config import PRESETS
from gpulab_bench.context import Order
from gpulab_bench.counters import Usage
from gpulab_bench.memory import REPLICATED, SHARDED
from gpulab_bench.profiles import GROUP
from gpulab_bench.stop import Stop

SCHEMA = 1
STAGE = "ddp"
GRACE_S = 3.0
# After the stage has its result the ranks only take leave of each other.
LEAVE_S = 15.0
_POLL_S = 0.1


def make_parser() -> argparse.ArgumentParser:
    """The command line; a wrong one exits with 2."""
    parser = argparse.ArgumentParser(prog="gpulab_bench ddp", description=__doc__)
    parser.add_argument("--nodes", type=int, required=True, help="nodes that take part")
    parser.add_argument("--node-rank", type=int, required=True, help="this one's number, from 0")
    parser.add_argument("--node-name", required=True, help="this one's name, for messages")
    parser.add_argument("--address", required=True, help="where node 0 is reached by all")
    parser.add_argument("--port", type=int, required=True, help="TCP port there")
    parser.add_argument("--interface", required=True, help="network interface of the exchange")
    parser.add_argument("--processes", type=int, required=True, help="ranks on this node")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="xs")
    parser.add_argument("--parallel", choices=("auto", REPLICATED, SHARDED), default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--rendezvous-s", type=float, default=60, help="wait for the other nodes")
    parser.add_argument("--budget-s", type=float, default=150, help="for all of it")
    return parser


def torchrun_command(command: list[str], arguments: argparse.Namespace, folder: Path) -> list[str]:
    """Return the command of torchrun with this node's ranks.

    Args:
        command: starts this program, from `launch.self_command`.
        arguments: of `make_parser`.
        folder: of the run.
    """
    isolated = ["-I"] if "-I" in command else []
    return [
        command[0],
        *isolated,
        *("-m", "torch.distributed.run", "--no-python", "--max-restarts=0"),
        f"--nnodes={arguments.nodes}",
        f"--node-rank={arguments.node_rank}",
        f"--nproc-per-node={arguments.processes}",
        f"--master-addr={arguments.address}",
        f"--master-port={arguments.port}",
        f"--rdzv-conf=timeout={arguments.rendezvous_s:.0f}",
        *command,
        *("--worker", GROUP, "--stages", STAGE, "--folder", str(folder)),
    ]


def environment(arguments: argparse.Namespace) -> dict[str, str]:
    """The environment of torchrun: the exchange keeps to one interface."""
    return {
        **launch.worker_environment(GROUP),
        "NCCL_SOCKET_IFNAME": arguments.interface,
        "GLOO_SOCKET_IFNAME": arguments.interface,
        "GPULAB_BENCH_NODE": arguments.node_name,
    }


def run(
    arguments: argparse.Namespace, stop: Stop, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Train this node's part.

    Returns:
        The document: ``schema``, ``node``, ``node_rank``, ``ddp`` (on node 0, or null), ``error``
        ({kind, message} or null), ``transports`` (NCCL's ways from this node's ranks; null where
        NCCL took no part, or the training did not end), ``usage`` (what the node moved while all
        trained, as a window of the benchmark's document; or null), ``stopped_by``, ``wall_s``.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpulab_bench.", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        Order(
            preset=arguments.preset,
            profile="smoke",
            device=arguments.device,
            seed=arguments.seed,
            disk_folder=name,
            parallel=arguments.parallel,
        ).write(folder)
        usage = Usage()
        command = torchrun_command(launch.self_command(), arguments, folder)
        child = Child(command, environment(arguments), progress)
        _watch(child, folder, stop, usage)
        ended_by_itself = child.poll() is not None
        status = child.end(GRACE_S)
        result = worker.read_result(folder, STAGE)
        trained = ended_by_itself and status == 0 and arguments.device == "cuda"
        transports = nccl.read_transports(folder) if trained else None
        windows = {STAGE: {"windows": worker.read_windows(folder, STAGE)}}
        moved = usage.during(telemetry.windows_of(windows))[STAGE]
    return {
        "schema": SCHEMA,
        "node": arguments.node_name,
        "node_rank": arguments.node_rank,
        "ddp": (result or {}).get("data"),
        "error": _error(result, status, ended_by_itself, stop.reason(), child.tail()),
        "transports": transports,
        "usage": moved,
        "stopped_by": stop.reason(),
        "wall_s": time.monotonic() - started,
    }


def _watch(child: Child, folder: Path, stop: Stop, usage: Usage) -> None:
    """Wait until torchrun ends, the run is told to, or a result is there and nobody leaves.

    Meanwhile the machine's counters are read.
    """
    leaves_by = None
    while child.poll() is None and stop.reason() is None:
        if leaves_by is None and worker.read_result(folder, STAGE) is not None:
            leaves_by = time.monotonic() + LEAVE_S
        if leaves_by is not None and time.monotonic() > leaves_by:
            return
        usage.observe()
        time.sleep(_POLL_S)


def _error(
    result: dict[str, Any] | None,
    status: int | None,
    ended_by_itself: bool,
    stopped_by: str | None,
    tail: str,
) -> dict[str, str] | None:
    if result is not None:
        found: dict[str, str] | None = result["error"]
        return found
    if stopped_by is not None:
        return {"kind": "hung", "message": f"no end within its time ({stopped_by})"}
    if ended_by_itself and status == 0:
        return None
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    named = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
    return {"kind": "crash", "message": f"exit status {status}: {named[:300]}"}


def main(argv: list[str], progress: Callable[[str], None]) -> int:
    """Run from the command line; the document goes to stdout.

    Returns:
        0, or 1 where there was an error.
    """
    arguments = make_parser().parse_args(argv)
    stop = Stop(arguments.budget_s, time.perf_counter())
    stop.listen()
    document = run(arguments, stop, progress)
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()
    return 0 if document["error"] is None else 1
