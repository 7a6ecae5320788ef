"""The sandbox's networks: one per zone, made and removed through the engine."""

from __future__ import annotations

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import Engine

#: Every object that the sandbox makes carries this label with the lab's id as its value.
LABEL = "gpulab.lab"


def network_name(lab: str, zone: str) -> str:
    """Name a zone's network."""
    return f"{lab}-{zone}"


def existing(engine: Engine, lab: str) -> set[str]:
    """List the lab's networks that exist."""
    listed = engine.run(
        "network", "ls", "--filter", f"label={LABEL}={lab}", "--format", "{{.Name}}"
    )
    return set(listed.stdout.decode().split())


#: The engines' own words for a network's MTU.
_MTU_OPTION = {"podman": "mtu", "docker": "com.docker.network.driver.mtu"}


def ensure(
    engine: Engine,
    lab: str,
    subnets: dict[str, str],
    outside: set[str],
    mtus: dict[str, int],
) -> list[str]:
    """Create the zones' networks that are missing; return the zones created.

    Args:
        engine: the engine.
        lab: the lab's id.
        subnets: zone → CIDR.
        outside: the zones whose machines reach the outside through the host's NAT.
        mtus: zone → the largest packet that its network passes, in bytes, where it is declared.
    """
    there = existing(engine, lab)
    created = []
    for zone, subnet in subnets.items():
        name = network_name(lab, zone)
        if name not in there:
            internal = [] if zone in outside else ["--internal"]
            mtu = ["--opt", f"{_MTU_OPTION[engine.name]}={mtus[zone]}"] if zone in mtus else []
            engine.run(
                "network",
                "create",
                *internal,
                *mtu,
                "--subnet",
                subnet,
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
