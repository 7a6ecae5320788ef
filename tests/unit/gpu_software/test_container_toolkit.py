"""What a node needs so that containers get its GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.container_toolkit import (
    container_notes,
    container_toolkit,
)

DAEMON = ["/etc/docker/daemon.json"]


def seen(**changed: Any) -> dict[str, Any]:
    return {"podman": "0", "docker": "0", "running": 0, **changed}


def test_all_its_packages_have_one_version() -> None:
    found = container_toolkit({"packages": None}, seen(), "1.20.1")
    assert set(found["wanted"].values()) == {"1.20.1-1"}
    assert found["missing"] == list(found["wanted"])


@pytest.mark.parametrize(
    ("package", "missing"),
    [
        ({"version": "1.20.1-1", "held": True}, False),
        ({"version": "1.20.1-1", "held": False}, True),
        ({"version": "1.19.0-1", "held": True}, True),
    ],
)
def test_a_package_is_there_where_it_is_held_at_that_version(
    package: dict[str, Any], missing: bool
) -> None:
    nvidia = {"packages": {"libnvidia-container1": package}}
    found = container_toolkit(nvidia, seen(), "1.20.1")["missing"]
    assert ("libnvidia-container1" in found) is missing


@pytest.mark.parametrize(
    ("engines", "taking"),
    [
        ({}, []),
        ({"podman": "3.4.4", "docker": "20.10.24"}, []),
        ({"podman": "4.1", "docker": "25.0.3"}, ["podman", "docker"]),
        ({"podman": "4.3.1"}, ["podman"]),
        ({"docker": "28.1.0"}, ["docker"]),
    ],
)
def test_engines_that_take_cdi(engines: dict[str, str], taking: list[str]) -> None:
    assert container_toolkit({"packages": {}}, seen(**engines), "1.20.1")["engines"] == taking


@pytest.mark.parametrize(
    ("found", "written", "restart", "notes"),
    [
        (seen(), [], True, []),
        (seen(podman="3.4.4"), [], True, ["podman 3.4.4 is too old for CDI: 4.1 or later"]),
        (seen(docker="20.10.24"), [], True, ["docker 20.10.24 is too old for CDI: 25 or later"]),
        (seen(docker="25.0.3"), DAEMON, True, []),
        (
            seen(docker="25.0.3", running=2),
            DAEMON,
            True,
            ["docker takes CDI when it is restarted: 2 containers run on it"],
        ),
        (
            seen(docker="25.0.3"),
            DAEMON,
            False,
            ["docker takes CDI when it is restarted: 0 containers run on it"],
        ),
        (seen(docker="25.0.3", running=2), [], True, []),
    ],
)
def test_what_containers_do_not_get_yet(
    found: dict[str, Any], written: list[str], restart: bool, notes: list[str]
) -> None:
    assert container_notes(found, written, restart_docker=restart) == notes
