"""From the end of one node's part of a distributed training to findings and metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ....module_utils.process import Outcome
from ..finding import Check, Finding, part
from ..verdict import verdict_of
from .catalogue import AGAIN, LOSS_RATIO_MAX, LOSS_SPREAD_MAX, RUN, SECTION_CHECKS, TRANSPORT
from .traffic import in_training
from .transport import judge_ways

_CHECKS = {check.id.partition(".")[2]: check for check in SECTION_CHECKS}
# What to do where several nodes trained together and a check of the training failed.
_OVER_NODES = {
    "loss_falls": "train each node alone (playbooks/benchmark.yml): where that passes, the "
    "exchange is wrong",
    "ranks_equal": "the exchange gave the ranks different sums: verify the memory and network card "
    "of each node, and train with two nodes at a time (--limit) to find the one",
    "nonfinite": "train each node alone (playbooks/benchmark.yml) to find the one that makes them",
}
_FRAMEWORK = "ansible-playbook site.yml --tags frameworks --limit {node}"
# Per kind of error: status, the part's kind, what to do. Of the exchange each node sees only its
# own end, so what is not clearly this node's fault leaves it unknown.
_ERRORS = {
    "peer": ("unknown", "node", "look at the node that is named: power, console, journalctl -k; "),
    "does_not_fit": ("fail", "node", "choose a preset that fits, with -e ddp_preset=NAME; "),
    "device": ("fail", "gpu", "repair the NVIDIA driver, or ask for -e ddp_device=cpu; "),
    "framework": ("fail", "framework", f"rebuild PyTorch's environment: {_FRAMEWORK}; "),
    "out_of_memory": ("fail", "node", "stop what else uses the memory (nvidia-smi, free -h); "),
    "hung": ("unknown", "node", "look which node's part did not end, and at its network; "),
}
_EXCHANGE = (
    "let the nodes reach each other in the zone of the exchange, at the declared port of the first "
    "one and at any port of each other (firewall, MTU, cabling); "
)


def judge(outcome: Outcome, node: str, *, rdma: bool = False) -> dict[str, Any]:
    """Judge one node's part.

    Args:
        outcome: how the program ended.
        node: this node's name.
        rdma: InfiniBand or RoCE is declared for it.

    Returns:
        ``verdict``, ``checks``, ``metrics`` and ``result``, the document or None.
    """
    result = _document(outcome.stdout)
    checks = [_run(outcome, result, node)]
    ways = (result or {}).get("transports")
    # Null where NCCL took no part, or the training did not get there.
    if rdma and ways is not None:
        way = judge_ways(TRANSPORT, ways)
        checks += [way] if way else []
    ddp = (result or {}).get("ddp")
    metrics: list[dict[str, Any]] = []
    if isinstance(ddp, Mapping):
        checks += judge_section(ddp, part("node", node), _CHECKS, _OVER_NODES)
        metrics = [
            _metric("ddp.tokens_per_s", ddp.get("tokens_per_s"), "1/s", ddp.get("step_s") or {}),
            _metric("ddp.efficiency", ddp.get("efficiency"), "", {}),
        ]
        # A model that the ranks share cannot be trained by one of them alone.
        metrics = [one for one in metrics if one["value"] is not None]
    window = (result or {}).get("usage")
    if isinstance(window, Mapping):
        metrics += [one for one in in_training(window, "ddp") if one["value"] is not None]
    return {"verdict": verdict_of(checks), "checks": checks, "metrics": metrics, "result": result}


def judge_section(
    ddp: Mapping[str, Any],
    which: Mapping[str, str],
    checks: Mapping[str, Check],
    actions: Mapping[str, str],
) -> list[Finding]:
    """Return a finding per check of the section ``ddp`` of a document, of one node or of several.

    Args:
        ddp: the section.
        which: the part that is to be looked at.
        checks: ``loss_falls``, ``ranks_equal`` and ``nonfinite``.
        actions: what to do where one of them fails.
    """
    judges = {"loss_falls": _loss_falls, "ranks_equal": _equal, "nonfinite": _nonfinite}
    return [
        checks[name].finding(
            told.status,
            which,
            told.observed,
            told.expected,
            unit=told.unit,
            evidence=told.evidence,
            action=actions[name] if told.status == "fail" else "",
        )
        for name, told in ((name, judge_one(ddp)) for name, judge_one in judges.items())
    ]


def _document(stdout: str) -> dict[str, Any] | None:
    """Return the document, or None where the last line is none."""
    lines = stdout.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("schema") == 1 else None


def _run(outcome: Outcome, result: Mapping[str, Any] | None, node: str) -> Finding:
    if outcome.start_error:
        evidence = f"the interpreter did not start: {outcome.start_error}"
        action = f"rebuild PyTorch's environment: {_FRAMEWORK.format(node=node)}"
        return _run_finding("fail", part("framework", "PyTorch"), evidence, action)
    if result is None:
        how = "did not end in its time" if outcome.timed_out else f"exit {outcome.returncode}"
        last = (outcome.stderr_tail.strip().splitlines() or ["nothing on stderr"])[-1]
        return _run_finding("unknown", part("node", node), f"{how}: {last[:300]}")
    error = result.get("error")
    if not error:
        evidence = f"ended by itself after {float(result.get('wall_s') or 0):.1f} s"
        return _run_finding("pass", part("node", node), evidence)
    status, kind, action = _ERRORS.get(str(error.get("kind")), ("unknown", "node", _EXCHANGE))
    name = {"node": node, "framework": "PyTorch"}.get(kind, "")
    return _run_finding(
        status,
        part(kind, name),
        f"{error.get('kind')}: {error.get('message')}",
        action.format(node=node) + f"then {AGAIN}",
    )


class _Told(NamedTuple):
    """What one check sees in the section ``ddp``."""

    status: str
    evidence: str
    observed: float | None = None
    expected: float | None = None
    unit: str = ""


def _loss_falls(ddp: Mapping[str, Any]) -> _Told:
    first, last = ddp.get("loss_first"), ddp.get("loss_last")
    if not first or last is None:
        return _Told("unknown", "no finite loss")
    ratio = last / first
    return _Told(
        "pass" if ratio <= LOSS_RATIO_MAX else "fail",
        f"loss went from {first:.4g} to {last:.4g} over {ddp.get('processes')} processes",
        observed=round(ratio, 4),
        expected=LOSS_RATIO_MAX,
    )


def _equal(ddp: Mapping[str, Any]) -> _Told:
    equal, spread = ddp.get("weights_equal"), ddp.get("loss_spread")
    if equal is None or spread is None:
        return _Told("unknown", "the ranks were not compared")
    return _Told(
        "pass" if equal and spread <= LOSS_SPREAD_MAX else "fail",
        f"weights {'equal' if equal else 'differ'}, losses differ by {spread:.3g} nat",
        observed=spread,
        expected=LOSS_SPREAD_MAX,
        unit="nat",
    )


def _nonfinite(ddp: Mapping[str, Any]) -> _Told:
    count = ddp.get("nonfinite_steps")
    if count is None:
        return _Told("unknown", "the steps were not counted", expected=0)
    return _Told(
        "pass" if count == 0 else "fail",
        f"{count} of {ddp.get('steps_done')} steps were not finite",
        observed=count,
        expected=0,
        unit="steps",
    )


def _run_finding(status: str, which: Mapping[str, str], evidence: str, action: str = "") -> Finding:
    return RUN.finding(
        status, which, None, None, evidence=" ".join(evidence.split()), action=action
    )


def _metric(name: str, value: float | None, unit: str, times: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "scope": "fleet",
        "value": value,
        "unit": unit,
        "n": times.get("n"),
        "p50": None,
        "p95": None,
    }
