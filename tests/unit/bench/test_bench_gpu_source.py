"""Samples of fake GPUs, by NVML and by nvidia-smi, through to the checks under load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_nvml import fake_nvml
from gpu_boards import Board, smi_tools

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.gpu_load import (
    verify_load,
)
from gpulab_bench import gpu_source, telemetry

BOARD = Board()
KEYS = ("bdf", "uuid", "serial", "name")


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    file = tmp_path / "version"
    file.write_text("NVRM version")
    return file


def summary(source: Any) -> dict[str, Any]:  # noqa: ANN401  any of the three sources
    before = source.identify()
    samples = [(1.0, source.sample()), (1.2, source.sample())]
    scopes = tuple(f"gpu:{gpu['uuid']}" for gpu in before)
    window = telemetry.Window("train", 0.0, 2.0, scopes)
    found = telemetry.summarise(
        samples,
        [window],
        source=source.name,
        reason=source.reason,
        before=before,
        after=source.identify(),
    )
    source.close()
    return found


def test_nvml_and_nvidia_smi_tell_the_same(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = smi_tools([BOARD])
    monkeypatch.setattr(gpu_source, "find_pynvml", lambda: fake_nvml([BOARD]))
    by_nvml = gpu_source.open_source(driver)
    monkeypatch.setattr(gpu_source, "find_pynvml", lambda: None)
    monkeypatch.setattr(
        gpu_source, "_said", lambda command: tools[" ".join(command).removesuffix(" -q -x")].stdout
    )
    by_smi = gpu_source.open_source(driver)
    assert (by_nvml.name, by_smi.name) == ("nvml", "nvidia-smi")
    one, other = summary(by_nvml), summary(by_smi)
    assert one["gpus"][0]["samples"] == 2
    assert one["gpus"][0]["name"] == BOARD.name
    assert {**one, "source": ""} == {**other, "source": ""}


def test_a_driver_whose_tools_tell_nothing(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_source, "find_pynvml", lambda: None)
    monkeypatch.setattr(gpu_source, "_said", lambda _command: "")
    source = gpu_source.open_source(driver)
    assert source.name == "none"
    assert source.reason == "nvidia-ml-py is not installed, and nvidia-smi tells nothing"


def test_the_checks_under_load_read_what_is_written_here(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_source, "find_pynvml", lambda: fake_nvml([BOARD]))
    found = verify_load(summary(gpu_source.open_source(driver)), None, {"gpu": {"count": 1}})
    assert {one["id"] for one in found} >= {"gpu.throttle", "gpu.link_load"}
    assert all(one["evidence"] for one in found)
