"""Which environment a node gets, and what stands in the way."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.pytorch_plan import (
    GIB,
    Plan,
    make_plan,
    stale,
    wheelhouses,
)

CPU_MARKER = "python_full_version == '3.11.*' and platform_machine == 'x86_64'"
LOCKS = {
    "cpu": f"torch==2.13.0+cpu ; {CPU_MARKER} --hash=sha256:c\nnumpy==2.4.6 --hash=sha256:n\n",
    "cuda": "torch==2.13.0 --hash=sha256:t\nnumpy==2.4.6 --hash=sha256:n\n",
}


def node(*gpus: str, target: str = "", free_gib: float = 100) -> dict[str, Any]:
    return {"nvidia_gpus": list(gpus), "target": target, "free_bytes": int(free_gib * GIB)}


def plan(machine_: dict[str, Any] | None = None, **changes: Any) -> Plan:
    wish: dict[str, Any] = {
        "build": "auto",
        "version": "2.13.0",
        "python": "3.11",
        "machine": "x86_64",
        "locks": LOCKS,
        "disk_gib": {"cpu": 2, "cuda": 10},
    }
    return make_plan(node() if machine_ is None else machine_, **(wish | changes))


def test_a_gpu_on_the_bus_gets_cuda() -> None:
    decided = plan(node("0000:01:00.0"))
    assert (decided["build"], decided["problem"], decided["note"]) == ("cuda", "", "")


def test_no_gpu_gets_the_cpu_build() -> None:
    decided = plan()
    assert (decided["build"], decided["problem"], decided["note"]) == ("cpu", "", "")
    assert decided["pins"] == {"torch": "2.13.0+cpu", "numpy": "2.4.6"}


def test_a_wish_outweighs_the_hardware() -> None:
    assert plan(node("0000:01:00.0"), build="cpu")["build"] == "cpu"
    assert plan(build="cuda")["build"] == "cuda"


@pytest.mark.parametrize("change", [{"python": "3.12"}, {"machine": "aarch64"}])
def test_what_the_cpu_lock_does_not_cover_gets_the_cuda_build_and_is_told(
    change: dict[str, Any],
) -> None:
    decided = plan(**change)
    assert (decided["build"], decided["problem"]) == ("cuda", "")
    assert "does not cover" in decided["note"]


def test_a_cpu_build_that_was_asked_for_is_never_replaced() -> None:
    decided = plan(build="cpu", python="3.12")
    assert "holds no torch for Python 3.12 on x86_64" in decided["problem"]
    assert "requirements-cpu.in" in decided["problem"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": "2.14.0"}, "set the version to 2.13.0, or pin 2.14.0"),
        ({"python": "3.9"}, "needs Python 3.10 or newer and pytorch_python is 3.9"),
        ({"locks": LOCKS | {"cpu": "torch==2.13.0"}}, "pytorch_lock_cpu .* torch has no hash"),
    ],
)
def test_what_cannot_be_installed_is_said_with_the_fix(
    change: dict[str, Any], complaint: str
) -> None:
    problem = plan(**change)["problem"]
    assert re.search(complaint, problem), problem


def test_too_little_space_names_both_numbers() -> None:
    problem = plan(node("0000:01:00.0", free_gib=9.5))["problem"]
    assert "needs 10.0 GiB" in problem
    assert "9.5 GiB are free" in problem


def test_the_environment_in_use_needs_no_space() -> None:
    key = plan()["key"]
    again = plan(node(target=key, free_gib=0.1))
    assert again["current"]
    assert again["problem"] == ""


def test_another_lock_is_another_key_and_the_same_family() -> None:
    other = LOCKS | {"cpu": LOCKS["cpu"].replace("2.4.6", "2.4.5")}
    first, second = plan(), plan(locks=other)
    assert first["key"] != second["key"]
    assert first["family"] == second["family"] == "cpu-cp311-x86_64"
    assert not plan(node(target=first["key"]), locks=other)["current"]


def test_a_change_for_other_machines_is_no_change() -> None:
    more = "left==1 ; python_full_version >= '3.12' --hash=sha256:l\n"
    assert plan()["key"] == plan(locks=LOCKS | {"cpu": LOCKS["cpu"] + more})["key"]


def test_the_head_serves_each_wheelhouse_once_and_none_for_a_node_with_a_problem() -> None:
    plans = [plan(), plan(node("0000:01:00.0")), plan(), plan(version="1.0")]
    assert [entry["build"] for entry in wheelhouses(plans)] == ["cpu", "cuda"]


def test_only_the_same_family_is_replaced() -> None:
    wanted = wheelhouses([plan()])
    kept = [wanted[0]["key"], "cuda-cp311-x86_64-2.13.0-0", "cpu-cp312-x86_64-2.13.0+cpu-0"]
    assert stale([*kept, "cpu-cp311-x86_64-2.12.0+cpu-0"], wanted) == [
        "cpu-cp311-x86_64-2.12.0+cpu-0"
    ]
    assert stale(kept, []) == []
