"""Make a lab's policy, as plain values, of its declaration and of what its roles want.

Runs on the controller only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declaration.flows import ends_of
from ..declaration.interfaces import interfaces_of
from ..declaration.model import Declaration, Problem, Unresolved, Value, mapping, sequence, show
from ..declaration.network import network_problems
from ..declaration.shape import shape_problems
from ..declaration.zones import read_zones
from .contributed import RoleFlows, contributed_flows

#: What ``origin`` says of a flow that no role wants.
DECLARED = "lab_flows"
#: The role's variable that names the bridges of a node's container engines.
CONTAINER_INTERFACES = "firewall_container_interfaces"
#: As the kernel takes names of interfaces (15 bytes, no slash, no space), with nftables' wildcard.
_PATTERN = re.compile(r"(?=.{1,15}$)[A-Za-z0-9_][A-Za-z0-9_.:@+-]*\*?")


@dataclass
class Gathered:
    """What came of it.

    Attributes:
        policy: for `policy.policy_from_plain`; empty when there is a problem.
        left_out: the flows of roles that open nothing in this lab, and why.
        problems: the mistakes.
    """

    policy: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def gather(
    declaration: Declaration,
    roles: Iterable[RoleFlows],
    schema: dict[str, Any],
    containers: Mapping[str, Value],
) -> Gathered:
    """Check what a firewall is made of, and put it together.

    Args:
        declaration: the lab and all of its machines.
        roles: the flows of the roles.
        schema: the document ``inventory/lab.schema.json``.
        containers: node → its ``firewall_container_interfaces``; without those that have none.
    """
    gathered = Gathered(problems=list(declaration.problems))
    problems = gathered.problems
    problems += shape_problems(declaration.lab, schema, "lab", "")
    for host in declaration.hosts:
        problems += shape_problems(host.variables, schema, "host", host.name)
    problems += network_problems(declaration)
    problems += _container_problems(containers)
    if "lab_zones" not in declaration.lab and not problems:
        right = "declare the lab's networks: nothing can be let through between unknown ones"
        problems.append(Problem("", ("lab_zones",), "this key is missing", right))
    ends = ends_of(declaration, read_zones(declaration))
    declared = map(mapping, sequence(declaration.lab.get("lab_flows")))
    flows = [{**flow, "origin": DECLARED} for flow in declared]
    for role in roles:
        contributed = contributed_flows(role, ends, schema)
        flows += contributed.flows
        gathered.left_out += contributed.left_out
        problems += contributed.problems
    if not problems:
        gathered.policy = {
            "zones": declaration.lab["lab_zones"],
            "nodes": {
                host.name: {
                    # What only carries VLANs is in no zone.
                    "interfaces": {
                        name: body for name, body in interfaces_of(host).items() if "zone" in body
                    },
                    "groups": sorted(host.groups),
                    **(
                        {"container_interfaces": containers[host.name]}
                        if host.name in containers
                        else {}
                    ),
                }
                for host in declaration.by_name()
            },
            "flows": flows,
        }
    return gathered


def _container_problems(containers: Mapping[str, Value]) -> Iterator[Problem]:
    for name, patterns in sorted(containers.items()):
        if isinstance(patterns, Unresolved):
            continue
        if not isinstance(patterns, list):
            right = 'a list of names of bridges, such as ["podman*"]; [] for none'
            yield Problem(name, (CONTAINER_INTERFACES,), f"{show(patterns)} is no list", right)
            continue
        for number, pattern in enumerate(patterns):
            if not (isinstance(pattern, str) and _PATTERN.fullmatch(pattern)):
                wrong = f"{show(pattern)} is no name of an interface"
                right = "at most 15 characters, a letter or digit first; * only at the end"
                yield Problem(name, (CONTAINER_INTERFACES, number), wrong, right)
