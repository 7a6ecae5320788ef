"""The chains of a ruleset around the flows: what holds on every node, whatever is declared."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from . import rules
from .endpoints import FAMILIES
from .machine import Machine
from .names import checked
from .policy import Policy, PolicyError
from .sources import LAB

_REFUSE_SOURCE = "goto refused_source"

_ERRORS = (
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } counter accept",
    (
        "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } "
        "counter accept"
    ),
)
_MLD = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"
_MULTICAST = f'icmpv6 type {{ {_MLD} }} ip6 hoplimit 1 counter accept comment "MLD"'
_ESTABLISHED = 'ct state established,related counter accept comment "replies"'
_INVALID = 'ct state invalid counter drop comment "invalid"'
_IP = {4: "ip", 6: "ip6"}


def hook(name: str, priority: str, policy: str, kind: str = "filter") -> str:
    """Attach a chain to a hook of the kernel."""
    return f"type {kind} hook {name} priority {priority}; policy {policy};"


def refused(where: str) -> tuple[str, str]:
    """Log, at most ten times a minute, and drop what nothing has accepted."""
    return (
        f'limit rate 10/minute burst 10 packets log prefix "gpulab drop {where}: "',
        'counter drop comment "no flow"',
    )


def input_start(machine: Machine, patterns: tuple[str, ...]) -> list[str]:
    """Return what precedes the flows to this machine."""
    discovery = ["nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-advert"]
    discovery += ["nd-router-solicit"] if machine.router else []
    return [
        'iifname "lo" counter accept comment "loopback"',
        _ESTABLISHED,
        *_from_container(machine, patterns, "jump containers_in"),
        f"iifname != @{rules.INTERFACES} goto refused_in",
        *_ERRORS,
        _neighbours(discovery),
        _MULTICAST,
        'meta nfproto ipv4 udp sport 67 udp dport 68 counter accept comment "DHCP"',
        'ip6 saddr fe80::/10 udp sport 547 udp dport 546 counter accept comment "DHCPv6"',
        _INVALID,
    ]


def output_start(machine: Machine, patterns: tuple[str, ...]) -> list[str]:
    """Return what precedes the flows from this machine."""
    discovery = ["nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-solicit"]
    discovery += ["nd-router-advert"] if machine.router else []
    own = f"oifname @{rules.INTERFACES}"
    return [
        'oifname "lo" counter accept comment "loopback"',
        _ESTABLISHED,
        *(
            f'{_unless_own(machine, pattern, "oifname")}oifname "{pattern}" '
            'counter accept comment "own containers"'
            for pattern in patterns
        ),
        *_ERRORS,
        f"{own} {_neighbours(discovery)}",
        f"{own} {_MULTICAST}",
        f'{own} meta nfproto ipv4 udp sport 68 udp dport 67 counter accept comment "DHCP"',
        f'{own} ip6 saddr fe80::/10 udp sport 546 udp dport 547 counter accept comment "DHCPv6"',
        _INVALID,
    ]


def forward(machine: Machine, patterns: tuple[str, ...]) -> list[str]:
    """Return the rules for what this machine sends on for others."""
    own = rules.INTERFACES
    published = (
        f'iifname @{own} {_unless_own(machine, pattern, "oifname")}oifname "{pattern}" '
        "ct status dnat jump published"
        for pattern in patterns
    )
    return [
        _ESTABLISHED,
        _INVALID,
        *_from_container(machine, patterns, "goto from_containers"),
        *published,
        *([f"iifname @{own} oifname @{own} jump routed"] if machine.router else []),
    ]


def containers_in() -> list[str]:
    """Return what containers may ask of the node that they run on."""
    return [
        'udp dport { 53, 67 } counter accept comment "DNS and DHCP of containers"',
        'tcp dport 53 counter accept comment "DNS of containers"',
        'icmp type echo-request counter accept comment "echo of containers"',
        'icmpv6 type echo-request counter accept comment "echo of containers"',
        *_ERRORS,
        _neighbours(["nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-solicit"]),
    ]


def from_containers(machine: Machine, patterns: tuple[str, ...]) -> list[str]:
    """Leave what stays on this machine to the container engine, and let out only into zones."""
    return [
        *(
            f'{_unless_own(machine, pattern, "oifname")}oifname "{pattern}" counter accept '
            'comment "containers"'
            for pattern in patterns
        ),
        f"oifname != @{rules.INTERFACES} goto refused_fwd",
    ]


def antispoof(
    machine: Machine, zone_words: dict[str, str], patterns: tuple[str, ...]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the chains that drop what comes in with a source that it cannot have."""
    jumps = ", ".join(
        f'"{interface}" : jump sources_{zone_words[zone]}'
        for interface, zone in machine.interfaces[rules.INTERFACES]
    )
    yield (
        "antispoof",
        [
            hook("prerouting", "raw", "accept"),
            f"iifname vmap {{ {jumps} }}",
            *_from_container(machine, patterns, "jump sources_containers"),
        ],
    )
    for name, sources in machine.sources.items():
        yield (
            f"sources_{zone_words[name]}",
            [
                "ip6 saddr { ::, fe80::/10 } meta l4proto ipv6-icmp accept",
                "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
                *sources.rules(zone_words[name], 4, _REFUSE_SOURCE),
                *sources.rules(zone_words[name], 6, _REFUSE_SOURCE),
                _REFUSE_SOURCE,
            ],
        )
    if patterns:
        lab = (f"{_IP[family]} saddr @{LAB}_{family}" for family in FAMILIES)
        yield "sources_containers", [f"{match} {_REFUSE_SOURCE}" for match in lab]
    yield "refused_source", [*refused("spoof")]


def masquerading(machine: Machine, policy: Policy, zone_words: dict[str, str]) -> list[str]:
    """Return the chain that puts this machine's address on what leaves to the outside.

    Raises:
        PolicyError: this machine masquerades for a zone that nobody declared, or without an
            interface to do it on.
    """
    lines = []
    for name, zone in sorted(policy.zones.items()):
        if zone.masquerade_by != machine.node.name:
            continue
        where = f"lab_zones.{name}.masquerade"
        if name not in machine.zones:
            msg = f"{where}.by: {machine.node.name} has no interface in the zone {name}"
            raise PolicyError(msg)
        for inner in sorted(zone.masquerade_for):
            if inner not in policy.zones:
                msg = f"{where}.for: no zone is called {inner!r}"
                raise PolicyError(msg)
            lines += [
                f"oifname @{rules.INTERFACES}/{zone_words[name]} {_IP[network.version]} saddr "
                f"@zone_{zone_words[inner]}_{network.version} {_IP[network.version]} daddr "
                f"!= @{LAB}_{network.version} counter masquerade "
                f'comment "{checked("zone", inner)} to the outside"'
                for network in policy.zones[inner].networks
            ]
    return [hook("postrouting", "srcnat", "accept", "nat"), *lines] if lines else []


def _neighbours(kinds: list[str]) -> str:
    listed = ", ".join(kinds)
    return (
        f'icmpv6 type {{ {listed} }} ip6 hoplimit 255 counter accept comment "neighbour discovery"'
    )


def _from_container(machine: Machine, patterns: tuple[str, ...], verdict: str) -> list[str]:
    return [
        f'{_unless_own(machine, pattern, "iifname")}iifname "{pattern}" {verdict}'
        for pattern in patterns
    ]


def _unless_own(machine: Machine, pattern: str, key: str) -> str:
    """Except this machine's own interfaces from a pattern that means them, too."""
    own = machine.interfaces[rules.INTERFACES]
    meant = any(fnmatchcase(interface, pattern) for interface, _ in own)
    return f"{key} != @{rules.INTERFACES} " if meant else ""
