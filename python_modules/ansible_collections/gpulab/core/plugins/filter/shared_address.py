# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.shared_address``: where one node reaches another."""

from __future__ import annotations

from typing import Any

MANAGEMENT = "management"


def shared_address(
    server: dict[str, dict[str, Any]] | None, client: dict[str, dict[str, Any]] | None
) -> str:
    """Pick the server's address in a zone that the client shares, management first.

    Args:
        server: ``node_interfaces`` of the server.
        client: ``node_interfaces`` of the client.

    Returns:
        The address; without a shared zone the server's management address (a router may join
        the zones); an empty string when it has none.
    """
    theirs = {interface.get("zone") for interface in (client or {}).values()}
    candidates = sorted(
        (interface for interface in (server or {}).values() if interface.get("address")),
        key=lambda interface: (
            interface.get("zone") not in theirs,
            interface.get("zone") != MANAGEMENT,
        ),
    )
    if not candidates:
        return ""
    best = candidates[0]
    if best.get("zone") in theirs or best.get("zone") == MANAGEMENT:
        return str(best["address"])
    return ""


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"shared_address": shared_address}
