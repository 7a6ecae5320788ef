"""Check hardware specifications, and that nodes refer to ones that exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .model import Declaration, Problem, mapping, text
from .suggest import did_you_mean


def spec_problems(
    declaration: Declaration, builtin: dict[str, dict[str, Any]]
) -> Iterator[Problem]:
    """Check specifications.

    Args:
        declaration: the lab.
        builtin: the specifications that need no declaration, by name.
    """
    declared = {
        str(name): mapping(body)
        for name, body in mapping(declaration.lab.get("lab_hardware_specs")).items()
    }
    specs = {**builtin, **declared}
    for name in sorted(declared):
        yield from _ancestry(name, specs)
    for host in declaration.by_name():
        name = text(host.variables.get("node_hardware_spec"))
        if not name:
            continue
        path = ("node_hardware_spec",)
        if name not in specs:
            wrong = f"there is no hardware specification '{name}'"
            yield Problem(host.name, path, wrong, did_you_mean(name, specs))
        elif {"nvidia", "compute"} <= set(host.groups) and not _asks_for_gpus(name, specs):
            wrong = f"the machine is in group 'nvidia' but '{name}' asks for no GPU"
            right = f"add gpu.count to lab_hardware_specs.{name}: a GPU that falls out is then seen"
            yield Problem(host.name, path, wrong, right)


def _ancestry(name: str, specs: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    path = ("lab_hardware_specs", name, "extends")
    parent = specs[name].get("extends")
    if not isinstance(parent, str):
        return
    if parent not in specs:
        wrong = f"there is no hardware specification '{parent}'"
        yield Problem("", path, wrong, did_you_mean(parent, specs.keys() - {name}))
        return
    chain = _chain(name, specs)
    if specs[chain[-1]].get("extends") == name:
        circle = " → ".join([*chain, name])
        right = "start from one that does not come back to this one"
        yield Problem("", path, f"the specification extends itself: {circle}", right)


def _chain(name: str, specs: dict[str, dict[str, Any]]) -> list[str]:
    """The specification and all it starts from; a circle is cut where it closes."""
    chain = [name]
    while (parent := text(specs[chain[-1]].get("extends"))) in specs and parent not in chain:
        chain.append(parent)
    return chain


def _asks_for_gpus(name: str, specs: dict[str, dict[str, Any]]) -> bool:
    for link in _chain(name, specs):
        gpu = mapping(specs[link].get("gpu"))
        for key in ("count", "count_min"):
            if key in gpu:
                return bool(gpu[key])
    return False
