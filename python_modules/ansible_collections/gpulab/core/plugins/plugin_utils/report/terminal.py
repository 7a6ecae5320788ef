"""The report as plain lines: the verdict, the nodes, what is wrong by part and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import formatting
from ..lines import Line
from ..records import paths
from .metric_table import Table

# The report is one screen, whatever the size of the lab: the page has the rest.
HEIGHT = 24
_WIDTH = 100
_MOST_PROBLEMS = 2
_MOST_NODES = 5
_MOST_NAMES = 3
_MOST_METRICS = 12
# Less than this much of the table of metrics is not worth its place.
_LEAST_METRICS = 3
# How much is told of a fault: actions, and findings of each; the fullest that fits is taken.
_DETAIL = ((3, 4), (3, 2), (2, 1), (1, 1), (0, 0))

ANSI = {"pass": "32", "warn": "33", "fail": "31", "unknown": "35"}


def lines(summary: Mapping[str, Any], metrics: Table, page: Path | None) -> list[Line]:
    """Return the report's lines, at most `HEIGHT`.

    Args:
        summary: What :func:`~report.lab_summary.summarise` returned.
        metrics: The run's metrics; shown as far as they fit.
        page: Where the page is; told as seen from the working folder. None where there is none.
    """
    above = [*_head(summary), *_nodes(summary["nodes"]), *_service(summary)]
    below = [*_trained_earlier(summary)]
    if page:
        below += [Line("", ""), Line("", f"Report: {paths.from_here(page)}")]
    todo = _todo(summary["faults"], HEIGHT - len(above) - len(below))
    room = HEIGHT - len(above) - len(todo) - len(below)
    return [*above, *todo, *_metrics(metrics, room), *below]


def verdict_line(summary: Mapping[str, Any]) -> Line:
    """Return the lab's verdict in one line."""
    verdict, counts = summary["verdict"], summary["counts"]
    total = sum(counts.values())
    parts = [f"{counts[v]} {v}" for v in counts if counts[v]]
    nodes = f"{total} node{'' if total == 1 else 's'}"
    told = f"{nodes}: {', '.join(parts)}" if parts else "no node was looked at"
    lab = f"lab {summary['lab']}" if summary["lab"] else "lab"
    return Line(verdict, f"{verdict.upper():<8} {lab}, {told}")


def _head(summary: Mapping[str, Any]) -> Iterator[Line]:
    yield verdict_line(summary)
    problems = [("unknown", problem) for problem in summary["problems"]]
    problems += [("warn", notice) for notice in summary.get("notices", [])]
    for status, problem in problems[:_MOST_PROBLEMS]:
        yield Line(status, f"         {formatting.one_line(problem, _WIDTH - 9)}")
    if len(problems) > _MOST_PROBLEMS:
        yield Line("", f"         … and {len(problems) - _MOST_PROBLEMS} more: see the page")


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    bad = [node for node in nodes if node["verdict"] != "pass"]
    good = [node["name"] for node in nodes if node["verdict"] == "pass"]
    for node in bad[:_MOST_NODES]:
        about = " ".join(word for word in (node["name"], _brackets(formatting.place(node))) if word)
        line = f"  {node['verdict'].upper():<8} {about}  {node['reason']}"
        yield Line(node["verdict"], formatting.cut(line, _WIDTH))
    if len(bad) > _MOST_NODES:
        yield Line("", f"  … and {len(bad) - _MOST_NODES} more that did not pass: see the page")
    if good:
        yield Line("pass", f"  PASS     {_names(good, _WIDTH - 11)}")


def service_line(summary: Mapping[str, Any]) -> Line:
    """Return in one line how many nodes are in service, and which are not."""
    nodes = summary["nodes"]
    told = [
        f"In service: {sum(node.get('state') == 'in_service' for node in nodes)} of {len(nodes)}"
    ]
    for state in ("quarantined", "unverified"):
        names = sorted(node["name"] for node in nodes if node.get("state") == state)
        told += [f"{state}: {_names(names, _WIDTH // 3)}"] if names else []
    return Line("", formatting.cut("; ".join(told), _WIDTH))


def _service(summary: Mapping[str, Any]) -> list[Line]:
    """Say who is in service, where that is decided; why not is the node's reason."""
    if not any(node.get("state") for node in summary["nodes"]):
        return []
    line = service_line(summary)
    return [Line(line.status, formatting.cut(f"  {line.text}", _WIDTH))]


def _names(names: Sequence[str], width: int) -> str:
    """Return the names that fit, and how many do not."""
    text = ", ".join(names)
    shown = len(names)
    while len(text) > width and shown > 1:
        shown -= 1
        text = f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return formatting.cut(text, width)


def _todo(faults: Sequence[Mapping[str, Any]], room: int) -> list[Line]:
    groups = merge(faults)
    if not groups:
        return []
    told = [Line("", ""), Line("", "What to do, by part")]
    for number, fault in enumerate(groups):
        # The last one needs no line that says how many are left.
        left = room - len(told) - (number < len(groups) - 1)
        blocks = (_fault(fault, *detail) for detail in _DETAIL)
        block = next((block for block in blocks if len(block) <= left), None)
        if block is None:
            told.append(Line("", f"  … and {len(groups) - number} more: see the page"))
            break
        told += block
    return told


def _fault(fault: Mapping[str, Any], most_actions: int, most_findings: int) -> list[Line]:
    told = [Line(fault["verdict"], formatting.cut(f"  {title(fault, _MOST_NAMES)}", _WIDTH))]
    actions = by_action(fault)
    left_out = sum(len(findings) for _, findings in actions[most_actions:])
    for action, findings in actions[:most_actions]:
        for finding in findings[:most_findings]:
            text = f"{finding['id']}: {formatting.describe(finding)}"
            told.append(Line("", f"    {formatting.one_line(text, _WIDTH - 4)}"))
        told += _wrapped("", action, "    → ")
        left_out += len(findings[most_findings:])
    if left_out:
        told.append(Line("", f"    … and {left_out} more of this part: see the page"))
    return told


def _metrics(metrics: Table, room: int) -> list[Line]:
    """Return as much of the table of metrics as has room, if every node's column fits."""
    # A blank line and the table's head come first.
    most = min(_MOST_METRICS, room - 2)
    if not metrics.rows or most < min(_LEAST_METRICS, len(metrics.rows)):
        return []
    heads = [f"{row.id} [{row.unit}]" if row.unit else row.id for row in metrics.rows]
    wide = max(map(len, heads))
    columns = [
        max(len(cell) for cell in [name, *(row.cells[column] for row in metrics.rows)])
        for column, name in enumerate(metrics.nodes)
    ]
    if 2 + wide + sum(2 + width for width in columns) > _WIDTH:
        return []
    told = [Line("", "")]
    for head, cells in [
        ("Metrics", metrics.nodes),
        *((f"  {h}", row.cells) for h, row in zip(heads, metrics.rows, strict=True)),
    ][: most + 1]:
        row = (f"  {cell:>{width}}" for cell, width in zip(cells, columns, strict=True))
        told.append(Line("", f"{head:<{wide + 2}}{''.join(row)}"))
    return told


def _trained_earlier(summary: Mapping[str, Any]) -> list[Line]:
    """Say which nodes' metrics and verdicts rest on a training of an earlier run."""
    earlier: dict[str, list[str]] = {}
    for node in summary["nodes"]:
        if node.get("trained_in") not in (None, "", summary["run_id"]):
            earlier.setdefault(node["trained_in"], []).append(node["name"])
    if not earlier:
        return []
    run_id, names = max(earlier.items())
    others = sum(map(len, earlier.values())) - len(names)
    text = (
        f"{_names(names, _WIDTH // 2)} trained in run {run_id}"
        f"{f' ({others} more in other runs)' if others else ''}; nothing that it depends on has "
        "changed since. Train again: ansible-playbook site.yml --tags verify"
    )
    return list(_wrapped("", text, "  "))


def _wrapped(status: str, text: str, indent: str) -> Iterator[Line]:
    for line in textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        # A command must stay whole, or it cannot be copied.
        break_long_words=False,
        break_on_hyphens=False,
    ):
        yield Line(status, line)


def merge(faults: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put faults that read the same on several nodes into one, with the list ``nodes``.

    A wrong clock on fifty nodes is one thing to do, not fifty.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fault in faults:
        told = tuple((f["id"], f["status"], formatting.describe(f)) for f in fault["findings"])
        key = (fault["label"], told, tuple(fault["actions"]))
        where = " ".join(w for w in (fault["node"], _brackets(fault["place"])) if w)
        groups.setdefault(key, {**fault, "nodes": []})["nodes"].append(where)
    return list(groups.values())


def by_action(fault: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return a fault's findings by the action that they ask for, the most urgent action first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for finding in fault["findings"]:
        groups.setdefault(finding["action"], []).append(finding)
    return list(groups.items())


def title(fault: Mapping[str, Any], most: int | None = None) -> str:
    """Return where to go and what to touch there, for a fault of :func:`merge`.

    Args:
        fault: Has the list ``nodes``.
        most: Name this many of the nodes, and count the rest; None names all.
    """
    shown = fault["nodes"][:most]
    rest = len(fault["nodes"]) - len(shown)
    nodes = ", ".join(shown) + (f" and {rest} more" if rest else "")
    return nodes if fault["part"]["kind"] == "node" else f"{nodes}: {fault['label']}"


def _brackets(text: str) -> str:
    return f"({text})" if text else ""
