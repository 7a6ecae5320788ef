"""Reading GPUs: NVML and nvidia-smi tell the same, and what neither tells is not made up."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_nvml import DRIVER_NOT_LOADED, GPU_IS_LOST, NOT_SUPPORTED, UNKNOWN, fake_nvml
from gpu_boards import H100, L40S, V100, Board, nvlink_errors, nvlink_state, smi_tools, smi_xml
from gpu_machines import A100, TWO, two
from hardware_machines import MACHINES, Machine, boards, gpu, kernel_log, module, nvswitch
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.facts.gpu_container import (
    read_gpu_container,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.container_proof import (
    Request,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware import nvml
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_fabric import read_gpu_fabric
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_facts import (
    event_reason_names,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.kernel_log import read_kernel_log
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia import read_nvidia
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia_smi import (
    parse_nvlink_errors,
    parse_nvlink_state,
    parse_smi,
    with_nvlinks,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvml_library import find_pynvml
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError, Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult


def by_smi(found: list[Board], driver: str = "580.65.06") -> list[dict[str, Any]]:
    tools = smi_tools(found, driver)
    gpus = parse_smi(tools["nvidia-smi"].stdout)["gpus"]
    state, errors = tools["nvidia-smi nvlink -s"], tools["nvidia-smi nvlink -e"]
    return with_nvlinks(gpus, state.stdout, errors.stdout)


def by_nvml(binding: ModuleType) -> list[dict[str, Any]]:
    with nvml.session(binding):
        return [
            nvml.read_gpu(binding, nvml.handle_of(binding, index))
            for index in range(nvml.count(binding))
        ]


def values(gpu: dict[str, Any]) -> dict[str, Any]:
    """The facts without the notes about what is missing, whose words are the reader's."""
    return {name: value for name, value in gpu.items() if name not in ("unsupported", "unread")}


@pytest.mark.parametrize("driver", ["580.65.06", "470.256.02"])
@pytest.mark.parametrize(
    "board",
    [
        Board(),
        V100,
        H100,
        L40S,
        Board(ecc=False, ecc_pending=True, uncorrected=3),
        Board(ecc=None, ecc_pending=None, remapped=None, sram_exceeded=None),
        Board(used_mib=500, processes=((7, 300), (8, 200)), reasons=0xFF),
        Board(nvlinks=(25000, None, 12500), replays={0: 4}),
        replace(H100, fabric="In Progress"),
        Board(recovery="Drain and Reset", mig=True),
        Board(used_mib=30, drawing=((2412, "Xorg", 30),), processes=((7, 300),)),
    ],
)
def test_both_readers_tell_the_same(board: Board, driver: str) -> None:
    if driver.startswith("470"):
        # What nvidia-smi did not print yet.
        board = replace(board, sram_exceeded=None, recovery=None)
    (smi,), (library,) = by_smi([board], driver), by_nvml(fake_nvml([board]))
    assert values(smi) == values(library)
    assert set(smi["unsupported"]) - set(library["unsupported"]) <= {
        # NVML has one function for these, nvidia-smi a word each.
        *("ecc_pending", "retired_pages.pending", "temperature.margin_c"),
        *("ecc_errors.sram_threshold_exceeded",),
    }


def test_an_older_binding_and_driver_tell_what_they_can() -> None:
    old = fake_nvml(
        [Board()],
        without=(
            "nvmlDeviceGetCurrentClocksEventReasons",
            "NVML_FI_DEV_NVLINK_GET_SPEED",
            "nvmlDeviceGetSramEccErrorStatus",
            "nvmlDeviceGetRemappedRows",
            "nvmlDeviceGetGpuFabricInfo",
        ),
    )
    (found,) = by_nvml(old)
    assert found["clocks_event_reasons"] == ["gpu_idle"]
    assert {link["mb_per_s"] for link in found["nvlinks"]} == {25000}
    assert found["ecc_errors"]["sram_threshold_exceeded"] is None
    assert found["unread"] == {}
    assert {"remapped_rows", "fabric_state"} <= set(found["unsupported"])
    assert not {"clocks_event_reasons", "nvlinks", "nvlinks.mb_per_s"} & set(found["unsupported"])


def test_only_the_second_form_of_the_memory_leaves_out_what_the_driver_keeps() -> None:
    (new,) = by_nvml(fake_nvml([Board(used_mib=3)]))
    (old,) = by_nvml(fake_nvml([Board(used_mib=3)], without=("nvmlMemory_v2",)))
    mib = 1024**2
    assert (new["memory_used_bytes"], old["memory_used_bytes"]) == (3 * mib, 643 * mib)
    assert "memory_bytes" not in old["unsupported"]


def test_an_error_is_no_absence() -> None:
    broken = {"nvmlDeviceGetRemappedRows": UNKNOWN, "nvmlDeviceGetEccMode": NOT_SUPPORTED}
    (found,) = by_nvml(fake_nvml([Board()], broken=broken))
    assert found["unread"] == {"remapped_rows": "Unknown Error"}
    assert "ecc" in found["unsupported"]
    assert (found["remapped_rows"], found["ecc"]) == (None, None)


def test_an_error_in_the_middle_of_the_links_leaves_them_unknown() -> None:
    broken = {"nvmlDeviceGetNvLinkState": UNKNOWN}
    (found,) = by_nvml(fake_nvml([Board()], broken=broken))
    assert (found["nvlinks"], found["unread"]["nvlinks"]) == (None, "Unknown Error")


class FabricInfo3(ctypes.Structure):
    """nvmlGpuFabricInfo_v3_t, as the binding has it."""

    _fields_ = (
        ("clusterUuid", ctypes.c_uint8 * 16),
        ("status", ctypes.c_uint),
        ("state", ctypes.c_ubyte),
        ("healthMask", ctypes.c_uint),
        ("healthSummary", ctypes.c_uint8),
    )


def with_fabric(
    state: int, status: int = 0, mask: int = 0, summary: int = 0, cluster: bytes = bytes(16)
) -> dict[str, Any]:
    """Return the facts of a GPU whose NVML tells this of the fabric."""
    binding = fake_nvml([H100])

    def told(_board: Board, reference: Any) -> int:  # noqa: ANN401 - ctypes has no name for it
        info = reference._obj
        info.state, info.status, info.healthMask, info.healthSummary = state, status, mask, summary
        info.clusterUuid[:] = cluster
        return 0

    binding.c_nvmlGpuFabricInfo_v3_t = FabricInfo3
    binding.nvmlDeviceGetGpuFabricInfoV = told
    (found,) = by_nvml(binding)
    return found


@pytest.mark.parametrize(
    ("told", "state", "health"),
    [
        ({"state": 3}, "completed", None),
        ({"state": 2}, "in_progress", None),
        ({"state": 0}, None, None),
        ({"state": 9}, "state 9", None),
        ({"state": 3, "status": 999}, "completed with NVML error 999", None),
        ({"state": 3, "summary": 1}, "completed", {"summary": "Healthy"}),
        (
            # Bandwidth full, a route that is not well, no configuration that is wrong.
            {"state": 3, "summary": 2, "mask": 0b01_10_01_10_10 & 0xFF | 1 << 8},
            "completed",
            {
                "summary": "Unhealthy",
                "bandwidth": "Full",
                "route_recovery_in_progress": "False",
                "route_unhealthy": "True",
                "access_timeout_recovery": "False",
                "incorrect_configuration": "None",
            },
        ),
        (
            {"state": 3, "mask": 4 << 8 | 2 << 12 | 2 << 14},
            "completed",
            {
                "incorrect_configuration": "No Partition",
                "partition_assigned": "False",
                "gfm_state": "Disconnected",
            },
        ),
    ],
)
def test_the_fabrics_health_is_told_in_the_words_of_nvidia_smi(
    told: dict[str, int], state: str | None, health: dict[str, str] | None
) -> None:
    found = with_fabric(**told)
    assert (found["fabric_state"], found["fabric_health"]) == (state, health)


def test_a_fabric_over_nodes_has_a_name() -> None:
    cluster = bytes.fromhex("dc6e40c4d72243579ba65291dd461278")
    found = with_fabric(3, cluster=cluster)
    assert found["fabric_cluster"] == "dc6e40c4-d722-4357-9ba6-5291dd461278"
    assert with_fabric(3)["fabric_cluster"] is None


def test_nvml_tells_the_repairs_that_are_due() -> None:
    binding = fake_nvml([Board()])
    binding.nvmlDeviceGetRepairStatus = lambda _board: [1, 0]
    (found,) = by_nvml(binding)
    assert found["repairs"] == {
        "channel_pending": True,
        "tpc_pending": False,
        "bank_pending": None,
        "unrepairable_memory": None,
    }


def test_a_count_of_pages_that_cannot_be_read_hides_no_repair_that_is_due() -> None:
    binding = fake_nvml([replace(V100, retired=(1, 0, True))])
    binding.nvmlDeviceGetRetiredPages = fake_nvml(
        [V100], broken={"nvmlDeviceGetRetiredPages": UNKNOWN}
    ).nvmlDeviceGetRetiredPages
    (found,) = by_nvml(binding)
    assert found["retired_pages"] == {"corrected": None, "uncorrected": None, "pending": True}
    assert found["unread"]["retired_pages"] == "Unknown Error"


def test_a_link_that_cannot_be_read_says_nothing_of_the_others() -> None:
    binding = fake_nvml([Board(nvlinks=(25000, None, 25000, 25000))])
    told, failed = binding.nvmlDeviceGetNvLinkState, fake_nvml([Board()], unreachable=[0])

    def state(board: Board, link: int) -> int:
        return failed.nvmlDeviceGetHandleByIndex(0) if link == 2 else told(board, link)

    binding.nvmlDeviceGetNvLinkState = state
    (found,) = by_nvml(binding)
    assert [link["active"] for link in found["nvlinks"]] == [True, False, None, True]
    assert found["unread"]["nvlinks"] == "GPU is lost"


@pytest.mark.parametrize(
    ("flags", "action"),
    [((0, 0), "None"), ((1, 0), "Reset"), ((0, 1), "Drain and Reset"), ((None, 0), None)],
)
def test_the_flags_of_older_drivers_are_the_recovery_action(
    flags: tuple[int | None, int], action: str | None
) -> None:
    binding = fake_nvml([Board(recovery=None)])
    binding.NVML_FI_DEV_RESET_STATUS = 226
    binding.NVML_FI_DEV_DRAIN_AND_RESET_STATUS = 227
    told = binding.nvmlDeviceGetFieldValues

    def values_of(board: Board, wanted: list) -> list[SimpleNamespace]:
        if wanted[0] not in (226, 227):
            return told(board, wanted)
        value = flags[wanted[0] - 226]
        union = SimpleNamespace(uiVal=value or 0)
        status = NOT_SUPPORTED if value is None else 0
        return [SimpleNamespace(nvmlReturn=status, valueType=1, value=union)]

    binding.nvmlDeviceGetFieldValues = values_of
    (found,) = by_nvml(binding)
    assert found["recovery_action"] == action


def test_a_gpu_that_is_lost_is_named(tmp_path: Path) -> None:
    machine = two()
    lost = [A100[0], replace(A100[1], lost=True)]
    found = read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run, lambda: fake_nvml(lost))
    assert (found["source"], found["lost"]) == ("nvml", [TWO[1]])
    assert found["gpus"][1]["temperature"]["gpu_c"] is None
    assert found["gpus"][0]["unread"] == {}


def test_a_gpu_without_a_handle_is_left_to_the_bus(tmp_path: Path) -> None:
    machine = two()
    binding = fake_nvml(A100, unreachable=[1])
    found = read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run, lambda: binding)
    assert [one["bdf"] for one in found["gpus"]] == [TWO[0]]
    assert found["message"] == "GPU 1: GPU is lost"
    assert binding.sessions == ["init", "shutdown"]


@pytest.mark.parametrize("code", [DRIVER_NOT_LOADED, 18, GPU_IS_LOST])
def test_nvidia_smi_is_asked_where_nvml_refuses(tmp_path: Path, code: int) -> None:
    machine = two()
    tree = Tree(str(machine.lay(tmp_path)))
    found = read_nvidia(tree, machine.run, lambda: fake_nvml(A100, init=code))
    assert found["source"] == "nvidia-smi"
    assert len(found["gpus"]) == 2


def test_nvml_is_not_touched_without_the_module(tmp_path: Path) -> None:
    def never() -> ModuleType:
        raise AssertionError("the binding was asked for")

    machine = MACHINES["nouveau"]
    found = read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run, never)
    assert (found["source"], found["gpus"]) == (None, [])


def test_links_that_nvidia_smi_does_not_tell_are_unread(tmp_path: Path) -> None:
    machine = two()
    tools = {**machine.tools, "nvidia-smi nvlink -s": ToolResult(255, "Unable to query\n")}
    machine = replace(machine, tools=tools)
    found = read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run)
    assert found["gpus"][0]["nvlinks"] is None
    assert found["gpus"][0]["unread"]["nvlinks"] == "nvidia-smi nvlink: Unable to query"


@pytest.mark.parametrize(
    "words", ["ERR!", "[Unknown Error]", "GPU is lost", "[GPU requires reset]"]
)
def test_words_of_an_error_are_its_reason(words: str) -> None:
    text = smi_xml([Board()]).stdout.replace(">92.00.36.00.02<", f">{words}<")
    (found,) = parse_smi(text)["gpus"]
    assert found["vbios_version"] is None
    assert found["unread"] == {"vbios_version": words.strip("[]")}


def test_a_counter_that_cannot_be_read_leaves_their_sum_unknown() -> None:
    text = smi_xml([Board(uncorrected=7)]).stdout.replace(
        "<sram_uncorrectable_secded>0<", "<sram_uncorrectable_secded>ERR!<"
    )
    (found,) = parse_smi(text)["gpus"]
    assert found["ecc_errors"]["volatile_uncorrected"] is None
    assert found["unread"]["ecc_errors"] == "ERR!"


def test_processes_that_only_draw_do_not_count() -> None:
    text = smi_xml([Board(processes=((7, 300),))]).stdout
    assert parse_smi(text.replace("<type>C<", "<type>G<"))["gpus"][0]["processes"] == []
    assert len(parse_smi(text.replace("<type>C<", "<type>C+G<"))["gpus"][0]["processes"]) == 1
    unread = text.replace("<processes>", "<processes>N/A</processes><x>").replace(
        "</process_info>\n</processes>", "</process_info></x>"
    )
    assert parse_smi(unread)["gpus"][0]["processes"] is None


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (0x0, []),
        (0x1, ["gpu_idle"]),
        (0x44, ["hw_thermal_slowdown", "sw_power_cap"]),
        (0x88, ["hw_power_brake_slowdown", "hw_slowdown"]),
        (0x80000004, ["0x80000000", "sw_power_cap"]),
    ],
)
def test_event_reasons_are_bits(mask: int, names: list[str]) -> None:
    assert event_reason_names(mask) == names


def test_the_links_of_each_gpu_are_its_own() -> None:
    found = [Board(nvlinks=(25000, None)), replace(A100[1], nvlinks=(26562,), replays={0: 9})]
    state = parse_nvlink_state(nvlink_state(found).stdout)
    errors = parse_nvlink_errors(nvlink_errors(found).stdout)
    assert [link["active"] for link in state[found[0].uuid]] == [True, False]
    assert state[found[1].uuid][0]["mb_per_s"] == 26562
    assert errors[found[1].uuid] == {0: {"replay": 9, "recovery": 0, "crc_flit": 0}}
    assert 1 not in errors[found[0].uuid]


@given(st.text())
def test_parsers_of_links_raise_nothing(text: str) -> None:
    parse_nvlink_state(text)
    parse_nvlink_errors(f"GPU 0: x (UUID: GPU-0)\n\t Link {text}")


def test_the_binding_is_found_in_the_frameworks_environment(tmp_path: Path) -> None:
    folder = tmp_path / "opt/gpulab/pytorch/lib/python3.12/site-packages"
    folder.mkdir(parents=True)
    if "pynvml" not in sys.modules:
        assert find_pynvml(str(tmp_path)) is None
    (folder / "pynvml.py").write_text("raise RuntimeError('half a file')\n")
    with contextlib.suppress(KeyError):
        del sys.modules["pynvml"]
    assert find_pynvml(str(tmp_path)) is None
    (folder / "pynvml.py").write_text(
        "class NVMLError(Exception): pass\ndef nvmlInit(): pass\ndef nvmlShutdown(): pass\n"
    )
    found = find_pynvml(str(tmp_path))
    assert found is not None
    assert found.__file__ == str(folder / "pynvml.py")


# --- the kernel's log, the fabric, containers


def read_log(tmp_path: Path, tools: dict[str, ToolResult]) -> dict[str, Any]:
    machine = Machine(gpu(TWO[0], "0x20b2"), tools)
    return read_kernel_log(Tree(str(machine.lay(tmp_path))), machine.run)


def test_the_journal_is_read_before_the_kernels_buffer(tmp_path: Path) -> None:
    line = "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."
    found = read_log(tmp_path, {**kernel_log(line), "dmesg": ToolResult(0, "nothing")})
    assert (found["source"], found["complete"]) == ("journalctl", True)
    assert [one["code"] for one in found["events"]] == [79]


@pytest.mark.parametrize(
    "journal", [ToolResult(0, ""), ToolResult(1, "", "No journal files were found.")]
)
def test_a_journal_that_is_empty_is_not_a_quiet_one(tmp_path: Path, journal: ToolResult) -> None:
    buffer = "[12.5] NVRM: Xid (PCI:0000:01:00): 48, pid=7"
    found = read_log(tmp_path, {"journalctl": journal, "dmesg": ToolResult(0, buffer)})
    assert (found["source"], found["complete"]) == ("dmesg", False)
    assert [one["code"] for one in found["events"]] == [48]


def test_a_log_that_nobody_may_read_is_unknown(tmp_path: Path) -> None:
    refused = ToolResult(1, "", "dmesg: read kernel buffer failed: Operation not permitted")
    with pytest.raises(ProbeError, match=r"journalctl: nothing to read; dmesg: .*not permitted"):
        read_log(tmp_path, {"journalctl": ToolResult(0, "\n"), "dmesg": refused})


def test_no_log_is_read_without_a_gpu(tmp_path: Path) -> None:
    machine = Machine(gpu(TWO[0], "0x2000", None, "0x1a03"))
    found = read_kernel_log(Tree(str(machine.lay(tmp_path))), machine.run)
    assert found == {"source": "none", "complete": True, "events": []}


@pytest.mark.parametrize(
    ("tool", "state", "reason"),
    [
        (ToolResult(0, "active\n"), "active", ""),
        (ToolResult(3, "failed\n"), "failed", ""),
        (
            ToolResult(1, "", "System has not been booted with systemd as init system"),
            None,
            "systemctl: System has not been booted with systemd as init system",
        ),
    ],
)
def test_the_fabric_managers_state(
    tmp_path: Path, tool: ToolResult, state: str | None, reason: str
) -> None:
    files = {**gpu(TWO[0], "0x2330"), **nvswitch("0000:05:00.0"), **module("570.86.15")}
    files |= {"proc/sys/kernel/osrelease": "5.11.0", "sys/module/nvidia_peermem/refcnt": 0}
    machine = Machine(files, {"systemctl": tool})
    found = read_gpu_fabric(Tree(str(machine.lay(tmp_path))), machine.run)
    assert found == {
        "nvswitches": 1,
        "fabric_manager": state,
        "reason": reason,
        "peer_modules": ["nvidia_peermem"],
        "dma_buf": False,
    }


@pytest.mark.parametrize(
    ("kernel", "opened", "dma_buf"),
    [("5.12.0", True, True), ("6.8.0-45-generic", True, True), ("6.8.0", False, False)],
)
def test_dma_buf_needs_the_open_modules_and_a_new_kernel(
    tmp_path: Path, kernel: str, opened: bool, dma_buf: bool
) -> None:
    files = {**module("580.65.06", opened=opened), "proc/sys/kernel/osrelease": kernel}
    machine = Machine({**files, **gpu(TWO[0], "0x20b2")})
    found = read_gpu_fabric(Tree(str(machine.lay(tmp_path))), machine.run)
    assert found["dma_buf"] is dma_buf


def test_containers_are_tried_with_what_is_installed(tmp_path: Path) -> None:
    wishes: list[Request] = []

    def prove(requested: Request) -> tuple[list[str], list[str]]:
        wishes.append(requested)
        return ["podman: a container sees 2 GPU(s)"], []

    machine = replace(two(), tools={"podman": ToolResult(0, "podman version 4.9.3\n")})
    toolkit = {"version": "1.20.1", "spec": "/var/run/cdi/nvidia.yaml", "image": "debian:12"}
    tree = Tree(str(machine.lay(tmp_path)))
    found = read_gpu_container(tree, machine.run, toolkit, prove)
    assert (found["tried"], found["problems"]) == (True, [])
    assert (wishes[0].gpus, wishes[0].engines, wishes[0].loaded) == (2, ["podman"], "580.65.06")
    assert read_gpu_container(tree, machine.run, {**toolkit, "image": ""}, prove)["tried"] is False
    found = read_gpu_container(tree, machine.run, None, prove)
    assert (found["asked"], found["tried"], len(wishes)) == (False, False, 2)


def test_without_an_engine_no_container_works(tmp_path: Path) -> None:
    toolkit = {"version": "1.20.1", "spec": "/x", "image": "debian:12"}
    machine = two()
    found = read_gpu_container(
        Tree(str(machine.lay(tmp_path))), machine.run, toolkit, lambda _requested: ([], [])
    )
    assert (found["tried"], found["problems"]) == (
        False,
        ["no container engine is installed (podman or docker)"],
    )


def test_all_gpus_of_a_large_machine_are_read() -> None:
    eight = boards(tuple(f"0000:{bus:02x}:00.0" for bus in range(1, 9)), H100)
    assert len(by_nvml(fake_nvml(eight))) == len(by_smi(eight)) == 8
    assert {one["temperature"]["slowdown_c"] for one in by_smi(eight)} == {86}
