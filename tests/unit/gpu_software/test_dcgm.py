"""Which DCGM a node gets, and what is wrong with the one that it has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.dcgm import (
    dcgm_plan,
    dcgm_verdict,
)

PLAN: dict[str, Any] = {
    "architectures": ["ampere"],
    "branch": "580",
    "cuda_branch_max": "13.0",
    "problems": [],
}
NAME = "datacenter-gpu-manager-4-cuda13"


def decide(
    packages: dict[str, Any] | None = None, version: str = "4", **plan: Any
) -> dict[str, Any]:
    return dcgm_plan({"packages": packages}, {**PLAN, **plan}, version, "1:")


@pytest.mark.parametrize(
    ("plan", "cuda"),
    [
        ({}, "13"),
        ({"cuda_branch_max": "12.9"}, "12"),
        # Not in CUDA 13, whatever the driver has.
        ({"architectures": ["volta"]}, "12"),
    ],
)
def test_it_is_made_for_the_drivers_cuda(plan: dict[str, Any], cuda: str) -> None:
    found = decide(**plan)
    assert found["cuda"] == cuda
    assert found["wanted"] == {f"datacenter-gpu-manager-4-cuda{cuda}": "1:4.*"}


@pytest.mark.parametrize(
    ("package", "version", "current"),
    [
        ({"version": "1:4.4.1-1", "held": True}, "4", True),
        ({"version": "4.4.1-1", "held": True}, "4.4.1", True),
        ({"version": "1:4.4.1-1", "held": False}, "4", False),
        ({"version": "1:4.4.1-1", "held": True}, "4.7.0", False),
        ({"version": "1:45.0.0-1", "held": True}, "4", False),
        (None, "4", False),
    ],
)
def test_whether_it_is_there(package: dict[str, Any] | None, version: str, current: bool) -> None:
    assert decide({NAME: package} if package else None, version)["current"] is current


def test_a_release_is_asked_for_by_its_name() -> None:
    assert decide(version="4.7.0")["wanted"] == {NAME: "1:4.7.0-*"}


def test_what_would_lie_beside_it_goes() -> None:
    names = (
        NAME,
        "datacenter-gpu-manager-4-proprietary-cuda13",
        "datacenter-gpu-manager-4-cuda12",
        "datacenter-gpu-manager-4-proprietary-cuda12",
        "datacenter-gpu-manager-4-core",
        "datacenter-gpu-manager",
        "datacenter-gpu-manager-config",
    )
    there = {name: {"version": "1:4.4.1-1", "held": True} for name in names}
    assert decide(there)["unwanted"] == [
        "datacenter-gpu-manager-4-cuda12",
        "datacenter-gpu-manager-4-proprietary-cuda12",
        "datacenter-gpu-manager",
        "datacenter-gpu-manager-config",
    ]
    # Held by this role, they would keep it from changing to another CUDA.
    assert decide({**there, "libnccl2": there[NAME]})["held"] == list(names)
    assert decide({NAME: {"version": "1:4.4.1-1", "held": False}})["held"] == []


@pytest.mark.parametrize(
    ("version", "plan", "problem"),
    [
        ("4", {}, ""),
        ("4.7.0", {}, ""),
        ("3", {}, "lab_software.dcgm.version is 3: it must be 4, or a release of DCGM 4"),
        ("4.7", {}, "lab_software.dcgm.version is 4.7: it must be 4"),
        (
            "4",
            {"branch": "440", "cuda_branch_max": "10.2"},
            "DCGM 4 is made for CUDA 12 and 13 and driver 450 or later; branch 440 comes with CUDA",
        ),
        ("3", {"branch": "", "cuda_branch_max": "", "problems": ["no branch"]}, "no branch"),
    ],
)
def test_why_it_cannot_be_had(version: str, plan: dict[str, Any], problem: str) -> None:
    found = decide(None, version, **plan)["problem"]
    assert found.startswith(problem)
    assert bool(found) is bool(problem)


PARTS = [f"{NAME} 1:4.4.1-1", "datacenter-gpu-manager-4-core 1:4.4.1-1"]
RUNS = [*PARTS, "service enabled active"]
GPU = "discovery | 0      | Name: NVIDIA A100-PCIE-40GB                              |"
LOADED, OLD = "580.95.05", "440.33.01"
WHAT = "DCGM 4.4.1-1 for CUDA 13"


def judge(said: list[str], loaded: str = "", gpus: int = 0) -> dict[str, Any]:
    return dcgm_verdict(said, cuda="13", loaded=loaded, gpus=gpus, service="nvidia-dcgm")


@pytest.mark.parametrize(
    ("said", "loaded", "gpus", "line"),
    [
        (
            [*RUNS, "discovery 1 GPU found.", GPU],
            LOADED,
            1,
            f"{WHAT} sees 1 GPU(s)",
        ),
        (
            [*PARTS, "service enabled inactive"],
            "",
            1,
            f"{WHAT}, installed; not asked: the NVIDIA driver is not loaded",
        ),
        (
            RUNS,
            "",
            0,
            f"{WHAT}, installed; not asked: no NVIDIA device on the PCI bus",
        ),
    ],
)
def test_what_was_verified(said: list[str], loaded: str, gpus: int, line: str) -> None:
    assert judge(said, loaded, gpus) == {"problems": [], "line": line}


@pytest.mark.parametrize(
    ("said", "loaded", "problem"),
    [
        ([*RUNS, "datacenter-gpu-manager-4-cuda12 1:4.7.0-1"], "", "DCGM's parts are of different"),
        (["service enabled active"], "", "DCGM's parts are of different versions ()"),
        ([*PARTS, "service disabled inactive"], "", "nvidia-dcgm does not start at boot"),
        (
            [*RUNS, GPU],
            "440.33.01",
            "The loaded driver 440.33.01 is older than DCGM works with (450)",
        ),
        ([*PARTS, "service enabled failed", GPU], LOADED, "nvidia-dcgm does not run: journalctl"),
        (RUNS, LOADED, "DCGM sees 0 of 1 GPUs: dcgmi discovery -l."),
    ],
)
def test_what_is_wrong(said: list[str], loaded: str, problem: str) -> None:
    (found,) = judge(said, loaded, gpus=1)["problems"]
    assert found.startswith(problem)
