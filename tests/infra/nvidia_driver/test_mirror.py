"""A node without a default route had its driver through the head, which keeps it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import testinfra
from playbook_run import Play
from testinfra.host import Host

MANIFEST = "/var/lib/gpulab/mirror.json"
LOG = "/var/log/apt-cacher-ng/apt-cacher.log"
CONFIGURATION = "/etc/apt-cacher-ng/acng.conf"
DOWNLOAD = "cd $(mktemp -d) && apt-get download {} && ls"


@pytest.mark.on("node01")
def test_the_node_reaches_nothing_but_the_lab(host: Host) -> None:
    assert host.check_output("ip route show default") == ""
    assert host.package("nvidia-smi").is_installed


@pytest.mark.on("head01")
def test_the_manifest_lists_the_driver_with_its_sums(host: Host) -> None:
    packages = json.loads(host.file(MANIFEST).content_string)["packages"]
    driver = [entry for entry in packages if entry["name"].startswith("nvidia-kernel-dkms_")]
    assert len(driver) == 1
    assert re.fullmatch("[0-9a-f]{64}", driver[0]["sha256"])
    assert driver[0]["bytes"] > 10_000_000
    assert driver[0]["uri"].startswith("http://")


@pytest.mark.on("head01")
def test_the_driver_came_from_outside_once(host: Host) -> None:
    """Fetched ahead, and installed by the node later: "I" is what came in, "O" what went out."""
    rows = [row.split("|") for row in host.file(LOG).content_string.splitlines()]
    about = [row for row in rows if "/nvidia-kernel-dkms_" in row[-1]]
    large = [row[1] for row in about if int(row[2]) > 10_000_000]
    assert large.count("I") == 1
    assert large.count("O") == 2


@pytest.mark.on("head01")
def test_it_serves_the_lab_only(host: Host) -> None:
    address = host.interface("eth0").addresses[0]
    assert host.socket(f"tcp://{address}:3142").is_listening
    assert not host.socket("tcp://127.0.0.1:3142").is_listening


@pytest.mark.on("head01")
@pytest.mark.usefixtures("host")
def test_a_second_run_changes_nothing(play: Play) -> None:
    run = play("playbooks/mirror.yml")
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("changed=0 ") == 2


@pytest.fixture
def node(host: Host) -> Host:
    """The node that is served; ``host`` is only the way to it."""
    config = host.backend.ssh_config
    return testinfra.get_host("ssh://node01", ssh_config=config, sudo=True)


@pytest.fixture
def offline(host: Host) -> Iterator[None]:
    """The head itself is cut off, and told so."""
    route = host.check_output("ip route show default")
    host.check_output(f"sed -i 's/^Offlinemode: 0/Offlinemode: 1/' {CONFIGURATION}")
    host.check_output("ip route del default && systemctl restart apt-cacher-ng")
    try:
        yield
    finally:
        host.check_output(f"ip route add {route}")
        host.check_output(f"sed -i 's/^Offlinemode: 1/Offlinemode: 0/' {CONFIGURATION}")
        host.check_output("systemctl restart apt-cacher-ng")


@pytest.mark.on("head01")
@pytest.mark.usefixtures("offline")
def test_a_head_that_is_cut_off_serves_what_it_keeps_and_nothing_else(node: Host) -> None:
    # Not apt itself: the packages are held at the versions that were kept.
    assert "nvidia-kernel-dkms_" in node.check_output(DOWNLOAD.format("nvidia-kernel-dkms"))
    assert node.run(DOWNLOAD.format("hello")).rc != 0
