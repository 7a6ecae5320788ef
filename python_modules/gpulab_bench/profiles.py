"""Profiles: which stages run, for how long, and on what. Data only; PyTorch is not needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Where a stage runs. A worker of the kind SINGLE runs its stages one after the other in one process
# that imports PyTorch once; GROUP is one process per GPU, started by torchrun; PLAIN needs no
# PyTorch.
SINGLE = "single"
GROUP = "group"
PLAIN = "plain"

# Every stage, in the order in which they run, and the kind of worker that runs it.
WORKERS = {
    "probe": SINGLE,
    "gemm": SINGLE,
    "memory_bandwidth": SINGLE,
    "sdc": SINGLE,
    "train": SINGLE,
    "inference": SINGLE,
    "evaluation": SINGLE,
    "speed": SINGLE,
    "allreduce": GROUP,
    "ddp": GROUP,
    "disk": PLAIN,
}

# Without them nothing else is worth running: the node cannot do what the benchmark is for.
CORE = ("probe", "train")

# What the work of another stage stands on.
NEEDS = {"inference": "train", "evaluation": "train"}


@dataclass(frozen=True)
class StagePlan:
    """One stage of a profile.

    Attributes:
        name: a key of `WORKERS`.
        seconds: how long a stage that can choose repeats its measurement; it measures once at
            least.
        limit_s: when it is taken for hung and its worker is ended. The import of PyTorch counts
            towards the first stage of a worker.
    """

    name: str
    seconds: float
    limit_s: float


@dataclass(frozen=True)
class Profile:
    """One named set of stages.

    Attributes:
        name: what ``--profile`` takes.
        budget_s: seconds that the whole run may take, unless ``--budget-s`` says otherwise.
        stages: what runs, in the order of `WORKERS`.
    """

    name: str
    budget_s: float
    stages: tuple[StagePlan, ...]

    def only(self, names: list[str]) -> Profile:
        """Return the profile with these stages alone, the probe and what they stand on included.

        Raises:
            ValueError: the profile has no such stage.
        """
        known = [plan.name for plan in self.stages]
        for name in names:
            if name not in known:
                msg = f"profile {self.name} has no stage {name!r}: it has {', '.join(known)}"
                raise ValueError(msg)
        wanted = {"probe", *names, *(NEEDS[name] for name in names if name in NEEDS)}
        return replace(self, stages=tuple(plan for plan in self.stages if plan.name in wanted))


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        # The node's acceptance: two to four minutes on a GPU.
        Profile(
            name="smoke",
            budget_s=240,
            stages=(
                StagePlan("probe", 0, 90),
                StagePlan("gemm", 10, 60),
                StagePlan("memory_bandwidth", 5, 60),
                StagePlan("sdc", 0, 90),
                StagePlan("train", 0, 120),
                StagePlan("inference", 10, 60),
                StagePlan("evaluation", 0, 60),
                StagePlan("speed", 0, 180),
                StagePlan("allreduce", 5, 60),
                # internlm-large takes minutes; a rank that is gone is noticed in seconds anyway.
                StagePlan("ddp", 0, 600),
                StagePlan("disk", 4, 60),
            ),
        ),
        # For CI and for sandboxes: at most a minute on two CPU cores.
        Profile(
            name="quick",
            budget_s=60,
            stages=(
                StagePlan("probe", 0, 90),
                StagePlan("gemm", 0.5, 60),
                StagePlan("memory_bandwidth", 0.5, 60),
                StagePlan("sdc", 0, 60),
                StagePlan("train", 0, 60),
                StagePlan("inference", 1, 60),
                StagePlan("evaluation", 0, 60),
                StagePlan("allreduce", 1, 90),
                StagePlan("ddp", 0, 90),
                StagePlan("disk", 1, 60),
            ),
        ),
        # The thermal test: every GPU multiplies matrices for a quarter of an hour, then trains.
        Profile(
            name="soak",
            budget_s=1200,
            stages=(
                StagePlan("probe", 0, 90),
                StagePlan("gemm", 900, 1000),
                StagePlan("sdc", 0, 90),
                StagePlan("train", 0, 120),
                StagePlan("inference", 10, 60),
                StagePlan("evaluation", 0, 60),
            ),
        ),
    )
}
