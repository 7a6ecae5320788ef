"""Whether the benchmark ran at all, and if it did not, whose fault that is and what to do."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from ....module_utils.process import Outcome
from ..finding import Finding, part
from .checks import missing_gpu
from .findings import MEMORY, NODE, PYTORCH, REBUILD, finding, trained_on
from .request import Request
from .result import ResultError, items_at, parse_result, section_at, text_at, value_at

Result = Mapping[str, Any]

_GPU = part("gpu")
_CPU = part("cpu")
_DRIVER = part("os", "NVIDIA driver")

_NO_GPU_KERNEL = (
    "this build of PyTorch has no code for this GPU (framework unsupported, no hardware fault): "
    "choose a build that names the GPU's compute capability in lab_software.pytorch"
)
_NO_REPEATABLE = (
    "this version of PyTorch lacks a repeatable operation on this device (framework unsupported, "
    "no hardware fault): install the version that lab_software.pytorch pins"
)
_ECC = (
    "take the GPU out of service, read its row-remap state (nvidia-smi -q -d ROW_REMAPPER), reset "
    "it and verify again"
)
_TOO_LARGE = (
    "no hardware fault, the preset is too large for this node: set benchmark_preset to the one "
    "that the message names, or free the memory that other processes hold"
)
_PEER = (
    "a process of the node's own group stopped: look why (journalctl -k, Xid messages), then run "
    "it again"
)
_FREE_MEMORY = "free the memory that other processes hold (nvidia-smi, free -h), then run again"
_FOLDER = (
    "make room on the disk, or choose a folder that the login user may write to "
    "(benchmark_disk_folder)"
)
_HANGS = (
    "a driver, a link or a disk hangs: read journalctl -k of that time (Xid, NVRM, blocked for "
    "more than), and nvidia-smi on the node"
)
# How the benchmark words a worker's death.
_KILLED_BY = re.compile(r"killed by (SIG\w+)")
# Messages of CUDA and PyTorch (cudaGetErrorString), first match wins: which part, what to do.
_RUNTIME_ERRORS = (
    (r"no kernel image is available|not compatible with the current PyTorch", None, _NO_GPU_KERNEL),
    (
        r"uncorrectable ECC|ECC error",
        _GPU,
        _ECC,
    ),
    (
        r"driver version is insufficient|forward compatibility|system not yet initialized",
        _DRIVER,
        "update the NVIDIA driver, or start nvidia-fabricmanager on a machine with NVSwitch",
    ),
    (
        r"CUDA error|cuDNN error|CUBLAS_STATUS|device-side assert|fallen off the bus",
        _GPU,
        "look for Xid messages (journalctl -k | grep -i xid) and follow their code's action",
    ),
    (
        r"does not have a deterministic implementation",
        PYTORCH,
        _NO_REPEATABLE,
    ),
)


def judge_run(outcome: Outcome, request: Request) -> tuple[Finding, dict[str, Any] | None]:
    """Judge how the program ended.

    Args:
        outcome: how it ended.
        request: what was asked.

    Returns:
        The finding ``benchmark.run``, and the document, or None where there is no valid one.
    """
    try:
        result = parse_result(outcome.stdout)
    except ResultError as error:
        return _without_result(outcome, request, str(error)), None
    if result.get("error") is not None:
        return _reported_error(result, request, outcome), result
    return _with_result(outcome, result), result


def _with_result(outcome: Outcome, result: Result) -> Finding:
    stopped_by = text_at(result, "stopped_by")
    if outcome.timed_out or outcome.unkillable:
        return _timed_out(outcome)
    if stopped_by.startswith("SIG"):
        return finding(
            "run",
            "unknown",
            NODE,
            observed=stopped_by,
            evidence=f"something else ended the benchmark with {stopped_by}",
        )
    if outcome.returncode is not None and outcome.returncode < 0:
        return finding(
            "run",
            "fail",
            PYTORCH,
            observed=_signal_name(-outcome.returncode),
            evidence=f"crashed after its work was done: {_last_line(outcome)}",
            action=REBUILD,
        )
    evidence = f"ended by itself after {outcome.wall_s:.1f} s"
    return finding("run", "pass", NODE, observed=outcome.returncode, evidence=evidence)


def _reported_error(result: Result, request: Request, outcome: Outcome) -> Finding:
    """Judge an error that left the run without a training."""
    kind, message = text_at(result, "error", "kind"), text_at(result, "error", "message")
    which, action, cause = _blame(section_at(result, "error"), result, request, outcome)
    evidence = f"{kind}: {message}{cause}"
    return finding("run", "fail", which, observed=kind, evidence=evidence, action=action)


def judge_stages(result: Result, request: Request, outcome: Outcome) -> list[Finding]:
    """Return a finding for each stage that failed, beside those that a run can't do without.

    Args:
        result: the document.
        request: what was asked.
        outcome: how the program ended.
    """
    findings = []
    for stage in items_at(result, "stages"):
        error, name = section_at(stage, "error"), text_at(stage, "name")
        if not error or error == value_at(result, "error"):
            continue
        which, action, cause = _blame(error, result, request, outcome)
        findings.append(
            finding(
                "stage.<stage>",
                "fail",
                which,
                stage=name,
                observed=text_at(error, "kind"),
                evidence=f"{text_at(error, 'kind')}: {text_at(error, 'message')}{cause}",
                action=action,
            )
        )
    return findings


def _blame(
    error: Mapping[str, Any], result: Result, request: Request, outcome: Outcome
) -> tuple[dict[str, str], str, str]:
    """Return the part at fault, what to do next, and more evidence."""
    kind, message = text_at(error, "kind"), text_at(error, "message")
    if kind == "framework":
        return dict(PYTORCH), REBUILD, ""
    if kind == "device":
        which, action, cause = missing_gpu(result, request)
        return which, action, f"; {cause}"
    if kind == "out_of_memory":
        on_gpu = text_at(result, "device", "type") == "cuda"
        which = trained_on(result, request) if on_gpu else dict(MEMORY)
        return which, _FREE_MEMORY, ""
    if kind == "does_not_fit":
        return dict(NODE), _TOO_LARGE, ""
    if kind == "peer":
        return dict(NODE), _PEER, ""
    if kind == "disk":
        return part("disk"), _FOLDER, ""
    if kind == "hung":
        return dict(NODE), _HANGS, ""
    if kind == "crash":
        signalled = _KILLED_BY.match(message)
        if signalled:
            _, which, action, cause = blame_signal(signalled.group(1), outcome.oom_kills)
            return which, action, cause
    return (*_runtime_error(message, result, request), "")


def _runtime_error(message: str, result: Result, request: Request) -> tuple[dict[str, str], str]:
    for pattern, which, action in _RUNTIME_ERRORS:
        if re.search(pattern, message, re.IGNORECASE):
            if which is _GPU:
                return trained_on(result, request), action
            return dict(which or PYTORCH), action
    return dict(PYTORCH), REBUILD


def _without_result(outcome: Outcome, request: Request, problem: str) -> Finding:
    """Judge a run that left no valid document."""
    if outcome.start_error:
        return finding(
            "run",
            "fail",
            PYTORCH,
            evidence=f"the interpreter did not start: {outcome.start_error}",
            action=f"{request.python} must be PyTorch's interpreter: {REBUILD}",
        )
    if outcome.timed_out or outcome.unkillable:
        return _timed_out(outcome)
    if outcome.returncode is not None and outcome.returncode < 0:
        return _killed(outcome, -outcome.returncode)
    last = _last_line(outcome)
    if outcome.returncode == 2:
        return finding(
            "run",
            "unknown",
            NODE,
            observed=2,
            evidence=f"the benchmark refused its arguments: {last}",
            action="copy the current gpulab_bench.pyz to the node: ansible-playbook site.yml "
            "--tags benchmark --limit <node>",
        )
    return finding(
        "run",
        "fail",
        PYTORCH,
        observed=outcome.returncode,
        expected=0,
        evidence=f"exit status {outcome.returncode}, no result ({problem}): {last}",
        action=REBUILD,
    )


def _timed_out(outcome: Outcome) -> Finding:
    if outcome.unkillable:
        return finding(
            "run",
            "fail",
            _DRIVER,
            observed="unkillable",
            evidence=f"SIGKILL did not end it, the kernel holds it: {_last_line(outcome)}",
            action="a driver hangs: keep journalctl -k, then reboot the node and verify again",
        )
    return finding(
        "run",
        "fail",
        NODE,
        observed="timed out",
        evidence=f"did not end by itself in {outcome.wall_s:.1f} s: {_last_line(outcome)}",
        action="if its last line names no step, PyTorch or the driver hangs: run the interpreter "
        "by hand with -c 'import torch'; else the node is too slow: look for other load",
    )


def _killed(outcome: Outcome, number: int) -> Finding:
    """Judge a death by signal."""
    name = _signal_name(number)
    status, which, action, cause = blame_signal(name, outcome.oom_kills)
    evidence = f"killed by {name} after {outcome.wall_s:.1f} s: {_last_line(outcome)}{cause}"
    return finding("run", status, which, observed=name, evidence=evidence, action=action)


def blame_signal(name: str, oom_kills: int | None) -> tuple[str, dict[str, str], str, str]:
    """Return status, part at fault, what to do next, and more evidence, of a death by signal.

    Args:
        name: of the signal.
        oom_kills: processes that the kernel killed for memory meanwhile; None if unknown.
    """
    if name == "SIGKILL" and oom_kills:
        action = "out of memory: stop what else uses it (ps aux --sort -rss), or add memory"
        return (
            "fail",
            dict(MEMORY),
            action,
            f"; the kernel killed {oom_kills} for lack of memory",
        )
    if name == "SIGKILL":
        action = (
            "most often the memory limit of a container or a service: look in journalctl -k "
            "for 'oom' and at the limit, then run again"
        )
        return "fail", dict(MEMORY), action, "; no kill for lack of memory was counted"
    if name == "SIGILL":
        action = (
            "this build of PyTorch uses instructions that the CPU lacks (framework unsupported, no "
            "hardware fault): choose another build, or expose the CPU's features to the machine"
        )
        return "fail", dict(_CPU), action, ""
    if name == "SIGBUS":
        action = (
            "look for memory errors and a failing disk (journalctl -k), and for a full /dev/shm"
        )
        return "fail", dict(MEMORY), action, ""
    if name in ("SIGTERM", "SIGINT", "SIGHUP"):
        return "unknown", dict(NODE), "something else ended it; run the benchmark again", ""
    return "fail", dict(PYTORCH), REBUILD, ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(outcome: Outcome) -> str:
    """Return the last line on stderr, shortened."""
    lines = [line.strip() for line in outcome.stderr_tail.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing on stderr"
