"""Decide how containers of a node get its GPUs: the toolkit's packages, and the engines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.gpu_software.containers import NOT_INSTALLED

#: All at one version: each requires the next at exactly its own.
_PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
#: The first releases that take GPUs by CDI.
_FIRST_WITH_CDI = {"podman": "4.1", "docker": "25"}


def container_toolkit(
    nvidia: Mapping[str, Any], seen: Mapping[str, Any], version: str
) -> dict[str, Any]:
    """Decide what a node needs so that containers get its GPUs.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``.
        seen: what ``gpulab.core.nvidia_container_info`` returns as ``container``.
        version: the declared release of the toolkit.

    Returns:
        ``wanted``, package → version; those of them that are ``missing``; ``engines``, those that
        take CDI.
    """
    # Every release so far is package release 1.
    wanted = dict.fromkeys(_PACKAGES, f"{version}-1")
    packages = nvidia["packages"] or {}
    there = {
        name for name, one in packages.items() if one["held"] and one["version"] == f"{version}-1"
    }
    return {
        "wanted": wanted,
        "missing": [name for name in wanted if name not in there],
        "engines": [engine for engine in _FIRST_WITH_CDI if _takes_cdi(engine, str(seen[engine]))],
    }


def container_notes(
    seen: Mapping[str, Any], written: Sequence[str], *, restart_docker: bool
) -> list[str]:
    """Say which engines give containers no GPUs yet.

    Args:
        seen: what ``gpulab.core.nvidia_container_info`` returns as ``container``.
        written: the files that this run has written.
        restart_docker: whether docker may be restarted where no container runs.
    """
    notes = [
        f"{engine} {seen[engine]} is too old for CDI: {first} or later"
        for engine, first in _FIRST_WITH_CDI.items()
        if seen[engine] != NOT_INSTALLED and not _takes_cdi(engine, str(seen[engine]))
    ]
    waits = seen["running"] > 0 or not restart_docker
    if "/etc/docker/daemon.json" in written and waits:
        notes.append(
            f"docker takes CDI when it is restarted: {seen['running']} containers run on it"
        )
    return notes


def _takes_cdi(engine: str, version: str) -> bool:
    return _numbers(version) >= _numbers(_FIRST_WITH_CDI[engine])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
