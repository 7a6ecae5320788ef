"""Checks of the network interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part

# What a spec that names a speed, but no number of links, means.
_LINKS = 1

Nic = Mapping[str, Any]


def _link(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["links_min"]
    nics = _physical(facts) or _container_ends(facts)
    up, down, doubtful = (
        [nic for nic in nics if nic.get("link") == "up"],
        [nic for nic in nics if nic.get("link") == "down"],
        [nic for nic in nics if nic.get("link") not in ("up", "down")],
    )
    status = _status(len(up), len(doubtful), expected)
    return [
        check.finding(
            status,
            nic_part({"pass": up, "unknown": doubtful, "fail": down}[status]),
            None if status == "unknown" else len(up),
            expected,
            unit="links",
            evidence=_describe(nics),
            action=check.action
            if status == "unknown"
            else "Check cable, transceiver and switch port of the interfaces without a link, and "
            "that they are switched on (`ip link set NAME up`).",
        )
    ]


def _speed(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected, links = wanted["speed_mbps_min"], wanted.get("links_min", _LINKS)
    nics = _physical(facts)
    fast: list[Nic] = []
    slow: list[Nic] = []
    doubtful: list[Nic] = []
    down: list[Nic] = []
    for nic in nics:
        found = number(nic.get("speed_mbps"))
        if nic.get("link") == "down":
            down.append(nic)
        elif found is not None and found < expected:
            slow.append(nic)
        elif found is not None and nic.get("link") == "up":
            fast.append(nic)
        elif nic.get("bus") != "usb":
            # The management controller's own USB interface has no speed, and is no link.
            doubtful.append(nic)
    status = _status(len(fast), len(doubtful), links)
    return [
        check.finding(
            status,
            nic_part({"pass": fast, "unknown": doubtful, "fail": slow or down}[status]),
            None if status == "unknown" else _speed_of_link(links, [*fast, *slow]),
            expected,
            unit="Mb/s",
            evidence=f"{links} needed: {_describe(nics)}",
            action=check.action
            if status == "unknown"
            else "Check which port the fast card is cabled to, its cable and transceiver, and the "
            "speed set on the switch port; `ethtool NAME` shows what both ends offer.",
        )
    ]


def _status(good: int, doubtful: int, expected: int) -> str:
    """Return pass with enough good links, unknown if the doubtful could make up, else fail."""
    if good >= expected:
        return "pass"
    return "unknown" if good + doubtful >= expected else "fail"


def _speed_of_link(links: int, nics: list[Nic]) -> float:
    """Return the speed of the slowest link that is needed: of the `links` fastest, the last."""
    speeds = sorted((number(nic.get("speed_mbps")) or 0 for nic in nics), reverse=True)
    return speeds[links - 1] if 0 < links <= len(speeds) else 0


def _physical(facts: Facts) -> list[Nic]:
    return [nic for nic in facts["nics"] if nic.get("physical")]


def _container_ends(facts: Facts) -> list[Nic]:
    """Return a container's interfaces: it has no hardware, but its links are real.

    Their speed is a constant of the kernel's driver, so that is not taken for a measurement.
    """
    in_container = (facts.get("os") or {}).get("virtualization") == "container"
    return facts["nics"] if in_container else []


def nic_part(nics: list[Nic]) -> dict[str, str]:
    """Return the part for one interface, whose serial number is its MAC, or for several."""
    if len(nics) != 1:
        names = " ".join(str(nic.get("name")) for nic in nics)
        return part("nic", names or "no network interface")
    nic = nics[0]
    return part(
        "nic",
        nic.get("name"),
        serial=nic.get("mac"),
        bdf=nic.get("bdf"),
        slot=nic.get("slot"),
        port=nic.get("switch_port"),
    )


def _describe(nics: list[Nic]) -> str:
    described = []
    for nic in nics:
        speed = number(nic.get("speed_mbps"))
        if nic.get("link") == "down":
            state = "down"
        else:
            rate = "at an unknown speed" if speed is None else f"at {speed} Mb/s"
            state = f"{nic.get('link')} {rate}"
        described.append(f"{nic.get('name')} ({nic.get('mac')}) {state}")
    return ", ".join(described) or "no physical interface"


NETWORK_CHECKS = (
    HardwareCheck(
        id="nic.link",
        title="Network links",
        section="network",
        requires=("links_min",),
        probes=("nics",),
        part="nic",
        source="/sys/class/net/*/carrier",
        threshold="physical interfaces (in a container: its own) with a link: at least "
        "`network.links_min`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `ip -br link` on the node.",
        judge=_link,
    ),
    HardwareCheck(
        id="nic.speed",
        title="Network speed",
        section="network",
        requires=("speed_mbps_min",),
        probes=("nics",),
        part="nic",
        source="/sys/class/net/*/{speed,carrier}",
        threshold="physical links of `network.speed_mbps_min` or more: at least "
        "`network.links_min` (1 where absent)",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `ethtool NAME` on the node; a virtual card has no speed to tell, measure it.",
        judge=_speed,
    ),
)
