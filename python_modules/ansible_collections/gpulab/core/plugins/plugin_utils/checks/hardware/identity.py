"""Check that the machine that answers is the one that was declared."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from ..finding import Facts, Finding, HardwareCheck, Requirements, part

_CONTAINER = "container"
_ANOTHER = (
    "Nothing of this run is about the machine that was meant. See which machine has this address "
    "(cable, switch port, DHCP, a board that was swapped); correct the inventory if the machine is "
    "right and the declaration is not."
)


def _judge(
    key: str,
    variable: str,
    read: Callable[[Facts], tuple[list[str], str]],
    check: HardwareCheck,
    facts: Facts,
    wanted: Requirements,
) -> list[Finding]:
    """Compare what the machine says of itself with the declared mark of it.

    Args:
        key: The mark's among the requirements.
        variable: The node's variable that declares it.
        read: Returns what the facts say, and why they say nothing.
        check: The check.
        facts: The node's facts.
        wanted: ``name`` is the node's name in the inventory.
    """
    declared, name = str(wanted[key]), str(wanted.get("name") or "this node")
    found, reason = read(facts)
    told = ", ".join(found)
    if not found:
        return [
            check.finding(
                "unknown", part("node", name), None, declared, evidence=reason, action=check.action
            )
        ]
    same = _plain(declared) in {_plain(one) for one in found}
    return [
        check.finding(
            "pass" if same else "fail",
            part("node", name, serial=told if key == "serial" else ""),
            declared if same else told,
            declared,
            evidence=f"{variable} is {declared}"
            if same
            else f"another machine answers as {name}: {variable} is {declared}, and it has {told}",
            action=_ANOTHER,
        )
    ]


def _serial(facts: Facts) -> tuple[list[str], str]:
    if _in_container(facts):
        return [], "a container shows the serial number of its host, and has none of its own"
    serial = facts["system"].get("serial")
    return [serial] if serial else [], "the firmware tells no serial number (as root it may)"


def _macs(facts: Facts) -> tuple[list[str], str]:
    """Return the addresses of the cards; a container has none, and its own ends are all it has."""
    own = [nic for nic in facts["nics"] if nic.get("physical") or _in_container(facts)]
    return [nic["mac"] for nic in own if nic.get("mac")], "no network card tells its address"


def _in_container(facts: Facts) -> bool:
    return (facts.get("os") or {}).get("virtualization") == _CONTAINER


def _plain(mark: str) -> str:
    """Return a serial number or address without what only its writing adds."""
    mark = mark.strip().lower()
    octets = re.fullmatch(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", mark)
    return mark.replace("-", ":") if octets else mark


IDENTITY_CHECKS = (
    HardwareCheck(
        id="identity.serial",
        title="The machine's serial number",
        section="identity",
        requires=("serial",),
        probes=("system",),
        part="node",
        source="/sys/class/dmi/id/product_serial, /proc/device-tree/serial-number",
        threshold="equal to `node_serial`",
        threshold_source="the inventory: whatever else is found is another machine's",
        severity="fail",
        action="Run `dmidecode -s system-serial-number` as root on the node; where its firmware "
        "has none, take node_serial out of the inventory and declare node_mac.",
        judge=partial(_judge, "serial", "node_serial", _serial),
    ),
    HardwareCheck(
        id="identity.mac",
        title="The machine's management address (MAC)",
        section="identity",
        requires=("mac",),
        probes=("nics",),
        part="node",
        source="/sys/class/net/*/{address,bonding_slave/perm_hwaddr}",
        threshold="`node_mac` is the address of one of its cards",
        threshold_source="the inventory: whatever else is found is another machine's",
        severity="fail",
        action="Run `ip -br link` on the node.",
        judge=partial(_judge, "mac", "node_mac", _macs),
    ),
)
