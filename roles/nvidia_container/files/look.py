"""Read what decides on CDI here: python3 - SERVICE PATH; prints one JSON object.

podman, docker: version, "0" where the engine is not installed.
daemon: what /etc/docker/daemon.json says; daemon_problem: why it can't be read, or "".
running: containers that docker runs.
off: which of the units are not enabled, or, for the path unit, not active.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

DAEMON = Path("/etc/docker/daemon.json")


def call(*argv: str) -> str:
    """Give what a command prints, or nothing where it can't be run."""
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def version(engine: str) -> str:
    """Give an engine's version."""
    found = re.search(r"\d+(\.\d+)+", call(engine, "--version"))
    return found[0] if found else "0"


def daemon() -> tuple[dict, str]:
    """Read docker's configuration; an empty file is an empty one."""
    try:
        text = DAEMON.read_text()
    except FileNotFoundError:
        return {}, ""
    try:
        said = json.loads(text or "{}")
    except ValueError as error:
        return {}, f"{DAEMON} is not JSON: {error}"
    return (said, "") if isinstance(said, dict) else ({}, f"{DAEMON} holds no object")


def off(service: str, path: str) -> list[str]:
    """List the units that would not do their work."""
    found = [
        unit
        for unit in (service, path)
        if call("systemctl", "is-enabled", unit).strip() != "enabled"
    ]
    if path not in found and call("systemctl", "is-active", path).strip() != "active":
        found.append(path)
    return found


configuration, problem = daemon()
docker = version("docker")
print(  # noqa: T201 (the answer)
    json.dumps(
        {
            "podman": version("podman"),
            "docker": docker,
            "daemon": configuration,
            "daemon_problem": problem,
            "running": len(call("docker", "ps", "--quiet").split()) if docker != "0" else 0,
            "off": off(*sys.argv[1:3]),
        }
    )
)
