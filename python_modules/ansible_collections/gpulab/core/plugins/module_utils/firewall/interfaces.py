"""Read what ``ip`` says of a node's interfaces, as the firewall has to know them. Pure."""

from __future__ import annotations

from typing import Any


def parse(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read ``ip -json -details address show``; without the loopback.

    Returns:
        For each interface ``name``; ``up``; ``kind`` (``bridge``, ``vxlan``, ``veth`` …, "" for a
        card); ``master``, the bridge or bond that it is a port of, or ""; ``parent``, what it is
        on, or ""; ``addresses``, those of global scope, without prefix length.
    """
    return [
        {
            "name": str(entry["ifname"]),
            "up": "UP" in entry.get("flags", []),
            "kind": str((entry.get("linkinfo") or {}).get("info_kind", "")),
            "master": str(entry.get("master", "")),
            "parent": str(entry.get("link") or ""),
            "addresses": [
                str(address["local"])
                for address in entry.get("addr_info", [])
                if address.get("scope") == "global" and address.get("local")
            ],
        }
        for entry in shown
        if entry.get("ifname") and entry.get("link_type") != "loopback"
    ]
