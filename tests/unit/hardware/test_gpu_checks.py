"""Faults of GPUs: each is found by its check and by no other, however the GPUs are read."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from case import put
from cases_gpu import event
from gpu_machines import FAULTS
from hardware_machines import FactsOf

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.gpu_models import nvlinks_of
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import resolve_spec
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

MINIMUM = resolve_spec("compute-minimum", {})
GPUS = {"gpu": {"count": 2}}
SECOND = "0000:41:00.0"


def by_status(findings: list[dict[str, Any]], status: str) -> set[str]:
    return {finding["id"] for finding in findings if finding["status"] == status}


def only(facts: dict[str, Any], check: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in verify(facts, spec) if finding["id"] == check]


@pytest.mark.parametrize("reader", ["", "-nvml"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_checks_alone(facts_of: FactsOf, fault: str, reader: str) -> None:
    _, _, fails, warns = FAULTS[fault]
    found = verify(facts_of(f"{fault}{reader}"), MINIMUM)

    assert by_status(found, "fail") == fails
    assert by_status(found, "warn") == warns
    # Errors that ECC would count are not counted while it is off.
    assert by_status(found, "unknown") == ({"gpu.ecc_errors"} if fault == "ecc-off" else set())
    assert verdict_of(found) == ("fail" if fails else "warn")
    for finding in found:
        if finding["status"] in ("fail", "warn"):
            assert finding["part"]["bdf"] == SECOND
            assert finding["part"]["serial"] == "1650522003801"
            assert finding["part"]["slot"] == "5"
            assert "1650522003801 (slot 5, 0000:41:00.0)" in finding["action"]


@pytest.mark.parametrize(
    "machine",
    ["two-a100", "two-a100-nvml", "two-a100-470", "two-v100", "two-l40s", "eight-h100"],
)
def test_sound_machines_pass(facts_of: FactsOf, machine: str) -> None:
    found = verify(facts_of(machine), MINIMUM)
    assert [one for one in found if one["status"] != "pass"] == []


def test_an_odd_vbios_fails_where_versions_are_declared(facts_of: FactsOf) -> None:
    spec = {"gpu": {"vbios_versions": ["92.00.36.00.02"]}}
    good, bad = only(facts_of("odd-vbios"), "gpu.vbios", spec)
    assert (good["status"], bad["status"]) == ("pass", "fail")
    assert (bad["observed"], bad["part"]["bdf"]) == ("92.00.19.00.10", SECOND)
    assert only(facts_of("odd-vbios"), "gpu.vbios", GPUS) == []


def test_a_board_without_nvlink_is_not_asked_for_it(facts_of: FactsOf) -> None:
    assert only(facts_of("two-l40s"), "gpu.nvlink", GPUS) == []
    declared = {"gpu": {"nvlinks": 4}}
    found = only(facts_of("two-l40s"), "gpu.nvlink", declared)
    assert [one["status"] for one in found] == ["unknown", "unknown"]


def test_a_gpu_that_nvml_does_not_list_is_unknown_once_for_each_check(facts_of: FactsOf) -> None:
    found = verify(facts_of("fallen-gpu"), GPUS)
    assert by_status(found, "fail") == {"gpu.driver"}
    unknown = [one for one in found if one["status"] == "unknown"]
    assert len(unknown) == len({one["id"] for one in unknown}) >= 6
    assert {one["part"]["bdf"] for one in unknown} == {SECOND}


def test_without_a_driver_each_check_says_so_once(facts_of: FactsOf) -> None:
    found = verify(facts_of("nouveau"), GPUS)
    assert by_status(found, "fail") == {"gpu.driver"}
    (one,) = [finding for finding in found if finding["id"] == "gpu.ecc_errors"]
    assert (one["status"], one["part"]["name"]) == ("unknown", "2 GPUs")
    assert "bound to nouveau" in one["evidence"]


def test_a_machine_without_gpus_is_told_by_the_count_alone(facts_of: FactsOf) -> None:
    assert by_status(verify(facts_of("virtual"), GPUS), "fail") == {"gpu.count"}
    found = verify(facts_of("virtual"), {"gpu": {"count": 0}})
    assert {one["status"] for one in found} == {"pass"}


@pytest.mark.parametrize(
    ("code", "asks", "status"),
    [
        (79, "reboot", "fail"),
        (48, "reset", "fail"),
        (54, "isolate", "fail"),
        (13, "application", "warn"),
        (200, "other", "warn"),
        (63, "information", "pass"),
    ],
)
def test_what_an_xid_weighs(facts_of: FactsOf, code: int, asks: str, status: str) -> None:
    facts = copy.deepcopy(facts_of("two-a100"))
    event(code, asks)(facts)
    good, bad = only(facts, "gpu.xid", GPUS)
    assert (good["status"], bad["status"], bad["observed"]) == ("pass", status, [code])


def test_a_log_without_its_beginning_is_no_pass(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("two-a100"))
    put("kernel_log", "complete", value=False)(facts)
    found = only(facts, "gpu.xid", GPUS)
    assert {one["status"] for one in found} == {"warn"}
    event(79, "reboot")(facts)
    assert {one["status"] for one in only(facts, "gpu.xid", GPUS)} == {"warn", "fail"}


def test_a_gpu_that_left_the_bus_is_named_by_the_log(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("two-a100"))
    event(79, "reboot", bdf="0000:81:00.0")(facts)
    gone = only(facts, "gpu.xid", GPUS)[-1]
    assert (gone["part"]["bdf"], gone["part"]["name"]) == (
        "0000:81:00.0",
        "GPU no longer on the bus",
    )


def test_pages_of_older_boards_are_used_up(facts_of: FactsOf) -> None:
    for pages, status in (
        ({"corrected": 30, "uncorrected": 29, "pending": False}, "pass"),
        ({"corrected": 30, "uncorrected": 30, "pending": False}, "fail"),
        ({"corrected": 1, "uncorrected": 0, "pending": True}, "fail"),
        ({"corrected": 1, "uncorrected": 0, "pending": None}, "unknown"),
    ):
        facts = copy.deepcopy(facts_of("two-v100"))
        put("nvidia", "gpus", 1, "retired_pages", value=pages)(facts)
        assert only(facts, "gpu.row_remap", GPUS)[1]["status"] == status


def test_a_consumer_board_without_ecc_is_not_asked_for_it(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("two-a100"))
    for gpu in facts["nvidia"]["gpus"]:
        gpu.update(name="NVIDIA GeForce RTX 4090", ecc=None, ecc_pending=None)
        gpu.update(remapped_rows=None, unsupported=["ecc_errors", "remapped_rows", "retired_pages"])
        gpu["ecc_errors"]["volatile_uncorrected"] = None
    for check in ("gpu.ecc_errors", "gpu.row_remap", "gpu.ecc_mode"):
        assert only(facts, check, GPUS) == []
    (first, _) = only(facts, "gpu.ecc_mode", {"gpu": {"ecc": True}})
    assert first["status"] == "unknown"


def test_a_lower_power_limit_may_be_declared(facts_of: FactsOf) -> None:
    found = only(facts_of("power-limited"), "gpu.power_limit", {"gpu": {"power_limit_w": 250}})
    assert [one["status"] for one in found] == ["fail", "pass"]
    assert "nvidia-smi -pl 250 -i 0000:01:00.0" in found[0]["action"]


def test_the_least_margin_is_five_degrees(facts_of: FactsOf) -> None:
    for celsius, status in ((88, "pass"), (88.5, "warn")):
        facts = copy.deepcopy(facts_of("two-a100"))
        put("nvidia", "gpus", 1, "temperature", "gpu_c", value=celsius)(facts)
        assert only(facts, "gpu.temperature", GPUS)[1]["status"] == status


def test_the_fabric_manager_is_needed_only_with_nvswitches(facts_of: FactsOf) -> None:
    assert only(facts_of("two-a100"), "gpu.fabric_manager", GPUS) == []
    facts = copy.deepcopy(facts_of("two-a100"))
    put("gpu_fabric", "nvswitches", value=6)(facts)
    (found,) = only(facts, "gpu.fabric_manager", GPUS)
    assert (found["status"], found["observed"]) == ("fail", "inactive")


@pytest.mark.parametrize(
    ("driver", "status"), [("580", "pass"), ("580.65.06", "pass"), ("58", "fail"), ("570", "fail")]
)
def test_a_branch_of_the_driver_may_be_declared(
    facts_of: FactsOf, driver: str, status: str
) -> None:
    (found,) = only(facts_of("two-a100"), "gpu.driver_version", {"gpu": {"driver_version": driver}})
    assert found["status"] == status


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("Tesla V100-SXM2-16GB", 6),
        ("Tesla V100-PCIE-16GB", None),
        ("NVIDIA A100-SXM4-80GB", 12),
        ("NVIDIA A100 80GB PCIe", None),
        ("NVIDIA H100 80GB HBM3", 18),
        ("NVIDIA H100 PCIe", None),
        ("NVIDIA H100 NVL", None),
        ("NVIDIA H200", 18),
        ("NVIDIA H200 NVL", None),
        ("NVIDIA B200", 18),
        ("NVIDIA GB200", 18),
        ("NVIDIA L40S", None),
        (None, None),
    ],
)
def test_nvlinks_of_a_model(name: str | None, links: int | None) -> None:
    assert nvlinks_of(name) == links


def test_containers_are_judged_where_they_are_declared(facts_of: FactsOf) -> None:
    facts = facts_of("two-a100-containers")
    assert only(facts, "gpu.containers", {"gpu": {"containers": False}}) == []
    (found,) = only(facts_of("two-a100"), "gpu.containers", {"gpu": {"containers": True}})
    assert found["status"] == "unknown"
    assert "lab_software.nvidia_container" in found["evidence"]
