"""The stages train and speed, with what the node has or lacks changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from gpulab_bench import context as context_module
from gpulab_bench import device as device_module
from gpulab_bench import worker
from gpulab_bench.config import PRESETS, SpeedConfig
from gpulab_bench.context import Context, Order
from gpulab_bench.profiles import StagePlan
from gpulab_bench.stages import speed
from gpulab_bench.stop import Stop

XS = replace(PRESETS["xs"], steps=12, speed=SpeedConfig(4, 6, 2))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setitem(context_module.PRESETS, "xs", XS)
    order = Order("xs", "smoke", "cpu", 1234, str(tmp_path), "eager")
    return Context(order, tmp_path, Stop(None, 0.0), lambda _: None, StagePlan("train", 0, 60))


def test_what_does_not_fit_is_refused_before_it_is_tried(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "available_bytes", lambda _device: 1_000_000)
    result = worker.run_stage("train", context)
    assert result["status"] == worker.ERROR
    assert result["error"]["kind"] == "does_not_fit"
    assert "preset xs needs about" in result["error"]["message"]


@pytest.mark.parametrize(
    ("devices", "status", "told"),
    [
        (
            2,
            worker.SKIPPED,
            "no single GPU holds japanese-large: the stage ddp trains it over all 2",
        ),
        (1, worker.ERROR, "preset japanese-large needs about 15.0 GiB"),
    ],
)
def test_what_only_all_together_hold_is_left_to_them(
    devices: int, status: str, told: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = [torch.device("cpu")] * devices
    monkeypatch.setattr(device_module, "available_bytes", lambda _device: 15 * 2**30)
    monkeypatch.setattr(Context, "devices", lambda _self: where)
    context.order = replace(context.order, preset="japanese-large")
    result = worker.run_stage("train", context)
    assert result["status"] == status
    assert told in result["reason"] + str(result["error"])


def test_the_training_says_what_it_should_need(context: Context) -> None:
    result = worker.run_stage("train", context)
    assert result["status"] == worker.DONE, result["error"]
    assert result["data"]["memory"]["estimate_bytes"]["optimiser"] == 8 * 77_184
    assert result["data"]["training"]["mfu"] is None


def test_a_mode_without_its_compiler_is_told_and_the_other_measured(
    context: Context, schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    found = speed.measure(context, ("eager", "compile"))
    jsonschema.validate(found, schema["properties"]["speed"])
    assert [each["mode"] for each in found["modes"]] == ["eager"]
    assert found["not_measured"] == {
        "compile": "there is no C compiler, which Triton needs: install gcc"
    }


def test_speed_is_measured_in_each_mode(context: Context, schema: dict[str, Any]) -> None:
    found = speed.measure(context, ("eager",))
    jsonschema.validate(found, schema["properties"]["speed"])
    (mode,) = found["modes"]
    assert (mode["steps_done"], mode["step_s"]["n"]) == (6, 4)
    assert mode["tokens_per_s"] == pytest.approx(4 * 16 / mode["step_s"]["mean"])
    # No peak is known of a CPU.
    assert (found["peak_tflops"], mode["mfu"]) == (None, None)


def test_a_cpu_is_not_kept_busy_for_it(context: Context) -> None:
    result = worker.run_stage("speed", context)
    assert result["status"] == worker.SKIPPED
    assert "only GPUs" in result["reason"]
