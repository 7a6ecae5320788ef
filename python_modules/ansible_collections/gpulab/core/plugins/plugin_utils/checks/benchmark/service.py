"""What else a run must show: requests answered, disk and network as declared, no crashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ddp.transport import judge_ways
from ..finding import Finding, part
from .catalogue import TRANSPORT
from .findings import NODE, finding, trained_on
from .request import Request
from .result import applies, items_at, number_at, section_at, text_at, value_at

Result = Mapping[str, Any]


def inference(result: Result, request: Request) -> list[Finding]:
    """Every request got an answer."""
    if not applies(result, "inference"):
        return []
    loads = items_at(result, "inference", "loads")
    sent = sum(number_at(load, "requests") or 0 for load in loads)
    failed = sum(number_at(load, "failed") or 0 for load in loads)
    status = "unknown" if not sent else "fail" if failed else "pass"
    return [
        finding(
            "inference",
            status,
            trained_on(result, request),
            observed=failed if sent else None,
            expected=0,
            unit="requests",
            evidence=f"{failed:g} of {sent:g} requests failed" if sent else "no request was sent",
            action="read the lines 'request failed' of the benchmark's stderr; an answer that is "
            "not finite points to the device that gave it"
            if sent
            else "",
        )
    ]


def disk(result: Result, request: Request) -> list[Finding]:
    """The disk reads and writes as fast as the node's spec declares; nothing where it does not."""
    wanted = request.spec.get("storage") or {}
    findings = []
    for direction in ("read", "write"):
        floor = wanted.get(f"{direction}_mbs_min")
        if floor is None or not applies(result, "disk"):
            continue
        value = number_at(result, "disk", f"{direction}_mbs")
        cached = text_at(result, "disk", "method") == "buffered"
        known = value is not None and not cached
        folder = text_at(result, "disk", "folder")
        findings.append(
            finding(
                f"disk_{direction}",
                "unknown" if not known else "pass" if (value or 0) >= floor else "warn",
                part("disk", folder),
                observed=value,
                expected=floor,
                unit="MB/s",
                evidence=f"caches took part in {value:g} MB/s"
                if cached and value is not None
                else "not measured"
                if value is None
                else f"{value:.4g} MB/s in {folder}",
                action=""
                if value is None
                else "choose a folder on the data disk (benchmark_disk_folder)"
                if cached
                else "look for other I/O (iostat -x 1), a rebuilding array, a disk near its end "
                "(smartctl -a) and a slower link of the controller",
            )
        )
    return findings


def transport(result: Result, request: Request) -> list[Finding]:
    """Between nodes, NCCL uses the InfiniBand or RoCE that the node's spec declares.

    One that stayed within the node took no network, so there is nothing to judge.
    """
    ports = (request.spec.get("infiniband") or {}).get("ports_min")
    on_gpu = text_at(result, "device", "type") == "cuda"
    if not ports or not on_gpu or not applies(result, "allreduce"):
        return []
    found = judge_ways(TRANSPORT, value_at(result, "allreduce", "transports"))
    return [] if found is None else [found]


def crashes(result: Result, _request: Request) -> list[Finding]:
    """No worker died. One that died and came through at the second try is a warning."""
    section = section_at(result, "reliability")
    failed, attempted = number_at(section, "failed"), number_at(section, "attempted")
    if failed is None or not attempted:
        return [
            finding(
                "crashes",
                "unknown",
                NODE,
                expected=0,
                evidence="the document does not say",
            )
        ]
    stories = [
        f"{text_at(one, 'worker')} {text_at(one, 'ended')}"
        f"{' by ' + text_at(one, 'signal') if text_at(one, 'signal') else ''}"
        f" in stage {text_at(one, 'stage') or '?'}"
        for one in items_at(section, "launches")
        if text_at(one, "ended") in ("crashed", "failed", "hung")
    ]
    return [
        finding(
            "crashes",
            "warn" if failed else "pass",
            NODE,
            observed=failed,
            expected=0,
            unit="launches",
            evidence=f"{failed:g} of {attempted:g} launches failed: {'; '.join(stories)}"
            if failed
            else f"none of {attempted:g} launches failed",
            action="read the tail of these launches in the document, and journalctl -k of then",
        )
    ]
