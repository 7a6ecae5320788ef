"""What the head serves, and how."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

TARGETS = ["controllers"]

UNIT = "gpulab-wheelhouse.service"
FOLDER = "/srv/gpulab/www/wheelhouse"
# Published by PyTorch for torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, and by PyPI for
# tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl.
SHA256 = {
    "torch": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "tensorflow_cpu": "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
}


def listeners(host: Host) -> list[str]:
    return sorted(
        line.split()[3] for line in host.check_output("ss -Hltn").splitlines() if ":22 " not in line
    )


def test_the_management_address_is_the_only_one_that_is_listened_on(host: Host) -> None:
    (address,) = [a for a in host.interface("eth0").addresses if "." in a]
    assert listeners(host) == [f"{address}:8008"]


def test_the_packages_own_site_stays_off(host: Host) -> None:
    assert host.run("systemctl is-enabled nginx.service").stdout.strip() == "disabled"
    assert not host.service("nginx").is_running


def test_it_starts_at_boot_and_is_nobodys_root(host: Host) -> None:
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled
    users = {process.user for process in host.process.filter(comm="nginx")}
    assert users
    assert "root" not in users


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DynamicUser", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
    ],
)
def test_it_is_confined(host: Host, name: str, value: str) -> None:
    assert host.check_output("systemctl show --property=%s --value %s", name, UNIT) == value


def test_nobody_can_write_by_it(host: Host) -> None:
    (address,) = listeners(host)
    program = (
        "import sys, urllib.request as r, urllib.error as e\n"
        "try: r.urlopen(r.Request(sys.argv[1], data=b'x', method='PUT'))\n"
        "except e.HTTPError as error: print(error.code)"
    )
    answer = host.check_output("python3 -c %s %s", program, f"http://{address}/x.whl")
    assert answer == "405"


@pytest.mark.parametrize(
    ("framework", "package"), [("pytorch", "torch"), ("tensorflow", "tensorflow_cpu")]
)
def test_the_wheels_are_those_of_the_manifest(host: Host, framework: str, package: str) -> None:
    names = [name for name in host.file(FOLDER).listdir() if name.startswith(f"{framework}-")]
    (key,) = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    assert sorted(names) == [key, f"{key}.json"]
    manifest = json.loads(host.file(f"{FOLDER}/{key}.json").content_string)
    listed = {entry["name"]: entry["bytes"] for entry in manifest["files"]}
    sizes = host.check_output(r"find %s -type f -printf '%%f %%s\n'", f"{FOLDER}/{key}")
    served = dict(line.rsplit(" ", 1) for line in sizes.splitlines())
    assert {name: int(size) for name, size in served.items()} == listed
    (wheel,) = [name for name in listed if name.startswith(f"{package}-")]
    assert host.file(f"{FOLDER}/{key}/{wheel}").sha256sum == SHA256[package]


def test_everybody_may_read_and_only_root_write(host: Host) -> None:
    strange = host.check_output(
        "find %s ! -user root -o ! -perm -o+r -o -perm /go+w ! -type l", FOLDER
    )
    assert strange == ""
