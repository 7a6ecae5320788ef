# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``network_plan``, ``network_files`` and ``rdma_plan`` of the role network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.network.backends import by_name
from ..plugin_utils.network.model import NetworkError, build
from ..plugin_utils.network.plan import Options, plan
from ..plugin_utils.network.rdma import Settings, problems, script


def network_plan(
    info: Mapping[str, Any],
    interfaces: Mapping[str, Any],
    zones: Mapping[str, Any],
    backend: str = "",
    existing: str = "refuse",
    nameservers: tuple[str, ...] = (),
    search: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Decide what has to be done to a node's network: see `plan.plan`."""
    options = Options(backend, existing, tuple(nameservers), tuple(search))
    return plan(info, interfaces, zones, options)


def network_files(
    interfaces: Mapping[str, Any],
    zones: Mapping[str, Any],
    backend: str,
    infiniband: tuple[str, ...] = (),
    nameservers: tuple[str, ...] = (),
    search: tuple[str, ...] = (),
) -> dict[str, dict[str, str]]:
    """Render the files of a node's network for a back end: path → content and mode.

    Raises:
        AnsibleFilterError: the declaration gives no working network, or there is no such back end.
    """
    try:
        model = build(interfaces, zones, infiniband, nameservers, search)
        files = by_name(backend).render(model)
    except NetworkError as error:
        raise AnsibleFilterError(str(error)) from error
    return {path: {"content": content, "mode": mode} for path, (content, mode) in files.items()}


def rdma_plan(
    info: Mapping[str, Any], soft: list[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Decide how a node's RDMA devices are set.

    Args:
        info: what the module ``gpulab.core.network_info`` returns as ``rdma``.
        soft: the interfaces that get soft RoCE.
        settings: the fields of `Settings`.

    Returns:
        ``problems``: what forbids it; ``script``: a shell script, "" where nothing is to be set.
    """
    return {
        "problems": list(problems(info, soft)),
        "script": script(info, soft, Settings(**settings)),
    }


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {
            "network_plan": network_plan,
            "network_files": network_files,
            "rdma_plan": rdma_plan,
        }
