"""Bring a whole sandbox up or down: networks, keys, machines, inventory file."""

from __future__ import annotations

import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..file_lock import exclusive_lock
from . import containers, inventory_file, keys, networks, state, vms
from .engine import Engine
from .errors import SandboxError
from .images import LOGIN
from .plan import Machine, Plan, parse_routes, plan

#: How long SSH may take to answer after a start. A container needs 2 to 4 s here, a virtual
#: machine under emulation about 20; a loaded host several times that.
# Enough for a hundred machines; Linux gives root 128 of them.
INOTIFY_INSTANCES = 1024
_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
BOOT_TIMEOUT_S = {"container": 60, "vm": 240}
#: How long another lab on this host may take to make its networks; it takes a second.
NETWORKS_TIMEOUT_S = 60


@dataclass(frozen=True)
class Sandbox:
    """What is asked for.

    Attributes:
        lab: the lab's id on this host: the prefix of every name and the value of every label.
        folder: where keys, known_hosts and state are kept.
        inventory: the inventory file to write.
        zones: the zones, one network each.
        outside: the zones that reach the outside through the host's NAT.
        mtus: zone → largest packet of its network, bytes, where it is not the engine's default.
        machines: the machines.
        images: kind of machine → image reference.
    """

    lab: str
    folder: Path
    inventory: Path
    zones: tuple[str, ...] = ()
    outside: frozenset[str] = frozenset()
    mtus: dict[str, int] = field(default_factory=dict)
    machines: tuple[Machine, ...] = ()
    images: dict[str, str] | None = None


def up(engine: Engine, sandbox: Sandbox) -> dict[str, list[str]]:
    """Bring the sandbox to what is asked; return what had to be done (empty lists: nothing).

    Every step looks at what is there first, so an interrupted start is finished by the next one.

    Raises:
        SandboxError: when the host lacks something, or a machine exists in another shape.
        TimeoutError: another lab makes its networks, and does not end.
    """
    for machine in sandbox.machines:
        if machine.kind == "vm":
            vms.check_host(engine.name)
            vms.check(machine)
    former = state.read(sandbox.folder)
    there = containers.states(engine, sandbox.lab)
    _refuse_other_shapes(sandbox, there)
    sandbox.folder.parent.mkdir(parents=True, exist_ok=True)
    # A subnet is free until its network is there: two labs that start at once would choose one.
    with exclusive_lock(sandbox.folder.parent, NETWORKS_TIMEOUT_S):
        routes = parse_routes(Path("/proc/net/route").read_text())
        busy = [*routes, *engine.network_subnets(engine.network_names())]
        made = _made_zones(engine, sandbox, former)
        planned = plan(sandbox.lab, sandbox.zones, sandbox.machines, busy, former, made)
        refuse_old_networks(engine, sandbox, planned, made)
        state.write(sandbox.folder, planned)
        created_networks = networks.ensure(
            engine, sandbox.lab, planned, set(sandbox.outside), sandbox.mtus
        )
    client_key = keys.ensure_key(sandbox.folder / "id_ed25519", "ed25519", f"{LOGIN}@{sandbox.lab}")
    started = [
        machine
        for machine in sandbox.machines
        if there.get(machine.name, {}).get("state") != "running"
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        host_keys = dict(
            zip(
                (machine.name for machine in sandbox.machines),
                pool.map(
                    lambda m: keys.ensure_host_keys(_host_key_folder(sandbox, m), m.name),
                    sandbox.machines,
                ),
            )
        )
        list(pool.map(lambda m: _start(engine, sandbox, m, planned, there, client_key), started))
        list(pool.map(lambda m: _wait_for_ssh(engine, sandbox, m, planned), started))
        interfaces = dict(
            zip(
                (machine.name for machine in sandbox.machines),
                pool.map(lambda m: _interfaces(engine, sandbox, m, planned), sandbox.machines),
            )
        )
    wrote = _write_files(sandbox, planned, host_keys, interfaces)
    return {
        "networks": created_networks,
        "machines": [machine.name for machine in started],
        "files": wrote,
    }


def _host_key_folder(sandbox: Sandbox, machine: Machine) -> Path:
    return sandbox.folder / "host_keys" / machine.name


def _made_zones(engine: Engine, sandbox: Sandbox, former: Plan) -> set[str]:
    """Find the zones whose networks exist.

    Raises:
        SandboxError: when there is one that ``former`` knows nothing of.
    """
    there = networks.existing(engine, sandbox.lab)
    made = {zone for zone in sandbox.zones if networks.network_name(sandbox.lab, zone) in there}
    if not made <= former.subnets.keys():
        msg = (
            f"the networks of {sandbox.lab} exist, but {sandbox.folder} does not say with which "
            "addresses: `make down` removes the sandbox, then start it again"
        )
        raise SandboxError(msg)
    return made


def refuse_old_networks(engine: Engine, sandbox: Sandbox, planned: Plan, made: set[str]) -> None:
    """Stop where a zone's network was made without IPv6: machines have to leave it to change it."""
    names = {networks.network_name(sandbox.lab, zone): planned.subnets6[zone] for zone in made}
    for name, subnet in names.items():
        if subnet not in engine.network_subnets([name]):
            msg = (
                f"the network {name} has no IPv6: `make down` removes the sandbox, then start it "
                "again"
            )
            raise SandboxError(msg)


def _refuse_other_shapes(sandbox: Sandbox, there: dict[str, dict[str, str]]) -> None:
    """Stop where a machine exists as something else: changing it would mean to wipe it."""
    for machine in sandbox.machines:
        declared = {"kind": machine.kind, "zones": ",".join(machine.zones)}
        found = there.get(machine.name, {})
        for label, value in declared.items():
            if found.get(label, value) != value:
                msg = (
                    f"{machine.name} runs with {label} {found[label]} but is declared with "
                    f"{value}: `make down` removes the sandbox, then start it again"
                )
                raise SandboxError(msg)


def _start(
    engine: Engine,
    sandbox: Sandbox,
    machine: Machine,
    planned: Plan,
    there: dict[str, dict[str, str]],
    client_key: str,
) -> None:
    """Start one machine that is not running."""
    former = there.get(machine.name, {}).get("state")
    if former == "created":
        # An interrupted start: it may lack its keys, and has never run.
        containers.remove(engine, sandbox.lab, [machine.name])
    elif former is not None:
        containers.restart(engine, sandbox.lab, machine.name)
        return
    folder = _host_key_folder(sandbox, machine)
    if machine.kind == "vm":
        archive = vms.seed_archive(
            sandbox.lab, machine, planned, sandbox.outside, folder, client_key
        )
    else:
        archive = containers.seed_archive(folder, client_key)
    image = machine.image or (sandbox.images or {})[machine.kind]
    containers.start(engine, sandbox.lab, machine, planned, image, archive)


def _interfaces(
    engine: Engine, sandbox: Sandbox, machine: Machine, planned: Plan
) -> dict[str, str]:
    return containers.interfaces(engine, sandbox.lab, machine, planned)


def _write_files(
    sandbox: Sandbox,
    planned: Plan,
    host_keys: dict[str, dict[str, str]],
    interfaces: dict[str, dict[str, str]],
) -> list[str]:
    """Write known_hosts, ssh_config and the inventory file; return those that changed."""
    names = {
        machine.name: [
            machine.name,
            *planned.addresses[machine.name].values(),
            *(planned.address6(machine.name, zone) for zone in machine.zones),
        ]
        for machine in sandbox.machines
    }
    config = sandbox.folder / "ssh_config"
    texts = {
        sandbox.folder / "known_hosts": keys.known_hosts(
            {name: (names[name], host_keys[name]) for name in names}
        ),
        config: keys.ssh_config(
            LOGIN,
            sandbox.folder,
            {
                machine.name: (
                    names[machine.name],
                    planned.addresses[machine.name][machine.zones[0]],
                )
                for machine in sandbox.machines
            },
        ),
        sandbox.inventory: inventory_file.render(
            list(sandbox.machines), planned, interfaces, config
        ),
    }
    return [str(file) for file, text in texts.items() if state.replace_text(file, text)]


def _wait_for_ssh(engine: Engine, sandbox: Sandbox, machine: Machine, planned: Plan) -> None:
    """Wait until a machine's sshd greets.

    Raises:
        SandboxError: when it does not within the kind's time, or has ended before; it tells how
            to look inside.
    """
    address = planned.addresses[machine.name][machine.zones[0]]
    limit = BOOT_TIMEOUT_S[machine.kind]
    name = containers.container_name(sandbox.lab, machine.name)
    look = f"{' '.join(engine.command)} logs {name}"
    if machine.kind == "container":
        look += f"; {' '.join(engine.command)} exec {name} systemctl --failed{_inotify_hint()}"
    began = time.monotonic()
    while not greets(address):
        waited = time.monotonic() - began
        if not containers.is_running(engine, sandbox.lab, machine.name):
            msg = f"{machine.name} ({address}) ended {waited:.0f} s after its start. See: {look}"
            raise SandboxError(msg)
        if waited > limit:
            msg = (
                f"{machine.name} ({address}) does not answer on port 22 after {limit} s. "
                f"Look inside: {look}"
            )
            raise SandboxError(msg)
        time.sleep(1 if machine.kind == "vm" else 0.2)


def _inotify_hint() -> str:
    """Say what keeps the next systemd from starting where many run already, or ""."""
    allowed = int(_INOTIFY_INSTANCES.read_text(encoding="ascii"))
    if allowed >= INOTIFY_INSTANCES:
        return ""
    return (
        f". Where many machines run: root has {allowed} inotify instances, and each systemd takes "
        f"some: sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES}"
    )


def greets(address: str, port: int = 22) -> bool:
    """Say whether an SSH server greets there (a listening socket alone is not enough)."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def down(engine: Engine, sandbox: Sandbox) -> dict[str, list[str]]:
    """Remove all that ``up`` made; return what there was to remove."""
    machines = containers.remove_all(engine, sandbox.lab)
    removed_networks = networks.remove_all(engine, sandbox.lab)
    files = []
    if sandbox.inventory.exists():
        sandbox.inventory.unlink()
        files.append(str(sandbox.inventory))
    if sandbox.folder.exists():
        shutil.rmtree(sandbox.folder)
        files.append(str(sandbox.folder))
    return {"machines": machines, "networks": removed_networks, "files": files}
