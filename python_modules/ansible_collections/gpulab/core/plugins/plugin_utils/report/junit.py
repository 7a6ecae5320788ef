"""The run as JUnit XML, so that any CI shows which check of which node is to blame.

One suite per node, one case per finding:

==========================================  =======================================================
finding                                     case
==========================================  =======================================================
fail                                        ``failure``
unknown, and it matters (severity fail)     ``error``: nobody has seen that it works
unknown, severity warn                      ``skipped``: not looked at, and no reason to stop
warn                                        passes; what it says is in ``system-out``
pass                                        passes
==========================================  =======================================================

So a suite is red exactly where the node is not accepted. (A reader that shows ``skipped`` in yellow
shows what was not seen, and a warning, which stops no run, turns no build red.)
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any

from .. import formatting
from ..records.records import FLEET, Record
from . import all_findings

# XML 1.0 has no way to write these, not even as a reference (its production 2, Char).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LAB = "lab"


def render(summary: Mapping[str, Any], records: Mapping[str, Record]) -> str:
    """Return the XML document.

    Args:
        summary: What :func:`~report.lab_summary.summarise` returned.
        records: The run's records by node.
    """
    root = ET.Element("testsuites", name=_clean(f"gpulab {summary['lab']}".strip()))
    for node in summary["nodes"]:
        name = node["name"]
        record = records.get(name)
        findings = all_findings.on_node(summary, record, name)
        suite = _suite(root, name, summary, _seconds(record))
        names: set[str] = set()
        for finding in findings:
            _case(suite, name, finding, names)
        if all(finding.get("stage") == FLEET for finding in findings):
            # Nothing of the node itself was looked at: its suite would be green.
            case = _empty_case(suite, name, "run.checks")
            _say(case, "error", "unknown", "nothing was looked at on this node")
    if summary["problems"] or not summary["nodes"]:
        suite = _suite(root, _LAB, summary, 0)
        for problem in summary["problems"] or ["no node was looked at in this run"]:
            _say(_empty_case(suite, _LAB, "run.whole"), "error", "unknown", problem)
    for suite in root:
        _count(suite, [suite])
    _count(root, root)
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _seconds(record: Record | None) -> float:
    """Return how long all that was timed on a node took, in all."""
    spans = (record or {}).get("durations_s", {}).items()
    return sum(span or 0.0 for what, span in spans if not what.endswith(".total"))


def _suite(root: ET.Element, name: str, summary: Mapping[str, Any], time: float) -> ET.Element:
    return ET.SubElement(
        root,
        "testsuite",
        name=_clean(name),
        hostname=_clean(name),
        # The schema of Apache Ant's task, which most readers follow, has no zone here.
        timestamp=_clean(summary["created"].removesuffix("Z")),
        time=f"{time:.3f}",
    )


def _case(suite: ET.Element, node: str, finding: Mapping[str, Any], names: set[str]) -> None:
    """Add one finding; readers take two cases of one name for one, so names are made different."""
    label = formatting.part(finding["part"])
    name = f"{finding['id']} [{label}]"
    number = 2
    while name in names:
        name, number = f"{finding['id']} [{label}] #{number}", number + 1
    names.add(name)
    case = _empty_case(suite, node, name, finding["id"].partition(".")[0])
    told = formatting.describe(finding)
    status = finding["status"]
    if status == "fail":
        _say(case, "failure", finding["id"], told, _details(finding))
    elif status == "unknown" and finding["severity"] == "fail":
        _say(case, "error", "unknown", told, _details(finding))
    elif status == "unknown":
        _say(case, "skipped", "unknown", f"not read: {told}", _details(finding))
    elif status == "warn":
        ET.SubElement(case, "system-out").text = _clean(f"WARNING: {told}\n{_details(finding)}")


def _empty_case(suite: ET.Element, node: str, name: str, group: str = "run") -> ET.Element:
    # How long a single check took is not known; readers want a number.
    return ET.SubElement(
        suite, "testcase", classname=_clean(f"{node}.{group}"), name=_clean(name), time="0"
    )


def _say(case: ET.Element, tag: str, kind: str, message: str, text: str = "") -> None:
    element = ET.SubElement(case, tag, type=_clean(kind), message=_clean(message))
    element.text = _clean(text) or None


def _details(finding: Mapping[str, Any]) -> str:
    lines = {
        "next": finding["action"],
        "part": formatting.part(finding["part"]),
        "observed": formatting.versus(finding),
        "source": finding["source"],
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)


def _count(element: ET.Element, suites: Iterable[ET.Element]) -> None:
    cases = [case for suite in suites for case in suite.iter("testcase")]
    element.set("tests", str(len(cases)))
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(tag) is not None for case in cases)))


def _clean(text: str) -> str:
    return _NOT_XML.sub(_REPLACEMENT, text)
