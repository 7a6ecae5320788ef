"""The plan of a node: a table of nodes, and what holds whatever is declared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    ARCHITECTURES,
    BRANCHES,
    FIRST_BRANCH,
    TOOLKITS,
    branch_flavours,
    branch_runs,
    compiles_for,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.chips import identify
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_names import NVIDIA_NAMES
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.resolve import make_plan

V100, T4, A100, L40S, H100 = "0x1db4", "0x1eb8", "0x20b2", "0x26b9", "0x2330"
GH200, B200, B300, GB200, RTX_5090 = "0x2342", "0x2901", "0x3182", "0x2941", "0x2b85"
K80, NEWER = "0x102d", "0x4a01"

UBUNTU = {"distribution": "Ubuntu", "distribution_major_version": "24"}
DEBIAN = {"distribution": "Debian", "distribution_major_version": "12"}
ROCKY = {"distribution": "Rocky", "distribution_major_version": "9"}
JAMMY, RESOLUTE = ({**UBUNTU, "distribution_major_version": release} for release in ("22", "26"))
TRIXIE = {**DEBIAN, "distribution_major_version": "13"}
STREAM_10 = {"distribution": "CentOS", "distribution_major_version": "10"}
BOTH = {"versions": ["12.9", "13.0"]}


def node(*devices: str, **more: Any) -> dict[str, Any]:
    gpus = [
        {"bdf": f"0000:{number:02x}:00.0", "device_id": device, "name": None}
        for number, device in enumerate(devices, 1)
    ]
    return {"gpus": gpus, "nvswitches": 0, "secure_boot": "off", **more}


def software(cuda: dict[str, Any] | None = None, **driver: str) -> dict[str, Any]:
    return {"nvidia_driver": driver, "cuda": cuda or {}}


@pytest.mark.parametrize(
    ("devices", "architectures", "flavour", "branch", "cuda", "default"),
    [
        ((), [], "open", "580", [True, True], "13.0"),
        ((V100, V100), ["volta"], "proprietary", "580", [True, False], "12.9"),
        ((T4,), ["turing"], "open", "580", [True, True], "13.0"),
        ((A100,) * 8, ["ampere"], "open", "580", [True, True], "13.0"),
        ((H100,) * 8, ["hopper"], "open", "580", [True, True], "13.0"),
        ((B200,) * 8, ["blackwell"], "open", "580", [True, True], "13.0"),
        ((L40S,), ["ada"], "open", "580", [True, True], "13.0"),
        ((RTX_5090,), ["blackwell"], "open", "580", [True, True], "13.0"),
        ((V100, A100), ["ampere", "volta"], "proprietary", "580", [True, False], "12.9"),
        ((NEWER,), [], "open", "580", [True, True], "13.0"),
        ((NEWER, V100), ["volta"], "proprietary", "580", [True, False], "12.9"),
    ],
)
def test_a_machine_gets_what_its_gpus_can_have(
    devices: tuple[str, ...],
    architectures: list[str],
    flavour: str,
    branch: str,
    cuda: list[bool],
    default: str,
) -> None:
    plan = make_plan(node(*devices), software(BOTH), UBUNTU)

    assert plan["problems"] == []
    assert plan["architectures"] == architectures
    assert (plan["flavour"], plan["branch"]) == (flavour, branch)
    assert [one["usable"] for one in plan["cuda"]] == cuda
    assert plan["cuda_default"] == default
    assert plan["cuda_branch_max"] == "13.0"
    assert plan["flavour_why"]
    assert plan["source_why"]


@pytest.mark.parametrize(
    ("devices", "codes"),
    [
        ((), []),
        ((B200,), ["100"]),
        ((B300,), ["103"]),
        # Of the same architecture as a B200, and another machine code.
        ((RTX_5090,), ["120"]),
        (("0x2e12",), ["121"]),
        ((V100, A100, A100), ["70", "80"]),
        (("0x1b06", "0x15f8"), ["60", "61"]),
        ((RTX_5090, H100), ["90", "120"]),
        (("0x2484",), ["86"]),
        ((NEWER,), []),
    ],
)
def test_programs_are_compiled_for_the_gpus_own_capabilities(
    devices: tuple[str, ...], codes: list[str]
) -> None:
    assert make_plan(node(*devices), {}, UBUNTU)["cuda_codes"] == codes


@pytest.mark.parametrize(
    ("facts", "listed"),
    [(UBUNTU, True), (DEBIAN, True), (ROCKY, True), (TRIXIE, False), (RESOLUTE, False), ({}, True)],
)
def test_a_platform_that_nvidia_does_not_list_for_dcgm_is_said(
    facts: dict[str, str], listed: bool
) -> None:
    assert (make_plan(node(A100), {}, facts)["dcgm_note"] == "") is listed


def test_a_gpu_that_is_not_in_the_catalogue_is_told() -> None:
    (note,) = make_plan(node(NEWER), {}, UBUNTU)["notes"]

    assert note.startswith("0000:01:00.0 NVIDIA device 0x4a01 is not in the catalogue")


@pytest.mark.parametrize(
    ("devices", "driver", "cuda", "said"),
    [
        ((V100, B200), {}, {}, ("Tesla V100", "B200", "flavour", "another machine")),
        ((V100,), {"branch": "595"}, {}, ("0000:01:00.0", "V100", "branch 595", "535 to 580")),
        ((V100,), {"branch": "620"}, {}, ("V100", "Volta", "branch 620", "535 to 580")),
        ((V100,), {"flavour": "open"}, {}, ("V100", "flavour open", "proprietary")),
        ((B200,), {"flavour": "proprietary"}, {}, ("B200", "flavour proprietary", "open")),
        ((GH200,), {"flavour": "proprietary"}, {}, ("GH200", "open modules")),
        ((B200,), {"branch": "550"}, {}, ("B200", "branch 550", "branch 570 or later")),
        ((A100,), {"flavour": "proprietary", "branch": "620"}, {}, ("branch 620", "proprietary")),
        ((K80,), {}, {}, ("up to branch 470", "nothing that is known drives it")),
        ((), {"branch": "999"}, {}, ("branch: 999", "known: 535, 550")),
        ((), {"branch": "580", "version": "570.86.15"}, {}, ("version: 570.86.15", "580.x")),
        ((V100,), {}, {"versions": ["13.0"]}, ("V100", "CUDA 13.0", "Volta", "11.8 to 12.9")),
        ((B300,), {}, {"versions": ["12.8"]}, ("B300", "CUDA 12.8", "12.9 to 13.5")),
        ((A100,), {"branch": "570"}, {"versions": ["13.0"]}, ("CUDA 13.0 needs", "580", "570")),
        ((A100,), {}, {"versions": ["14.2"]}, ("CUDA 14.2 is not known", "13.4")),
    ],
)
def test_what_cannot_work_is_a_problem_that_names_both(
    devices: tuple[str, ...],
    driver: dict[str, str],
    cuda: dict[str, Any],
    said: tuple[str, ...],
) -> None:
    plan = make_plan(node(*devices), software(cuda, **driver), UBUNTU)

    (problem,) = plan["problems"]
    assert "lab_software." in problem
    assert [part for part in said if part not in problem] == []


def test_gpus_that_could_not_be_read_are_a_problem_and_not_none() -> None:
    plan = make_plan(node(gpus=None, unread={"gpus": "/sys/bus is not readable"}), {}, UBUNTU)

    assert plan["problems"] == [
        "which GPUs this machine has could not be read: /sys/bus is not readable"
    ]


@pytest.mark.parametrize(
    ("facts", "secure_boot", "driver", "source", "branch", "why"),
    [
        (UBUNTU, "off", {}, "nvidia", "580", "every branch"),
        (UBUNTU, "on", {}, "distribution", "580", "signed"),
        (UBUNTU, "unknown", {}, "nvidia", "580", "every branch"),
        (UBUNTU, "on", {"source": "nvidia"}, "nvidia", "580", "asks for it"),
        (ROCKY, "off", {}, "nvidia", "580", "every branch"),
        (DEBIAN, "off", {}, "nvidia", "580", "every branch"),
        (DEBIAN, "off", {"branch": "535"}, "distribution", "535", "ships branch 535"),
        (DEBIAN, "off", {"source": "distribution"}, "distribution", "535", "asks for it"),
        (DEBIAN, "off", {"version": "535.261.03"}, "distribution", "535", "ships branch 535"),
        (UBUNTU, "off", {"version": "570.86.15"}, "nvidia", "570", "every branch"),
        # Canonical's package of another branch is empty and brings 580.
        (UBUNTU, "on", {"branch": "570"}, "nvidia", "570", "every branch"),
        (UBUNTU, "on", {"branch": "595"}, "distribution", "595", "signed"),
        # NVIDIA's repository begins with 595 here.
        (RESOLUTE, "off", {}, "distribution", "580", "Ubuntu 26 ships branch 580"),
        (RESOLUTE, "off", {"branch": "580"}, "distribution", "580", "ships branch 580"),
        (RESOLUTE, "off", {"branch": "620"}, "nvidia", "620", "has branch 620"),
        (RESOLUTE, "off", {"source": "nvidia"}, "nvidia", "595", "asks for it"),
        (TRIXIE, "off", {}, "nvidia", "595", "has branch 595"),
        (TRIXIE, "off", {"branch": "550"}, "distribution", "550", "ships branch 550"),
        (STREAM_10, "off", {}, "nvidia", "580", "every branch"),
    ],
)
def test_the_source_is_chosen_by_the_platform(
    facts: dict[str, str],
    secure_boot: str,
    driver: dict[str, str],
    source: str,
    branch: str,
    why: str,
) -> None:
    plan = make_plan(node(A100, secure_boot=secure_boot), software(**driver), facts)

    assert plan["problems"] == []
    assert (plan["source"], plan["branch"]) == (source, branch)
    assert why in plan["source_why"]


@pytest.mark.parametrize(
    ("facts", "devices", "driver", "said"),
    [
        (ROCKY, (), {"source": "distribution"}, "Rocky 9 has no NVIDIA driver of its own"),
        (DEBIAN, (), {"source": "distribution", "branch": "580"}, "580 is not in Debian 12"),
        (DEBIAN, (B200,), {"source": "distribution"}, "(with source: nvidia)"),
        (
            UBUNTU,
            (),
            {"source": "distribution", "branch": "570"},
            "570 is not in Ubuntu 24, which ships 535, 580, 595",
        ),
        (UBUNTU, (), {"source": "distribution", "branch": "570"}, "empty and bring one of these"),
        (RESOLUTE, (), {"branch": "535"}, "nor in Ubuntu 26, which ships 580, 595"),
        (
            RESOLUTE,
            (V100,),
            {"branch": "580", "source": "nvidia"},
            "has 595, 610, 615, 620: declare one of these, or source: distribution",
        ),
        (TRIXIE, (), {"branch": "580"}, "NVIDIA's repository for Debian 13, which has 590, 595"),
    ],
)
def test_a_source_that_cannot_be_is_a_problem(
    facts: dict[str, str], devices: tuple[str, ...], driver: dict[str, str], said: str
) -> None:
    (problem,) = make_plan(node(*devices), software(**driver), facts)["problems"]

    assert said in problem


@pytest.mark.parametrize(
    ("facts", "driver", "flavour"),
    [
        (DEBIAN, {"branch": "535"}, "proprietary"),
        (DEBIAN, {"branch": "535", "flavour": "open"}, "open"),
        (DEBIAN, {"branch": "535", "source": "nvidia"}, "open"),
        (DEBIAN, {}, "open"),
        (UBUNTU, {"branch": "535", "source": "distribution"}, "open"),
    ],
)
def test_debians_own_open_modules_are_taken_only_where_they_are_asked_for(
    facts: dict[str, str], driver: dict[str, str], flavour: str
) -> None:
    plan = make_plan(node(A100), software(**driver), facts)
    assert (plan["problems"], plan["flavour"]) == ([], flavour)


def test_old_gpus_get_the_source_that_has_a_branch_for_them() -> None:
    plan = make_plan(node(V100), {}, TRIXIE)
    assert (plan["source"], plan["branch"], plan["problems"]) == ("distribution", "550", [])


@pytest.mark.parametrize(
    ("facts", "version", "first"),
    [
        (JAMMY, "11.8", ""),
        (UBUNTU, "12.4", "12.5"),
        (UBUNTU, "12.5", ""),
        # Ubuntu's own toolkit.
        (UBUNTU, "12.0", ""),
        (RESOLUTE, "12.9", "13.3"),
        (RESOLUTE, "13.5", ""),
        (DEBIAN, "12.2", "12.3"),
        (DEBIAN, "11.8", ""),
        (TRIXIE, "12.9", "13.1"),
        (TRIXIE, "12.4", ""),
        (STREAM_10, "12.8", "12.9"),
        (ROCKY, "11.8", ""),
        ({"distribution": "Fedora", "distribution_major_version": "44"}, "11.8", ""),
    ],
)
def test_a_toolkit_that_the_release_cannot_have_is_refused(
    facts: dict[str, str], version: str, first: str
) -> None:
    plan = make_plan(node(T4), software({"versions": [version]}), facts)

    (toolkit,) = plan["cuda"]
    assert toolkit["usable"] is not bool(first)
    assert bool(plan["problems"]) is bool(first)
    if first:
        assert f"begins with {first}" in toolkit["why"]


@pytest.mark.parametrize(
    ("branch", "month", "ended"),
    [
        ("550", "2026-12", True),
        ("535", "2026-06", False),
        ("535", "2026-07", True),
        ("580", "2026-12", False),
        ("615", "2026-12", False),
        ("550", "", False),
    ],
)
def test_a_branch_that_gets_no_fixes_any_more_is_noted(
    branch: str, month: str, ended: bool
) -> None:
    notes = make_plan(node(A100), software(branch=branch), UBUNTU, month=month)["notes"]
    assert [note for note in notes if "no fixes since" in note] == (
        [f"branch {branch} gets no fixes since {BRANCHES[branch].end_of_life}: plan for another"]
        if ended
        else []
    )


def test_secure_boot_with_modules_of_this_machine_is_noted() -> None:
    (note,) = make_plan(node(A100, secure_boot="on"), {}, ROCKY)["notes"]

    assert "mokutil --import" in note


@pytest.mark.parametrize(
    ("devices", "switches", "fabric"),
    [
        ((A100,), 0, (False, False, False)),
        ((H100,) * 8, 4, (True, False, False)),
        ((B200,) * 8, 0, (True, True, False)),
        ((B300,) * 8, 0, (True, True, False)),
        ((GB200,) * 4, 0, (False, False, True)),
        ((H100,), None, (False, False, False)),
    ],
)
def test_the_fabric_gets_its_services(
    devices: tuple[str, ...], switches: int | None, fabric: tuple[bool, bool, bool]
) -> None:
    plan = make_plan(node(*devices, nvswitches=switches), {}, UBUNTU)

    assert (plan["fabricmanager"], plan["nvlsm"], plan["imex"]) == fabric


def test_the_declared_default_is_taken_where_it_is_usable() -> None:
    wanted = software({**BOTH, "default": "12.9"})
    assert make_plan(node(A100), wanted, UBUNTU)["cuda_default"] == "12.9"

    plan = make_plan(node(V100), software({**BOTH, "default": "13.0"}), UBUNTU)
    assert plan["cuda_default"] == "12.9"
    assert any("cuda.default 13.0 is not usable" in note for note in plan["notes"])


def test_a_newer_toolkit_of_the_same_major_is_usable_with_a_warning() -> None:
    plan = make_plan(node(A100), software({"versions": ["13.2"]}), UBUNTU)

    (toolkit,) = plan["cuda"]
    assert toolkit["usable"]
    assert "minor version compatibility" in toolkit["why"]


DEVICES = st.lists(st.sampled_from([*NVIDIA_NAMES, K80, NEWER, "0x1b06", "0x3340"]), max_size=5)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "nvidia_driver": st.fixed_dictionaries(
            {},
            optional={
                "branch": st.sampled_from([*BRANCHES, "999", "x"]),
                "version": st.sampled_from(["580.95.05", "535.1", "620.1", "x"]),
                "flavour": st.sampled_from(["auto", "open", "proprietary"]),
                "source": st.sampled_from(["auto", "nvidia", "distribution"]),
            },
        ),
        "cuda": st.fixed_dictionaries(
            {},
            optional={
                "versions": st.lists(st.sampled_from([*TOOLKITS, "14.0"]), max_size=4),
                "default": st.sampled_from([*TOOLKITS, "14.0"]),
            },
        ),
    },
)
FACTS = st.sampled_from([UBUNTU, RESOLUTE, DEBIAN, TRIXIE, ROCKY, STREAM_10, {}])
BOOT = st.sampled_from(["on", "off", "unknown"])


@given(devices=DEVICES, wanted=WANTED, facts=FACTS, secure_boot=BOOT)
def test_nothing_is_chosen_that_a_gpu_cannot_have(
    devices: list[str], wanted: dict[str, Any], facts: dict[str, str], secure_boot: str
) -> None:
    plan = make_plan(node(*devices, secure_boot=secure_boot), wanted, facts)

    chips = [chip for chip in map(identify, devices) if chip]
    if plan["branch"]:
        number = int(plan["branch"])
        assert plan["branch"] in BRANCHES
        for chip in chips:
            assert number <= (ARCHITECTURES[chip.architecture].last_branch or number)
            assert number >= FIRST_BRANCH.get(chip.capability, 0)
    if plan["flavour"] and plan["branch"]:
        assert plan["flavour"] in branch_flavours(plan["branch"])
    if plan["flavour"]:
        assert all(plan["flavour"] in ARCHITECTURES[chip.architecture].flavours for chip in chips)
    usable = [one["version"] for one in plan["cuda"] if one["usable"]]
    for version in usable:
        assert branch_runs(plan["branch"], version)
        assert all(not chip.capability or compiles_for(version, chip.capability) for chip in chips)
    assert plan["cuda_default"] == "" if not usable else plan["cuda_default"] in usable
    # What is left empty is explained.
    asked_for_cuda = bool(wanted.get("cuda", {}).get("versions"))
    chosen = [plan["branch"], plan["flavour"], plan["cuda_default"] or not asked_for_cuda]
    assert all(chosen) or plan["problems"]
    json.dumps(plan)


@given(devices=DEVICES, wanted=WANTED, facts=FACTS, data=st.data())
def test_the_order_of_the_gpus_does_not_matter(
    devices: list[str], wanted: dict[str, Any], facts: dict[str, str], data: st.DataObject
) -> None:
    machine = node(*devices)
    shuffled = {**machine, "gpus": data.draw(st.permutations(machine["gpus"]))}

    assert make_plan(shuffled, wanted, facts) == make_plan(machine, wanted, facts)
