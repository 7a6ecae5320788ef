"""What a run of the benchmark must show. Each check is a pure function of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Finding, part
from . import sdc, service, speed
from .catalogue import SCHEDULER_PAUSE_S
from .findings import NODE, PYTORCH, bus_gpu_part, finding, gpu_part, trained_on
from .request import Request
from .result import applies, items_at, number_at, text_at, value_at

Result = Mapping[str, Any]

_SUSPECT_CPU = (
    "run the benchmark again; if it fails again, look for memory errors and machine checks "
    "(journalctl -k | grep -iE 'mce|edac'), and rebuild PyTorch's environment"
)
_SUSPECT_GPU = (
    "run the benchmark again with device: cpu; if that passes, take this GPU out of service and "
    "look at its ECC counters and Xid messages, else rebuild PyTorch's environment"
)


def judge_checks(result: Result, request: Request) -> list[Finding]:
    """Return one finding per check, in the order in which a person wants to read them."""
    of_training = (nonfinite, loss_falls, exact_match, step_time, step_jitter)
    checks = (device, nonfinite, loss_falls, exact_match, time_budget, step_time, step_jitter)
    left_out = of_training if _trained_in_shares(result) else ()
    by_part = (
        learns,
        sdc.sdc,
        speed.gemm,
        speed.memory_bandwidth,
        speed.host_bandwidth,
        speed.allreduce,
        service.inference,
        service.disk,
        service.transport,
        service.crashes,
    )
    return [
        *(check(result, request) for check in checks if check not in left_out),
        *(one for check in by_part for one in check(result, request)),
        *untrained(result, request),
    ]


def _trained_in_shares(result: Result) -> bool:
    """Whether all GPUs trained one model that none of them holds, in place of a training by one.

    Then that training is judged (``benchmark.ddp.*``), and there is no other one to judge.
    """
    return not applies(result, "train") and text_at(result, "ddp", "way") == "sharded"


def device(result: Result, request: Request) -> Finding:
    """The run used the device that was asked for; ``auto`` asks for a GPU where there is one.

    A node whose GPU is on the bus but not in PyTorch is told apart by cause: a build of PyTorch
    without CUDA is a framework fault, a GPU that CUDA does not see is one of the driver.
    """
    ran, asked = text_at(result, "device", "type"), request.device
    evidence = f"asked for {asked}, ran on {ran or 'an unknown device'}"
    wanted = {"cpu": "cpu", "cuda": "cuda"}.get(asked, "cuda" if request.bus_gpus else "")
    if not ran:
        return finding("device", "unknown", NODE, expected=asked, evidence=evidence)
    if asked == "auto" and ran == "cpu" and request.bus_gpus is None:
        return finding(
            "device",
            "unknown",
            NODE,
            observed=ran,
            expected=asked,
            evidence=f"{evidence}; the PCI bus could not be read, so a GPU may have been missed",
            action="make /sys/bus/pci readable, or ask for device: cpu where there is no GPU",
        )
    if not wanted or ran == wanted:
        return finding(
            "device",
            "pass",
            trained_on(result, request),
            observed=ran,
            expected=wanted or ran,
            evidence=evidence,
        )
    which, action, cause = missing_gpu(result, request)
    return finding(
        "device",
        "fail",
        which,
        observed=ran,
        expected=wanted,
        evidence=f"{evidence}; {cause}",
        action=action,
    )


def untrained(result: Result, request: Request) -> list[Finding]:
    """Say of each GPU on the bus that no step was trained on that nothing is known of it.

    PyTorch does not see it, or the run did not come to the stage that trains on every GPU.
    """
    if text_at(result, "device", "type") != "cuda":
        return []
    scopes = {text_at(one, "scope") for one in items_at(result, "sdc", "devices")}
    used = {
        text_at(gpu, "bdf")
        for gpu in items_at(result, "devices")
        if f"gpu:{text_at(gpu, 'uuid')}" in scopes
    } | {text_at(result, "device", "bdf")}
    return [
        finding(
            "untrained",
            "unknown",
            bus_gpu_part(gpu),
            evidence=f"the benchmark trained on {', '.join(sorted(used))} alone",
        )
        for gpu in request.bus_gpus or ()
        if gpu.get("bdf") not in used
    ]


def missing_gpu(result: Result, request: Request) -> tuple[dict[str, str], str, str]:
    """Return why PyTorch has no GPU: the part at fault, the next action, and the evidence."""
    build = text_at(result, "environment", "cuda_build")
    gpus = list(request.bus_gpus or ())
    on_bus = ", ".join(str(gpu.get("bdf")) for gpu in gpus) or "none"
    cause = f"NVIDIA GPUs on the PCI bus: {on_bus}; CUDA build of PyTorch: {build or 'none'}"
    if not gpus and request.bus_gpus is not None:
        action = (
            "no NVIDIA GPU answers on the PCI bus: check its seat and power, or ask for "
            "device: auto where the node has none"
        )
        return part("gpu"), action, cause
    if not build:
        action = (
            "install a CUDA build of PyTorch: set lab_software.pytorch.build to auto or cuda, then "
            "ansible-playbook site.yml --tags frameworks --limit <node>; where the CPU is meant, "
            "ask for device: cpu"
        )
        return dict(PYTORCH), action, cause
    action = (
        "repair the NVIDIA driver: run nvidia-smi on the node and look for NVRM in journalctl -k; "
        "where the CPU is meant, ask for device: cpu"
    )
    if len(gpus) == 1:
        return bus_gpu_part(gpus[0]), action, cause
    return part("os", "NVIDIA driver"), action, cause


def nonfinite(result: Result, request: Request) -> Finding:
    """No step had a loss or a gradient that was not finite."""
    count = number_at(result, "training", "nonfinite_steps")
    steps = number_at(result, "training", "steps_done")
    limit = request.limits.nonfinite_steps_max
    if count is None or not steps:
        return _not_reached("nonfinite", limit, result, request)
    return finding(
        "nonfinite",
        "pass" if count <= limit else "fail",
        trained_on(result, request),
        observed=count,
        expected=limit,
        unit="steps",
        evidence=f"{count:g} of {steps:g} steps were not finite",
        action=_suspect(result),
    )


def loss_falls(result: Result, request: Request) -> Finding:
    """The last losses are well below the first ones."""
    first = number_at(result, "training", "loss_first")
    last = number_at(result, "training", "loss_last")
    limit = request.limits.loss_ratio_max
    if first is None or last is None or first <= 0:
        return _not_reached("loss_falls", limit, result, request)
    if value_at(result, "partial") is not False:
        return _not_reached("loss_falls", limit, result, request, "; it stopped early")
    ratio = last / first
    return finding(
        "loss_falls",
        "pass" if ratio <= limit else "fail",
        trained_on(result, request),
        observed=round(ratio, 4),
        expected=limit,
        evidence=f"loss went from {first:.4g} to {last:.4g}",
        action=_suspect(result),
    )


def learns(result: Result, request: Request) -> list[Finding]:
    """On every device, also those that the training left alone, a few steps lower the loss."""
    gpus = {f"gpu:{text_at(gpu, 'uuid')}": gpu for gpu in items_at(result, "devices")}
    findings = []
    for device in items_at(result, "sdc", "devices"):
        first, last = number_at(device, "loss_first"), number_at(device, "loss_last")
        gpu = gpus.get(text_at(device, "scope"))
        known = first is not None and last is not None
        findings.append(
            finding(
                "learns",
                "unknown" if not known else "pass" if (last or 0) < (first or 0) else "fail",
                part("cpu", text_at(device, "name")) if gpu is None else gpu_part(gpu, request),
                observed=last,
                expected=first,
                unit="nat",
                evidence=f"loss went from {first:.4g} to {last:.4g} in a few steps"
                if first is not None and last is not None
                else "the loss was not finite, or is missing",
                action=_SUSPECT_CPU if gpu is None else _SUSPECT_GPU,
            )
        )
    return findings


def exact_match(result: Result, request: Request) -> Finding:
    """Held-out items are answered right."""
    share = number_at(result, "evaluation", "exact_match")
    items = number_at(result, "evaluation", "items")
    limit = request.limits.exact_match_min
    if share is None or not items:
        return _not_reached("exact_match", limit, result, request)
    return finding(
        "exact_match",
        "pass" if share >= limit else "fail",
        trained_on(result, request),
        observed=share,
        expected=limit,
        evidence=f"{share:.1%} of {items:g} held-out items",
        action=_suspect(result),
    )


def time_budget(result: Result, request: Request) -> Finding:
    """The benchmark ended within its time."""
    wall = number_at(result, "wall_s")
    if wall is None:
        return finding(
            "time_budget",
            "unknown",
            NODE,
            expected=request.budget_s,
            unit="s",
            evidence="the document does not say how long it took",
        )
    cut = text_at(result, "stopped_by") == "budget"
    return finding(
        "time_budget",
        "fail" if cut or wall > request.budget_s else "pass",
        NODE,
        observed=round(wall, 2),
        expected=request.budget_s,
        unit="s",
        evidence=f"took {wall:.1f} s{', then stopped itself' if cut else ''}",
        action="look for other load (top), a power-saving CPU governor and throttling; "
        "raise timeout_s if the node is meant to be this slow",
    )


def step_time(result: Result, request: Request) -> Finding:
    """The step times can be true: measured, positive, in order, and no longer than the run."""
    count = number_at(result, "training", "step_s", "n")
    median = number_at(result, "training", "step_s", "median")
    p95 = number_at(result, "training", "step_s", "p95")
    train_s = number_at(result, "durations_s", "train")
    if not count or median is None or p95 is None or train_s is None:
        return _not_reached("step_time", None, result, request)
    # Half of the steps take at least the median, so the run takes at least half of n medians.
    sane = 0 < median <= p95 and count * median / 2 <= train_s
    return finding(
        "step_time",
        "pass" if sane else "fail",
        trained_on(result, request) if sane else NODE,
        observed=median,
        unit="s",
        evidence=f"{count:g} steps in {train_s:.4g} s, median {median:.4g} s, p95 {p95:.4g} s",
        action="these times cannot be true: check the node's clock source "
        "(/sys/devices/system/clocksource/clocksource0/current_clocksource) and its virtualisation",
    )


def step_jitter(result: Result, request: Request) -> Finding:
    """Slow steps are not much slower than the usual one.

    On a CPU a step may also wait for its turn: a pause of that length says nothing of the part.
    """
    median = number_at(result, "training", "step_s", "median")
    p95 = number_at(result, "training", "step_s", "p95")
    limit = request.limits.step_jitter_max
    if not median or p95 is None:
        return _not_reached("step_jitter", limit, result, request)
    pause = 0.0 if text_at(result, "device", "type") == "cuda" else SCHEDULER_PAUSE_S
    ratio = p95 / median
    return finding(
        "step_jitter",
        "pass" if p95 <= limit * median + pause else "warn",
        trained_on(result, request),
        observed=round(ratio, 2),
        expected=limit,
        evidence=f"median step {median:.4g} s, p95 {p95:.4g} s",
        action="look for other load on the node (top, nvidia-smi) and for throttling, "
        "then run the benchmark again",
    )


def _suspect(result: Result) -> str:
    return _SUSPECT_GPU if text_at(result, "device", "type") == "cuda" else _SUSPECT_CPU


def _not_reached(
    name: str,
    expected: float | None,
    result: Result,
    request: Request,
    why: str = "",
) -> Finding:
    """Return unknown, for a value that the run did not get to."""
    return finding(
        name,
        "unknown",
        trained_on(result, request),
        expected=expected,
        evidence=f"the run did not get that far{why}",
    )
