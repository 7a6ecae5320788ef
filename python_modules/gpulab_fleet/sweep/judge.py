"""Hold what a machine answered against its spec, as a record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.gpulab.core.plugins.module_utils.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.module_utils.hardware.specs import (
    SpecError,
    resolve_spec,
)

from .. import records

if TYPE_CHECKING:
    from .nodes import Answer

_SOURCE = "python -m gpulab_fleet.sweep"


def record(run_id: str, target: Mapping[str, Any], answer: Answer) -> records.Record:
    """Return the record of a machine that was connected to.

    Args:
        run_id: The run's id.
        target: As `targets.describe` returns it.
        answer: What the machine answered.
    """
    made = records.new(run_id, target["host"])
    hardware = answer.hardware
    if hardware is None:
        records.add_stage(made, records.VERIFY, [_no_answer(target, answer.reason)])
    else:
        try:
            spec = resolve_spec(target["spec"], target["specs"])
        except SpecError as error:
            records.add_stage(made, records.VERIFY, [_no_spec(target, str(error))])
        else:
            findings = list(verify(hardware, spec))
            if target["become"] and not answer.as_root:
                findings.append(_not_root(target))
            records.add_verification(made, hardware, {"checks": findings}, target["spec"])
    # The probes ran here, on what had been read: the node's time is that of the whole answer.
    made["durations_s"] = {f"{records.VERIFY}.sweep": round(answer.seconds, 3)}
    return made


def rerun(name: str, inventories: Sequence[str] = ()) -> str:
    """Return the command that sweeps one machine again, ready to be pasted into a shell."""
    words = [word for inventory in inventories for word in ("-i", inventory)]
    return shlex.join(["python", "-m", "gpulab_fleet.sweep", *words, "--limit", name])


def _finding(
    target: Mapping[str, Any], what: str, status: str, severity: str, evidence: str, action: str
) -> dict[str, Any]:
    return {
        "id": f"sweep.{what}",
        "part": {"kind": "node", "name": target["host"]["name"]},
        "observed": None,
        "expected": None,
        "unit": "",
        "source": _SOURCE,
        "severity": severity,
        "status": status,
        "action": action,
        "evidence": evidence,
    }


def _no_answer(target: Mapping[str, Any], reason: str) -> dict[str, Any]:
    name = target["host"]["name"]
    return _finding(
        target,
        "answer",
        "unknown",
        "fail",
        reason,
        "a disk, a GPU or a driver may hang: ansible-playbook playbooks/verify.yml "
        f"--limit {shlex.quote(name)} reads part by part and says which",
    )


def _no_spec(target: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return _finding(target, "spec", "unknown", "fail", reason, "correct the inventory")


def _not_root(target: Mapping[str, Any]) -> dict[str, Any]:
    name = target["host"]["name"]
    return _finding(
        target,
        "root",
        "unknown",
        "warn",
        "`sudo -n` was refused: what only root may read, such as serial numbers, is unknown",
        f"allow sudo without a password on {name}, or ask for it: ansible-playbook "
        f"playbooks/verify.yml --limit {shlex.quote(name)} --ask-become-pass",
    )
