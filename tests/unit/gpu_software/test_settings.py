"""How GPUs are set, against what node_gpu declares: nvidia-smi's text is written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.settings import (
    judge_settings,
    mig_is_laid_out,
)

A100 = "00000000:01:00.0, 300.00, 150.00, 300.00, Enabled, Enabled, Disabled, Disabled"
#: A consumer card: neither ECC nor MIG, and no power limit in a laptop.
SMALL = "00000000:02:00.0, [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A]"
TWO_CUT = """GPU 0: NVIDIA A100-PCIE-40GB (UUID: GPU-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-1)
  MIG 1g.5gb      Device  1: (UUID: MIG-2)
GPU 1: NVIDIA A100-PCIE-40GB (UUID: GPU-2)
  MIG 1g.5gb      Device  0: (UUID: MIG-3)
  MIG 3g.20gb     Device  1: (UUID: MIG-4)
"""


def test_what_is_as_declared_is_not_named() -> None:
    judged = judge_settings(A100, {"power_limit_w": 300, "ecc": True, "mig": []})
    assert judged == {"refused": [], "off": [], "pending": []}


@pytest.mark.parametrize(
    ("table", "wanted", "words"),
    [
        (A100, {"power_limit_w": 301}, "node_gpu.power_limit_w is 301, and GPU 00000000:01:00.0"),
        (A100, {"power_limit_w": 149}, "takes 150 to 300 W"),
        (SMALL, {"power_limit_w": 200}, "remove node_gpu.power_limit_w"),
        (SMALL, {"ecc": False}, "remove node_gpu.ecc"),
        (SMALL, {"mig": ["1g.5gb"]}, "remove node_gpu.mig"),
    ],
)
def test_what_a_card_can_not_have_is_refused(
    table: str, wanted: dict[str, Any], words: str
) -> None:
    (line,) = judge_settings(f"{table}\n", wanted)["refused"]
    assert words in line


def test_a_card_without_mig_can_have_none() -> None:
    assert judge_settings(SMALL, {"mig": []})["refused"] == []


def test_each_gpu_that_is_not_set_is_named() -> None:
    other = A100.replace("01:00", "03:00").replace("300.00,", "250.00,", 1)
    off = judge_settings(f"{A100}\n{other}\n", {"power_limit_w": 300, "ecc": False})["off"]
    assert off == [
        "node_gpu.ecc is False, and GPU 00000000:01:00.0 will have Enabled",
        "node_gpu.power_limit_w is 300, and the limit of GPU 00000000:03:00.0 is 250",
        "node_gpu.ecc is False, and GPU 00000000:03:00.0 will have Enabled",
    ]


def test_what_waits_for_a_reboot_is_told() -> None:
    table = A100.replace("Enabled, Enabled", "Enabled, Disabled")
    judged = judge_settings(table, {"ecc": False})
    assert judged["off"] == []
    assert judged["pending"] == [
        "ECC of GPU 00000000:01:00.0 is Enabled and will be Disabled after a reboot"
    ]


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a, b\n"])
def test_other_text_has_no_gpus(text: str) -> None:
    assert judge_settings(text, {"power_limit_w": 1}) == {"refused": [], "off": [], "pending": []}


@pytest.mark.parametrize(
    ("listed", "wanted", "answer"),
    [
        (TWO_CUT, ["1g.5gb", "3g.20gb"], True),
        (TWO_CUT, ["3g.20gb"], False),
        (TWO_CUT, [], False),
        (
            TWO_CUT.replace("  MIG 3g.20gb     Device  1: (UUID: MIG-4)\n", ""),
            ["1g.5gb", "3g.20gb"],
            False,
        ),
        ("GPU 0: NVIDIA A100 (UUID: GPU-1)\n", [], True),
        ("", [], False),
    ],
)
def test_mig_is_as_declared_on_every_gpu(listed: str, wanted: list[str], answer: bool) -> None:
    assert mig_is_laid_out(listed, wanted) is answer


@pytest.mark.parametrize(
    ("mode", "wanted", "off"),
    [
        ("Enabled", {}, False),
        ("Disabled", {}, True),
        ("Disabled", {"persistence": True}, True),
        ("Disabled", {"persistence": False}, False),
        ("[N/A]", {}, False),
    ],
)
def test_persistence_mode_is_reached(mode: str, wanted: dict[str, Any], off: bool) -> None:
    said = judge_settings(f"{A100}, {mode}\n", wanted)["off"]
    assert said == (
        ["node_gpu.persistence is true, and persistence mode of GPU 00000000:01:00.0 is off"]
        if off
        else []
    )
