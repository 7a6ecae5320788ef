"""Which measured values stand out, and in which words.

The judgement itself is made once, by the stage ``fleet`` (an outlier's finding); a z-score alone
marks nothing here, because in a small lab it proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ... import formatting
from ...records.records import FLEET, Record

LOW, HIGH = "low", "high"


class Mark(NamedTuple):
    """Why a value is marked: ``side`` of its baseline ("" where that is not known), and words."""

    side: str
    text: str


def of(record: Record, metric: Mapping[str, Any]) -> Mark | None:
    """Return the mark of one metric of a record, or None.

    It has one where a finding of the stage `FLEET` that did not pass names it: the finding's id is
    the metric's, or ends with it behind a dot. Where the finding's part has a UUID, only the metric
    that was measured on that part is marked.
    """
    for finding in record["checks"]:
        odd = finding["stage"] == FLEET and finding["status"] in ("warn", "fail")
        if (
            odd
            and metric["id"] == _named(record, finding["id"])
            and _is_of(finding["part"], metric["scope"])
        ):
            return Mark(_side(metric), formatting.describe(finding))
    return None


def _named(record: Record, finding: str) -> str:
    """Return the metric that a finding names, or ""; one's name may end like another's."""
    known = {metric["id"] for metric in record["metrics"]}
    named = (metric for metric in known if finding == metric or finding.endswith(f".{metric}"))
    return max(named, key=len, default="")


def _is_of(part: Mapping[str, str], scope: str) -> bool:
    uuid = part.get("uuid")
    return not uuid or not scope.startswith("gpu:") or scope == f"gpu:{uuid}"


def _side(metric: Mapping[str, Any]) -> str:
    value, baseline = metric["value"], metric.get("baseline")
    if value is None or baseline is None or value == baseline:
        return ""
    return LOW if value < baseline else HIGH
