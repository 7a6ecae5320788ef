"""Debian's real driver 535 without a GPU: built, held, kept alone; and what repairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playbook_run import Converge
from testinfra.host import Host

TARGETS = ["nvidia"]
MODULES = "/lib/modules/*/updates/dkms/nvidia-current.ko"
HELD = (
    "nvidia-kernel-dkms",
    "nvidia-smi",
    "libnvidia-ml1",
    "nvidia-persistenced",
    "nvidia-fs-dkms",
)
OVERRIDE = "/etc/dkms/nvidia-current.conf"


def version(host: Host, package: str) -> str:
    """Give the upstream version of an installed package."""
    return str(host.package(package).version).rpartition(":")[2].partition("-")[0]


def unpack(host: Host) -> None:
    """Leave the modules' package as a power cut does: unpacked, not configured, nothing built."""
    host.run("dkms remove nvidia-current/$(ls /var/lib/dkms/nvidia-current | head -1) --all")
    host.check_output(
        "sed -i '/^Package: nvidia-kernel-dkms$/,/^Status:/ s/^Status:.*/Status: hold ok unpacked/'"
        " /var/lib/dpkg/status"
    )


def test_the_modules_are_built_for_the_kernel_whose_headers_are_there(host: Host) -> None:
    files = host.check_output(f"ls {MODULES}").split()
    assert len(files) == 1
    release = files[0].split("/")[3]
    assert host.check_output(f"modinfo -F vermagic {files[0]}").split()[0] == release
    state = host.check_output("dkms status nvidia-current")
    assert release in state
    assert state.endswith("installed")


def test_gpudirect_storages_module_is_built_as_well(host: Host) -> None:
    built = "/lib/modules/*/updates/dkms/nvidia-fs.ko"
    assert "nvidia_fs" in host.check_output(f"modinfo -F name {built}")
    assert host.check_output("dkms status nvidia-fs").endswith("installed")


def test_the_licence_is_the_proprietary_flavours(host: Host) -> None:
    assert host.check_output(f"modinfo -F license {MODULES}") == "NVIDIA"


def test_module_and_userspace_are_of_one_version_of_the_branch(host: Host) -> None:
    module = host.check_output(f"modinfo -F version {MODULES}")
    assert module.startswith("535.")
    assert {version(host, name) for name in ("nvidia-kernel-dkms", "libnvidia-ml1")} == {module}


def test_no_kernel_and_no_desktop_came_with_it(host: Host) -> None:
    installed = host.check_output("dpkg-query --show --showformat '${Package}\n'").split()
    unwanted = [name for name in installed if name.startswith(("linux-image", "xserver-xorg"))]
    assert unwanted == []


@pytest.mark.parametrize("package", HELD)
def test_packages_are_held(host: Host, package: str) -> None:
    assert package in host.check_output("apt-mark showhold").split()


def test_nightly_updates_leave_them_alone(host: Host) -> None:
    assert '"^(lib)?nvidia-"' in host.check_output("apt-config dump Unattended-Upgrade")
    plan = host.check_output("apt-get --simulate dist-upgrade")
    assert "Inst nvidia" not in plan
    assert "Inst libnvidia" not in plan


@pytest.mark.parametrize("module", ["nouveau", "nova_core", "nova_drm"])
def test_other_drivers_of_the_gpus_are_kept_off(host: Host, module: str) -> None:
    assert f"blacklist {module}" in host.check_output("modprobe --showconfig").splitlines()


def test_its_repository_is_signed_for(host: Host) -> None:
    assert "Signed-By:" in host.file("/etc/apt/sources.list.d/gpulab-debian.sources").content_string
    assert host.run("grep -ri 'trusted *[=:] *yes' /etc/apt").rc == 1


def test_the_driver_is_not_said_to_work(host: Host) -> None:
    assert "couldn't communicate with the NVIDIA driver" in host.run("nvidia-smi").stdout


def test_a_run_says_that_nothing_is_loaded(converge: Converge) -> None:
    run = converge()
    assert run.returncode == 0, run.stdout
    assert "not loaded: no NVIDIA device on the PCI bus" in run.said


def test_a_hold_that_was_taken_away_is_put_back(host: Host, converge: Converge) -> None:
    host.check_output("apt-mark unhold nvidia-smi")
    run = converge()
    assert run.returncode == 0, run.stdout
    assert "nvidia-smi" in host.check_output("apt-mark showhold").split()


@pytest.mark.parametrize(
    ("software", "words"),
    [
        ({"branch": "999"}, "branch: 999 is not a branch that is known"),
        ({"branch": "535", "version": "580.95.05"}, "580.95.05 is not of branch 535"),
        ({"branch": "580", "source": "distribution"}, "580 is not in Debian 12, which ships 535"),
    ],
)
def test_a_wish_that_cannot_be_had_changes_nothing(
    converge: Converge, software: dict[str, str], words: str
) -> None:
    run = converge(lab_software={"nvidia_driver": software})
    assert run.returncode != 0
    assert "Nothing was changed" in run.said
    assert words in run.said
    assert "changed=0" in run.stdout


def test_the_persistence_daemon_does_not_fail_without_a_gpu(host: Host) -> None:
    host.check_output("systemctl restart nvidia-persistenced")
    shown = host.check_output("systemctl show --property=Result nvidia-persistenced")
    assert shown == "Result=exec-condition"


@pytest.fixture(scope="module")
def compiled(host: Host) -> str:
    """Keep the modules that were compiled, under the names that the compiler gave them."""
    folder = "/srv/gpulab-compiled"
    host.check_output(f"mkdir -p {folder}")
    for path in host.check_output("ls /var/lib/dkms/nvidia-current/*/*/*/module/*.ko").split():
        name = path.rpartition("/")[2].replace("-current", "")
        host.check_output(f"cp {path} {folder}/{name}")
    assert host.file(f"{folder}/nvidia.ko").exists
    return folder


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("false", "Bad return status for module build"),
        # It says that it has built something, and has not.
        ("true", "Build of nvidia.ko failed for"),
    ],
)
def test_modules_that_do_not_build_end_the_run(
    host: Host, converge: Converge, put: Callable[..., None], command: str, words: str
) -> None:
    """The next test is the run that repairs it."""
    unpack(host)
    put(host, OVERRIDE, f"MAKE[0]={command}\n")
    try:
        run = converge()
    finally:
        host.check_output(f"rm {OVERRIDE}")
    assert run.returncode != 0
    assert words in run.said
    assert "The modules do not build for this kernel: the log says why." in run.said


def test_what_an_interrupted_installation_left_is_finished(
    host: Host, converge: Converge, compiled: str, put: Callable[..., None]
) -> None:
    """As after a power cut: unpacked, not configured, and no modules built.

    That they compile is proved by the scenario's first run; here DKMS gets what that one compiled.
    """
    unpack(host)
    assert "nvidia-kernel-dkms" in host.check_output("dpkg --audit")
    put(host, OVERRIDE, f'MAKE[0]="cp {compiled}/*.ko ."\n')
    try:
        run = converge()
    finally:
        host.check_output(f"rm {OVERRIDE}")
    assert run.returncode == 0, run.stdout
    assert host.check_output("dpkg --audit") == ""
    assert host.check_output("dkms status nvidia-current").endswith("installed")
