"""Which nodes forward packets between zones, and what the kernel has to be told. Pure."""

from __future__ import annotations

from typing import Any

from .policy import Policy

FILE = "/etc/sysctl.d/60-gpulab-forwarding.conf"
_NAMES = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def forwarding(policy: Policy, node: str) -> list[str]:
    """Name the sysctls that a node needs to be 1; none unless it masquerades or is a router."""
    own = {address for part in policy.nodes[node].interfaces for address in part.addresses}
    routed = [zone for zone in policy.zones.values() if own & set(zone.gateways)]
    routed += [
        policy.zones[name]
        for zone in policy.zones.values()
        if zone.masquerade_by == node
        for name in zone.masquerade_for
    ]
    versions = {network.version for zone in routed for network in zone.networks}
    return [_NAMES[version] for version in sorted(versions)]


def change(needed: list[str], now: dict[str, bool]) -> dict[str, Any]:
    """Give ``persist``, ``apply`` and ``undo`` of the change that makes a node forward.

    A node that need not forward is left as it is: its container engine may want it to.

    Args:
        needed: what `forwarding` named.
        now: whether the kernel forwards, by the sysctl's name.
    """
    off = [name for name in needed if not now.get(name)]
    text = "# Written by gpulab (role firewall): lab_zones makes this machine a router.\n"
    content = text + "".join(f"{name} = 1\n" for name in needed)
    return {
        "persist": {FILE: {"content": content} if needed else None},
        "apply": [["sysctl", "--quiet", "--write", f"{name}=1"] for name in off],
        "undo": [["sysctl", "--quiet", "--write", f"{name}=0"] for name in off],
    }
