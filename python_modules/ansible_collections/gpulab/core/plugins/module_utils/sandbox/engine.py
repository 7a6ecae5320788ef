"""The container engine of this host: which one, how to call it, and what this host allows.

Podman is preferred (no daemon; rootful, so that systemd gets a real cgroup tree and networks are
reachable from the host); docker is used where it is what the machine has.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..process import Group, Outcome, run
from .errors import SandboxError

#: The first podman that takes ``--network NAME:ip=…`` several times (release notes of 4.0).
MINIMUM_PODMAN = (4, 0)
# An engine that is there answers what it is within a second; a loaded host takes longer.
_ASK_S = 30


@dataclass(frozen=True)
class Engine:
    """How to call the engine.

    Attributes:
        name: ``podman`` or ``docker``.
        command: the argument vector that every call starts with (``sudo`` included where the
            user is not root).
        runtime: the OCI runtime to name on creation, or an empty string for the engine's own.
    """

    name: str
    command: tuple[str, ...]
    runtime: str

    def run(
        self, *args: str, stdin: bytes = b"", check: bool = True, timeout_s: float = 120
    ) -> Outcome:
        """Call the engine and return what it printed.

        Raises:
            SandboxError: when it fails (and ``check``), or takes longer than ``timeout_s``.
        """
        done = run_here([*self.command, *args], timeout_s, stdin)
        if done.timed_out:
            msg = f"{self.name} {args[0]} took longer than {timeout_s:.0f} s"
            raise SandboxError(msg)
        if check and done.returncode != 0:
            words = done.start_error or done.stderr_tail.strip()
            msg = f"{self.name} {' '.join(args[:3])} … failed ({done.returncode}): {words[-2000:]}"
            raise SandboxError(msg)
        return done

    def inspect(self, *args: str) -> list[dict[str, Any]]:
        """Call the engine for a JSON list of objects. Raises SandboxError as ``run`` does."""
        found: list[dict[str, Any]] = json.loads(self.run(*args).stdout)
        return found

    def image_exists(self, reference: str) -> bool:
        """Say whether an image is there."""
        return self.run("image", "inspect", reference, check=False).returncode == 0

    def network_names(self) -> list[str]:
        """List the engine's networks."""
        return self.run("network", "ls", "--format", "{{.Name}}").stdout.split()

    def network_subnets(self, names: Sequence[str]) -> list[str]:
        """List the IPv4 and IPv6 subnets of networks, in CIDR notation."""
        found = self.inspect("network", "inspect", *names) if names else []
        return [subnet for network in found for subnet in _subnets_of_network(network)]


def run_here(argv: list[str], timeout_s: float, stdin: bytes = b"") -> Outcome:
    """Run a program of this host that may need sudo, and may start what stays.

    Out of Ctrl-C's reach: podman that is interrupted while it starts a container never gives its
    addresses back, and nothing else can have them.
    """
    return run(argv, os.environ, timeout_s, stdin=stdin, group=Group.OWN_GROUP, keep_all=True)


def _subnets_of_network(network: dict[str, Any]) -> list[str]:
    """Read the subnets of one ``network inspect`` entry, in podman's or docker's shape."""
    podman = [entry["subnet"] for entry in network.get("subnets") or [] if entry.get("subnet")]
    ipam = (network.get("IPAM") or {}).get("Config") or []
    return podman + [entry["Subnet"] for entry in ipam if entry.get("Subnet")]


def ulimit_args(pid_max: Path = Path("/proc/sys/kernel/pid_max")) -> list[str]:
    """Keep a container's limits within what this process may set.

    Raising a hard limit needs CAP_SYS_RESOURCE, which the host may have been started without;
    the engines' defaults raise them and would fail there. Podman lowers its own limit of
    processes to the kernel's pid_max, so a container's must not exceed that either.
    """
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    highest_pid = int(pid_max.read_text())
    if processes == resource.RLIM_INFINITY or processes > highest_pid:
        processes = highest_pid
    args = ["--ulimit", f"nproc={processes}:{processes}"]
    if open_files != resource.RLIM_INFINITY:
        args += ["--ulimit", f"nofile={open_files}:{open_files}"]
    return args


def cgroups_are_unified(root: Path = Path("/sys/fs/cgroup")) -> bool:
    """Say whether the host runs cgroup v2 alone (its root then lists the controllers)."""
    return (root / "cgroup.controllers").is_file()


def parse_version(text: str) -> tuple[int, int]:
    """Read ``podman version 4.3.1`` or ``4.3.1`` as (4, 3).

    Raises:
        SandboxError: when there is no such number in the text.
    """
    for word in text.replace(",", " ").split():
        parts = word.lstrip("v").split(".")
        if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit():
            return int(parts[0]), int(parts[1])
    msg = f"no version number in {text!r}"
    raise SandboxError(msg)


def _privilege() -> tuple[str, ...]:
    """Give the prefix that makes a command run as root.

    Raises:
        SandboxError: when this user is not root and sudo is missing or asks for a password.
    """
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and run_here(["sudo", "-n", "true"], _ASK_S).returncode == 0:
        return ("sudo", "-n")
    msg = (
        "the sandbox starts systemd in containers, which needs root: run as root, or allow this "
        "user sudo without a password for the length of the run (`sudo -v` first keeps it open)"
    )
    raise SandboxError(msg)


def _usable_podman(prefix: tuple[str, ...]) -> bool:
    """Say whether podman is there and new enough."""
    if not shutil.which("podman"):
        return False
    text = run_here([*prefix, "podman", "--version"], _ASK_S).stdout
    return bool(text) and parse_version(text) >= MINIMUM_PODMAN


def _usable_docker(prefix: tuple[str, ...]) -> bool:
    """Say whether docker is there and its daemon answers."""
    if not shutil.which("docker"):
        return False
    return run_here([*prefix, "docker", "info"], _ASK_S).returncode == 0


def find_engine() -> Engine:
    """Choose the engine of this host: podman first, docker where that is what there is.

    Raises:
        SandboxError: when there is neither, or no way to become root.
    """
    prefix = _privilege()
    if _usable_podman(prefix):
        # crun refuses a hybrid cgroup tree; runc takes both.
        runtime = "runc" if not cgroups_are_unified() and shutil.which("runc") else ""
        return Engine("podman", (*prefix, "podman"), runtime)
    if _usable_docker(prefix):
        return Engine("docker", (*prefix, "docker"), "")
    msg = (
        "no container engine: install podman 4.0 or newer "
        "(apt-get install podman / dnf install podman) or start docker; `make lab` does this"
    )
    raise SandboxError(msg)
