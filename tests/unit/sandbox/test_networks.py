"""What the engine is asked for when networks are made, and which old ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import containers, lab, networks
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import Engine
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.plan import Machine, Plan

LAB = "gpulab-demo-1"
NODE = Machine("node01", "container", ("management", "fabric"))
PLAN = Plan(
    {"management": "10.192.0.0/24", "fabric": "10.192.1.0/24"},
    {"node01": {"management": "10.192.0.11", "fabric": "10.192.1.11"}},
    {"management": "fd01:2:3:4::/64", "fabric": "fd01:2:3:5::/64"},
)


def recorder(folder: Path, name: str, answer: str = "") -> Engine:
    """An engine that notes how it was called, and answers always the same."""
    tool = folder / name
    tool.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\ncat <<END\n{answer}\nEND\n')
    tool.chmod(0o755)
    return Engine(name, (str(tool),), "")


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize(("name", "inner"), [("podman", "--disable-dns "), ("docker", "")])
def test_networks_have_both_protocols_and_inner_ones_no_name_server(
    tmp_path: Path, name: str, inner: str
) -> None:
    made = networks.ensure(recorder(tmp_path, name), LAB, PLAN, {"management"}, {})

    assert made == ["management", "fabric"]
    create, label = "network create ", f"--label gpulab.lab={LAB} {LAB}"
    outer = "--ipv6 --subnet 10.192.0.0/24 --subnet fd01:2:3:4::/64 "
    internal = f"--internal {inner}--ipv6 --subnet 10.192.1.0/24 --subnet fd01:2:3:5::/64 "
    assert calls(tmp_path)[1:] == [
        f"{create}{outer}{label}-management",
        f"{create}{internal}{label}-fabric",
    ]


@pytest.mark.parametrize(
    ("name", "option"), [("podman", "mtu"), ("docker", "com.docker.network.driver.mtu")]
)
def test_a_network_passes_what_its_zone_declares(tmp_path: Path, name: str, option: str) -> None:
    networks.ensure(recorder(tmp_path, name), LAB, PLAN, {"management"}, {"fabric": 9000})

    outer, inner = calls(tmp_path)[1:]
    assert "--opt" not in outer
    assert f"--opt {option}=9000 " in inner


def test_podman_attaches_a_machine_to_all_its_zones_at_once(tmp_path: Path) -> None:
    arguments = containers.create_args(recorder(tmp_path, "podman"), LAB, NODE, PLAN, "image")

    outer, inner = (networks.mac(LAB, "node01", zone) for zone in ("management", "fabric"))
    attached = [arguments[place + 1] for place, one in enumerate(arguments) if one == "--network"]
    assert attached == [
        f"{LAB}-management:ip=10.192.0.11,ip6=fd01:2:3:4::11,interface_name=eth0,mac={outer}",
        f"{LAB}-fabric:ip=10.192.1.11,ip6=fd01:2:3:5::11,interface_name=eth1,mac={inner}",
    ]
    # The same after a restart, when the engine makes the interfaces anew.
    again = containers.create_args(recorder(tmp_path, "podman"), LAB, NODE, PLAN, "image")
    assert again == arguments


def test_docker_attaches_it_to_the_first_zone_and_then_to_the_others(tmp_path: Path) -> None:
    docker = recorder(tmp_path, "docker")

    containers.start(docker, LAB, NODE, PLAN, "image", b"")

    created, connected = calls(tmp_path)[:2]
    assert f"--network {LAB}-management --ip 10.192.0.11 --ip6 fd01:2:3:4::11" in created
    assert connected == (
        f"network connect --ip 10.192.1.11 --ip6 fd01:2:3:5::11 {LAB}-fabric {LAB}-node01"
    )


def test_a_network_that_was_made_without_ipv6_is_refused(tmp_path: Path) -> None:
    old = json.dumps([{"subnets": [{"subnet": "10.192.0.0/24"}]}])
    sandbox = lab.Sandbox(LAB, tmp_path, tmp_path / "machines.yml")

    with pytest.raises(SandboxError, match=rf"{LAB}-management has no IPv6: `make down`"):
        lab.refuse_old_networks(recorder(tmp_path, "podman", old), sandbox, PLAN, {"management"})


def test_a_network_with_ipv6_is_kept(tmp_path: Path) -> None:
    new = json.dumps([{"subnets": [{"subnet": "10.192.0.0/24"}, {"subnet": "fd01:2:3:4::/64"}]}])
    sandbox = lab.Sandbox(LAB, tmp_path, tmp_path / "machines.yml")

    lab.refuse_old_networks(recorder(tmp_path, "podman", new), sandbox, PLAN, {"management"})
