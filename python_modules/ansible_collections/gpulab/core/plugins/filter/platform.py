# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``platform_vars`` and ``in_container``: what a role asks of a node's platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

#: As the fact ``virtualization_type`` calls them; a node that only runs containers has another.
CONTAINERS = frozenset({"podman", "docker", "container", "containerd", "lxc", "systemd-nspawn"})


def platform_vars(facts: dict[str, Any], role_path: str) -> list[str]:
    """List the role's vars files for the platform in ``facts``, the general ones first.

    Args:
        facts: ``ansible_facts`` with ``os_family``, ``distribution`` and
            ``distribution_major_version``.
        role_path: the role's folder.

    Returns:
        The existing files among ``vars/<os_family>.yml``, ``vars/<os_family>-<major>.yml``,
        ``vars/<distribution>.yml`` and ``vars/<distribution>-<major>.yml``, in that order, so that
        a later one overrides.

    Raises:
        AnsibleFilterError: when facts are missing or the role knows nothing of the platform.
    """
    try:
        family = facts["os_family"]
        distribution = facts["distribution"]
        major = facts["distribution_major_version"]
    except KeyError as missing:
        msg = f"platform_vars needs the fact {missing}: gather facts (subset 'min') first"
        raise AnsibleFilterError(msg) from missing
    folder = Path(role_path) / "vars"
    names = (family, f"{family}-{major}", distribution, f"{distribution}-{major}")
    files = [folder / f"{name}.yml" for name in dict.fromkeys(names)]
    found = [str(file) for file in files if file.is_file()]
    if not found:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yml") if file.stem != "main"))
        msg = (
            f"role {Path(role_path).name} does not support {distribution}-{major} ({family}): "
            f"it has vars for {known or 'no platform'}"
        )
        raise AnsibleFilterError(msg)
    return found


def in_container(facts: dict[str, Any]) -> bool:
    """Tell from ``ansible_facts`` whether the node is a container, which has its host's kernel."""
    return facts.get("virtualization_type") in CONTAINERS


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"platform_vars": platform_vars, "in_container": in_container}
