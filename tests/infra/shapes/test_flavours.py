"""Another flavour or source of the modules on nodes that have a driver, on simulations.

After the other tests, which look at what the scenario's own run left; each pair of tests ends where
it began.
"""

from __future__ import annotations

from collections.abc import Callable

from playbook_run import Play
from testinfra.host import Host

Machine = Callable[[str], Host]
Driver = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
PLAYBOOK = "molecule/shapes/driver.yml"
VERSION = "580.95.05"
#: GPUs that can have both.
BOTH = ("ubuntu2404", "rocky9", "centos10")
UBUNTU = ("ubuntu2404", "ubuntu2204")
OPEN, PROPRIETARY = "Dual MIT/GPL", "NVIDIA"


def modules(host: Host) -> dict[str, str]:
    """Path below /lib/modules → licence, of all modules there."""
    paths = host.check_output("find /lib/modules/ -name nvidia.ko").split()
    return {
        path.split("/", 4)[-1]: host.check_output(f"modinfo -F license {path}") for path in paths
    }


def one_version(host: Host, driver: Driver, held: Held) -> bool:
    packages = {name: v for name, v in driver(host).items() if "pinning" not in name}
    return all(v.startswith(VERSION) for v in packages.values()) and set(driver(host)) <= held(host)


def streams(host: Host) -> list[str]:
    said = host.check_output("dnf --quiet module list --enabled nvidia-driver")
    return [line.split()[1] for line in said.splitlines() if line.startswith("nvidia-driver ")]


def test_the_proprietary_modules_take_the_place_of_the_open_ones(
    machine: Machine, play: Play, driver: Driver, held: Held
) -> None:
    run = play(PLAYBOOK, shapes_only=",".join(BOTH), nvidia_driver_flavour="proprietary")
    assert run.returncode == 0, run.stdout
    for name in BOTH:
        host = machine(name)
        assert modules(host) == {"updates/dkms/nvidia.ko": PROPRIETARY}
        assert one_version(host, driver, held)
        assert not {"nvidia-open", "kmod-nvidia-open-dkms"} & set(driver(host))
    assert streams(machine("rocky9")) == ["580-dkms"]


def test_the_open_modules_come_back(
    machine: Machine, play: Play, driver: Driver, held: Held
) -> None:
    run = play(PLAYBOOK, shapes_only=",".join(BOTH))
    assert run.returncode == 0, run.stdout
    for name in BOTH:
        host = machine(name)
        assert modules(host) == {"updates/dkms/nvidia.ko": OPEN}
        assert one_version(host, driver, held)
        assert not {"cuda-drivers", "kmod-nvidia-latest-dkms"} & set(driver(host))
    assert streams(machine("rocky9")) == ["580-open"]


def test_canonicals_signed_modules_take_the_place_of_nvidias(
    machine: Machine, play: Play, driver: Driver, held: Held
) -> None:
    # The modules have their kernel's version: the driver's exact one is not asked of them.
    asked = {
        "shapes_only": ",".join(UBUNTU),
        "nvidia_driver_source": "distribution",
        "nvidia_driver_version": VERSION,
    }
    run = play(PLAYBOOK, **asked)
    assert run.returncode == 0, run.stdout
    for name, kind, licence in (
        ("ubuntu2404", "-open", OPEN),
        # A V100.
        ("ubuntu2204", "", PROPRIETARY),
    ):
        host = machine(name)
        assert modules(host) == {f"kernel/nvidia-580srv{kind}/nvidia.ko": licence}
        assert set(driver(host)) == {
            f"nvidia-headless-no-dkms-580-server{kind}",
            "nvidia-compute-utils-580-server",
            "nvidia-kernel-common-580-server",
            "nvidia-utils-580-server",
            "libnvidia-compute-580-server",
        }
        assert one_version(host, driver, held)
        assert f"linux-modules-nvidia-580-server{kind}-generic" in held(host)
    run = play(PLAYBOOK, **asked)
    assert run.stdout.count("changed=0 ") == len(UBUNTU), run.stdout


def test_nvidias_modules_come_back(
    machine: Machine, play: Play, driver: Driver, held: Held
) -> None:
    run = play(PLAYBOOK, shapes_only=",".join(UBUNTU))
    assert run.returncode == 0, run.stdout
    for name, licence in (("ubuntu2404", OPEN), ("ubuntu2204", PROPRIETARY)):
        assert modules(machine(name)) == {"updates/dkms/nvidia.ko": licence}
        assert one_version(machine(name), driver, held)
        assert [package for package in driver(machine(name)) if "-server" in package] == []
