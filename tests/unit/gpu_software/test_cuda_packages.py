"""Which toolkits are installed, from where, and what goes with them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.cuda_packages import (
    cuda_packages,
)

NONE: dict[str, Any] = {"packages": {}, "cuda": {"versions": []}}
HELD = {"version": "1", "held": True}


def plan(*usable: str, default: str = "", **changed: Any) -> dict[str, Any]:
    return {
        "cuda": [{"version": version, "usable": True, "why": ""} for version in usable],
        "cuda_default": default or (usable[-1] if usable else ""),
        "source": "nvidia",
        "problems": [],
        **changed,
    }


def decide(chosen: dict[str, Any], nvidia: dict[str, Any] = NONE, **asked: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "versions": ["11.8", "12.9"],
        "cudnn": "",
        "nccl": "",
        "nccl_packages": ["libnccl2", "libnccl-dev"],
        "distribution_version": "11.8",
        "distribution_packages": ["nvidia-cuda-toolkit"],
        "remove_undeclared": False,
    }
    return cuda_packages(nvidia, chosen, **{**options, **asked})


@pytest.mark.parametrize(
    ("chosen", "asked", "own", "vendor"),
    [
        (plan("11.8", "12.9"), {}, {}, {"cuda-toolkit-11-8": "", "cuda-toolkit-12-9": ""}),
        (
            plan("11.8", "12.9", source="distribution"),
            {},
            {"nvidia-cuda-toolkit": ""},
            {"cuda-toolkit-12-9": ""},
        ),
        (plan("12.9", source="distribution"), {}, {}, {"cuda-toolkit-12-9": ""}),
        (
            plan("12.9"),
            {"cudnn": "9", "nccl": "2"},
            {},
            {
                "cuda-toolkit-12-9": "",
                "cudnn9-cuda-12": "",
                "libnccl2": "2.*+cuda12.[0-9]*",
                "libnccl-dev": "2.*+cuda12.[0-9]*",
            },
        ),
        # They go with the default toolkit alone.
        (plan("12.9", "13.0", default="13.0"), {"cudnn": "9"}, {}, {"cudnn9-cuda-13": ""}),
        # Nothing can be used here, and so nothing goes with it.
        (plan(), {"cudnn": "9", "nccl": "2"}, {}, {}),
    ],
)
def test_packages(
    chosen: dict[str, Any], asked: dict[str, Any], own: dict[str, str], vendor: dict[str, str]
) -> None:
    found = decide(chosen, **asked)
    assert found["own_wanted"] == own
    assert vendor.items() <= found["vendor_wanted"].items()
    assert found["problem"] == ""
    assert found["own_missing"] == list(own)
    assert found["vendor_missing"] == list(found["vendor_wanted"])


def test_what_is_there_and_held_is_not_missing() -> None:
    # The one that is not held was left in the middle.
    packages = {"cuda-toolkit-11-8": HELD, "cuda-toolkit-12-9": {"version": "1", "held": False}}
    found = decide(plan("11.8", "12.9"), {**NONE, "packages": packages})
    assert found["vendor_missing"] == ["cuda-toolkit-12-9"]


@pytest.mark.parametrize(("remove", "gone"), [(True, ["13.0"]), (False, [])])
def test_other_toolkits_go_where_that_is_asked_for(remove: bool, gone: list[str]) -> None:
    nvidia = {**NONE, "cuda": {"versions": ["12.9", "13.0"]}}
    assert decide(plan("12.9"), nvidia, remove_undeclared=remove)["undeclared"] == gone


def test_what_the_node_cannot_use_is_told() -> None:
    refused = {"version": "13.0", "usable": False, "why": "Volta"}
    chosen = plan("12.9")
    chosen["cuda"].append(refused)
    found = decide(chosen)
    assert (found["usable"], found["unusable"]) == (["12.9"], [refused])


def test_libraries_need_a_toolkit_from_nvidia() -> None:
    chosen = plan("11.8", source="distribution")
    assert decide(chosen)["problem"] == ""
    problem = decide(chosen, nccl="2")["problem"]
    assert problem.startswith(
        "lab_software.cuda.cudnn and nccl need a toolkit from NVIDIA, and 11.8"
    )


def test_the_plans_problems_come_first() -> None:
    assert (
        decide(plan(problems=["no branch", "no GPU"]), cudnn="9")["problem"] == "no branch no GPU"
    )
