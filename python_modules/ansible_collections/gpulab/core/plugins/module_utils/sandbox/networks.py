"""The sandbox's networks: one per zone, made and removed through the engine."""

from __future__ import annotations

import hashlib

from .engine import Engine
from .plan import Plan

#: Every object that the sandbox makes carries this label with the lab's id as its value.
LABEL = "gpulab.lab"
#: The engines' own words for a network's MTU.
_MTU_OPTION = {"podman": "mtu", "docker": "com.docker.network.driver.mtu"}


def network_name(lab: str, zone: str) -> str:
    """Name a zone's network."""
    return f"{lab}-{zone}"


def mac(lab: str, machine: str, zone: str) -> str:
    """Give a network card's address: QEMU's prefix and a hash, the same at every start.

    With another one after a restart, a machine would not be found for up to a minute: until its
    neighbours ask for it anew.
    """
    digest = hashlib.sha256(f"{lab}/{machine}/{zone}".encode()).digest()
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])


def existing(engine: Engine, lab: str) -> set[str]:
    """List the lab's networks that exist."""
    listed = engine.run(
        "network", "ls", "--filter", f"label={LABEL}={lab}", "--format", "{{.Name}}"
    )
    return set(listed.stdout.split())


def ensure(
    engine: Engine,
    lab: str,
    plan: Plan,
    outside: set[str],
    mtus: dict[str, int],
) -> list[str]:
    """Create the zones' networks that are missing; return the zones created.

    Args:
        engine: the engine.
        lab: the lab's id.
        plan: the zones' subnets.
        outside: the zones whose machines reach the outside through the host's NAT.
        mtus: zone → the largest packet that its network passes, in bytes, where it is declared.
    """
    there = existing(engine, lab)
    created = []
    for zone, subnet in plan.subnets.items():
        name = network_name(lab, zone)
        if name not in there:
            internal = [] if zone in outside else ["--internal"]
            mtu = ["--opt", f"{_MTU_OPTION[engine.name]}={mtus[zone]}"] if zone in mtus else []
            if internal and engine.name == "podman":
                # Or a machine in several zones would ask the name server of this one first, which
                # can't know names outside. Docker's is in the machine, and one for all zones.
                internal.append("--disable-dns")
            engine.run(
                "network",
                "create",
                *internal,
                *mtu,
                "--ipv6",
                "--subnet",
                subnet,
                "--subnet",
                plan.subnets6[zone],
                "--label",
                f"{LABEL}={lab}",
                name,
            )
            created.append(zone)
    return created


def remove_all(engine: Engine, lab: str) -> list[str]:
    """Remove the lab's networks; return their names."""
    names = sorted(existing(engine, lab))
    for name in names:
        engine.run("network", "rm", name)
    return names
