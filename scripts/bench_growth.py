"""Measure the controller's work for many nodes, on SIMULATED ones: what doubling a lab costs.

The nodes of a sandbox are asked once, and what each answers is recorded (`bench_nodes`). Then the
same playbooks run for a lab of many nodes, whose questions are answered from that record. By hand,
with the sandbox of `make up`:

    PYTHONPATH=scripts python scripts/bench_growth.py record site
    PYTHONPATH=scripts python scripts/bench_growth.py replay site 50
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from bench_command import ROOT, SCRATCH, places, playbook, timed
from bench_nodes import answers, lab
from bench_page import Growth, GrowthRow, Reading

NODES = 100
#: In a whole run of a large lab all pairs would take hours.
ROUNDS = ("-e", "pairs_rounds=8")
PLUGINS = ROOT / "scripts" / "bench_nodes"


@dataclass(frozen=True)
class Run:
    """A run whose stages are measured."""

    name: str
    command: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """What is recorded once and measured with many nodes.

    Attributes:
        name: of the folder that keeps it.
        recorded: the runs that are recorded; nothing is to change in them any more.
        multiplied: the nodes that there are more of in a large lab.
        stand_in: node → another of its kind, which answers for it in a large lab.
        runs: what is measured, in this order.
    """

    name: str
    recorded: tuple[tuple[str, ...], ...]
    multiplied: tuple[str, ...]
    stand_in: Mapping[str, str]
    runs: tuple[Run, ...]

    @property
    def folder(self) -> Path:
        """Return where its record is."""
        return SCRATCH / "nodes" / self.name


SITE = Subject(
    "site",
    # Nothing is due in the first; the second trains and measures the pairs.
    (("site.yml",), ("site.yml", "--tags", "verify")),
    ("node01",),
    # Of a pair, one was asked to measure.
    {"node02": "node01"},
    (
        # No simulated node has trained before.
        Run("new training", ("site.yml", *ROUNDS), ("benchmark", "pairs", "report")),
        Run(
            "nothing to change",
            ("site.yml", *ROUNDS),
            ("preflight", "base", "network", "frameworks", "verify", "benchmark", "report"),
        ),
    ),
)
GPU = Subject(
    "gpu",
    (("playbooks/gpu.yml",),),
    ("ubuntu2204", "rocky9", "centos10"),
    {},
    (Run("nothing to change", ("playbooks/gpu.yml",), ("gpu",)),),
)


def record(subject: Subject, inventory: Path, env: Mapping[str, str]) -> None:
    """Record what the nodes of a sandbox answer, on which nothing is to change.

    Args:
        subject: What.
        inventory: The sandbox's.
        env: Where its earlier runs keep their records.
    """
    folder = subject.folder
    shutil.rmtree(folder, ignore_errors=True)
    hosts, machines = (
        yaml.safe_load((inventory / name).read_text()) for name in ("hosts.yml", "machines.yml")
    )
    for node in lab.recorded(hosts, machines).nodes.values():
        answers.write_node(folder, node)
    shutil.copytree(inventory, folder / "inventory")
    for command in subject.recorded:
        timed(playbook(command[0], inventory, *command[1:]), {**env, **_plugins(folder, "record")})


def replay(subject: Subject, count: int) -> dict[str, dict[str, Reading]]:
    """Run the subject's playbooks for so many simulated nodes.

    Args:
        subject: What; `record` has been called for it.
        count: Nodes of the lab, those that are not multiplied among them.

    Returns:
        The name of each run → stage → what it took.
    """
    folder = SCRATCH / "nodes" / f"{subject.name}{count}"
    shutil.rmtree(folder, ignore_errors=True)
    inventory = folder / "inventory"
    shutil.copytree(subject.folder / "inventory", inventory)
    hosts, machines = (
        yaml.safe_load((inventory / name).read_text()) for name in ("hosts.yml", "machines.yml")
    )
    small = lab.recorded(hosts, machines)
    large = lab.simulated(small, subject.multiplied, count, subject.stand_in)
    (inventory / "hosts.yml").write_text(yaml.safe_dump(large.hosts))
    (inventory / "machines.yml").write_text(yaml.safe_dump(large.machines))
    for node in large.nodes.values():
        answers.write_node(folder, node)
    (folder / "recorded").symlink_to(subject.folder / "recorded")
    at = f"simulated-{subject.name}{count}"
    shutil.rmtree(SCRATCH / "places" / at, ignore_errors=True)
    took = {}
    for run in subject.runs:
        stages = folder / "stages.json"
        env = {**places(at), **_plugins(folder, "replay"), "GPULAB_BENCH_STAGES": str(stages)}
        timed(playbook(run.command[0], inventory, *run.command[1:]), env)
        told = json.loads(stages.read_text())
        took[run.name] = {stage: Reading(**spent) for stage, spent in told.items()}
    return took


def measure_simulated(subjects: tuple[Subject, ...], few: int = NODES) -> Growth:
    """Measure the subjects' stages with few nodes, and with twice as many."""
    rows = []
    for subject in subjects:
        small, large = replay(subject, few), replay(subject, 2 * few)
        rows += [
            GrowthRow(stage, run.name, small[run.name][stage], large[run.name][stage])
            for run in subject.runs
            for stage in run.stages
        ]
    return Growth(few, rows)


def _plugins(folder: Path, what: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]))
    enabled = "gpulab.core.engine,gpulab.core.summary"
    return {
        "PYTHONPATH": path,
        answers.VARIABLE: str(folder),
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
        "ANSIBLE_TRANSPORT": f"bench_{what}",
        "ANSIBLE_CALLBACKS_ENABLED": f"{enabled},bench_stages" if what == "replay" else enabled,
    }


def main() -> None:
    """Record or replay one subject, and print what its stages took."""
    what, name, *count = sys.argv[1:]
    subject = {"site": SITE, "gpu": GPU}[name]
    if what == "record":
        inventory = {"site": "inventory/sandbox", "gpu": "molecule/shapes/inventory"}[name]
        record(subject, ROOT / inventory, places("lab"))
        return
    for run, stages in replay(subject, int(count[0])).items():
        for stage, spent in stages.items():
            sys.stdout.write(f"{run}: {stage}: {spent.wall_s:.1f} s, {spent.cpu_s:.1f} CPU s\n")


if __name__ == "__main__":
    main()
