"""What is to be done about a driver, what forbids it, and what is wrong: tables of nodes."""

from __future__ import annotations

from typing import Any

import pytest
from driver_cases import (
    KERNEL,
    LATER,
    LOOK,
    MODULE,
    NEWER,
    NVIDIA,
    PLAN,
    ROCKY,
    UBUNTU,
    V,
    decide,
    held,
    node,
    packages,
)

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.driver_node import (
    bootable_kernels,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.driver_refusals import SOURCE
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.fabric import (
    fabric_packages,
    missing,
)


def test_a_driver_that_is_as_planned_is_left_alone() -> None:
    state = decide()
    assert (state["work"], state["changes"], state["dkms"]) == (False, False, True)
    for nothing in ("refusals", "replaced", "faults", "unheld", "services_off", "unbuilt"):
        assert state[nothing] == []


@pytest.mark.parametrize(
    ("nvidia", "asked", "key", "value"),
    [
        (node(packages=packages(nvidia_open=None)), {}, "missing", ["nvidia-open"]),
        (NVIDIA, {"look": LOOK[:1]}, "headers_missing", [f"linux-headers-{KERNEL}"]),
        (node(module={"per_kernel": {KERNEL: None}}), {}, "unbuilt", [KERNEL]),
        (
            node(packages=packages(nvidia_driver_pinning_590=held("590"))),
            {},
            "other_pinning",
            ["nvidia-driver-pinning-590"],
        ),
        (NVIDIA, {"upgrade": True}, "changes", True),
        (NVIDIA, {"plan": {"version": LATER}}, "wrong_version", ["nvidia-open"]),
        (NVIDIA, {"plan": {"flavour": "proprietary"}}, "missing", ["cuda-drivers"]),
        (node(dpkg_broken=["nvidia-dkms-580-open"]), {}, "missing", []),
        (node(module={"on_disk": None}), {}, "missing", []),
    ],
)
def test_what_is_not_as_planned_is_work(
    nvidia: dict[str, Any], asked: dict[str, Any], key: str, value: object
) -> None:
    state = decide(nvidia, **asked)
    assert state["work"] is True
    assert state[key] == value


@pytest.mark.parametrize(
    ("asked", "specs", "exact"),
    [
        # What is missing of the version that is there must not bring a newer one.
        ({}, [f"nvidia-open={V}*", "nvidia-driver-pinning-580"], V),
        ({"upgrade": True}, ["nvidia-open", "nvidia-driver-pinning-580"], ""),
        # The dependencies follow where apt is told to go to another version of the branch.
        (
            {"plan": {"version": LATER}},
            [
                f"nvidia-open={LATER}*",
                f"nvidia-dkms-580-open={LATER}*",
                f"libnvidia-compute-580={LATER}*",
                "nvidia-driver-pinning-580",
            ],
            LATER,
        ),
        ({"pinned": LATER}, [f"nvidia-open={LATER}*", "nvidia-driver-pinning-580"], LATER),
        ({"platform": ROCKY}, [f"nvidia-open-{V}*"], V),
        ({"platform": ROCKY, "plan": {"version": LATER}}, [f"nvidia-open-{LATER}*"], LATER),
        # Another branch asks nothing of the version that is there.
        ({"plan": {"branch": "590"}}, ["nvidia-open", "nvidia-driver-pinning-580"], ""),
        # Canonical's modules have their kernel's version, and its archive only the newest.
        (
            {"plan": {"source": "distribution"}},
            [
                "nvidia-headless-no-dkms-580-server-open",
                "nvidia-utils-580-server",
                f"linux-modules-nvidia-580-server-open-{KERNEL}",
            ],
            "",
        ),
        (
            {"plan": {"fabricmanager": True, "nvlsm": True}, "settings": {"gds": True}},
            [
                f"nvidia-open={V}*",
                f"nvidia-fabricmanager={V}*",
                "nvidia-driver-pinning-580",
                "nvlsm",
                "libnvsdm",
                "nvidia-fs",
            ],
            V,
        ),
        # It works with a driver of its own version alone.
        (
            {"plan": {"imex": True}, "platform": ROCKY},
            [f"nvidia-open-{V}*", f"nvidia-imex-{V}*"],
            V,
        ),
    ],
)
def test_the_packages_as_the_package_manager_takes_them(
    asked: dict[str, Any], specs: list[str], exact: str
) -> None:
    state = decide(**asked)
    assert state["specs"] == specs
    assert state["exact"] == exact


@pytest.mark.parametrize(
    ("asked", "keep"),
    [({}, V), ({"upgrade": True}, ""), ({"plan": {"version": LATER}, "upgrade": True}, LATER)],
)
def test_the_version_to_stay_with(asked: dict[str, Any], keep: str) -> None:
    assert decide(**asked)["keep"] == keep


@pytest.mark.parametrize(
    ("there", "asked", "other"),
    [
        ({"cuda_drivers": held()}, {}, ["cuda-drivers"]),
        ({"nvidia_dkms_580": held()}, {}, ["nvidia-dkms-580"]),
        (
            {"linux_modules_nvidia_580_server_generic": held()},
            {},
            ["linux-modules-nvidia-580-server-generic"],
        ),
        ({}, {"plan": {"source": "distribution"}}, ["nvidia-dkms-580-open"]),
        (
            {"kmod_nvidia_latest_dkms": held(), "kmod_nvidia_open_dkms": held()},
            {"platform": ROCKY},
            ["kmod-nvidia-latest-dkms"],
        ),
        ({}, {"plan": {"flavour": "proprietary"}, "platform": ROCKY}, ["nvidia-open"]),
    ],
)
def test_modules_of_another_flavour_or_source_make_room(
    there: dict[str, Any], asked: dict[str, Any], other: list[str]
) -> None:
    state = decide(node(packages=packages(**there)), **asked)
    assert state["other_flavour"] == other
    assert state["changes"] is True


def test_what_is_not_held_is_the_drivers_alone() -> None:
    free = {"version": f"{V}-0ubuntu1", "held": False}
    look = [*LOOK, "free libcuda1", "held nvidia-smi", "masked nvidia-imex.service"]
    state = decide(node(packages=packages(nvidia_open=free)), look=look)
    assert state["unheld"] == ["libcuda1", "nvidia-open"]
    assert "nvidia-smi" in state["held"]
    assert not {"cuda-toolkit-13-0", "nvidia-container-toolkit"} & set(state["owned"])


@pytest.mark.parametrize(
    ("nvidia", "asked", "said"),
    [
        (NVIDIA, {"plan": {"problems": ["no branch drives it"]}}, "no branch drives it"),
        (
            node(packages=None, unread={"packages": "dpkg-query: broken"}),
            {},
            "what is installed could not be read: dpkg-query: broken",
        ),
        (
            node(kernel=None, module={"on_disk": None}, unread={"kernel": "no /lib/modules"}),
            {"bootable": []},
            "what is installed could not be read: no /lib/modules",
        ),
        (
            NVIDIA,
            {"platform": ROCKY, "plan": {"source": "distribution"}},
            (
                "lab_software.nvidia_driver.source: distribution has no driver for Rocky: declare "
                "source: nvidia"
            ),
        ),
        (
            NVIDIA,
            {"plan": {"source": "distribution", "fabricmanager": True}},
            (
                "this machine has NVSwitches, and lab_software.nvidia_driver.source: distribution "
                "has no fabric manager for them: declare source: nvidia"
            ),
        ),
        (
            NVIDIA,
            {"plan": {"source": "distribution"}, "settings": {"gds": True}},
            (
                "node_gpu.gds is true, and lab_software.nvidia_driver.source: distribution has no "
                "nvidia-fs for it: declare source: nvidia, or gds: false"
            ),
        ),
        (
            node(secure_boot="on"),
            {},
            (
                "Secure Boot is on, and the modules are built here and signed by a key that the "
                "firmware does not know: they would not load. Enrol the key once: dkms "
                "generate_mok; mokutil --import mok.pub; choose a password, reboot, choose "
                '"Enroll MOK" on the console and type the password; then run again. Or switch '
                "Secure Boot off in the firmware"
            ),
        ),
    ],
)
def test_what_cannot_work_is_refused(
    nvidia: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    assert decide(nvidia, **asked)["refusals"] == [said]


@pytest.mark.parametrize(
    "asked",
    [
        {"look": [*LOOK, "enrolled mok"]},
        # Its kernel, and what that lets in, is its host's.
        {"in_container": True},
        # Canonical has signed them.
        {"plan": {"source": "distribution"}},
    ],
)
def test_secure_boot_lets_in_what_is_signed(asked: dict[str, Any]) -> None:
    assert decide(node(secure_boot="on"), **asked)["refusals"] == []


@pytest.mark.parametrize(
    ("module", "plan", "said"),
    [
        (
            {},
            {"branch": "590"},
            f"{V} is installed, and lab_software.nvidia_driver asks for branch 590",
        ),
        (
            {},
            {"version": LATER},
            f"{V} is loaded, and lab_software.nvidia_driver.version is {LATER}",
        ),
        (
            {"flavour": "proprietary"},
            {"source": "distribution"},
            (
                "the proprietary modules of nvidia-dkms-580-open are loaded, and this machine is "
                "to have the open ones of source distribution (every GPU is Turing or later)"
            ),
        ),
    ],
)
def test_a_driver_in_use_is_not_replaced(
    module: dict[str, Any], plan: dict[str, Any], said: str
) -> None:
    assert decide(node(module=module), plan=plan)["replaced"] == [said]


@pytest.mark.parametrize("plan", [{"version": LATER}, {"source": "distribution"}])
def test_of_the_same_branch_one_that_is_not_loaded_is(plan: dict[str, Any]) -> None:
    assert decide(node(module={"loaded": None}), plan=plan)["replaced"] == []


def test_what_counts_is_what_was_there_before_the_run() -> None:
    after = node(module={"on_disk": LATER, "loaded": LATER})
    assert decide(after, before=node(module={"loaded": None}))["replaced"] == []
    assert decide(after, before=NVIDIA)["exact"] == V


@pytest.mark.parametrize(
    ("nvidia", "asked", "said"),
    [
        (
            node(module={"on_disk": None}),
            {},
            (
                f"no kernel module of NVIDIA is on disk for {KERNEL}: see `dkms status` and "
                "/var/lib/dkms/nvidia*/*/build/make.log, then run again"
            ),
        ),
        (
            node(module={"flavour": "proprietary", "license": "NVIDIA"}),
            {},
            (
                "the module on disk has the proprietary flavour (licence NVIDIA), and this machine "
                "needs open (every GPU is Turing or later): remove what no package brought, such "
                "as a .run file"
            ),
        ),
        (
            node(),
            {"plan": {"branch": "590"}},
            f"the module on disk is {V}, and the branch is 590: run playbooks/gpu_upgrade.yml",
        ),
        (
            node(userspace=None),
            {},
            "NVML is missing: no libnvidia-ml is installed, though its package is",
        ),
        (
            node(userspace=LATER, fabricmanager=LATER),
            {},
            (
                f"fabric manager is {LATER}, libnvidia-ml is {LATER}, and the module on disk is "
                f"{V}: they work in one version alone. Run playbooks/gpu_upgrade.yml with -e "
                f"nvidia_driver_version={V}, and remove what no package brought"
            ),
        ),
        (
            node(module={"dkms": [*MODULE["dkms"], {"module": "nvidia-fs", "state": "added"}]}),
            {},
            "DKMS says of nvidia-fs: added; run `dkms autoinstall` and read its log",
        ),
        (
            node(module={"per_kernel": {KERNEL: V, NEWER: None}}),
            {"bootable": [KERNEL, NEWER]},
            (
                f"no module is built for kernel {NEWER}, which may boot next: install its headers "
                "and run again"
            ),
        ),
        (
            node(packages=packages(nvidia_open={"version": V, "held": False})),
            {},
            "not held: nvidia-open",
        ),
        (
            node(blacklisted=["nouveau"]),
            {},
            "not kept off by modprobe.d: nova_core, nova_drm",
        ),
        (
            node(initramfs={"stale": True, "reason": "/etc/modprobe.d/x.conf changed"}),
            {},
            "the initramfs is stale: /etc/modprobe.d/x.conf changed",
        ),
        (
            node(module={"on_disk": None}, unread={"module": "modinfo: broken"}),
            {},
            "what is installed could not be read: modinfo: broken",
        ),
    ],
)
def test_what_is_wrong_on_disk_is_told(
    nvidia: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    assert decide(nvidia, **asked)["faults"] == [said]


@pytest.mark.parametrize(
    ("asked", "daemons", "modules", "off"),
    [
        ({}, ["nvidia-persistenced"], [], []),
        ({"settings": {"persistence": False}}, [], [], []),
        (
            {"settings": {"power_limit_w": 300, "gds": True, "gpudirect": True}},
            ["nvidia-persistenced"],
            ["nvidia_peermem", "nvidia_fs"],
            ["gpulab-gpu-settings.service"],
        ),
        (
            {"plan": {"fabricmanager": True, "imex": True}, "look": []},
            ["nvidia-persistenced", "nvidia-fabricmanager", "nvidia-imex"],
            [],
            [
                "nvidia-persistenced.service",
                "nvidia-fabricmanager.service",
                "nvidia-imex.service",
            ],
        ),
    ],
)
def test_services_and_modules(
    asked: dict[str, Any], daemons: list[str], modules: list[str], off: list[str]
) -> None:
    state = decide(**asked)
    assert (state["daemons"], state["modules"], state["services_off"]) == (daemons, modules, off)


@pytest.mark.parametrize(
    ("settings", "has"),
    [({}, False), ({"gds": True, "persistence": False}, False), ({"mig": []}, True)],
)
def test_what_is_set_on_the_gpus_themselves(settings: dict[str, Any], has: bool) -> None:
    assert decide(settings=settings)["has_settings"] is has


def test_a_node_without_a_kernel_builds_for_its_distributions() -> None:
    state = decide(bootable=[], look=["tool python3-dnf-plugin-versionlock"], platform=ROCKY)
    assert state["headers_missing"] == UBUNTU["headers_without_kernel"]
    assert state["tools_missing"] == ["python3-dnf-plugin-versionlock"]


def test_signed_modules_need_no_headers() -> None:
    state = decide(plan={"source": "distribution"}, look=[])
    assert (state["dkms"], state["headers_missing"]) == (False, [])


@pytest.mark.parametrize(
    ("kernel", "images", "bootable"),
    [
        ({"running": KERNEL, "installed": [KERNEL, NEWER]}, [KERNEL, NEWER], [KERNEL, NEWER]),
        # Removed, and its modules stayed.
        ({"running": KERNEL, "installed": [KERNEL, NEWER]}, [KERNEL], [KERNEL]),
        ({"running": NEWER, "installed": [KERNEL, NEWER]}, [KERNEL, NEWER], [NEWER]),
        # It runs, and is not installed any more.
        ({"running": KERNEL, "installed": [NEWER]}, [NEWER], [KERNEL]),
        ({"running": KERNEL, "installed": [NEWER], "in_container": True}, [NEWER], []),
        (None, [NEWER], []),
    ],
)
def test_the_kernels_that_may_run_next(
    kernel: dict[str, Any] | None, images: list[str], bootable: list[str]
) -> None:
    whole = None if kernel is None else {"in_container": False, **kernel}
    assert bootable_kernels(whole, images) == bootable


UNIT = "/usr/bin/nvidia-persistenced --user nvidia-persistenced --no-persistence-mode --verbose"


@pytest.mark.parametrize(
    ("look", "settings", "command"),
    [
        (
            [f"persistence-off {UNIT}"],
            {},
            "/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose",
        ),
        ([f"persistence-off {UNIT}"], {"persistence": False}, ""),
        ([], {}, ""),
    ],
)
def test_the_daemon_is_started_with_persistence_mode(
    look: list[str], settings: dict[str, Any], command: str
) -> None:
    state = decide(look=[*LOOK, *look], settings=settings)
    assert state["persistence_command"] == command
    assert UNIT not in state["owned"]


@pytest.mark.parametrize(
    ("plan", "distribution", "with_driver", "by_themselves", "lacks"),
    [
        ({"nvlsm": True, "branch": "570"}, "Ubuntu", [], ["nvlsm", "libnvsdm-570"], []),
        ({"nvlsm": True, "branch": "580"}, "Rocky", [], ["nvlsm", "libnvsdm"], []),
        ({"nvlsm": True, "source": "distribution"}, "Ubuntu", [], [], ["nvlsm"]),
        ({"imex": True, "branch": "575"}, "Rocky", ["nvidia-imex-575"], [], []),
        ({"imex": True, "branch": "595"}, "Debian", ["nvidia-imex"], [], []),
        ({"imex": True, "source": "distribution"}, "Ubuntu", ["nvidia-imex-580"], [], []),
        ({"imex": True, "source": "distribution"}, "Debian", [], [], ["nvidia-imex"]),
        ({"source": "distribution"}, "Debian", [], [], []),
    ],
)
def test_the_fabric_has_its_names_by_source_and_branch(
    plan: dict[str, Any],
    distribution: str,
    with_driver: list[str],
    by_themselves: list[str],
    lacks: list[str],
) -> None:
    whole = {**PLAN, **plan}
    assert fabric_packages(whole, distribution) == (with_driver, by_themselves)
    assert missing(whole, distribution) == lacks
    platform = {**UBUNTU, "distribution": distribution}
    said = decide(plan=plan, platform=platform)["refusals"]
    assert [line.partition(": dist")[0] for line in said if "NVLink fabric" in line] == (
        [f"the NVLink fabric of this machine needs {lacks[0]}, which {SOURCE}"] if lacks else []
    )


def test_the_modules_of_a_b200s_fabric_are_loaded_and_kept() -> None:
    state = decide(plan={"fabricmanager": True, "nvlsm": True}, settings={"gpudirect": True})
    assert state["modules"] == ["mlx5_ib", "ib_umad", "nvidia_peermem"]


def test_an_imex_of_another_version_is_a_fault() -> None:
    (said,) = decide(node(imex=LATER), plan={"imex": True})["faults"]
    assert f"nvidia-imex is {LATER}, and the module on disk is {V}" in said


HWE, NVIDIA_64K = "6.17.0-22-generic", "6.8.0-1015-nvidia-64k"
SIGNED: dict[str, Any] = {"plan": {"source": "distribution"}}


@pytest.mark.parametrize(
    ("bootable", "kernels"),
    [
        ([KERNEL], [KERNEL]),
        ([KERNEL, NEWER], [KERNEL, NEWER]),
        ([HWE], [HWE]),
        ([NVIDIA_64K], [NVIDIA_64K]),
        # A container runs its host's kernel.
        ([], ["generic"]),
    ],
)
def test_every_kernel_that_may_boot_gets_signed_modules(
    bootable: list[str], kernels: list[str]
) -> None:
    state = decide(bootable=bootable, **SIGNED)
    wanted = [f"linux-modules-nvidia-580-server-open-{kernel}" for kernel in kernels]
    assert [name for name in state["names"] if name.startswith("linux-modules-")] == wanted
    # So that the next run repairs a kernel that came without.
    assert set(wanted) <= set(state["missing"])
    assert state["work"]


def test_a_kernel_and_its_signed_modules_are_held_together() -> None:
    look = [
        *LOOK,
        "free linux-image-generic-hwe-24.04",
        "held linux-image-nvidia",
        "free linux-base",
    ]
    state = decide(look=look, **SIGNED)
    assert "linux-image-generic-hwe-24.04" in state["unheld"]
    assert "linux-image-nvidia" in state["held"]
    assert f"linux-image-{KERNEL}" not in state["owned"]
    # With DKMS a kernel gets its modules when it comes, and nothing keeps it back.
    assert "linux-image-generic-hwe-24.04" not in decide(look=look)["owned"]
    assert "linux-image-nvidia" not in decide(look=look, bootable=[], **SIGNED)["owned"]


@pytest.mark.parametrize(
    ("source", "words"),
    [("nvidia", "install its headers and run again"), ("distribution", "remove the kernel")],
)
def test_a_kernel_without_modules_has_advice_that_leads_on(source: str, words: str) -> None:
    nvidia = node(module={"per_kernel": {KERNEL: V, NEWER: None}})
    faults = decide(nvidia, bootable=[KERNEL, NEWER], plan={"source": source})["faults"]
    (said,) = [line for line in faults if NEWER in line]
    assert words in said


@pytest.mark.parametrize(
    ("meta", "headers"),
    [
        ("linux-image-generic", "linux-headers-generic"),
        ("linux-image-generic-hwe-24.04", "linux-headers-generic-hwe-24.04"),
        ("linux-image-cloud-amd64", "linux-headers-cloud-amd64"),
        ("linux-image-amd64", "linux-headers-amd64"),
    ],
)
def test_headers_follow_the_kernels_to_come(meta: str, headers: str) -> None:
    state = decide(look=[*LOOK, f"free {meta}"])
    assert state["headers_missing"] == [headers]
    assert decide(look=[*LOOK, f"free {meta}", f"free {headers}"])["headers_missing"] == []
    others = ("unsigned-" + NEWER, "extra-virtual", "amd64-dbg", f"{NEWER}-dbg")
    look = [*LOOK, *(f"free linux-image-{name}" for name in others)]
    assert decide(look=look)["headers_missing"] == []


@pytest.mark.parametrize(
    ("kernel", "headers"),
    [
        ("5.14.0-503.11.1.el9_5.x86_64", "kernel-devel-5.14.0-503.11.1.el9_5.x86_64"),
        ("5.14.0-503.11.1.el9_5.aarch64+64k", "kernel-64k-devel-5.14.0-503.11.1.el9_5.aarch64"),
        ("6.12.0-55.el10.x86_64+rt", "kernel-rt-devel-6.12.0-55.el10.x86_64"),
    ],
)
def test_a_variant_of_els_kernel_has_headers_of_its_own(kernel: str, headers: str) -> None:
    state = decide(platform=ROCKY, bootable=[kernel], look=[])
    assert state["headers_missing"] == [headers]
    debian = decide(bootable=["6.12.74+deb13+1-amd64"], look=[])
    assert debian["headers_missing"] == ["linux-headers-6.12.74+deb13+1-amd64"]
