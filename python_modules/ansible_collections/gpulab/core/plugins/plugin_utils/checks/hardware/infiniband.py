"""Checks of the RDMA ports: InfiniBand, and Ethernet that carries RoCE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part

Port = Mapping[str, Any]

# What a spec that names a rate, but no number of ports, means.
_PORTS = 1
_LOOK = "Run `ibstat` (or `rdma link`) on the node; is the driver (mlx5_ib) loaded?"
_CABLE = "Check cable, transceiver and switch port"


def _ports(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    least, rate = wanted.get("ports_min", _PORTS), wanted.get("rate_gbps_min", 0)
    states = [(port, _state(port, rate)) for port in facts["infiniband"]]
    good = [port for port, state in states if state == "good"]
    doubtful = [port for port, state in states if state == "unknown"]
    expected = f"{least} active" + (f" at {rate} Gb/s" if rate else "")
    evidence = ", ".join(_describe(port) for port, _ in states) or "no RDMA device"
    if len(good) >= least:
        which = _part(good[0]) if len(good) == 1 else part("nic", " ".join(map(_name, good)))
        return [check.finding("pass", which, f"{len(good)} active", expected, evidence=evidence)]
    if len(good) + len(doubtful) >= least:
        return [
            check.finding(
                "unknown", _part(port), None, expected, evidence=evidence, action=check.action
            )
            for port in doubtful
        ]
    failing = [port for port, state in states if state == "bad"]
    bad = _to_blame(facts["infiniband"], failing, least - len(good))
    if not bad:
        return [
            check.finding(
                "fail",
                part("nic", "no RDMA device"),
                f"{len(good)} active",
                expected,
                evidence=evidence,
                action="See with `lspci` whether the adapter is on the bus: reseat it if not, load "
                "its driver if it is.",
            )
        ]
    return [
        check.finding(
            "fail",
            _part(port),
            _describe(port),
            expected,
            evidence=evidence,
            action=_what_to_do(port),
        )
        for port in bad
    ]


def _to_blame(ports: Sequence[Port], bad: Sequence[Port], missing: int) -> list[Port]:
    """Return the ports that make up what is missing, the likeliest.

    A port without a link is likelier to be missed than one that is slower than declared, which may
    be meant so. Where the machine has InfiniBand, that is meant: Ethernet beside it is named only
    where it has no link and InfiniBand does not make up for all, or where nothing else is wrong. Of
    equals nobody knows which one was meant, so all are named.
    """
    layers = {port.get("link_layer") for port in ports}
    meant = "InfiniBand" if "InfiniBand" in layers else "Ethernet"
    beside = [port for port in bad if port.get("link_layer") not in (meant, None)]
    own = [port for port in bad if port not in beside]
    active, linkless = _by_link(own)
    spared, others = _by_link(beside)
    named: list[Port] = []
    for group in (linkless, active, others):
        if len(named) < missing:
            named += group
    return named or spared


def _by_link(ports: Sequence[Port]) -> tuple[list[Port], list[Port]]:
    """Return the ports that are active, and those that are not."""
    active = [port for port in ports if port.get("state") == "ACTIVE"]
    return active, [port for port in ports if port not in active]


def _state(port: Port, rate: float) -> str:
    if port.get("state") is None:
        return "unknown"
    if port["state"] != "ACTIVE":
        return "bad"
    found = number(port.get("rate_gbps"))
    if rate and found is None:
        return "unknown"
    return "bad" if found is not None and found < rate else "good"


def _what_to_do(port: Port) -> str:
    if port.get("state") == "INIT":
        return "The link is there, but nothing manages it: start the subnet manager (opensm)."
    if port.get("state") == "ACTIVE":
        return f"{_CABLE}: the link came up with fewer lanes or at a lower speed than declared."
    return f"{_CABLE}, and that the port is switched on at both ends."


def _errors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    most = wanted["errors_max"]
    if not facts["infiniband"]:
        evidence = "no RDMA device"
        return [
            check.finding(
                "unknown", part("nic", evidence), None, most, evidence=evidence, action=check.action
            )
        ]
    findings = []
    for port in facts["infiniband"]:
        counts = {
            name: int(count)
            for name, count in ((key, number(value)) for key, value in port["errors"].items())
            if count is not None
        }
        worst = max(counts.values(), default=None)
        shown = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        findings.append(
            check.finding(
                "unknown" if worst is None else "warn" if worst > most else "pass",
                _part(port),
                worst,
                most,
                unit="errors",
                evidence=f"{_describe(port)}: {shown or 'no error'} since the counters were reset"
                if counts
                else f"{_describe(port)}: the port shows no counter",
                action=check.action
                if worst is None
                else f"{_CABLE}; then reset the counters (`perfquery -R`) and look again.",
            )
        )
    return findings


def _name(port: Port) -> str:
    return f"{port.get('device')}/{port.get('port')}"


def _part(port: Port) -> dict[str, str]:
    return part(
        "nic", _name(port), serial=port.get("guid"), bdf=port.get("bdf"), slot=port.get("slot")
    )


def _describe(port: Port) -> str:
    rate = number(port.get("rate_gbps"))
    speed = "an unknown rate" if rate is None else f"{rate:g} Gb/s"
    state = port.get("state") or "state unknown"
    physical = port.get("physical_state") or "unknown"
    return f"{_name(port)} {state} ({physical}) at {speed}, {port.get('link_layer')}"


INFINIBAND_CHECKS = (
    HardwareCheck(
        id="infiniband.ports",
        title="InfiniBand and RoCE ports",
        section="infiniband",
        requires=("ports_min", "rate_gbps_min"),
        probes=("infiniband",),
        part="nic",
        source="/sys/class/infiniband/*/ports/*/{state,phys_state,rate}",
        threshold="ports that are ACTIVE at `infiniband.rate_gbps_min` or more: at least "
        "`infiniband.ports_min` (1 where absent)",
        threshold_source=DECLARED,
        severity="fail",
        action=_LOOK,
        judge=_ports,
    ),
    HardwareCheck(
        id="infiniband.errors",
        title="Errors of the InfiniBand ports",
        section="infiniband",
        requires=("errors_max",),
        probes=("infiniband",),
        part="nic",
        source="/sys/class/infiniband/*/ports/*/counters",
        threshold="each of symbol errors, link recoveries, lost links and receive errors of a port "
        "since the counters were reset: at most `infiniband.errors_max`",
        threshold_source=DECLARED + "; a sound line shows none after it came up",
        severity="warn",
        action=_LOOK,
        judge=_errors,
    ),
)
