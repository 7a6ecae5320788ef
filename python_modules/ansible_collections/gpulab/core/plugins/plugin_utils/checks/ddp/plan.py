"""Who takes part in a training over several nodes, and where they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FABRIC = "fabric"


class PlanError(ValueError):
    """A node's declaration does not say how the others reach it; the text names the key."""


def plan(
    nodes: Sequence[str], variables: Mapping[str, Mapping[str, Any]], zone: str = FABRIC
) -> dict[str, Any]:
    """Return where the nodes meet: at the first one's address in the zone.

    Args:
        nodes: names, in the order of their ranks.
        variables: of each node; ``node_interfaces`` is used.
        zone: whose network carries the exchange.

    Returns:
        ``nodes``; ``address``, node 0's in the zone; and ``interfaces``, each node's there.

    Raises:
        PlanError: a node has no interface in the zone, or the first one no address there.
    """
    interfaces: dict[str, str] = {}
    address = ""
    for node in nodes:
        declared = variables[node].get("node_interfaces") or {}
        found = [
            (name, facts)
            for name, facts in declared.items()
            if isinstance(facts, Mapping) and facts.get("zone") == zone
        ]
        if not found:
            msg = f"{node}: node_interfaces has no interface in the zone {zone!r}: declare it, or "
            msg += "choose another zone with -e ddp_zone=NAME"
            raise PlanError(msg)
        name, facts = found[0]
        interfaces[node] = str(name)
        if not address:
            address = str(facts.get("address") or "").partition("/")[0]
            if not address:
                msg = f"{node}: node_interfaces.{name} has no address, and the others must reach it"
                raise PlanError(f"{msg} there")
    return {"nodes": list(nodes), "address": address, "interfaces": interfaces}
