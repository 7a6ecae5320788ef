"""Checks under load, on the benchmark's telemetry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from case import Change, put
from cases_gpu import LOAD_CASES, sample
from test_checks import assert_sound

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.gpu_load import (
    LOAD_CHECKS,
    verify_load,
)

GPUS = {"gpu": {"count": 2}}
BUS = [
    {"bdf": "0000:01:00.0", "vendor_id": "0x10de", "slot": "1", "name": None},
    {"bdf": "0000:41:00.0", "vendor_id": "0x10de", "slot": "5", "name": None},
    {"bdf": "0000:c4:00.0", "vendor_id": "0x1a03", "slot": None, "name": None},
]
_COUNTERS = {str(link): 0 for link in range(12)}
_A100 = {
    "name": "NVIDIA A100-SXM4-80GB",
    "samples": 300,
    "event_reasons": {
        "sw_power_cap": 120,
        "hw_slowdown": 0,
        "sw_thermal_slowdown": 0,
        "hw_thermal_slowdown": 0,
        "hw_power_brake_slowdown": 0,
        "sync_boost": 0,
        "gpu_idle": 12,
        "applications_clocks_setting": 0,
    },
    "sm_clock_mhz": {"min": 210, "median": 1305, "max": 1410},
    "sm_clock_max_mhz": 1410,
    "link": {"width": 16, "width_max": 16, "generation": 4, "generation_max": 4},
    "temperature_c": 71,
    "memory_temperature_c": 78,
    "slowdown_c": 93,
    "memory_max_c": 95,
    "power_w": {"mean": 371.0, "max": 402.0},
    "power_limit_w": 400.0,
    "utilization": {"train": 99.0, "inference": 61.0},
    "memory_used_bytes": 40_000_000_000,
    "memory_total_bytes": 85_899_345_920,
    "nvlink_errors": {"before": _COUNTERS, "after": _COUNTERS},
}
FAILS = [(name, change) for name, case in LOAD_CASES.items() for change in case.fails]
UNREADABLE = [(name, change) for name, case in LOAD_CASES.items() for change in case.unreadable]


@pytest.fixture
def telemetry() -> dict[str, Any]:
    gpus = [
        {"bdf": gpu["bdf"], "uuid": f"GPU-{n}", "serial": f"165052200380{n}", **_A100}
        for n, gpu in enumerate(BUS[:2])
    ]
    whole = {"interval_s": 0.2, "source": "nvml", "reason": "", "gpus": gpus}
    # Through JSON: so no GPU shares a mapping with another.
    copied: dict[str, Any] = json.loads(json.dumps(whole))
    return copied


def judged(telemetry: dict[str, Any] | None, check: str, spec: dict[str, Any]) -> list[Any]:
    return [one for one in verify_load(telemetry, BUS, spec) if one["id"] == check]


@pytest.mark.parametrize("check", LOAD_CASES)
def test_healthy_gpus_pass(telemetry: dict[str, Any], check: str) -> None:
    found = judged(telemetry, check, LOAD_CASES[check].spec)
    assert [one["status"] for one in found] == ["pass", "pass"]


@pytest.mark.parametrize(("check", "change"), FAILS)
def test_a_fault_is_found_on_its_gpu(telemetry: dict[str, Any], check: str, change: Change) -> None:
    change(telemetry)
    good, bad = judged(telemetry, check, LOAD_CASES[check].spec)
    severity = next(one.severity for one in LOAD_CHECKS if one.id == check)
    assert (good["status"], bad["status"]) == ("pass", severity)
    assert (bad["part"]["bdf"], bad["part"]["slot"]) == ("0000:41:00.0", "5")
    assert "GPU 1650522003801 (slot 5, 0000:41:00.0)" in bad["action"]
    # And by no other check.
    others = [one for one in verify_load(telemetry, BUS, GPUS) if one["id"] != check]
    assert {one["status"] for one in others} <= {"pass"}


@pytest.mark.parametrize(("check", "change"), UNREADABLE)
def test_what_was_not_sampled_is_unknown(
    telemetry: dict[str, Any], check: str, change: Change
) -> None:
    change(telemetry)
    found = {one["status"] for one in judged(telemetry, check, LOAD_CASES[check].spec)}
    assert "unknown" in found
    assert found <= {"unknown", "pass"}


@pytest.mark.parametrize(("check", "change"), FAILS + UNREADABLE)
def test_findings_have_the_form_of_all_others(
    telemetry: dict[str, Any], check: str, change: Change
) -> None:
    change(telemetry)
    for finding in verify_load(telemetry, BUS, LOAD_CASES[check].spec):
        assert_sound(finding)


def test_one_cool_gpu_among_hot_ones_is_not_a_mask(telemetry: dict[str, Any]) -> None:
    """Bits are counted each by itself: a power cap beside a slowdown does not hide it."""
    sample("event_reasons", value={"sw_power_cap": 300, "hw_thermal_slowdown": 300})(telemetry)
    _, bad = judged(telemetry, "gpu.throttle", GPUS)
    assert (bad["status"], bad["observed"]) == ("fail", ["hw_thermal_slowdown"])


def test_a_slowdown_by_the_driver_warns_and_a_power_cap_does_not(telemetry: dict[str, Any]) -> None:
    sample("event_reasons", "sw_thermal_slowdown", value=2)(telemetry)
    good, bad = judged(telemetry, "gpu.throttle", GPUS)
    assert (good["status"], bad["status"], bad["severity"]) == ("pass", "warn", "warn")


def test_a_slowdown_of_an_idle_gpu_still_fails(telemetry: dict[str, Any]) -> None:
    sample("event_reasons", value={"gpu_idle": 300, "hw_slowdown": 300})(telemetry)
    assert judged(telemetry, "gpu.throttle", GPUS)[1]["status"] == "fail"


@pytest.mark.parametrize(("idle", "status"), [(150, "fail"), (151, "unknown"), (300, "unknown")])
def test_a_median_of_idle_samples_says_nothing_of_the_load(
    telemetry: dict[str, Any], idle: int, status: str
) -> None:
    sample("event_reasons", "gpu_idle", value=idle)(telemetry)
    sample("sm_clock_mhz", "median", value=210)(telemetry)
    assert judged(telemetry, "gpu.throttle", GPUS)[1]["status"] == status


def test_without_declared_links_the_boards_own_maximum_counts(telemetry: dict[str, Any]) -> None:
    put("gpus", 0, "link", "generation", value=3)(telemetry)
    assert [one["status"] for one in judged(telemetry, "gpu.link_load", GPUS)] == ["fail", "pass"]


@pytest.mark.parametrize("telemetry_of", [None, {}, {"gpus": [], "reason": "no NVML"}])
def test_no_telemetry_is_unknown_on_every_check(telemetry_of: dict[str, Any] | None) -> None:
    found = verify_load(telemetry_of, BUS, GPUS)
    assert [one["id"] for one in found] == [check.id for check in LOAD_CHECKS]
    assert {one["status"] for one in found} == {"unknown"}
    assert "0000:01:00.0, 0000:41:00.0" in found[0]["evidence"]


def test_a_bus_that_was_not_read_leaves_what_was_sampled(telemetry: dict[str, Any]) -> None:
    found = verify_load(telemetry, None, GPUS)
    assert {one["status"] for one in found} == {"pass"}
    assert {one["status"] for one in verify_load(None, None, GPUS)} == {"unknown"}


def test_nothing_is_asked_without_gpus(telemetry: dict[str, Any]) -> None:
    assert verify_load(telemetry, BUS, {"cpu": {"cores_min": 4}}) == []
    assert verify_load(None, BUS[2:], {"gpu": {"count": 0}}) == []


def test_a_board_without_nvlink_has_no_counters(telemetry: dict[str, Any]) -> None:
    for gpu in telemetry["gpus"]:
        gpu.update(name="NVIDIA L40S", nvlink_errors=None)
    assert judged(telemetry, "gpu.nvlink_errors", GPUS) == []
    assert judged(telemetry, "gpu.nvlink_errors", {"gpu": {"nvlinks": 4}})[0]["status"] == "unknown"
