"""The checks of the benchmark: what each judges, by which threshold, and where that comes from."""

from __future__ import annotations

from dataclasses import replace

from ..ddp.catalogue import SECTION_CHECKS
from ..finding import DECLARED, Check
from .published import ALLREDUCE_GPUS, GEMM_SHARE
from .request import CheckLimits

# How long another process may hold the CPU: two nodes on one node showed pauses of 0.07 s.
SCHEDULER_PAUSE_S = 0.1

_SOURCE = "gpulab_bench"
_DEFAULT = CheckLimits()
_PROPOSAL = "our proposal, to be calibrated"
_FLOORS = "floors of published health checks (NVIDIA DCGM, Azure, SuperBench)"

_AGAIN = "run the benchmark again and read its stderr; the document lacks this value"
_NOT_MEASURED = "read why its stage has no number (stages in the document), then run it again"

# The checks of a training by all processes of the node; those of a training over several nodes
# stand beside them in a record.
GROUP_CHECKS = {
    check.id.partition(".")[2]: replace(check, id=f"benchmark.{check.id}", action=_NOT_MEASURED)
    for check in SECTION_CHECKS
}
TRANSPORT = Check(
    id="benchmark.transport",
    title="NCCL's way between nodes",
    source=f"{_SOURCE}: NCCL_DEBUG=INFO",
    threshold="where `infiniband.ports_min` is declared, NCCL goes via `NET/IB` alone; where "
    "its all-reduce stayed within the node, it took no network and is not judged",
    threshold_source=f"{DECLARED}; NCCL falls back to sockets without a word",
    severity="fail",
    action=_NOT_MEASURED,
)
BENCHMARK_CHECKS = (
    Check(
        id="benchmark.run",
        title="The benchmark itself",
        source=_SOURCE,
        threshold="it ended by itself with a result; a crash, a time-out or a missing framework "
        "fails, and names the part at fault",
        threshold_source="a node that cannot train is not fit",
        severity="fail",
        action="run the benchmark again",
    ),
    Check(
        id="benchmark.stage.<stage>",
        title="A stage that failed",
        source=_SOURCE,
        threshold="never passes: one for each stage that failed beside probe and training",
        threshold_source="a stage that a healthy node comes through",
        severity="fail",
        action="run the benchmark again",
    ),
    Check(
        id="benchmark.device",
        title="Where it ran",
        source=f"{_SOURCE}; PCI bus",
        threshold="on the device that was asked for; `auto` means the GPU if one is on the bus",
        threshold_source="the option `device`",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.nonfinite",
        title="NaN or infinity in training",
        source=_SOURCE,
        threshold=f"at most {_DEFAULT.nonfinite_steps_max} steps with a loss or gradient that is "
        "not finite",
        threshold_source="a healthy training has none",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.loss_falls",
        title="Loss of the training",
        source=_SOURCE,
        threshold=f"last loss ÷ first loss ≤ {_DEFAULT.loss_ratio_max}",
        threshold_source=f"{_PROPOSAL}: a healthy run ends below 0.15, without learning it stays "
        "at 1",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.learns",
        title="Each device learns",
        source=_SOURCE,
        threshold="on each device alone, the steps of the stage `sdc` lower the loss",
        threshold_source="a healthy device learns the task",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.exact_match",
        title="Answers to held-out items",
        source=_SOURCE,
        threshold=f"share of right answers ≥ {_DEFAULT.exact_match_min}",
        threshold_source=f"{_PROPOSAL}: a healthy run reaches 0.97 and more, guessing reaches 0",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.sdc",
        title="Silent data corruption",
        source=_SOURCE,
        threshold="a device gives the same digests twice, and the same as the others of its model "
        "and software; of two that disagree both fail, from three on a majority of more than half "
        "decides",
        threshold_source="repeatable algorithms: bitwise equal",
        severity="fail",
        action="run the benchmark again",
    ),
    Check(
        id="benchmark.gemm",
        title="Matrix products of each GPU, all at once",
        source=_SOURCE,
        threshold=f"≥ {GEMM_SHARE:.0%} of the rate published for the GPU's model",
        threshold_source=f"rates measured in ml-engineering; the share is {_PROPOSAL}",
        severity="fail",
        action=_NOT_MEASURED,
    ),
    Check(
        id="benchmark.memory_bandwidth",
        title="Copies within each GPU's memory",
        source=_SOURCE,
        threshold="≥ the floor of the GPU's model",
        threshold_source=_FLOORS,
        severity="fail",
        action=_NOT_MEASURED,
    ),
    Check(
        id="benchmark.host_bandwidth",
        title="Copies from the host to each GPU",
        source=_SOURCE,
        threshold="≥ the floor of the GPU's model",
        threshold_source=_FLOORS,
        severity="fail",
        action=_NOT_MEASURED,
    ),
    Check(
        id="benchmark.allreduce",
        title="All-reduce within the node",
        source=_SOURCE,
        threshold=f"{ALLREDUCE_GPUS} GPUs of one model reach its floor of bus bandwidth",
        threshold_source=_FLOORS,
        severity="fail",
        action=_NOT_MEASURED,
    ),
    Check(
        id="benchmark.inference",
        title="Requests to the trained model",
        source=_SOURCE,
        threshold="no request failed",
        threshold_source="a healthy node answers all",
        severity="fail",
        action=_NOT_MEASURED,
    ),
    *(
        Check(
            id=f"benchmark.disk_{direction}",
            title=f"Disk, MB/s {direction}",
            source=f"{_SOURCE}: fio, direct I/O",
            threshold=f"≥ `storage.{direction}_mbs_min`, where declared",
            threshold_source=DECLARED,
            severity="warn",
            action=_NOT_MEASURED,
        )
        for direction in ("read", "write")
    ),
    TRANSPORT,
    Check(
        id="benchmark.crashes",
        title="Workers that died",
        source=_SOURCE,
        threshold="no launch crashed, failed or hung",
        threshold_source="a healthy node crashes none",
        severity="warn",
        action=_NOT_MEASURED,
    ),
    Check(
        id="benchmark.time_budget",
        title="Time of the whole benchmark",
        source=_SOURCE,
        threshold="at most nine tenths of `timeout_s`",
        threshold_source="the option `timeout_s`",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.step_time",
        title="Step times that can be true",
        source=_SOURCE,
        threshold="positive, in order, and together no longer than the training's wall time",
        threshold_source="arithmetic: half of the steps take at least the median",
        severity="fail",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.step_jitter",
        title="Slow steps",
        source=_SOURCE,
        threshold=f"p95 at most {_DEFAULT.step_jitter_max:g} times the median, plus "
        f"{SCHEDULER_PAUSE_S} s on a CPU",
        threshold_source=f"{_PROPOSAL}: an idle machine stays below 1.5",
        severity="warn",
        action=_AGAIN,
    ),
    Check(
        id="benchmark.untrained",
        title="GPUs that nothing trained on",
        source=f"{_SOURCE}; PCI bus",
        threshold="never passes: one for each GPU on the bus on which no step was trained",
        threshold_source="what was not trained on has not shown that it can train",
        severity="warn",
        action="see in nvidia-smi -L whether the driver has this GPU; if it has, run the benchmark "
        "again with its stage sdc",
    ),
    *GROUP_CHECKS.values(),
)
