# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.arp_settings``: kernel settings of a node with two cards in one zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The kernel's documentation (Documentation/networking/ip-sysctl.rst, Linux 6.12). A node answers
#: for an address of its own on every card by itself (0), so that one card's address is learnt with
#: the other's MAC, and the traffic of both comes in by one. 1: "reply only if the target IP address
#: is local address configured on the incoming interface". 2: "always use the best local address"
#: for the target, and so no other card's, in the requests that it sends.
SETTINGS = {"arp_ignore": 1, "arp_announce": 2}


def arp_settings(interfaces: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Give the settings, by the names that sysctl.d(5) has for them.

    Args:
        interfaces: ``node_interfaces``.

    Returns:
        Empty unless several interfaces have an address in one zone. A dot in a name is written as a
        slash, as sysctl(8) wants it between dots.
    """
    zones = [body.get("zone") for body in interfaces.values() if body.get("address")]
    return {
        f"net.ipv4.conf.{name.replace('.', '/')}.{key}": value
        for name, body in interfaces.items()
        if body.get("address") and zones.count(body.get("zone")) > 1
        for key, value in SETTINGS.items()
    }


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"arp_settings": arp_settings}
