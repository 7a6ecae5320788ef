"""What tools and files say, in their old and new forms."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.boot import parse_sb_state
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.kernel_modules import (
    flavour_of,
    module_path,
    parse_blacklist,
    parse_dkms,
    parse_modinfo,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.kernel_names import (
    kernel_flavour,
    kernel_key,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.packages import (
    parse_dpkg,
    parse_rpm,
    parse_versionlock,
    parse_versionlock_toml,
    upstream_version,
    version_of,
)

MODINFO = """\
filename:       /lib/modules/6.1.0-40-cloud-amd64/updates/dkms/nvidia-current.ko
alias:          char-major-195-*
version:        535.261.03
supported:      external
license:        NVIDIA
firmware:       nvidia/535.261.03/gsp_tu10x.bin
firmware:       nvidia/535.261.03/gsp_ga10x.bin
vermagic:       6.1.0-40-cloud-amd64 SMP preempt mod_unload modversions
parm:           NVreg_ResmanDebugLevel:int
"""


def test_modinfo_is_parsed() -> None:
    fields = parse_modinfo(MODINFO)

    assert fields["version"] == "535.261.03"
    assert flavour_of(fields["license"]) == "proprietary"
    assert fields["firmware"].endswith("gsp_tu10x.bin")
    assert flavour_of("Dual MIT/GPL") == "open"
    assert flavour_of("GPL") is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("updates/dkms/nvidia-current.ko: a.ko", "updates/dkms/nvidia-current.ko"),
        ("extra/nvidia-drm.ko.xz: x\nextra/nvidia.ko.xz:", "extra/nvidia.ko.xz"),
        ("kernel/nvidia-580-server-open/nvidia.ko:", "kernel/nvidia-580-server-open/nvidia.ko"),
        ("updates/dkms/nvidia-current-open.ko.zst:", "updates/dkms/nvidia-current-open.ko.zst"),
        ("kernel/drivers/net/ethernet/nvidia/forcedeth.ko:", None),
        ("updates/nvidia-uvm.ko: updates/nvidia-modeset.ko", None),
        ("", None),
    ],
)
def test_the_main_module_is_found(text: str, path: str | None) -> None:
    assert module_path(text) == path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "nvidia, 470.57.02, 5.4.0-80-generic, x86_64: installed",
            ("nvidia", "470.57.02", "5.4.0-80-generic", "installed"),
        ),
        (
            "nvidia/580.65.06, 6.8.0-45-generic, x86_64: installed",
            ("nvidia", "580.65.06", "6.8.0-45-generic", "installed"),
        ),
        (
            "nvidia-current/535.261.03, 6.1.0-40-cloud-amd64, x86_64: built",
            ("nvidia-current", "535.261.03", "6.1.0-40-cloud-amd64", "built"),
        ),
        ("nvidia/580.65.06: added", ("nvidia", "580.65.06", "", "added")),
        ("nvidia, 470.57.02: added", ("nvidia", "470.57.02", "", "added")),
        (
            "nvidia/580.65.06, 6.8.0-45-generic, x86_64: installed (WARNING! Diff)",
            (
                "nvidia",
                "580.65.06",
                "6.8.0-45-generic",
                "installed (WARNING! Diff)",
            ),
        ),
    ],
)
def test_dkms_is_parsed(line: str, expected: tuple[str, str, str, str]) -> None:
    text = f"zfs/2.2.2, 6.8.0-45-generic, x86_64: installed\n{line}\nrubbish\nnvidia: what\n"

    (entry,) = parse_dkms(text)
    assert tuple(entry.values()) == expected
    assert list(entry) == ["module", "version", "kernel", "state"]


def test_dpkg_tells_versions_holds_and_what_is_half_done() -> None:
    text = (
        "nvidia-kernel-dkms\t535.261.03-1~deb12u1\thold ok installed\n"
        "libnvidia-ml1\t535.261.03-1~deb12u1\tinstall ok installed\n"
        "firmware-nvidia-gsp\t535.261.03-1~deb12u1\tinstall ok installed\n"
        "nvidia-alternative\t535.261.03-1\tinstall ok half-configured\n"
        "nvidia-old\t470\tdeinstall ok config-files\n"
        "bash\t5.2\tinstall reinstreq half-installed\n"
        "adduser\t3\tinstall ok installed\n"
        "broken line\n"
    )

    packages, broken = parse_dpkg(text)

    assert packages == {
        "nvidia-kernel-dkms": {"version": "535.261.03-1~deb12u1", "held": True},
        "libnvidia-ml1": {"version": "535.261.03-1~deb12u1", "held": False},
        "firmware-nvidia-gsp": {"version": "535.261.03-1~deb12u1", "held": False},
        "nvidia-alternative": {"version": "535.261.03-1", "held": False},
    }
    assert broken == ["bash", "nvidia-alternative"]


RPMS = (
    "nvidia-open\t3\t580.95.05\t1.el9\tnoarch\n"
    "nvidia-driver-cuda\t3\t580.95.05\t1.el9\tx86_64\n"
    "cuda-toolkit-13-0\t0\t13.0.2\t1\tx86_64\n"
    "bash\t0\t5.1\t1.el9\tx86_64\n"
)


@pytest.mark.parametrize(
    ("locks", "held"),
    [
        ([], set()),
        (parse_versionlock("nvidia-open-3:580.95.05-1.el9.*\n# note\n"), {"nvidia-open"}),
        (parse_versionlock("nvidia-open-3:580.65.06-1.el9.*\n"), set()),
        (parse_versionlock("!nvidia-open-3:580.95.05-1.el9.*\n"), set()),
        (parse_versionlock("*nvidia*580*\n"), {"nvidia-open", "nvidia-driver-cuda"}),
        (
            parse_versionlock(
                "Last metadata expiration check: 0:01:02 ago on Mon\n"
                "cuda-toolkit-13-0-0:13.0.2-1.*\n"
            ),
            {"cuda-toolkit-13-0"},
        ),
        (
            parse_versionlock(
                "# Added by 'versionlock add' command 2026-11-01 10:00:00\n"
                "Package name: nvidia-open\nevr = 3:580.95.05-1.el9\n"
            ),
            {"nvidia-open"},
        ),
        (
            parse_versionlock_toml(
                'version = "1.0"\n\n[[packages]]\nname = "nvidia-open"\ncomment = "held"\n'
                '[[packages.conditions]]\nkey = "evr"\ncomparator = "="\n'
                'value = "3:580.95.05-1.el9"\n[[packages]]\nname = "cuda-toolkit-13-0"\n'
            ),
            {"nvidia-open", "cuda-toolkit-13-0"},
        ),
    ],
)
def test_rpm_packages_are_held_by_locks_on_their_version(locks: list[str], held: set[str]) -> None:
    packages = parse_rpm(RPMS, locks)

    assert packages["nvidia-open"]["version"] == "3:580.95.05-1.el9"
    assert packages["cuda-toolkit-13-0"]["version"] == "13.0.2-1"
    assert {name for name, package in packages.items() if package["held"]} == held
    assert "bash" not in packages


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("535.261.03-1~deb12u1", "535.261.03"),
        ("1:4.4.1-1", "4.4.1"),
        ("3:580.95.05-1.el9", "580.95.05"),
        ("580.95.05-0ubuntu0.24.04.2", "580.95.05"),
        ("unknown", None),
    ],
)
def test_the_upstream_version_is_cut_out(version: str, upstream: str | None) -> None:
    assert upstream_version(version) == upstream


def test_the_first_pattern_that_matches_gives_the_version() -> None:
    packages = {
        "datacenter-gpu-manager-4-cuda13": {"version": "1:4.4.1-1", "held": False},
        "datacenter-gpu-manager-4-core": {"version": "1:4.4.2-1", "held": False},
    }

    assert version_of(packages, r"datacenter-gpu-manager-4-core", r"datacenter.*") == "4.4.2"
    assert version_of(packages, r"nvlsm") is None


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("SecureBoot enabled\n", "on"),
        ("SecureBoot disabled\n", "off"),
        ("SecureBoot disabled\nPlatform is in Setup Mode\n", "off"),
        ("SecureBoot enabled\nSecureBoot validation is disabled in shim\n", "off"),
        ("This system doesn't support Secure Boot\n", "off"),
        ("Cannot determine secure boot state.\n", ""),
        ("EFI variables are not supported on this system\n", ""),
        ("", ""),
    ],
)
def test_mokutil_is_parsed(text: str, state: str) -> None:
    assert parse_sb_state(text) == state


def test_blacklists_are_parsed() -> None:
    text = "# blacklist b\nblacklist nouveau\n blacklist nova-core \noptions nouveau modeset=0\n"

    assert parse_blacklist(text) == {"nouveau", "nova_core"}
    assert parse_blacklist("install nova_drm /bin/false\ninstall x /sbin/modprobe y\n") == {
        "nova_drm"
    }


@pytest.mark.parametrize(
    ("kernel", "flavour"),
    [
        ("6.8.0-45-generic", "generic"),
        ("6.17.0-14-generic", "generic"),
        ("6.8.0-1015-nvidia-64k", "nvidia-64k"),
        ("6.8.12-4-pve", "pve"),
        ("6.1.0-40-cloud-amd64", "cloud-amd64"),
        ("6.12.74+deb13+1-amd64", "amd64"),
        ("6.12.57+deb12+2-rt-amd64", "rt-amd64"),
        ("6.16.3+bpo-amd64", "amd64"),
        ("6.12.117+deb12-cloud-amd64", "cloud-amd64"),
        ("6.12.43+deb13-amd64", "amd64"),
        ("5.14.0-503.14.1.el9_5.x86_64", ".el9"),
        ("5.14.0-427.el9.x86_64", ".el9"),
        ("5.14.0-503.11.1.el9_5.aarch64+64k", ".el9+64k"),
        ("6.12.0-55.9.1.el10_0.x86_64+debug", ".el10+debug"),
        ("6.12.0-124.el10.aarch64+64k-debug", ".el10+64k-debug"),
        ("5.15.0-200.131.27.el9uek.x86_64", ".el9uek"),
        ("6.1.119-1.el9.elrepo.x86_64", ".el9.elrepo"),
        ("5.14.0-570.17.1.el9_6.cloud.1.0.x86_64", ".el9.cloud"),
        ("5.15.148-tegra", ""),
        ("6.6.51+rpt-rpi-v8", ""),
        ("6.18.44-custom", ""),
    ],
)
def test_kernels_have_a_flavour(kernel: str, flavour: str) -> None:
    assert kernel_flavour(kernel) == flavour


def test_kernels_are_sorted_by_number() -> None:
    assert kernel_key("6.8.0-100-generic") > kernel_key("6.8.0-45-generic")


@pytest.mark.parametrize(
    "older_to_newer",
    [
        ["6.8.0-45-generic", "6.8.0-100-generic", "6.17.0-4-generic"],
        [
            "6.12.73+deb13-amd64",
            "6.12.74+deb13-amd64",
            "6.12.74+deb13+1-amd64",
            "6.12.74+deb13+2-amd64",
            "6.12.100+deb13-amd64",
        ],
        ["6.1.0-9-cloud-amd64", "6.1.0-40-cloud-amd64", "6.12.57+deb12-cloud-amd64"],
        [
            "5.14.0-503.el9.aarch64+64k",
            "5.14.0-503.8.1.el9_5.aarch64+64k",
            "5.14.0-503.11.1.el9_5.aarch64+64k",
            "5.14.0-570.el9_6.aarch64+64k",
        ],
    ],
)
def test_kernels_of_one_flavour_are_in_their_order(older_to_newer: list[str]) -> None:
    shuffled = [*older_to_newer[1::2], *reversed(older_to_newer[::2])]
    assert sorted(shuffled, key=kernel_key) == older_to_newer
    assert len({kernel_flavour(kernel) for kernel in older_to_newer}) == 1
