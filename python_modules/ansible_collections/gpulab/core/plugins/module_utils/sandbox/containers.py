"""Sandbox machines as containers: systemd in a container that cannot reach the host, or QEMU.

The containers of the kind ``container`` are *not* privileged. They get the capabilities that
systemd, sshd and a firewall of their own need. They do not get CAP_SYS_TIME, CAP_SYS_MODULE,
CAP_SYS_BOOT or CAP_SYS_RAWIO, and ``/proc/sys`` stays read-only, so that no role, package or boot
script sets the host's clock, loads a module into its kernel, reboots it or changes its sysctls.
This guards against accidents, not against an attacker: root with CAP_SYS_ADMIN and without a user
namespace can mount what it likes.
What the container of a ``vm`` may do is in ``vms``.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import networks, seed, vms
from .engine import Engine, ulimit_args
from .plan import Machine, Plan

#: On top of the engine's default set. SYS_ADMIN: systemd mounts and unshares for its units.
#: NET_ADMIN, NET_RAW: the machine's own firewall, routes and ping, in its own network namespace.
CAPABILITIES = (
    "AUDIT_WRITE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "LINUX_IMMUTABLE",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_ADMIN",
    "SYS_NICE",
    "SYS_PTRACE",
)


def container_name(lab: str, machine: str) -> str:
    """Name a machine's container."""
    return f"{lab}-{machine}"


def create_args(engine: Engine, lab: str, machine: Machine, plan: Plan, image: str) -> list[str]:
    """Compose the arguments of ``create`` for a machine.

    Docker takes one network at creation; the others are connected afterwards.
    """
    zones = machine.zones if engine.name == "podman" else machine.zones[:1]
    attach: list[str] = []
    for index, zone in enumerate(zones):
        network, address = networks.network_name(lab, zone), plan.addresses[machine.name][zone]
        address6 = plan.address6(machine.name, zone)
        if engine.name == "podman":
            options = f"ip={address},ip6={address6},interface_name=eth{index}"
            # A virtual machine's own card has it; docker's follow from the addresses.
            if machine.kind == "container":
                options += f",mac={networks.mac(lab, machine.name, zone)}"
            attach += ["--network", f"{network}:{options}"]
        else:
            attach += ["--network", network, "--ip", address, "--ip6", address6]
    if machine.kind == "vm":
        rights = vms.container_options()
        command = vms.container_command(lab, machine, plan)
    else:
        rights, command = _systemd_options(engine), ["/sbin/init"]
    return [
        "create",
        *(["--runtime", engine.runtime] if engine.runtime and engine.name == "docker" else []),
        "--name", container_name(lab, machine.name),
        "--hostname", machine.name,
        "--label", f"{networks.LABEL}={lab}",
        "--label", f"gpulab.machine={machine.name}",
        "--label", f"gpulab.kind={machine.kind}",
        "--label", f"gpulab.zones={','.join(machine.zones)}",
        *rights,
        *ulimit_args(),
        *attach,
        image,
        *command,
    ]  # fmt: skip


def _systemd_options(engine: Engine) -> list[str]:
    """Give what systemd needs of the engine, and the machine may do."""
    return [
        "--stop-signal", "SIGRTMIN+3",
        *(argument for name in CAPABILITIES for argument in ("--cap-add", name)),
        "--security-opt", "seccomp=unconfined",
        "--security-opt", "apparmor=unconfined",
        *(["--systemd=always"] if engine.name == "podman" else _DOCKER_SYSTEMD),
    ]  # fmt: skip


#: What podman's --systemd=always sets up by itself.
_DOCKER_SYSTEMD = [
    "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",  # noqa: S108 - in the container
    # Its own part of the tree, writable: docker 28 or newer, cgroup v2. Never the host's tree.
    "--cgroupns", "private", "--security-opt", "writable-cgroups=true",
    "--env", "container=docker",
]  # fmt: skip


def seed_archive(host_keys: Path, authorized_key: str) -> bytes:
    """Pack what a container must have before its first boot as a tar archive of its ``/``."""
    return seed.pack(seed.access_files(host_keys, authorized_key), seed.ACCESS_FOLDERS)


def states(engine: Engine, lab: str) -> dict[str, dict[str, str]]:
    """List the lab's machines that exist: machine → ``{"state", "kind", "zones"}``."""
    ids = engine.run("ps", "--all", "--quiet", "--filter", f"label={networks.LABEL}={lab}")
    names = ids.stdout.split()
    found = engine.inspect("inspect", "--type", "container", *names) if names else []
    return {
        entry["Config"]["Labels"]["gpulab.machine"]: {
            "state": entry["State"]["Status"],
            "kind": entry["Config"]["Labels"].get("gpulab.kind", "container"),
            "zones": entry["Config"]["Labels"]["gpulab.zones"],
        }
        for entry in found
    }


def start(
    engine: Engine, lab: str, machine: Machine, plan: Plan, image: str, archive: bytes
) -> None:
    """Create and start a machine that does not exist yet.

    Raises:
        SandboxError: from the engine. A container that was created but could not be prepared is
            removed again, so that the next start begins afresh.
    """
    name = container_name(lab, machine.name)
    engine_args = create_args(engine, lab, machine, plan, image)
    runtime = ["--runtime", engine.runtime] if engine.runtime and engine.name == "podman" else []
    engine.run(*runtime, *engine_args)
    try:
        if engine.name == "docker":
            for zone in machine.zones[1:]:
                network = networks.network_name(lab, zone)
                addresses = ["--ip", plan.addresses[machine.name][zone]]
                addresses += ["--ip6", plan.address6(machine.name, zone)]
                engine.run("network", "connect", *addresses, network, name)
        engine.run("cp", "-", f"{name}:/", stdin=archive)
    except BaseException:
        engine.run("rm", "--force", name, check=False)
        raise
    engine.run("start", name)


def is_running(engine: Engine, lab: str, machine: str) -> bool:
    """Say whether a machine that was started still runs."""
    asked = engine.run("inspect", "--format", "{{.State.Running}}", container_name(lab, machine))
    return asked.stdout.split() == ["true"]


def restart(engine: Engine, lab: str, machine: str) -> None:
    """Start a machine that exists and is stopped, or whose start was interrupted."""
    engine.run("start", container_name(lab, machine))


def interfaces(engine: Engine, lab: str, machine: Machine, plan: Plan) -> dict[str, str]:
    """Read which interface carries which zone: interface → zone.

    Docker orders the interfaces as it likes, so the addresses tell.
    """
    if machine.kind == "vm":
        return vms.interfaces(machine)
    shown = engine.run("exec", container_name(lab, machine.name), "ip", "-json", "-4", "address")
    by_address = {address: zone for zone, address in plan.addresses[machine.name].items()}
    return {
        link["ifname"].split("@")[0]: by_address[entry["local"]]
        for link in json.loads(shown.stdout)
        for entry in link["addr_info"]
        if entry.get("local") in by_address
    }


def remove_all(engine: Engine, lab: str) -> list[str]:
    """Remove the lab's containers; return the machines' names."""
    names = sorted(states(engine, lab))
    if names:
        remove(engine, lab, names)
    return names


def remove(engine: Engine, lab: str, machines: list[str]) -> None:
    """Remove machines, at once: a sandbox machine has nothing to save."""
    # Docker's rm --force kills at once; podman's waits ten seconds unless told otherwise.
    at_once = ["--time", "0"] if engine.name == "podman" else []
    names = [container_name(lab, machine) for machine in machines]
    engine.run("rm", "--force", "--volumes", *at_once, *names)
