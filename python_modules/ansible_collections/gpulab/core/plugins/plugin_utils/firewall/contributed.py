"""Read the flows that roles want: ``roles/<role>/meta/flows.yml``.

Runs on the controller only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declaration.collect import Resolve, resolved
from ..declaration.flow_ends import WAYS_OUT
from ..declaration.flows import Ends, port_problems, repeated_names
from ..declaration.model import Path, Problem, Unresolved, Value, mapping, show
from ..declaration.shape import shape_problems
from ..declaration.sources import line_of

#: Says whether a flow of a role is wanted; lab_flows have no such key.
WHEN = "when"
#: What a flow of a role is wanted once for each of; it stands for one of them as `ITEM`.
LOOP = "loop"
ITEM = "item"
#: Between a role and the name of its flow. No name in lab_flows has it, so none is taken twice.
SEPARATOR = "."


@dataclass(frozen=True)
class RoleFlows:
    """The flows of one role as they are written.

    Attributes:
        role: its name.
        file: where they stand, for messages.
        content: the text of that file.
        flows: what Ansible read in it.
        resolve_with: makes, of further variables, what resolves the templates in one value and
            raises AnsibleError.
    """

    role: str
    file: str
    content: str
    flows: Value
    resolve_with: Callable[[Mapping[str, Any]], Resolve]


@dataclass
class Contributed:
    """What came of them.

    Attributes:
        flows: as in ``lab_flows``, with ``origin``.
        left_out: what opens nothing in this lab, and why.
        problems: the mistakes.
    """

    flows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def contributed_flows(given: RoleFlows, ends: Ends, schema: dict[str, Any]) -> Contributed:
    """Check the flows of one role, and take those that mean something in this lab.

    A role is written for all labs: a flow of it between ends that this one does not have, or from
    a zone that may not reach the outside, opens nothing and is no mistake.

    Args:
        given: the flows.
        ends: what the flows of this lab may name.
        schema: the document ``inventory/lab.schema.json``.
    """
    found = Contributed()
    if given.flows is not None and not isinstance(given.flows, list):
        right = "flows as in lab_flows: - {name: …, from: …, to: …, protocol: …}"
        found.problems.append(Problem("", (), f"{show(given.flows)} is no list", right))
    flows = given.flows if isinstance(given.flows, list) else []
    wanted = list(_wanted(given, flows, found.problems))
    for number, flow in wanted:
        found.problems += [
            dataclasses.replace(problem, path=(number, *problem.path))
            for problem in shape_problems(flow, schema, "flow", "")
        ]
        found.problems += port_problems((number,), flow)
    found.problems += repeated_names(((number,), flow) for number, flow in wanted)
    found.problems = [
        dataclasses.replace(
            problem, file=given.file, line=line_of(given.content, given.file, problem.path)
        )
        for problem in found.problems
    ]
    if not found.problems:
        _take(given.role, (flow for _, flow in wanted), ends, found)
    return found


def _wanted(
    given: RoleFlows, flows: list[Any], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, flow in enumerate(flows):
        if not isinstance(flow, dict):
            right = "a mapping with name, from, to and protocol"
            problems.append(Problem("", (number,), f"{show(flow)} is no flow", right))
            continue
        rest = {str(key): value for key, value in flow.items() if key not in (WHEN, LOOP)}
        for variables in _turns(given, number, flow, problems):
            resolve = given.resolve_with(variables)
            at: Path = (number, WHEN)
            when = resolved(flow.get(WHEN, True), at, resolve, problems)
            if isinstance(when, bool):
                if when:
                    yield number, mapping(resolved(rest, (number,), resolve, problems))
            elif not isinstance(when, Unresolved):
                right = "true, false, or a template that gives one of them"
                problems.append(Problem("", at, f"{show(when)} is not true or false", right))


def _turns(
    given: RoleFlows, number: int, flow: dict[Any, Any], problems: list[Problem]
) -> list[dict[str, Any]]:
    """Give the variables that a flow is resolved with, for each time that it is wanted."""
    if LOOP not in flow:
        return [{}]
    at: Path = (number, LOOP)
    items = resolved(flow[LOOP], at, given.resolve_with({}), problems)
    if isinstance(items, list):
        return [{ITEM: item} for item in items]
    if not isinstance(items, Unresolved):
        right = "a list, or a template that gives one"
        problems.append(Problem("", at, f"{show(items)} is no list", right))
    return []


def _take(role: str, flows: Iterable[dict[str, Any]], ends: Ends, found: Contributed) -> None:
    for flow in flows:
        name = f"{role}{SEPARATOR}{flow['name']}"
        missing = [mistake for key in ("from", "to") if (mistake := ends.mistake(flow[key]))]
        kept_in = ends.kept_in(flow["from"])
        if missing:
            found.left_out.append(f"{name}: {missing[0][0]}")
        elif kept_in is not None and flow["to"] in WAYS_OUT:
            found.left_out.append(f"{name}: zone '{kept_in.name}' may not reach the outside")
        else:
            found.flows.append({**flow, "name": name, "origin": f"role {role}"})
