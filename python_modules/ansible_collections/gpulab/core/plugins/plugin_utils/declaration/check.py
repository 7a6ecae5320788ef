"""Run every check of a declaration, and tell the mistakes in the order of the files."""

from __future__ import annotations

from typing import Any

from .gpu_software import gpu_software_problems
from .inventory import inventory_problems
from .machines import machine_problems
from .model import Declaration, Problem, spell
from .network import network_problems
from .people import people_problems, time_zone_problems
from .placeholders import placeholder_problems
from .power import power_problems
from .secrets import secret_problems
from .shape import shape_problems
from .sources import Place, Sources
from .specs import spec_problems

NODE_PREFIX = "node_"


def check_declaration(
    declaration: Declaration,
    schema: dict[str, Any],
    sources: Sources,
    builtin_specs: dict[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    """Find all mistakes of a declaration at once.

    Args:
        declaration: the lab, its nodes, and what could not be read of them.
        schema: the document ``inventory/lab.schema.json``.
        sources: where each variable stands.
        builtin_specs: hardware specifications that need no declaration, by name.

    Returns:
        One dictionary per mistake with ``file`` ("" when unknown), ``line`` (0 when unknown),
        ``key``, ``hosts`` (empty for the lab), ``wrong`` and ``right``; in the order of files and
        lines, then keys. The same declaration gives the same list.
    """
    problems = list(declaration.problems)
    problems += shape_problems(declaration.lab, schema, "lab", "")
    for host in declaration.hosts:
        facts = {key: item for key, item in host.variables.items() if key.startswith(NODE_PREFIX)}
        problems += shape_problems(facts, schema, "host", host.name)
    problems += inventory_problems(declaration, sources)
    problems += network_problems(declaration)
    problems += machine_problems(declaration)
    problems += power_problems(declaration)
    problems += spec_problems(declaration, builtin_specs)
    problems += gpu_software_problems(declaration)
    problems += people_problems(declaration)
    problems += time_zone_problems(declaration)
    problems += placeholder_problems(declaration)
    problems += secret_problems(declaration, schema, sources)
    return tell(problems, declaration, sources)


def tell(
    problems: list[Problem], declaration: Declaration, sources: Sources
) -> list[dict[str, Any]]:
    """Place the mistakes, and tell one that several nodes share (by a group) only once.

    Returns:
        What `check_declaration` returns.
    """
    hosts = {host.name: host for host in declaration.hosts}
    merged: dict[tuple[str, int, str, str, str], set[str]] = {}
    for problem in problems:
        place = Place(problem.file, problem.line)
        if not problem.file:
            place = sources.locate(hosts.get(problem.owner), problem.path) or place
        where = (place.file, place.line, spell(problem.path), problem.wrong, problem.right)
        merged.setdefault(where, set()).update({problem.owner} - {""})
    return [
        {
            "file": file,
            "line": line,
            "key": key,
            # What all nodes share stands in the lab's files: their names would say nothing.
            "hosts": sorted(owners) if owners != set(hosts) else [],
            "wrong": wrong,
            "right": right,
        }
        for (file, line, key, wrong, right), owners in sorted(
            merged.items(), key=lambda item: (item[0], sorted(item[1]))
        )
    ]


def headline(errors: list[dict[str, Any]]) -> str:
    """Say how many mistakes there are."""
    number = len(errors)
    count = "1 mistake" if number == 1 else f"{number} mistakes"
    return f"The declaration has {count}, listed under 'errors'. No machine was touched."


def block(error: dict[str, Any]) -> str:
    """Write one mistake for a person: where, what is wrong, what would be right."""
    place = error["file"] or "inventory"
    if error["line"]:
        place += f":{error['line']}"
    whose = f" ({', '.join(error['hosts'])})" if error["hosts"] else ""
    key = f" {error['key']}" if error["key"] else ""
    return f"{place}{key}{whose}\n  wrong: {error['wrong']}\n  right: {error['right']}"
