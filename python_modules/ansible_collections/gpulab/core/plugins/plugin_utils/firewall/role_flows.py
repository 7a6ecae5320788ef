"""Find the roles that contribute flows, and read them with Ansible's own loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ..declaration.collect import Machine, Resolve
from ..declaration.model import mapping
from .contributed import RoleFlows

FLOWS = Path("meta", "flows.yml")
DEFAULTS = Path("defaults", "main.yml")


def common_variables(machines: Iterable[Machine]) -> dict[str, Any]:
    """Return the variables that all nodes have with one and the same value: the lab's."""
    common: dict[str, Any] | None = None
    for machine in machines:
        if common is None:
            common = {
                str(name): value
                for name, value in machine.variables.items()
                # What Ansible found out about a node, and how it reaches it, is none of it.
                if not str(name).startswith("ansible_")
            }
            continue
        other = machine.variables
        common = {
            name: value for name, value in common.items() if name in other and other[name] == value
        }
    return common or {}


def find_role_flows(
    folders: Iterable[Path], variables: Mapping[str, Any], loader: DataLoader
) -> list[RoleFlows]:
    """Read ``meta/flows.yml`` of every role; of two roles of one name the first counts.

    Args:
        folders: with roles in them; one that does not exist is passed over.
        variables: what the templates in the flows may refer to, beside the role's defaults.
        loader: Ansible's.

    Raises:
        AnsibleError: a file is not YAML.
    """
    roles: dict[str, Path] = {}
    for folder in folders:
        for role in sorted(folder.iterdir()) if folder.is_dir() else []:
            roles.setdefault(role.name, role)
    found = []
    for name, role in sorted(roles.items()):
        if not (role / FLOWS).is_file():
            continue
        defaults = _read(role / DEFAULTS, loader) if (role / DEFAULTS).is_file() else {}
        found.append(
            RoleFlows(
                name,
                _shown(role / FLOWS),
                (role / FLOWS).read_text(encoding="utf-8"),
                _read(role / FLOWS, loader),
                _resolver({**mapping(defaults), **variables}, loader),
            )
        )
    return found


def _resolver(
    variables: Mapping[str, Any], loader: DataLoader
) -> Callable[[Mapping[str, Any]], Resolve]:
    def resolve_with(further: Mapping[str, Any]) -> Resolve:
        resolve: Resolve = Templar(loader=loader, variables={**variables, **further}).template
        return resolve

    return resolve_with


def _read(file: Path, loader: DataLoader) -> object:
    try:
        return loader.load_from_file(str(file), cache="none", trusted_as_template=True)
    except AnsibleError as error:
        msg = f"{_shown(file)}: {error}"
        raise AnsibleError(msg) from error


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
