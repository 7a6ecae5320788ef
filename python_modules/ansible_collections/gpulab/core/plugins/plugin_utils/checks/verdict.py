"""What a list of findings amounts to, for a node and for a lab.

Everything that judges (hardware checks, the benchmark's checks, the report) uses these two
functions, so a finding weighs the same wherever it came from. What could not be read is never a
pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PASS = "pass"  # noqa: S105  a verdict, no password
WARN = "warn"
FAIL = "fail"
UNKNOWN = "unknown"

STATUSES = (PASS, WARN, FAIL, UNKNOWN)
SEVERITIES = (FAIL, WARN)

# From bad to good. Unknown stands above warn: nobody has seen that the node works.
_WORST_FIRST = (FAIL, UNKNOWN, WARN, PASS)


def verdict_of(findings: Iterable[Mapping[str, Any]]) -> str:
    """Return the verdict on the findings of one node: pass, warn, fail or unknown.

    Args:
        findings: Mappings with ``status`` (pass|warn|fail|unknown) and ``severity`` (fail|warn,
            what the finding would weigh if it failed).

    Returns:
        ``unknown`` without any finding; else ``fail`` if one failed; else ``unknown`` if one of
        severity ``fail`` could not be read; else ``warn`` if one warned or one of severity ``warn``
        could not be read; else ``pass``.

    Raises:
        ValueError: A finding's status or severity is none of the known words. It is not guessed,
            because a guess could turn a fault into a pass.
    """
    seen = {_weight(finding) for finding in findings}
    if not seen:
        return UNKNOWN
    return next(verdict for verdict in _WORST_FIRST if verdict in seen)


def worst(verdicts: Iterable[str]) -> str:
    """Return the verdict on a lab from its nodes' verdicts: fail > unknown > warn > pass.

    Raises:
        ValueError: A verdict is none of the four words.
    """
    seen = set(verdicts)
    strange = seen - set(STATUSES)
    if strange:
        raise ValueError(f"verdict must be one of {', '.join(STATUSES)}, not {sorted(strange)}")
    if not seen:
        return UNKNOWN
    return next(verdict for verdict in _WORST_FIRST if verdict in seen)


def _weight(finding: Mapping[str, Any]) -> str:
    """Return the verdict that this finding alone would give."""
    status, severity = finding.get("status"), finding.get("severity")
    name = finding.get("id", "?")
    if status not in STATUSES:
        raise ValueError(
            f"finding {name}: status must be one of {', '.join(STATUSES)}, not {status!r}"
        )
    if severity not in SEVERITIES:
        raise ValueError(
            f"finding {name}: severity must be one of {', '.join(SEVERITIES)}, not {severity!r}"
        )
    if status == UNKNOWN and severity == WARN:
        return WARN
    return str(status)
