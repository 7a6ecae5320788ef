"""What launches and steps that failed amount to. Pure functions; PyTorch is not needed."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

Launch = dict[str, Any]

# How a launch ended.
DONE = "done"
CRASHED = "crashed"  # its process died without a word
FAILED = "failed"  # a stage raised an error, and its process said so
HUNG = "hung"  # a stage took longer than its limit, and its process was ended
STOPPED = "stopped"  # the run was told to end

# torch.distributed.elastic.multiprocessing.errors: "Signal 9 (SIGKILL) received by PID 4711".
_RANK_SIGNAL = re.compile(r"Signal \d+ \((SIG\w+)\) received by PID")

FAILURES = (CRASHED, FAILED, HUNG)


def launch(
    kind: str,
    stages: Sequence[str],
    ended: str,
    *,
    stage: str | None,
    returncode: int | None,
    seconds: float,
    tail: str,
) -> Launch:
    """Return one launch of a worker as the document holds it.

    Args:
        kind: of the worker.
        stages: what it was to run.
        ended: one of the words above.
        stage: the stage in which it ended early, or None.
        returncode: exit status, or minus the signal that ended it; None if it never ended.
        seconds: from its start to its end.
        tail: its last lines; kept of failures alone.
    """
    return {
        "worker": kind,
        "stages": list(stages),
        "ended": ended,
        "stage": stage,
        "exit_status": returncode if returncode is not None and returncode >= 0 else None,
        "signal": signal_name(returncode, tail),
        "seconds": seconds,
        "tail": tail if ended in FAILURES else "",
    }


def signal_name(returncode: int | None, tail: str) -> str | None:
    """Name of the signal that ended a process, or None if none did.

    torchrun ends with status 1 when a rank dies, and says in its last lines what that died of.
    """
    if returncode is None or returncode >= 0:
        said = _RANK_SIGNAL.search(tail)
        return said.group(1) if said else None
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def summarise(
    launches: Sequence[Mapping[str, Any]],
    restarts: int,
    operations: int,
    errors: int,
) -> dict[str, Any]:
    """Return the document's section ``reliability``.

    Args:
        launches: all launches of workers.
        restarts: how many of them started a worker again after a failure.
        operations: training steps done and inference requests sent.
        errors: of these, steps that were not finite and requests that failed.

    Returns:
        ``crash_rate`` = failed launches / launches, ``error_rate`` = errors / operations; each is
        null where nothing was tried. A launch that the run was told to end did not fail.
    """
    failed = sum(one["ended"] in FAILURES for one in launches)
    return {
        "launches": list(launches),
        "attempted": len(launches),
        "failed": failed,
        "restarts": restarts,
        "crash_rate": failed / len(launches) if launches else None,
        "operations": operations,
        "errors": errors,
        "error_rate": errors / operations if operations else None,
    }


def operations(results: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    """Count training steps and inference requests, and those of them that failed.

    Args:
        results: what the workers left of each stage.

    Returns:
        Operations, errors.
    """
    total, errors = 0, 0
    training = (results.get("train", {}).get("data") or {}).get("training")
    if training:
        total += training["steps_done"]
        errors += training["nonfinite_steps"]
    for load in (results.get("inference", {}).get("data") or {}).get("loads", []):
        total += load["requests"]
        errors += load["failed"]
    return total, errors
