"""Read what decides whether containers on this node can get GPUs: engines and CDI's units."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..process import call

DOCKER_CONFIGURATION = Path("/etc/docker/daemon.json")
LIMIT_S = 30
# What stands for an engine that is not installed: older than every release.
NOT_INSTALLED = "0"


def engine_version(said: str) -> str:
    """Return the version in what ``podman --version`` or ``docker --version`` says, or "0"."""
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else NOT_INSTALLED


def parse_docker_configuration(text: str) -> tuple[dict[str, Any], str]:
    """Return docker's configuration and what is wrong with it; an empty file is an empty one."""
    try:
        said = json.loads(text or "{}")
    except ValueError as error:
        return {}, f"{DOCKER_CONFIGURATION} is not JSON: {error}"
    return (said, "") if isinstance(said, dict) else ({}, f"{DOCKER_CONFIGURATION} holds no object")


def look(service: str, path_unit: str) -> dict[str, Any]:
    """Return engines, docker's configuration and running containers, and the units that are off."""
    docker = engine_version(_output("docker", "--version"))
    try:
        text = DOCKER_CONFIGURATION.read_text()
    except FileNotFoundError:
        text = ""
    configuration, problem = parse_docker_configuration(text)
    return {
        "podman": engine_version(_output("podman", "--version")),
        "docker": docker,
        "daemon": configuration,
        "daemon_problem": problem,
        "running": 0 if docker == NOT_INSTALLED else len(_output("docker", "ps", "-q").split()),
        "off": _off(service, path_unit),
    }


def _output(*argv: str) -> str:
    status, said = call(*argv, timeout_s=LIMIT_S)
    return "" if status else said


def _off(service: str, path_unit: str) -> list[str]:
    """List the units that would not do their work."""
    off = [
        unit
        for unit in (service, path_unit)
        if _output("systemctl", "is-enabled", unit) != "enabled"
    ]
    if path_unit not in off and _output("systemctl", "is-active", path_unit) != "active":
        off.append(path_unit)
    return off
