"""What samples of GPUs amount to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpulab_bench import telemetry
from gpulab_bench.gpu_source import Nothing, open_source
from gpulab_bench.sampler import Sampler
from gpulab_bench.telemetry import Window, link_errors, summarise, windows_of, works

ONE, TWO = "GPU-1", "GPU-2"
TRAIN = Window("train", 10.0, 20.0, (f"gpu:{ONE}",))
GEMM = Window("gemm", 0.0, 5.0, (f"gpu:{ONE}", f"gpu:{TWO}"))


def gpu(uuid: str = ONE, **more: Any) -> dict[str, Any]:
    """A GPU at work."""
    return {
        "bdf": "0000:3b:00.0",
        "uuid": uuid,
        "serial": "1650522001234",
        "name": "NVIDIA H100 80GB HBM3",
        "clocks_event_reasons": ["sw_power_cap"],
        "clocks": {"sm_mhz": 1700, "sm_max_mhz": 1980},
        "link": {"width": 16, "width_max": 16, "generation": 5, "generation_max": 5},
        "temperature": {"gpu_c": 60, "memory_c": 70, "slowdown_c": 87, "memory_max_c": 95},
        "power": {"draw_w": 650.0, "limit_w": 700.0},
        "utilization": 98,
        "memory_used_bytes": 20_000_000_000,
        "memory_bytes": 85_520_809_984,
        **more,
    }


def idle(uuid: str = ONE, **more: Any) -> dict[str, Any]:
    clocks = {"sm_mhz": 345, "sm_max_mhz": 1980}
    rest = {"clocks_event_reasons": ["gpu_idle"], "utilization": 0, "clocks": clocks}
    return gpu(uuid, **{**rest, **more})


def summary(samples: list[tuple[float, list[dict[str, Any]]]], *windows: Window) -> dict[str, Any]:
    (found,) = summarise(samples, windows, source="nvml", reason="")["gpus"]
    return dict(found)


def test_a_gpu_at_work() -> None:
    hot = gpu(
        clocks={"sm_mhz": 1500, "sm_max_mhz": 1980}, power={"draw_w": 690.0, "limit_w": 700.0}
    )
    found = summary([(11.0, [gpu()]), (12.0, [gpu()]), (13.0, [hot])], TRAIN)
    assert found["samples"] == 3
    assert found["sm_clock_mhz"] == {"min": 1500, "median": 1700, "max": 1700}
    assert found["sm_clock_max_mhz"] == 1980
    assert found["event_reasons"]["sw_power_cap"] == 3
    assert found["event_reasons"]["hw_slowdown"] == 0
    assert found["power_w"]["max"] == 690.0
    assert found["utilization"] == {"train": 98.0, "inference": None}
    assert (found["memory_used_bytes"], found["slowdown_c"]) == (20_000_000_000, 87)


def test_reasons_are_counted_bit_by_bit() -> None:
    both = gpu(clocks_event_reasons=["hw_thermal_slowdown", "sw_power_cap"])
    found = summary([(11.0, [both]), (12.0, [gpu()])], TRAIN)
    assert found["event_reasons"]["hw_thermal_slowdown"] == 1
    assert found["event_reasons"]["sw_power_cap"] == 2


def test_samples_outside_of_the_windows_do_not_count() -> None:
    slow = gpu(clocks_event_reasons=["hw_slowdown"], clocks={"sm_mhz": 200, "sm_max_mhz": 1980})
    found = summary([(9.0, [slow]), (11.0, [gpu()]), (21.0, [slow])], TRAIN)
    assert (found["samples"], found["event_reasons"]["hw_slowdown"]) == (1, 0)


def test_a_gpu_that_waits_while_another_works_is_not_slow() -> None:
    """Both are in the window; the second has nothing to do for most of it."""
    samples = [(1.0, [idle()]), (2.0, [gpu()]), (3.0, [idle()])]
    found = summary(samples, GEMM)
    assert (found["samples"], found["sm_clock_mhz"]["median"]) == (1, 1700)


def test_a_gpu_that_never_worked_says_so() -> None:
    found = summary([(1.0, [idle()]), (2.0, [idle()])], GEMM)
    assert (found["samples"], found["event_reasons"]["gpu_idle"]) == (2, 2)


def test_a_busy_gpu_at_a_low_clock_is_at_work() -> None:
    """100 % utilisation at 510 of 1755 MHz: the known case must not be taken for idle."""
    stuck = gpu(clocks_event_reasons=[], clocks={"sm_mhz": 510, "sm_max_mhz": 1755})
    found = summary([(11.0, [stuck]), (12.0, [stuck])], TRAIN)
    assert found["sm_clock_mhz"]["median"] == 510


def test_utilisation_counts_idle_samples_too_and_the_working_gpu_alone() -> None:
    samples = [(11.0, [gpu(), idle(TWO)]), (12.0, [idle(), idle(TWO)])]
    first, second = summarise(samples, [TRAIN], source="nvml", reason="")["gpus"]
    assert first["utilization"]["train"] == 49.0
    assert second["utilization"]["train"] is None
    assert second["samples"] == 0


def test_the_link_is_the_best_that_was_seen() -> None:
    down = {"width": 16, "width_max": 16, "generation": 1, "generation_max": 5}
    found = summary([(11.0, [gpu(link=down)]), (12.0, [gpu()])], TRAIN)
    assert found["link"] == {"width": 16, "width_max": 16, "generation": 5, "generation_max": 5}


def test_what_the_board_does_not_tell_is_null() -> None:
    mute = gpu(
        clocks_event_reasons=None,
        clocks={"sm_mhz": None, "sm_max_mhz": None},
        link=dict.fromkeys(("width", "width_max", "generation", "generation_max")),
        temperature=dict.fromkeys(("gpu_c", "memory_c", "slowdown_c", "memory_max_c")),
        power={"draw_w": None, "limit_w": None},
        utilization=None,
        memory_used_bytes=None,
        memory_bytes=None,
    )
    found = summary([(11.0, [mute])], TRAIN)
    assert found["samples"] == 1
    nulls = ("event_reasons", "sm_clock_mhz", "link", "temperature_c", "power_w", "power_limit_w")
    assert [found[name] for name in nulls] == [None] * len(nulls)
    assert found["utilization"] == {"train": None, "inference": None}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"clocks_event_reasons": ["gpu_idle"], "utilization": 5}, False),
        ({"clocks_event_reasons": [], "utilization": 0}, False),
        ({"clocks_event_reasons": None, "utilization": None}, True),
        ({"clocks_event_reasons": [], "utilization": 100}, True),
    ],
)
def test_whether_a_gpu_works(state: dict[str, Any], expected: bool) -> None:
    assert works(state) is expected


def links(*errors: dict[str, int] | None, active: bool = True) -> list[dict[str, Any]]:
    return [{"link": n, "active": active, "errors": one} for n, one in enumerate(errors)]


def test_nvlink_counters_before_and_after() -> None:
    before = [gpu(nvlinks=links({"replay": 1, "crc_flit": 0}, {"replay": 0, "crc_flit": 0}))]
    after = [gpu(nvlinks=links({"replay": 1, "crc_flit": 7}, {"replay": 0, "crc_flit": 0}))]
    (found,) = summarise(
        [(11.0, [gpu()])], [TRAIN], source="nvml", reason="", before=before, after=after
    )["gpus"]
    assert found["nvlink_errors"] == {"before": {"0": 1, "1": 0}, "after": {"0": 8, "1": 0}}


def test_a_gpu_without_nvlinks_has_no_counters() -> None:
    assert link_errors(None) is None
    assert link_errors(links({"replay": 1}, active=False)) is None
    assert summary([(11.0, [gpu()])], TRAIN)["nvlink_errors"] is None


def test_windows_come_from_what_the_workers_left() -> None:
    window = {"started": 10.0, "ended": 20.0, "scopes": [f"gpu:{ONE}"]}
    assert windows_of({"train": {"windows": {"train": window}}, "disk": {"windows": {}}}) == [TRAIN]


def test_the_section_fits_the_schema(schema: dict[str, Any]) -> None:
    part = schema["properties"]["telemetry"]
    found = summarise([(11.0, [gpu(), idle(TWO)])], [TRAIN, GEMM], source="nvml", reason="")
    jsonschema.validate(found, part)
    jsonschema.validate(summarise([], [], source="none", reason="no driver"), part)


class Source:
    """A source that gives one GPU, until it breaks."""

    name = "nvml"
    reason = ""

    def __init__(self, good: int) -> None:
        """Break after so many samples."""
        self.left = good
        self.closed = False

    def identify(self) -> list[dict[str, Any]]:
        return [gpu(nvlinks=links({"replay": 0}))]

    def sample(self) -> list[dict[str, Any]]:
        if not self.left:
            raise RuntimeError("GPU is lost")
        self.left -= 1
        return [gpu()]

    def close(self) -> None:
        self.closed = True


class NoUsage:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        """Count from 0."""
        self.asked = 0

    def observe(self) -> None:
        self.asked += 1

    def summarise(self) -> dict[str, Any]:
        return {}


def test_a_source_that_breaks_costs_the_run_nothing_but_its_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telemetry, "INTERVAL_S", 0.001)
    source, usage = Source(good=2), NoUsage()
    sampler = Sampler(source, usage)  # what is asked of it is there
    sampler.start()
    while usage.asked < 5:
        pass
    found, _ = sampler.stop({})
    assert found["reason"] == "sampling failed: RuntimeError: GPU is lost"
    assert found["gpus"][0]["nvlink_errors"] == {"before": {"0": 0}, "after": {"0": 0}}
    assert source.closed


def test_without_a_driver_nothing_is_sampled_and_it_says_why(tmp_path: Path) -> None:
    source = open_source(tmp_path / "version")
    assert isinstance(source, Nothing)
    assert "no NVIDIA driver is loaded" in source.reason
    assert source.sample() == []
