"""Silent data corruption: who computes something else than its like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import Finding, part
from .findings import NODE, finding, gpu_part
from .request import Request
from .result import applies, items_at, text_at

Device = Mapping[str, Any]

# What the comparison says of a device.
UNSTABLE = "unstable"  # it does not even agree with itself
OUTVOTED = "outvoted"  # most of its like agree on something else
UNDECIDED = "undecided"  # its like disagree, and no majority tells who is wrong
AGREES = "agrees"
ALONE = "alone"  # it agrees with itself, and has no like

_RETIRE = "take this GPU out of service, run dcgmi diag -r 4 on it, and return it to its maker"
_WHO = (
    "one of these GPUs computes wrong: run dcgmi diag -r 4 on both, or move one into a node with "
    "a third of its kind, and take the one that stands alone out of service"
)
_CPU = "look for memory errors and machine checks (journalctl -k | grep -iE 'mce|edac')"
_SAYS = {
    UNSTABLE: "the same computation, done twice, gave two results",
    OUTVOTED: "most GPUs of the same model and software agree on another result",
    UNDECIDED: "GPUs of the same model and software disagree, and none has a majority",
    AGREES: "same result twice, and the same as the others of its kind",
    ALONE: "same result twice; no other of its kind to compare with",
}


def vote(devices: Sequence[Device]) -> list[str]:
    """Compare devices, and say of each what that shows.

    A device that differs from itself has no vote. The others vote among those with the same model
    and software; a majority is more than half of them, so of two neither can outvote the other.

    Args:
        devices: with ``name``, ``software`` and ``runs``: each run's digests by name.
    """
    ballots = [_ballot(device) for device in devices]
    return [_verdict(index, devices, ballots) for index in range(len(devices))]


def _ballot(device: Device) -> tuple[Any, ...] | None:
    """The result that a device stands for; None where its own runs differ, or are less than two."""
    runs = [tuple(sorted(run.items())) for run in device.get("runs") or []]
    return runs[0] if len(runs) > 1 and len(set(runs)) == 1 else None


def _verdict(
    index: int, devices: Sequence[Device], ballots: Sequence[tuple[Any, ...] | None]
) -> str:
    mine = ballots[index]
    if mine is None:
        return UNSTABLE
    kind = (devices[index].get("name"), devices[index].get("software"))
    votes = Counter(
        ballot
        for device, ballot in zip(devices, ballots)
        if ballot is not None and (device.get("name"), device.get("software")) == kind
    )
    total = sum(votes.values())
    if total == 1:
        return ALONE
    if len(votes) == 1:
        return AGREES
    winner, most = votes.most_common(1)[0]
    if most * 2 <= total:
        return UNDECIDED
    return AGREES if mine == winner else OUTVOTED


def sdc(result: Mapping[str, Any], request: Request) -> list[Finding]:
    """Every device repeats itself, and agrees with its like."""
    if not applies(result, "sdc"):
        return []
    devices = items_at(result, "sdc", "devices")
    gpus = {f"gpu:{text_at(gpu, 'uuid')}": gpu for gpu in items_at(result, "devices")}
    missing = [
        scope for scope in gpus or ["cpu"] if scope not in {one.get("scope") for one in devices}
    ]
    findings = [
        _finding(verdict, device, gpus.get(text_at(device, "scope")), request)
        for device, verdict in zip(devices, vote(devices))
    ]
    unknown = [
        finding(
            "sdc",
            "unknown",
            gpu_part(gpus[scope], request) if scope in gpus else NODE,
            evidence="the run did not get that far",
        )
        for scope in missing
    ]
    return findings + unknown


def _finding(
    verdict: str, device: Device, gpu: Mapping[str, Any] | None, request: Request
) -> Finding:
    which = part("cpu", text_at(device, "name")) if gpu is None else gpu_part(gpu, request)
    action = _CPU if gpu is None else _WHO if verdict == UNDECIDED else _RETIRE
    return finding(
        "sdc",
        "pass" if verdict in (AGREES, ALONE) else "fail",
        which,
        observed=verdict,
        expected=AGREES,
        evidence=_SAYS[verdict],
        action=action,
    )
