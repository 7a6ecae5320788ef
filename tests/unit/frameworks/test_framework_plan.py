"""Which environment a node gets, and what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.frameworks.plan import (
    GIB,
    Framework,
    Plan,
    Request,
    make_plan,
    wheelhouses,
)

CPU_MARKER = "python_full_version == '3.11.*' and platform_machine == 'x86_64'"
LOCKS = {
    "cpu": f"torch==2.13.0+cpu ; {CPU_MARKER} --hash=sha256:c\nnumpy==2.4.6 --hash=sha256:n\n",
    "cuda": "torch==2.13.0 --hash=sha256:t\nnumpy==2.4.6 --hash=sha256:n\n",
}


PYTORCH = Framework("pytorch", "PyTorch", {"cpu": "torch", "cuda": "torch"})
TENSORFLOW = Framework("tensorflow", "TensorFlow", {"cpu": "tensorflow-cpu", "cuda": "tensorflow"})


def env(name: str, *processes: int, made: float = 0, proved: bool = True) -> dict[str, Any]:
    return {"name": name, "proved": proved, "made": made, "processes": list(processes)}


def node(
    *gpus: str, target: str = "", free_gib: float = 100, there: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "nvidia_gpus": list(gpus),
        "target": target,
        "environments": list(there),
        "free_bytes": int(free_gib * GIB),
    }


def plan(
    machine_: dict[str, Any] | None = None, framework: Framework = PYTORCH, **changes: Any
) -> Plan:
    requested: dict[str, Any] = {
        "build": "auto",
        "version": "2.13.0",
        "python": "3.11",
        "machine": "x86_64",
        "locks": LOCKS,
        "disk_gib": {"cpu": 2, "cuda": 10},
        "keep": 1,
    }
    return make_plan(framework, Request(**(requested | changes)), machine_ or node())


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
    assert first["family"] == second["family"] == "pytorch-cpu-cp311-x86_64"
    assert not plan(node(target=first["key"]), locks=other)["current"]


def test_a_change_for_other_machines_is_no_change() -> None:
    more = "left==1 ; python_full_version >= '3.12' --hash=sha256:l\n"
    assert plan()["key"] == plan(locks=LOCKS | {"cpu": LOCKS["cpu"] + more})["key"]


def test_the_head_serves_each_wheelhouse_once_and_none_for_a_node_with_a_problem() -> None:
    plans = [plan(), plan(node("0000:01:00.0")), plan(), plan(version="1.0")]
    looks: list[dict[str, Any]] = [{"plan": decided} for decided in plans]
    looks.append({"skipped": True})
    assert [entry["build"] for entry in wheelhouses(looks, "pytorch")] == ["cpu", "cuda"]


def test_the_head_serves_one_framework_at_a_time() -> None:
    assert wheelhouses([{"plan": plan()}], "tensorflow") == []


def test_each_build_has_a_package_of_its_own() -> None:
    locks = {
        "cpu": "tensorflow-cpu==2.21.0 --hash=sha256:c\n",
        "cuda": "tensorflow==2.21.0 --hash=sha256:t\n",
    }
    decided = plan(framework=TENSORFLOW, version="2.21.0", locks=locks)
    assert (decided["build"], decided["problem"]) == ("cpu", "")
    assert decided["key"].startswith("tensorflow-cpu-cp311-x86_64-2.21.0-")
    decided = plan(node("0000:01:00.0"), framework=TENSORFLOW, version="2.21.0", locks=locks)
    assert (decided["build"], decided["problem"]) == ("cuda", "")


def test_a_python_without_wheels_is_a_problem_and_no_note() -> None:
    locks = dict.fromkeys(("cpu", "cuda"), "ipykernel==7.4.0 --hash=sha256:i\n")
    decided = plan(framework=TENSORFLOW, version="2.21.0", locks=locks, python="3.14")
    assert "holds no tensorflow for Python 3.14 on x86_64" in decided["problem"]
    assert "tensorflow_python" in decided["problem"]
    assert decided["note"] == ""


def test_going_back_to_a_kept_environment_needs_no_build_and_no_space() -> None:
    key = plan()["key"]
    back = plan(node(target="new", free_gib=0.1, there=[env(key), env("new", made=9)]))
    assert (back["kept"], back["current"], back["problem"], back["remove"]) == (True, False, "", [])


def test_half_a_build_is_built_again() -> None:
    key = plan()["key"]
    assert not plan(node(there=[env(key, proved=False)]))["kept"]


def test_the_one_in_use_until_now_is_kept_even_if_another_is_newer() -> None:
    there = [env("a", made=1), env("b", made=3), env("c", made=2)]
    assert plan(node(target="a", there=there))["remove"] == ["b", "c"]


@pytest.mark.parametrize(
    ("keep", "removed"), [(0, ["a", "b", "c"]), (1, ["a", "c"]), (2, ["a"]), (9, [])]
)
def test_the_newest_are_kept_on_a_run_that_changes_nothing(keep: int, removed: list[str]) -> None:
    key = plan()["key"]
    there = [env(key, made=4), env("a", made=1), env("b", made=3), env("c", made=2)]
    decided = plan(node(target=key, there=there), keep=keep)
    assert decided["current"]
    assert decided["remove"] == removed


def test_what_a_process_runs_in_is_never_removed() -> None:
    there = [env("a", 4711, made=1), env("b", made=3)]
    assert plan(node(target="", there=there), keep=0)["remove"] == ["b"]


def test_half_a_build_takes_no_place_of_a_kept_one() -> None:
    there = [env("half", made=9, proved=False), env("whole", made=1)]
    assert plan(node(target="", there=there))["remove"] == ["half"]


def test_a_gpu_that_the_lock_has_no_code_for_is_a_problem() -> None:
    pins = "nvidia-cuda-runtime==13.0.96 --hash=sha256:r\n"
    locks = {**LOCKS, "cuda": LOCKS["cuda"] + pins}
    v100 = {**node("0000:01:00.0"), "gpu_devices": ["0x1db4"], "driver": "580.95.05"}
    assert "has no code for GV100" in plan(v100, locks=locks)["problem"]
    assert plan(v100, locks=locks, build="cpu")["problem"] == ""
    a100 = {**v100, "gpu_devices": ["0x20b2"], "driver": "570.211.01"}
    assert "needs a driver of branch 580" in plan(a100, locks=locks)["problem"]
    assert plan({**a100, "driver": "580.95.05"}, locks=locks)["problem"] == ""
