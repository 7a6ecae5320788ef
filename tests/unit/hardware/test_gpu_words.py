"""From what nvidia-smi prints to the verdict: words of faults, of errors, and of new drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_nvml import RESET_REQUIRED, fake_nvml
from gpu_boards import H100, V100, Board, nvlink_state, smi_xml
from gpu_machines import A100, TWO, two
from hardware_machines import FactsOf, Machine, boards, fabric_manager, nvswitch
from smi_texts import said

from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_fabric import read_gpu_fabric
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia import read_nvidia
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia_library import (
    library_version,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia_smi import (
    parse_nvlink_state,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify

SPEC = {"gpu": {"count": 2}}
Words = Iterable[tuple[str, str]]
Judge = Callable[..., dict[str, dict[str, Any]]]
_VOLATILE, _AGGREGATE = "ecc_errors/volatile", "ecc_errors/aggregate"
_PARITY, _DRAM = f"{_VOLATILE}/sram_uncorrectable_parity", f"{_VOLATILE}/dram_uncorrectable"
_LOST, _RESET = "GPU is lost", "GPU requires reset"


@pytest.fixture
def judge(tmp_path: Path, facts_of: FactsOf) -> Judge:
    """Return a function from words of the second GPU to its findings by check."""

    def judged(
        words: Words, machine: Machine | None = None, spec: dict[str, Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        node = machine or two()
        text = node.tools["nvidia-smi"].stdout
        for path, word in words:
            text = said(text, path, word)
        node = replace(node, tools={**node.tools, "nvidia-smi": ToolResult(0, text)})
        tree = Tree(str(node.lay(tmp_path)))
        facts = {
            **facts_of("two-a100"),
            "nvidia": read_nvidia(tree, node.run, lambda: node.binding),
            "gpu_fabric": read_gpu_fabric(tree, node.run),
        }
        return {
            finding["id"]: finding
            for finding in verify(facts, spec or SPEC)
            if finding["part"]["bdf"] in ("", TWO[1])
        }

    return judged


@pytest.mark.parametrize(
    ("words", "check", "status", "shown"),
    [
        # What the driver asks for, in its word.
        ([("gpu_recovery_action", "None")], "gpu.recovery", "pass", ""),
        ([("gpu_recovery_action", "Node Reboot")], "gpu.recovery", "fail", "Node Reboot"),
        ([("gpu_recovery_action", "Reset")], "gpu.recovery", "fail", "Reset"),
        ([("gpu_recovery_action", "Drain P2P")], "gpu.recovery", "fail", "Drain P2P"),
        ([("gpu_recovery_action", "Bus Reset")], "gpu.recovery", "fail", "Bus Reset"),
        ([("gpu_recovery_action", "Pray")], "gpu.recovery", "fail", "Pray"),
        ([("gpu_recovery_action", "Unknown Error")], "gpu.recovery", "unknown", "Unknown Error"),
        ([("gpu_recovery_action", "ERR!")], "gpu.recovery", "unknown", "ERR!"),
        (
            [("gpu_recovery_action", "N/A"), ("gpu_reset_status/reset_required", "Yes")],
            *("gpu.recovery", "fail", "Reset"),
        ),
        (
            [
                ("gpu_recovery_action", "N/A"),
                ("gpu_reset_status/reset_required", "No"),
                ("gpu_reset_status/drain_and_reset_recommended", "Yes"),
            ],
            *("gpu.recovery", "fail", "Drain and Reset"),
        ),
        (
            [
                ("gpu_recovery_action", "N/A"),
                ("gpu_reset_status/reset_required", "No"),
                ("gpu_reset_status/drain_and_reset_recommended", "No"),
            ],
            *("gpu.recovery", "pass", ""),
        ),
        ([("temperature/gpu_temp", _RESET)], "gpu.recovery", "fail", _RESET),
        ([("ecc_errors", _RESET)], "gpu.recovery", "fail", _RESET),
        ([("max_clocks/sm_clock", f"[{_RESET}]")], "gpu.recovery", "fail", _RESET),
        ([("ecc_errors/sm_repair_pending", "Yes")], "gpu.recovery", "warn", "sm_repair_pending"),
        ([("ecc_errors/sm_repair_pending", "No")], "gpu.recovery", "pass", ""),
        # Repairs that are due, and what can't be repaired.
        ([("ecc_errors/channel_repair_pending", "Yes")], "gpu.row_remap", "fail", "channel"),
        ([("ecc_errors/channel_repair_pending", "No")], "gpu.row_remap", "pass", ""),
        ([("ecc_errors/channel_repair_pending", "N/A")], "gpu.row_remap", "pass", ""),
        ([("ecc_errors/channel_repair_pending", "ERR!")], "gpu.row_remap", "unknown", "ERR!"),
        ([("ecc_errors/tpc_repair_pending", "Yes")], "gpu.row_remap", "fail", "TPC"),
        ([("remapped_banks/bank_remapper_pending", "Yes")], "gpu.row_remap", "fail", "bank"),
        ([("ecc_errors/unrepairable_memory", "Yes")], "gpu.row_remap", "fail", "repaired"),
        ([("ecc_errors/unrepairable_memory", "No")], "gpu.row_remap", "pass", ""),
        ([("retired_pages/pending_retirement", "Yes")], "gpu.row_remap", "fail", "page"),
        # An error in the place of what would stand there.
        ([("remapped_rows", _LOST)], "gpu.row_remap", "unknown", _LOST),
        ([("remapped_rows", "Unknown Error")], "gpu.row_remap", "unknown", "Unknown Error"),
        ([("remapped_rows", "ERR!")], "gpu.row_remap", "unknown", "ERR!"),
        ([("ecc_errors", _LOST)], "gpu.ecc_errors", "unknown", _LOST),
        ([(_VOLATILE, "ERR!")], "gpu.ecc_errors", "unknown", "ERR!"),
        ([("temperature", "Unknown Error")], "gpu.temperature", "unknown", "Unknown Error"),
        ([("clocks_event_reasons", _LOST)], "gpu.clocks", "unknown", _LOST),
        ([("processes", "ERR!")], "gpu.idle", "unknown", "ERR!"),
        ([("processes/process_info/pid", "N/A")], "gpu.idle", "unknown", "without its number"),
        ([("processes/process_info/pid", "7")], "gpu.idle", "warn", "7"),
        ([("ecc_mode", "ERR!")], "gpu.ecc_mode", "unknown", "ERR!"),
        ([("gpu_power_readings", "ERR!")], "gpu.power_limit", "unknown", "ERR!"),
        # A word that fits no number and no switch is none.
        (
            [("remapped_rows/remapped_row_failure", "Perhaps")],
            "gpu.row_remap",
            "unknown",
            "Perhaps",
        ),
        ([(f"{_VOLATILE}/dram_uncorrectable", "many")], "gpu.ecc_errors", "unknown", "many"),
        # A part that can't be read hides no fault that is known.
        (
            [
                (f"{_VOLATILE}/sram_uncorrectable_parity", "N/A"),
                (f"{_VOLATILE}/dram_uncorrectable", "3"),
            ],
            *("gpu.ecc_errors", "fail", "at least 3"),
        ),
        (
            [
                (f"{_VOLATILE}/dram_uncorrectable", "ERR!"),
                (f"{_VOLATILE}/sram_uncorrectable_parity", "1"),
            ],
            *("gpu.ecc_errors", "fail", "at least 1"),
        ),
        (
            [(f"{_VOLATILE}/sram_uncorrectable_parity", "ERR!")],
            *("gpu.ecc_errors", "unknown", "ERR!"),
        ),
        (
            [(_VOLATILE, "ERR!"), (f"{_AGGREGATE}/sram_threshold_exceeded", "Yes")],
            *("gpu.ecc_errors", "fail", "exceeded"),
        ),
        ([(f"{_AGGREGATE}/sram_threshold_exceeded", "ERR!")], "gpu.ecc_errors", "unknown", ""),
        (
            [
                ("remapped_rows/remapped_row_failure", "ERR!"),
                ("remapped_rows/remapped_row_pending", "Yes"),
            ],
            *("gpu.row_remap", "fail", "pending"),
        ),
        (
            [("remapped_rows", "ERR!"), ("ecc_errors/channel_repair_pending", "Yes")],
            *("gpu.row_remap", "fail", "channel"),
        ),
        ([("remapped_rows/remapped_row_failure", "ERR!")], "gpu.row_remap", "unknown", "ERR!"),
        (
            [("ecc_mode/current_ecc", "Disabled"), ("ecc_mode/pending_ecc", "ERR!")],
            *("gpu.ecc_mode", "fail", "off"),
        ),
        (
            [
                ("clocks_event_reasons/clocks_event_reason_hw_slowdown", "Active"),
                ("clocks_event_reasons/clocks_event_reason_sw_power_cap", "ERR!"),
            ],
            *("gpu.clocks", "warn", "hw_slowdown"),
        ),
        (
            [("clocks_event_reasons/clocks_event_reason_hw_slowdown", "ERR!")],
            *("gpu.clocks", "unknown", "ERR!"),
        ),
        (
            [("temperature/memory_temp", "94 C"), ("temperature/gpu_temp", "ERR!")],
            *("gpu.temperature", "warn", "94"),
        ),
        ([("temperature/memory_temp", "ERR!")], "gpu.temperature", "unknown", "ERR!"),
        ([("temperature/memory_temp", "N/A")], "gpu.temperature", "pass", ""),
        # New reasons for lowered clocks are no slowdown.
        (
            [("clocks_event_reasons/clocks_event_reason_board_limit", "Active")],
            *("gpu.clocks", "pass", "board_limit"),
        ),
    ],
)
def test_words(judge: Judge, words: Words, check: str, status: str, shown: str) -> None:
    finding = judge(words)[check]
    assert (finding["status"], shown in finding["evidence"]) == (status, True), finding["evidence"]


def test_a_driver_without_the_recovery_action_is_not_asked_for_it(judge: Judge) -> None:
    assert "gpu.recovery" not in judge([("gpu_recovery_action", "N/A")])


def test_all_readings_of_a_gpu_that_requires_a_reset(judge: Judge) -> None:
    everything = [
        (name, _RESET)
        for name in (
            *("gpu_recovery_action", "fb_memory_usage", "utilization", "ecc_errors", "clocks"),
            *("remapped_rows", "retired_pages", "temperature", "gpu_power_readings", "processes"),
            *("clocks_event_reasons", "ecc_mode", "max_clocks"),
        )
    ]
    found = judge(everything)
    assert (found["gpu.recovery"]["status"], found["gpu.recovery"]["observed"]) == ("fail", _RESET)
    for check in ("ecc_errors", "row_remap", "temperature", "clocks", "idle", "power_limit"):
        assert found[f"gpu.{check}"]["status"] == "unknown", check


def test_the_bindings_word_for_it(judge: Judge) -> None:
    functions = ("nvmlDeviceGetTemperature", "nvmlDeviceGetRemappedRows")
    broken = dict.fromkeys(functions, RESET_REQUIRED)
    machine = replace(two(), binding=fake_nvml(A100, broken=broken))
    found = judge([], machine)
    assert found["gpu.recovery"]["status"] == "fail"
    assert "GPU requires restart" in found["gpu.recovery"]["evidence"]
    assert found["gpu.row_remap"]["status"] == "unknown"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([(f"{_VOLATILE}/double_bit/total", "2")], "fail"),
        (
            [
                (f"{_VOLATILE}/double_bit/total", "N/A"),
                (f"{_VOLATILE}/double_bit/device_memory", "2"),
            ],
            "fail",
        ),
        (
            [
                (f"{_VOLATILE}/double_bit/total", "N/A"),
                (f"{_VOLATILE}/double_bit/device_memory", "0"),
            ],
            "unknown",
        ),
    ],
)
def test_errors_of_older_boards(judge: Judge, words: Words, status: str) -> None:
    found = judge(words, two(*boards(TWO, V100)))
    assert found["gpu.ecc_errors"]["status"] == status


@pytest.mark.parametrize(
    ("board", "status", "evidence"),
    [
        # MIG holds some memory in each instance.
        ({"mig": True, "used_mib": 48}, "pass", "no process"),
        ({"mig": True, "used_mib": 112}, "pass", "no process"),
        ({"mig": True, "used_mib": 4000}, "warn", "no process"),
        ({"mig": True, "used_mib": 48, "processes": ((7, 30),)}, "warn", "the processes 7"),
        ({"used_mib": 48}, "warn", "no process"),
        ({"used_mib": 30, "drawing": ((2412, "Xorg", 30),)}, "warn", "Xorg (2412)"),
        ({"used_mib": 4, "drawing": ((2412, "Xorg", 4),)}, "pass", "Xorg (2412)"),
        (
            {"used_mib": 600, "drawing": ((9, "gnome-shell", 100),), "processes": ((7, 500),)},
            *("warn", "the processes 7 and gnome-shell (9)"),
        ),
    ],
)
@pytest.mark.parametrize("reader", ["nvidia-smi", "nvml"])
def test_who_uses_a_gpu(
    judge: Judge, reader: str, board: dict[str, Any], status: str, evidence: str
) -> None:
    machine = two(A100[0], replace(A100[1], **board), nvml=reader == "nvml")
    found = judge([], machine)["gpu.idle"]
    assert (found["status"], evidence in found["evidence"]) == (status, True), found["evidence"]


# --- NVLink


def with_links(*lines: str) -> Machine:
    """Return a node whose second GPU tells these lines about its NVLinks."""
    machine, header = two(), nvlink_state(A100[1:]).stdout.splitlines()[0]
    text = "\n".join([nvlink_state(A100[:1]).stdout.strip("\n"), header, *lines])
    return replace(machine, tools={**machine.tools, "nvidia-smi nvlink -s": ToolResult(0, text)})


_UP, _DOWN, _LOST_LINK = "25 GB/s", "<inactive>", "Unknown Error"


@pytest.mark.parametrize(
    ("links", "status"),
    [
        ([_UP] * 12, "pass"),
        ([_UP] * 11 + [_DOWN], "fail"),
        ([_UP] * 11 + [_LOST_LINK], "unknown"),
        ([_UP] * 10 + [_DOWN, _LOST_LINK], "fail"),
        ([_UP] * 9 + [_LOST_LINK] * 2, "fail"),
        ([_LOST_LINK] * 12, "unknown"),
    ],
)
def test_a_link_that_cannot_be_read_hides_none_that_is_down(
    judge: Judge, links: list[str], status: str
) -> None:
    machine = with_links(*(f"\t Link {number}: {word}" for number, word in enumerate(links)))
    assert judge([], machine)["gpu.nvlink"]["status"] == status


def test_all_links_down_are_told_without_their_lines(judge: Judge) -> None:
    machine = with_links("NVML: Unable to retrieve NVLink information as all links are inActive")
    found = judge([], machine)["gpu.nvlink"]
    assert (found["status"], found["observed"]) == ("fail", 0)
    assert parse_nvlink_state(machine.tools["nvidia-smi nvlink -s"].stdout)[A100[1].uuid] == []


# --- the fabric


GB200 = replace(H100, name="NVIDIA GB200", fabric="Completed", vbios="97.00.B9.00.69")
B200 = replace(GB200, name="NVIDIA B200")
_HEALTH = "fabric/health"
_WELL = [
    (f"{_HEALTH}/summary", "Healthy"),
    (f"{_HEALTH}/bandwidth", "Full"),
    (f"{_HEALTH}/route_recovery_in_progress", "False"),
    (f"{_HEALTH}/route_unhealthy", "False"),
    (f"{_HEALTH}/access_timeout_recovery", "False"),
    (f"{_HEALTH}/incorrect_configuration", "None"),
]


def node_of(board: Board, manager: str, switches: int = 0) -> Machine:
    """Return a node with two of these boards, and this state of the fabric manager."""
    machine = two(*boards(TWO, board))
    files = dict(machine.files)
    for number in range(switches):
        files |= nvswitch(f"0000:0{number + 5}:00.0")
    return replace(machine, files=files, tools={**machine.tools, **fabric_manager(manager)})


@pytest.mark.parametrize(
    ("board", "manager", "switches", "words", "status"),
    [
        # The manager runs on the switch trays.
        (GB200, "inactive", 0, [], "pass"),
        (GB200, "inactive", 0, _WELL, "pass"),
        (replace(GB200, name="NVIDIA GB300"), "failed", 0, _WELL, "pass"),
        (replace(GB200, name="NVIDIA GH200 144G HBM3e"), "inactive", 0, [], "pass"),
        (
            replace(GB200, name="NVIDIA Graphics Device"),
            *("inactive", 0, [("fabric/clusterUuid", "00000001-0000-0000-0000-000000000001")]),
            "pass",
        ),
        # It runs on the node.
        (B200, "inactive", 0, [], "fail"),
        (
            B200,
            "inactive",
            0,
            [("fabric/clusterUuid", "00000000-0000-0000-0000-000000000000")],
            "fail",
        ),
        (H100, "inactive", 4, [], "fail"),
        (H100, "active", 4, [], "pass"),
        (GB200, "inactive", 2, [], "fail"),
        # Joining is not joined, whatever the manager is.
        (GB200, "inactive", 0, [("fabric/state", "In Progress")], "fail"),
        (GB200, "active", 0, [("fabric/state", "In Progress")], "fail"),
        (GB200, "inactive", 0, [("fabric/state", "Not Started")], "fail"),
        (GB200, "inactive", 0, [("fabric/status", "Insufficient Resources")], "fail"),
        (GB200, "inactive", 0, [("fabric/status", "Unknown Error")], "fail"),
        (H100, "active", 4, [("fabric/status", "Not Found")], "fail"),
        # Joined, and not well.
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/summary", "Unhealthy")], "fail"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/route_unhealthy", "True")], "fail"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/summary", "Limited Capacity")], "fail"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/bandwidth", "Degraded")], "fail"),
        (
            *(GB200, "inactive", 0),
            [*_WELL, (f"{_HEALTH}/incorrect_configuration", "Incorrect SystemGuid")],
            "fail",
        ),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/access_timeout_recovery", "True")], "fail"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/partition_assigned", "False")], "fail"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/gfm_state", "Disconnected")], "fail"),
        (GB200, "inactive", 0, [(_HEALTH, "Unhealthy")], "fail"),
        (GB200, "inactive", 0, [(_HEALTH, "Healthy")], "pass"),
        (H100, "active", 4, [*_WELL, (f"{_HEALTH}/route_unhealthy", "True")], "fail"),
        # What is not told or not understood.
        (GB200, "inactive", 0, [(_HEALTH, "N/A")], "pass"),
        (GB200, "inactive", 0, [(_HEALTH, "GPU is lost")], "unknown"),
        (GB200, "inactive", 0, [("fabric/state", "GPU is lost")], "unknown"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/summary", "Sleepy")], "unknown"),
        (GB200, "inactive", 0, [*_WELL, (f"{_HEALTH}/route_unhealthy", "ERR!")], "unknown"),
        (
            *(GB200, "inactive", 0),
            [(f"{_HEALTH}/summary", "ERR!"), (f"{_HEALTH}/route_unhealthy", "True")],
            "fail",
        ),
    ],
)
def test_the_fabric(
    judge: Judge, board: Board, manager: str, switches: int, words: Words, status: str
) -> None:
    spec = {"gpu": {"count": 2, "nvlinks": 18}}
    found = judge(words, node_of(board, manager, switches), spec)["gpu.fabric_manager"]
    assert found["status"] == status, found["evidence"]


@pytest.mark.parametrize(
    ("words", "status"), [([], "unknown"), ([("fabric/state", "In Progress")], "fail")]
)
def test_a_manager_that_nobody_can_ask_about_hides_no_fault(
    judge: Judge, words: Words, status: str
) -> None:
    refused = ToolResult(1, "", "System has not been booted with systemd as init system")
    machine = node_of(H100, "active", 4)
    machine = replace(machine, tools={**machine.tools, "systemctl": refused})
    spec = {"gpu": {"count": 2, "nvlinks": 18}}
    assert judge(words, machine, spec)["gpu.fabric_manager"]["status"] == status


# --- the library


@pytest.mark.parametrize(
    "folder",
    [
        "usr/lib/x86_64-linux-gnu",
        "usr/lib/aarch64-linux-gnu",
        "usr/lib/powerpc64le-linux-gnu",
        "usr/lib/x86_64-linux-gnu/nvidia/current",
        "usr/lib/aarch64-linux-gnu/nvidia/current",
        "usr/lib/aarch64-linux-gnu/nvidia/tesla-535",
        "usr/lib/x86_64-linux-gnu/nvidia/tesla",
        "usr/lib/aarch64-linux-gnu/nvidia",
        "usr/lib64",
        "usr/lib64/nvidia",
        "usr/lib",
        "usr/lib/nvidia-384",
        "usr/local/nvidia/lib64",
        "run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    ],
)
def test_the_library_is_found_where_a_distribution_puts_it(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    assert library_version(Tree(str(tmp_path))) is None
    (place / "libnvidia-ml.so.580.65.06").touch()
    assert library_version(Tree(str(tmp_path))) == "580.65.06"


def test_the_librarys_link_says_which_of_several_is_used(tmp_path: Path) -> None:
    place = tmp_path / "usr/lib/aarch64-linux-gnu/nvidia/current"
    place.mkdir(parents=True)
    for version in ("570.86.15", "580.65.06", "580.95.05"):
        (place / f"libnvidia-ml.so.{version}").touch()
    (place / "libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.580.65.06")
    assert library_version(Tree(str(tmp_path))) == "580.65.06"
    outside = tmp_path / "usr/lib/aarch64-linux-gnu"
    (outside / "libnvidia-ml.so.1").symlink_to("nvidia/current/libnvidia-ml.so.1")
    assert library_version(Tree(str(tmp_path))) == "580.65.06"


def test_no_cuda_stub_is_taken_for_the_library(tmp_path: Path) -> None:
    stubs = tmp_path / "usr/lib/x86_64-linux-gnu"
    stubs.mkdir(parents=True)
    for name in ("libnvidia-ml.so", "libnvidia-ml.so.1", "libnvidia-ml.a"):
        (stubs / name).touch()
    assert library_version(Tree(str(tmp_path))) is None


def test_the_sound_fixture_is_sound(judge: Judge) -> None:
    assert smi_xml(A100).stdout.count("<gpu ") == 2
    found = judge([])
    assert {one["status"] for one in found.values() if one["id"].startswith("gpu.")} == {"pass"}
