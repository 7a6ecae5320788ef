"""Join what only one tool knows with the parts: slot names, and switch ports."""

from __future__ import annotations

from typing import Any


def join(facts: dict[str, Any]) -> None:
    """Fill in ``slot`` and ``switch_port`` of the parts, in place.

    The name that is printed on the board (SMBIOS) stands above the number that the kernel's slot
    driver gives. A disk in a bay is named by its bay, not by its controller's slot.
    """
    names = {
        bdf: slot["name"]
        for slot in facts.get("slots") or []
        if slot["name"]
        for bdf in slot["devices"]
    }
    for section in ("gpus", "nics", "infiniband", "disks"):
        for item in facts.get(section) or []:
            if item["bdf"] in names and not item.get("bay"):
                item["slot"] = names[item["bdf"]]
    ports: dict[str, list[str]] = {}
    for neighbour in facts.get("lldp") or []:
        words = [word for word in (neighbour["switch"], neighbour["port"]) if word]
        # Several are heard through a switch that does not speak LLDP itself.
        ports.setdefault(neighbour["interface"], []).append(" ".join(words))
    for nic in facts.get("nics") or []:
        nic["switch_port"] = ", ".join(filter(None, ports.get(nic["name"], []))) or None
