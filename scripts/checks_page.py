"""The text of docs/checks.md, made from the catalogues of all stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.catalogue import (
    BENCHMARK_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.ddp.catalogue import DDP_CHECKS
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.finding import Check
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import CATALOGUE
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.gpu_load import (
    LOAD_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.catalogue import PAIR_CHECKS
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import speed_judged
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers.uniformity import (
    UNIFORM_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.history.baselines import BASELINE_CHECKS
from ansible_collections.gpulab.core.plugins.plugin_utils.history.history_queries import RETURNED
from ansible_collections.gpulab.core.plugins.plugin_utils.records.run_checks import RUN_CHECKS

FLEET_CHECKS: tuple[Check, ...] = (
    *UNIFORM_CHECKS,
    *BASELINE_CHECKS,
    speed_judged.CHECK,
    RETURNED,
)
# Heading, where more is said, and what is judged there.
STAGES: Sequence[tuple[str, str, Sequence[Check]]] = (
    ("Verification", "[verification.md](verification.md)", CATALOGUE),
    ("GPUs under the benchmark's load", "[verification.md](verification.md)", LOAD_CHECKS),
    ("Benchmark", "[benchmark.md](benchmark.md#checks)", BENCHMARK_CHECKS),
    ("Training over several nodes", "[training.md](training.md)", DDP_CHECKS),
    ("Node pairs", "[network-tests.md](network-tests.md)", PAIR_CHECKS),
    ("Fleet", "[history.md](history.md#the-stage-fleet)", FLEET_CHECKS),
    ("The run itself", "[report.md](report.md)", RUN_CHECKS),
)
CHECKS: Mapping[str, Check] = {check.id: check for _, _, checks in STAGES for check in checks}

# What an operator asks of a training lab, and which checks answer it.
SUBJECTS: Sequence[tuple[str, Sequence[str]]] = (
    ("GPU count, model, memory", ("gpu.count", "gpu.model", "gpu.memory", "gpu.driver")),
    ("Xid and SXid since boot", ("gpu.xid",)),
    ("Throttling under load", ("gpu.throttle", "gpu.clocks")),
    ("PCIe width and generation under load", ("gpu.link_load", "gpu.link")),
    ("Uncorrected ECC errors", ("gpu.ecc_errors",)),
    ("Row remapping", ("gpu.row_remap",)),
    ("NVLink: links, speed, errors", ("gpu.nvlink", "gpu.nvlink_errors")),
    ("Fabric manager", ("gpu.fabric_manager",)),
    (
        "Memory, host-to-device and peer bandwidth",
        (
            "benchmark.memory_bandwidth",
            "benchmark.host_bandwidth",
            "baseline.memory_bandwidth.peer",
        ),
    ),
    ("GEMM TFLOP/s, all GPUs at once", ("benchmark.gemm",)),
    ("Silent data corruption", ("benchmark.sdc",)),
    ("Network card: speed, carrier", ("nic.link", "nic.speed")),
    ("Network card: errors, flaps", ("nic.errors", "nic.link_losses")),
    ("InfiniBand and RoCE ports", ("infiniband.ports", "infiniband.errors")),
    ("GPUDirect RDMA", ("gpu.gpudirect",)),
    (
        "Bandwidth and round trip of node pairs",
        ("pair.measured", "pair.bandwidth", "pair.loss", "pair.round_trip"),
    ),
    (
        "NCCL's transport",
        (
            "benchmark.transport",
            "ddp.transport",
        ),
    ),
    ("Power limit", ("gpu.power_limit",)),
    ("Temperatures", ("gpu.temperature", "gpu.temperature_load")),
    ("Idle state", ("gpu.idle",)),
    (
        "Driver, CUDA, VBIOS",
        (
            *("gpu.driver_version", "gpu.cuda_version", "gpu.vbios", "gpu.software"),
            *("uniform.driver", "uniform.cuda", "uniform.vbios"),
        ),
    ),
    ("ECC mode", ("gpu.ecc_mode",)),
    ("Main memory", ("memory.size",)),
    (
        "Memory modules",
        ("memory.dimms", "memory.dimm_size", "memory.dimm_speed", "memory.balance"),
    ),
    ("Memory errors", ("memory.errors", "memory.ecc")),
    ("Processors, cores, NUMA", ("cpu.architecture", "cpu.sockets", "cpu.cores", "cpu.numa")),
    ("Governor, clock source", ("cpu.governor", "cpu.clocksource")),
    ("SSD and hard disk capacity", ("disk.ssd", "disk.hdd")),
    ("SMART and NVMe health", ("disk.smart",)),
    ("Disk MB/s", ("benchmark.disk_read", "benchmark.disk_write")),
    ("Clock synchronisation", ("clock.sync",)),
    (
        "Power supplies, fans, sensors, event log",
        ("system.psus", "system.fans", "system.sensors", "system.events"),
    ),
    ("ACS and topology", ("topology.acs", "topology.gpu_nic")),
    ("GPU inside a container", ("gpu.containers",)),
    (
        "Fleet uniformity",
        (*(check.id for check in UNIFORM_CHECKS), "baseline"),
    ),
)

INTRODUCTION = """\
<!-- Generated from the catalogues of checks by `make docs`. -->
# Every check

All that a record or a report can find fault with, by the stage that judges it. A finding has the
check's `id`, and weighs what the last column says: `fail`, or `warn` where it can only warn. What
cannot be read is `unknown`, never a pass. The limits are the defaults, taken from the code that
judges. Each check has a fixture that passes, one that fails and one that is unknown, or a reason
why there can be none (`tests/unit/catalogue`, and `tests/unit/hardware` for the first two tables).
"""

PEER = """\
Peer bandwidth has no floor: the published health checks that the others come from have none. It is
measured (`memory_bandwidth.peer`), and judged by the lab's own baseline alone, as soon as there are
enough numbers for one.
"""


def page() -> str:
    """Return the page."""
    stages = [line for stage in STAGES for line in _stage(*stage)]
    return "\n".join([INTRODUCTION, "## By subject\n", *_subjects(), "", PEER, *stages])


def _subjects() -> list[str]:
    rows = [
        (str(number), subject, _ids(checks)) for number, (subject, checks) in enumerate(SUBJECTS, 1)
    ]
    return _table(("", "subject", "checks"), rows)


def _stage(title: str, more: str, checks: Sequence[Check]) -> list[str]:
    head = ("check", "what", "threshold", "source of the threshold", "weight")
    rows = [
        (f"`{check.id}`", check.title, *_threshold(check, checks), check.severity)
        for check in checks
    ]
    lines = [f"## {title}\n", f"More in {more}.\n", *_table(head, rows), ""]
    if checks in (CATALOGUE, LOAD_CHECKS):
        # Their page says it, beside what they require.
        return lines
    by_action: dict[str, list[str]] = {}
    for check in checks:
        by_action.setdefault(check.action, []).append(check.id)
    told = [f"- {_ids(ids)}: {action}." for action, ids in by_action.items()]
    return [*lines, "What to do when one is `unknown`:\n", *told, ""]


def _threshold(check: Check, checks: Sequence[Check]) -> tuple[str, str]:
    """Return threshold and source, told once where a row of the same family has just told them."""
    before = checks[checks.index(check) - 1] if checks.index(check) else None
    own = check.threshold, check.threshold_source
    same = before and own == (before.threshold, before.threshold_source)
    return ("as above", "as above") if same else own


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in ids)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
