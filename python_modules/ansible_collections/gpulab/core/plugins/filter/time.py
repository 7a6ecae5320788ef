# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``server_addresses`` and ``time_problem`` of the role time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MANAGEMENT = "management"
#: Of chronyc's tracking, in CSV: the source's address, and the leap status.
_SOURCE, _LEAP = 1, 13
_SYNCHRONISED = frozenset({"Normal", "Insert second", "Delete second"})

Interfaces = Mapping[str, Mapping[str, Any]]


def server_addresses(
    servers: Sequence[str], hostvars: Mapping[str, Any], interfaces: Interfaces | None
) -> list[str]:
    """Name where a node reaches others, by address.

    Names would not do: the time would wait for their resolution, and DNSSEC waits for the time.

    Args:
        servers: the other machines.
        hostvars: Ansible's ``hostvars``; read are ``node_interfaces`` and ``ansible_host``.
        interfaces: ``node_interfaces`` of the machine.

    Returns:
        An address for each; ``ansible_host``, or its name, where none is declared.
    """
    return [
        shared_address(hostvars[name].get("node_interfaces"), interfaces)
        or str(hostvars[name].get("ansible_host") or name)
        for name in servers
    ]


def shared_address(server: Interfaces | None, client: Interfaces | None) -> str:
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


def time_problem(
    said: Sequence[str],
    *,
    late: bool,
    servers: Sequence[str],
    is_server: bool,
    has_fallback: bool,
    in_container: bool,
    timeout_s: float,
) -> str:
    """Say what is wrong with a node's time; an empty string where nothing is.

    Args:
        said: ``chronyc -n -c tracking``'s line, then chronyd's command line.
        late: whether the node was not synchronised in time.
        servers: the addresses of the lab's servers.
        is_server: whether it is one of them: it leads by its own clock, if nobody else does.
        has_fallback: whether it may follow others than the lab's.
        in_container: whether its clock is its host's, which chronyd must leave alone.
        timeout_s: how long it was waited for.
    """
    tracking, command = [*said, "", ""][:2]
    fields = tracking.split(",")
    synchronised = not late and len(fields) > _LEAP and fields[_LEAP] in _SYNCHRONISED
    follows_the_lab = is_server or has_fallback or (synchronised and fields[_SOURCE] in servers)
    if not synchronised or not follows_the_lab:
        return (
            f"Not synchronised within {timeout_s} s to {', '.join(servers)}: chronyc tracking says "
            f"{tracking or 'nothing'}. Look at `chronyc -n sources` here, at udp/123 between the "
            "machines, and at chrony on the server."
        )
    if in_container and " -x" not in command:
        return f"chronyd would set the host's clock: it runs as `{command}`, without -x."
    return ""


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"server_addresses": server_addresses, "time_problem": time_problem}
