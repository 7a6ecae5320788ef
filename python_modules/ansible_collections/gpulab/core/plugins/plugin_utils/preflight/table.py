"""Write the rows of all nodes as one table, with what to do below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .judge import CHECKS, FAIL, OK, UNKNOWN

NOT_READ = "this node was not judged: see its error above"


def table(rows: Mapping[str, Any]) -> str:
    """Lay out one line per node and one column per check.

    Args:
        rows: rows of `judge`, by node; anything else counts as a node that was not judged.

    Returns:
        The table; then, for each bad check, the node, what was found, and what to do.
    """
    checks = {node: _checks(row) for node, row in sorted(rows.items())}
    lines: list[tuple[str, ...]] = [("node", *CHECKS)]
    lines += [
        (node, *(_cell(found.get(name)) for name in CHECKS)) for node, found in checks.items()
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]
    advice = [line for node, found in checks.items() for line in next_actions(node, found)]
    good = sum(_sound(found) for found in checks.values())
    text.append("")
    text.append(f"{good} of {len(checks)} nodes can go on.")
    return "\n".join(text + advice)


def next_actions(node: str, checks: Mapping[str, Mapping[str, str]]) -> list[str]:
    """One line per check that stops the node; what only follows from a failure is left out."""
    if not checks:
        return [f"{node}: {NOT_READ}"]
    failed = [check for check in checks.values() if check["status"] == FAIL]
    bad = failed or [check for check in checks.values() if check["status"] == UNKNOWN]
    return [
        f"{node}: {check['name']}: {check['detail'] or 'unknown'} -> {check['action']}"
        for check in bad
    ]


def by_name(row: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """The checks of a row by their names."""
    return {check["name"]: check for check in row.get("checks", ())}


def _checks(row: object) -> dict[str, Mapping[str, str]]:
    return by_name(row) if isinstance(row, Mapping) else {}


def _sound(found: Mapping[str, Mapping[str, str]]) -> bool:
    return bool(found) and all(check["status"] == OK for check in found.values())


def _cell(check: Mapping[str, str] | None) -> str:
    if check is None or check["status"] == UNKNOWN:
        return "?"
    return check["detail"] if check["status"] == OK else f"FAIL {check['detail']}"
