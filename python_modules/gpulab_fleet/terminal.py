"""The report as plain lines: the verdict, the nodes, what is wrong by part and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import words
from .matrix import Table

# A small lab's report fits a screen: the page has the rest.
_MOST_FAULTS = 8
_MOST_NODES = 12
_MOST_FINDINGS = 4
_MOST_METRICS = 12
_MOST_QUARANTINED = 6
_WIDTH = 100

ANSI = {"pass": "32", "warn": "33", "fail": "31", "unknown": "35"}


class Line(NamedTuple):
    """One line of the report; ``status`` is its colour, or "" for none."""

    status: str
    text: str


def lines(summary: Mapping[str, Any], metrics: Table, page: Path) -> list[Line]:
    """Return the report's lines.

    Args:
        summary: What :func:`gpulab_fleet.lab.summarise` returned.
        metrics: The run's metrics; shown as far as they fit.
        page: Where the page is; told as seen from the working folder.
    """
    return [
        *_head(summary),
        *_nodes(summary["nodes"]),
        *_service(summary["nodes"]),
        *_todo(summary["faults"]),
        *_metrics(metrics),
        *_trained_earlier(summary),
        Line("", ""),
        Line("", f"Report: {from_here(page)}"),
    ]


def from_here(path: Path) -> Path:
    """Return the path as seen from the working folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


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
    for problem in summary["problems"]:
        yield Line("unknown", f"         {words.one_line(problem)}")
    for notice in summary.get("notices", []):
        yield from _wrapped("warn", notice, "         ")


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    bad = [node for node in nodes if node["verdict"] != "pass"]
    good = [node["name"] for node in nodes if node["verdict"] == "pass"]
    for node in bad[:_MOST_NODES]:
        about = " ".join(word for word in (node["name"], _brackets(words.place(node))) if word)
        line = f"  {node['verdict'].upper():<8} {about}  {node['reason']}"
        yield Line(node["verdict"], words.cut(line, _WIDTH))
    if len(bad) > _MOST_NODES:
        yield Line("", f"  … and {len(bad) - _MOST_NODES} nodes more that did not pass")
    if good:
        yield from _wrapped("pass", ", ".join(good), "  PASS     ")


def service_line(summary: Mapping[str, Any]) -> Line:
    """Return in one line how many nodes are in service, and which are not."""
    nodes = summary["nodes"]
    told = []
    for state in ("quarantined", "unverified"):
        names = [node["name"] for node in nodes if node.get("state") == state]
        told += [f"{state}: {', '.join(sorted(names))}"] if names else []
    number = sum(node.get("state") == "in_service" for node in nodes)
    line = "; ".join([f"In service: {number} of {len(nodes)}", *told])
    return Line("", words.cut(line, _WIDTH))


def _service(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield who is in service: names on one line, and why and since when the others are not."""
    by_state: dict[str, list[Mapping[str, Any]]] = {}
    for node in sorted(nodes, key=lambda node: str(node["name"])):
        by_state.setdefault(node.get("state", ""), []).append(node)
    quarantined = by_state.get("quarantined", [])
    for node in quarantined[:_MOST_QUARANTINED]:
        since = words.minute(node["state_since"])
        line = f"  Quarantined: {node['name']} since {since}  {node['state_reason']}"
        yield Line("fail", words.cut(line, _WIDTH))
    if len(quarantined) > _MOST_QUARANTINED:
        yield Line("", f"  … and {len(quarantined) - _MOST_QUARANTINED} quarantined nodes more")
    for state, title_ in (("unverified", "Unverified"), ("in_service", "In service")):
        if state in by_state:
            names = ", ".join(str(node["name"]) for node in by_state[state])
            yield from _wrapped("", names, f"  {title_ + ':':<12} ")


def _todo(faults: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    groups = merge(faults)
    if groups:
        yield Line("", "")
        yield Line("", "What to do, by part")
    for fault in groups[:_MOST_FAULTS]:
        yield Line(fault["verdict"], f"  {title(fault)}")
        for action, findings in by_action(fault):
            for finding in findings[:_MOST_FINDINGS]:
                text = f"{finding['id']}: {words.told(finding)}"
                yield Line("", f"    {words.one_line(text, _WIDTH - 4)}")
            yield from _wrapped("", action, "    → ")
    if len(groups) > _MOST_FAULTS:
        yield Line("", f"  … and {len(groups) - _MOST_FAULTS} more: they are on the page")


def _metrics(metrics: Table) -> Iterator[Line]:
    """Yield the table of metrics if every node's column fits."""
    if not metrics.rows:
        return
    heads = [f"{row.id} [{row.unit}]" if row.unit else row.id for row in metrics.rows]
    wide = max(map(len, heads))
    columns = [
        max(len(cell) for cell in [name, *(row.cells[column] for row in metrics.rows)])
        for column, name in enumerate(metrics.nodes)
    ]
    if 2 + wide + sum(2 + width for width in columns) > _WIDTH:
        return
    yield Line("", "")
    for head, cells in [
        ("Metrics", metrics.nodes),
        *((f"  {h}", row.cells) for h, row in zip(heads, metrics.rows, strict=True)),
    ][: _MOST_METRICS + 1]:
        told = (f"  {cell:>{width}}" for cell, width in zip(cells, columns, strict=True))
        yield Line("", f"{head:<{wide + 2}}{''.join(told)}")


def _trained_earlier(summary: Mapping[str, Any]) -> Iterator[Line]:
    """Say which nodes' metrics and verdicts rest on a training of an earlier run."""
    earlier: dict[str, list[str]] = {}
    for node in summary["nodes"]:
        if node.get("trained_in") not in (None, "", summary["run_id"]):
            earlier.setdefault(node["trained_in"], []).append(node["name"])
    for run_id, names in sorted(earlier.items()):
        text = (
            f"{', '.join(names)} trained in run {run_id}; nothing that it depends on has changed "
            "since. Train again: ansible-playbook site.yml --tags verify"
        )
        yield from _wrapped("", text, "  ")


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

    A wrong clock on fifty machines is one thing to do, not fifty.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fault in faults:
        told = tuple((f["id"], f["status"], words.told(f)) for f in fault["findings"])
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


def title(fault: Mapping[str, Any]) -> str:
    """Return where to go and what to touch there, for a fault of :func:`merge`."""
    nodes = ", ".join(fault["nodes"])
    return nodes if fault["part"]["kind"] == "node" else f"{nodes}: {fault['label']}"


def _brackets(text: str) -> str:
    return f"({text})" if text else ""
