"""Hold what a node answered against its spec, as a record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..checks.finding import Finding
from ..checks.hardware.catalogue import verify
from ..checks.node_spec import node_spec
from ..checks.specs import SpecError
from ..records import failures, parts, records, schema
from ..records.run_checks import SWEEP_ANSWER, SWEEP_ROOT, SWEEP_SPEC
from .answer import Answer


def record(run_id: str, target: Mapping[str, Any], answer: Answer) -> records.Record:
    """Return the record of a node that was connected to.

    Args:
        run_id: The run's id.
        target: As `targets.describe` returns it.
        answer: What the node answered.
    """
    made = records.new(run_id, target["host"])
    hardware = answer.hardware
    if hardware is None:
        records.add_stage(made, records.VERIFY, [_no_answer(target, answer.reason)])
    elif problem := _problem(hardware):
        records.add_stage(made, records.VERIFY, [_no_answer(target, problem)])
    else:
        _verify(made, target, hardware, as_root=answer.as_root)
    made["durations_s"][f"{records.VERIFY}.sweep"] = round(answer.seconds, 3)
    return made


def _problem(hardware: Mapping[str, Any]) -> str:
    """Return why what a node sent are no facts, or ""."""
    try:
        schema.check(hardware, "hardware")
    except schema.SchemaError as error:
        return f"what the node sent are no facts: {error}"
    return ""


def _verify(
    made: records.Record, target: Mapping[str, Any], hardware: Mapping[str, Any], *, as_root: bool
) -> None:
    """Put into the record what the facts amount to."""
    try:
        spec = node_spec({**target["declared"], "inventory_hostname": target["host"]["name"]})
    except SpecError as error:
        records.add_stage(made, records.VERIFY, [_no_spec(target, str(error))])
        return
    findings = list(verify(hardware, spec.requirements))
    if target["become"] and not as_root:
        findings.append(_not_root(target))
    records.add_verification(made, hardware, {"checks": findings}, spec.name)


def _no_answer(target: Mapping[str, Any], reason: str) -> Finding:
    name = target["host"]["name"]
    return SWEEP_ANSWER.finding(
        "unknown",
        parts.node_part(name),
        evidence=reason,
        action=failures.remedy(reason, name)
        or "a disk, a GPU or a driver may hang: ansible-playbook playbooks/verify.yml "
        f"--limit {shlex.quote(name)} reads part by part and says which",
    )


def _no_spec(target: Mapping[str, Any], reason: str) -> Finding:
    return SWEEP_SPEC.finding("unknown", parts.node_part(target["host"]["name"]), evidence=reason)


def _not_root(target: Mapping[str, Any]) -> Finding:
    name = target["host"]["name"]
    return SWEEP_ROOT.finding(
        "unknown",
        parts.node_part(name),
        evidence="`sudo -n` was refused: what only root may read, such as serial numbers, is "
        "unknown",
        action=f"allow sudo without a password on {name}, or ask for it: ansible-playbook "
        f"playbooks/verify.yml --limit {shlex.quote(name)} --ask-become-pass",
    )
