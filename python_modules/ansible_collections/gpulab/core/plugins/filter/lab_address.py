"""The filter ``gpulab.core.lab_address``: at which address one machine reaches another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: The zone that is preferred wherever both machines are in it.
MANAGEMENT = "management"


def zone_addresses(variables: Mapping[str, Any]) -> dict[str, str]:
    """Give zone → IPv4 address out of a machine's ``node_interfaces``, management first."""
    interfaces = (variables.get("node_interfaces") or {}).values()
    found = {nic["zone"]: nic["address"] for nic in interfaces if nic.get("address")}
    return dict(sorted(found.items(), key=lambda item: item[0] != MANAGEMENT))


def lab_address(host: str, hostvars: Mapping[str, Any], seen_from: str | None = None) -> str:
    """Give the address at which ``host`` is reached.

    Machines do not share every zone: an edge device may know the head by its edge address only.

    Args:
        host: the machine to reach.
        hostvars: Ansible's ``hostvars``.
        seen_from: the machine that wants to reach it; None for the lab at large.

    Returns:
        The address in the first zone that both are in (management before others); where they
        share none, or ``seen_from`` is None or ``host`` itself, the host's own first address;
        ``ansible_host`` where it declares no interfaces.

    Raises:
        AnsibleFilterError: when the machine has neither.
    """
    own = zone_addresses(hostvars[host])
    if seen_from is not None and seen_from != host:
        peer = zone_addresses(hostvars[seen_from])
        own = {zone: own[zone] for zone in own if zone in peer} or own
    if own:
        return next(iter(own.values()))
    if hostvars[host].get("ansible_host"):
        return str(hostvars[host]["ansible_host"])
    msg = f"{host} has no address: declare node_interfaces (or ansible_host) for it"
    raise AnsibleFilterError(msg)


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"lab_address": lab_address}
