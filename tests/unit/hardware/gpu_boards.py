"""GPUs as fixtures: one description, from which the fake NVML and nvidia-smi's texts are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_facts import EVENT_REASONS
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult


@dataclass(frozen=True)
class Board:
    """One GPU; what it does not have is None. Temperatures in °C, power in W, speeds in MB/s."""

    name: str = "NVIDIA A100-SXM4-80GB"
    bdf: str = "0000:01:00.0"
    number: int = 0
    serial: str = "16505220038"
    memory_mib: int = 81920
    used_mib: int = 0
    vbios: str = "92.00.36.00.02"
    ecc: bool | None = True
    ecc_pending: bool | None = True
    reasons: int = 0x1
    width: int = 16
    width_max: int = 16
    generation: int = 1
    generation_max: int = 4
    sm_max_mhz: int = 1410
    memory_mhz: int = 1593
    gpu_c: int = 31
    slowdown_c: int | None = 93
    margin_c: int | None = None
    memory_c: int | None = 35
    memory_max_c: int | None = 95
    limit_w: float = 400.0
    default_w: float = 400.0
    processes: tuple[tuple[int, int], ...] = ()
    corrected: int = 0
    uncorrected: int = 0
    sram_exceeded: bool | None = False
    # corrected, uncorrected, pending, failure
    remapped: tuple[int, int, bool, bool] | None = (0, 0, False, False)
    # corrected, uncorrected, pending
    retired: tuple[int, int, bool] | None = None
    # Speed of each link; None for one that is down.
    nvlinks: tuple[int | None, ...] = (25000,) * 12
    replays: dict[int, int] = field(default_factory=dict)
    fabric: str | None = None
    # The driver's word; None where it is older than that.
    recovery: str | None = "None"
    mig: bool = False
    # Process number, name and memory of those that only draw.
    drawing: tuple[tuple[int, str, int], ...] = ()
    lost: bool = False

    @property
    def uuid(self) -> str:
        return f"GPU-00000000-0000-0000-0000-0000000000{self.number:02d}"

    @property
    def board_serial(self) -> str:
        return f"{self.serial}{self.number:02d}"


V100 = Board(
    name="Tesla V100-SXM2-16GB",
    memory_mib=16160,
    vbios="88.00.4F.00.09",
    generation_max=3,
    sm_max_mhz=1530,
    memory_mhz=877,
    slowdown_c=87,
    limit_w=300.0,
    default_w=300.0,
    memory_max_c=85,
    sram_exceeded=None,
    remapped=None,
    retired=(1, 0, False),
    nvlinks=(25781,) * 6,
)
H100 = Board(
    name="NVIDIA H100 80GB HBM3",
    memory_mib=81559,
    vbios="96.00.74.00.01",
    generation_max=5,
    sm_max_mhz=1980,
    memory_mhz=2619,
    slowdown_c=None,
    margin_c=55,
    memory_c=40,
    memory_max_c=None,
    limit_w=700.0,
    default_w=700.0,
    nvlinks=(26562,) * 18,
    fabric="Completed",
)
L40S = Board(
    name="NVIDIA L40S",
    memory_mib=46068,
    vbios="95.02.66.00.02",
    sm_max_mhz=2520,
    memory_mhz=9001,
    slowdown_c=None,
    margin_c=58,
    memory_c=None,
    memory_max_c=None,
    limit_w=350.0,
    default_w=350.0,
    nvlinks=(),
)


def _word(value: object, unit: str = "") -> str:
    if value is None:
        return "N/A"
    if isinstance(value, bool):
        return "Enabled" if value else "Disabled"
    return f"{value:.2f} {unit}" if unit == "W" else f"{value} {unit}".strip()


def _yes(value: bool | None) -> str:
    return {True: "Yes", False: "No", None: "N/A"}[value]


def _tag(name: str, value: str) -> str:
    return f"<{name}>{value}</{name}>\n"


def _reasons(board: Board, kind: str) -> str:
    inner = "".join(
        _tag(f"clocks_{kind}_reason_{name}", "Active" if board.reasons & bit else "Not Active")
        for bit, name in EVENT_REASONS.items()
    )
    return _tag(f"clocks_{kind}_reasons", inner)


def _ecc_errors(board: Board, old: bool) -> str:
    counted = board.ecc
    corrected = _word(board.corrected if counted else None)
    uncorrected = _word(board.uncorrected if counted else None)
    zero = _word(0 if counted else None)
    if board.retired is not None:
        # Before Turing: by bit.
        inner = _tag("single_bit", _tag("device_memory", corrected) + _tag("total", corrected))
        inner += _tag("double_bit", _tag("device_memory", uncorrected) + _tag("total", uncorrected))
        return _tag("ecc_errors", _tag("volatile", inner) + _tag("aggregate", inner))
    sram = _tag("sram_correctable", zero)
    if old:
        sram += _tag("sram_uncorrectable", zero)
    else:
        sram += _tag("sram_uncorrectable_parity", zero) + _tag("sram_uncorrectable_secded", zero)
    inner = sram + _tag("dram_correctable", corrected) + _tag("dram_uncorrectable", uncorrected)
    aggregate = inner
    if not old:
        exceeded = board.sram_exceeded if counted else None
        aggregate += _tag("sram_threshold_exceeded", _yes(exceeded))
    return _tag("ecc_errors", _tag("volatile", inner) + _tag("aggregate", aggregate))


def _retired(board: Board, old: bool) -> str:
    corrected, uncorrected, pending = board.retired or (None, None, None)
    counts = _tag("multiple_single_bit_retirement", _tag("retired_count", _word(corrected)))
    counts += _tag("double_bit_retirement", _tag("retired_count", _word(uncorrected)))
    name = "pending_blacklist" if old else "pending_retirement"
    return _tag("retired_pages", counts + _tag(name, _yes(pending)))


def _remapped(board: Board) -> str:
    if board.remapped is None:
        return _tag("remapped_rows", "N/A")
    corrected, uncorrected, pending, failure = board.remapped
    return _tag(
        "remapped_rows",
        _tag("remapped_row_corr", str(corrected))
        + _tag("remapped_row_unc", str(uncorrected))
        + _tag("remapped_row_pending", _yes(pending))
        + _tag("remapped_row_failure", _yes(failure)),
    )


def _power(board: Board, old: bool) -> str:
    names = (
        ("power_readings", "enforced_power_limit")
        if old
        else (
            "gpu_power_readings",
            "current_power_limit",
        )
    )
    inner = _tag("power_draw", "61.20 W")
    inner += _tag(names[1], _word(board.limit_w, "W"))
    inner += _tag("default_power_limit", _word(board.default_w, "W"))
    inner += _tag("min_power_limit", "100.00 W")
    inner += _tag("max_power_limit", _word(board.default_w, "W"))
    return _tag(names[0], inner)


def _temperature(board: Board) -> str:
    inner = _tag("gpu_temp", _word(board.gpu_c, "C"))
    inner += _tag("gpu_temp_tlimit", _word(board.margin_c, "C"))
    inner += _tag("gpu_temp_slow_threshold", _word(board.slowdown_c, "C"))
    inner += _tag("memory_temp", _word(board.memory_c, "C"))
    inner += _tag("gpu_temp_max_mem_threshold", _word(board.memory_max_c, "C"))
    return _tag("temperature", inner)


def _processes(board: Board) -> str:
    found = [(pid, "C", "python", mib) for pid, mib in board.processes]
    found += [(pid, "G", f"/usr/lib/xorg/{name} :0", mib) for pid, name, mib in board.drawing]
    inner = "".join(
        _tag(
            "process_info",
            _tag("pid", str(pid))
            + _tag("type", kind)
            + _tag("process_name", name)
            + _tag("used_memory", f"{mib} MiB"),
        )
        for pid, kind, name, mib in found
    )
    return _tag("processes", inner)


def _mig(board: Board) -> str:
    word = _word(board.mig)
    return _tag("mig_mode", _tag("current_mig", word) + _tag("pending_mig", word))


def _recovery(board: Board, old: bool) -> str:
    return "" if old or not board.recovery else _tag("gpu_recovery_action", board.recovery)


def _gpu(board: Board, old: bool) -> str:
    address = f"0000{board.bdf.upper()}"
    return f"""
    <gpu id="{address}">
        <product_name>{board.name}</product_name>
        <persistence_mode>Enabled</persistence_mode>
        {_mig(board)}{_recovery(board, old)}
        <mig_devices>
            <mig_device><fb_memory_usage><total>19968 MiB</total></fb_memory_usage></mig_device>
        </mig_devices>
        <serial>{board.board_serial}</serial>
        <uuid>{board.uuid}</uuid>
        <vbios_version>{board.vbios}</vbios_version>
        <pci>
            <pci_bus_id>{address}</pci_bus_id>
            <pci_gpu_link_info>
                <pcie_gen>
                    <max_link_gen>{board.generation_max}</max_link_gen>
                    <current_link_gen>{board.generation}</current_link_gen>
                </pcie_gen>
                <link_widths>
                    <max_link_width>{board.width_max}x</max_link_width>
                    <current_link_width>{board.width}x</current_link_width>
                </link_widths>
            </pci_gpu_link_info>
        </pci>
        {_reasons(board, "throttle" if old else "event")}
        <fb_memory_usage>
            <total>{board.memory_mib} MiB</total>
            <used>{board.used_mib} MiB</used>
        </fb_memory_usage>
        <utilization><gpu_util>0 %</gpu_util></utilization>
        <ecc_mode>
            <current_ecc>{_word(board.ecc)}</current_ecc>
            <pending_ecc>{_word(board.ecc_pending)}</pending_ecc>
        </ecc_mode>
        {_ecc_errors(board, old)}{_retired(board, old)}{_remapped(board)}
        {_temperature(board)}{_power(board, old)}
        <clocks>
            <sm_clock>210 MHz</sm_clock><mem_clock>{board.memory_mhz} MHz</mem_clock>
        </clocks>
        <max_clocks>
            <sm_clock>{board.sm_max_mhz} MHz</sm_clock>
            <mem_clock>{board.memory_mhz} MHz</mem_clock>
        </max_clocks>
        <fabric>
            <state>{board.fabric or "N/A"}</state>
            <status>{"Success" if board.fabric else "N/A"}</status>
        </fabric>
        {_processes(board)}
    </gpu>"""


def smi_xml(boards: Sequence[Board], driver: str = "580.65.06") -> ToolResult:
    """The answer of ``nvidia-smi -q -x`` in the format of the driver: before 535 or since."""
    old = int(driver.partition(".")[0]) < 535
    version = 11 if old else 12
    gpus = "".join(_gpu(board, old) for board in boards)
    return ToolResult(
        0,
        '<?xml version="1.0" ?>\n'
        f'<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v{version}.dtd">\n'
        f"<nvidia_smi_log>\n<driver_version>{driver}</driver_version>\n"
        f"<cuda_version>13.0</cuda_version>\n<attached_gpus>{len(boards)}</attached_gpus>{gpus}\n"
        "</nvidia_smi_log>\n",
    )


def _header(index: int, board: Board) -> str:
    return f"GPU {index}: {board.name} (UUID: {board.uuid})\n"


def nvlink_state(boards: Sequence[Board]) -> ToolResult:
    """The answer of ``nvidia-smi nvlink -s``."""
    text = ""
    for index, board in enumerate(boards):
        text += _header(index, board)
        for link, speed in enumerate(board.nvlinks):
            state = "<inactive>" if speed is None else f"{speed / 1000:g} GB/s"
            text += f"\t Link {link}: {state}\n"
    return ToolResult(0, text)


def nvlink_errors(boards: Sequence[Board]) -> ToolResult:
    """The answer of ``nvidia-smi nvlink -e``."""
    text = ""
    for index, board in enumerate(boards):
        text += _header(index, board)
        for link, speed in enumerate(board.nvlinks):
            if speed is not None:
                text += f"\t Link {link}: Replay Errors: {board.replays.get(link, 0)}\n"
                text += f"\t Link {link}: Recovery Errors: 0\n"
                text += f"\t Link {link}: CRC Errors: 0\n\n"
    return ToolResult(0, text)


def smi_tools(boards: Sequence[Board], driver: str = "580.65.06") -> dict[str, ToolResult]:
    """What nvidia-smi answers, by its arguments."""
    return {
        "nvidia-smi": smi_xml(boards, driver),
        "nvidia-smi nvlink -s": nvlink_state(boards),
        "nvidia-smi nvlink -e": nvlink_errors(boards),
    }
