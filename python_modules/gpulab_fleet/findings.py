"""A finding of the stage ``fleet``, in the shape of a check's (``schemas/record.schema.json``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Finding = dict[str, Any]


def new(
    check: str,
    part: Mapping[str, str],
    status: str,
    *,
    source: str,
    evidence: str,
    observed: object = None,
    expected: object = None,
    unit: str = "",
    severity: str = "warn",
    action: str = "",
) -> Finding:
    """Return a finding.

    Args:
        check: Its id.
        part: The part that a person would touch.
        status: pass, warn, fail or unknown.
        source: What it was made of.
        evidence: One line that shows why.
        observed: The value found, or None.
        expected: The value of its like, or None.
        unit: Of both values.
        severity: What it would weigh if it failed: fail or warn.
        action: What to do next; dropped on a pass.
    """
    return {
        "id": check,
        "part": dict(part),
        "observed": observed,
        "expected": expected,
        "unit": unit,
        "source": source,
        "severity": severity,
        "status": status,
        "action": "" if status == "pass" else action,
        "evidence": evidence,
    }


def node_part(name: str) -> dict[str, str]:
    """Return a node as a part."""
    return {"kind": "node", "name": name}
