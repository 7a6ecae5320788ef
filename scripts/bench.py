#!/usr/bin/env python3
"""Measure what docs/performance.md shows, and write that page (``make bench``, about 20 minutes).

Everything runs on sandboxes of its own. A run that is compared with another alternates with it,
so that a change of the machine's load hits both alike; medians are shown, with all readings.

    python scripts/bench.py                          all measurements
    DEVSEC_COLLECTIONS=/path python scripts/bench.py  also against dev-sec's ssh_hardening, from a
                                                     folder whose ansible_collections has it
                                                     and the collections that it depends on
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / ".cache" / "bench"
PAGE = ROOT / "docs" / "performance.md"
REPEATS = 3
REMOVE_IMAGE = ("-e", "sandbox_remove_image=true")


@dataclass(frozen=True)
class Row:
    """One line of the page: what was measured, its readings in seconds, the most it may take.

    ``times`` gives the readings of another command, taken in turn with these; this one's must then
    be at least ``at_least`` times as long, by the median of the pairs' ratios.
    """

    what: str
    command: str
    readings: list[float]
    limit_s: float | None = None
    times: list[float] | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        """The median of the readings, in seconds."""
        return statistics.median(self.readings)

    @property
    def ratio(self) -> float:
        """The median of the ratios of the pairs."""
        return statistics.median(a / b for a, b in zip(self.readings, self.times or []))

    @property
    def wanted(self) -> str:
        """What the project asks for, in words."""
        if self.limit_s is not None:
            return f"≤ {self.limit_s:g} s"
        return "" if self.at_least is None else f"≥ {self.at_least:g} times"

    @property
    def met(self) -> bool:
        """Whether that is so."""
        if self.limit_s is not None:
            return self.median <= self.limit_s
        return self.at_least is None or self.ratio >= self.at_least


def timed(command: list[str], env: dict[str, str] | None = None) -> float:
    """Run a command and return its wall time in seconds; stop the measurement if it fails."""
    sys.stdout.write(f"  {' '.join(command)}\n")
    sys.stdout.flush()
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}\nfailed: {' '.join(command)}")
    return time.monotonic() - began


def playbook(name: str, inventory: Path, *more: str) -> list[str]:
    """Compose an ansible-playbook call."""
    return ["ansible-playbook", "-i", str(inventory), name, *more]


def declare(name: str, compute: int) -> Path:
    """Write an inventory like the sandbox's with this many compute nodes; return its folder."""
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    hosts = yaml.safe_load((ROOT / "inventory/sandbox/hosts.yml").read_text())
    nodes = {f"node{number:02}": None for number in range(1, compute + 1)}
    hosts["all"]["children"]["compute"]["hosts"] = nodes
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    shutil.copytree(ROOT / "inventory/sandbox/group_vars", folder / "group_vars")
    return folder


@contextmanager
def sandbox(inventory: Path) -> Iterator[None]:
    """Keep a sandbox up for the length of a block."""
    timed(playbook("playbooks/sandbox_up.yml", inventory))
    try:
        yield
    finally:
        timed(playbook("playbooks/sandbox_down.yml", inventory))


def stock_configuration() -> dict[str, str]:
    """Give the environment of Ansible's own defaults: only the places of roles and modules kept."""
    file = SCRATCH / "stock.cfg"
    file.write_text(
        f"[defaults]\nroles_path = {ROOT / 'roles'}\ncollections_path = "
        f"{ROOT / 'python_modules'}\ncallbacks_enabled = gpulab.core.summary\n"
        "[privilege_escalation]\nbecome = True\n"
    )
    return {"ANSIBLE_CONFIG": str(file)}


def measure_lab() -> Row:
    """Time `make lab` in a fresh clone, without environment and image, which it builds again."""
    clone = SCRATCH / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    timed(["git", "clone", "--quiet", str(ROOT), str(clone)])
    timed(playbook("playbooks/sandbox_down.yml", declare("lab", 2), *REMOVE_IMAGE))
    took = timed(["make", "-C", str(clone), "lab"])
    timed(["make", "-C", str(clone), "down"])
    shutil.rmtree(clone)
    return Row("`make lab` without environment and image", "make lab", [took], limit_s=480)


def measure_start(inventory: Path) -> list[Row]:
    """Time the image from nothing, and nodes from a cached image."""
    down = playbook("playbooks/sandbox_down.yml", inventory)
    timed([*down, *REMOVE_IMAGE])
    up = playbook("playbooks/sandbox_up.yml", inventory)
    image = Row("image from nothing, and four machines", "make up", [timed(up)], limit_s=180)
    cached = []
    for _ in range(REPEATS):
        timed(down)
        cached.append(timed(up))
    return [image, Row("four machines from a cached image", "make up", cached, limit_s=20)]


def measure_site(inventory: Path) -> list[Row]:
    """Time the whole site: first run, nothing to change, and the same as Ansible ships."""
    site = playbook("site.yml", inventory)
    first = Row("`site.yml` on new machines", "make site", [timed(site)])
    ours, stock = [], []
    for _ in range(REPEATS):
        ours.append(timed(site))
        stock.append(timed(site, stock_configuration()))
    verify = playbook("playbooks/verify.yml", inventory)
    return [
        first,
        Row("`site.yml`, nothing to change", "make site", ours, limit_s=90),
        Row(
            "the same in Ansible's stock configuration",
            "ANSIBLE_CONFIG=stock.cfg ansible-playbook site.yml",
            stock,
            times=ours,
            at_least=2,
        ),
        Row(
            "the same by mitogen (opt-in)",
            "GPULAB_MITOGEN=1 make site",
            [timed(site, mitogen()) for _ in range(REPEATS)],
        ),
        Row(
            "hardware verification and record of one node, the whole command",
            "ansible-playbook playbooks/verify.yml --limit node01",
            [timed([*verify, "--limit", "node01"]) for _ in range(REPEATS)],
        ),
        Row(
            "the same of four nodes, for each node",
            "ansible-playbook playbooks/verify.yml",
            [timed(verify) / 4 for _ in range(REPEATS)],
            limit_s=3,
        ),
    ]


def mitogen() -> dict[str, str]:
    """Give the environment that drives a run by mitogen."""
    subprocess.run(
        ["scripts/bootstrap.sh", "dev"],
        cwd=ROOT,
        env={**os.environ, "GPULAB_MITOGEN": "1"},
        check=True,
    )
    return {"ANSIBLE_STRATEGY": "gpulab.core.mitogen"}


def role_play(name: str, role: str, **variables: object) -> Path:
    """Write a play that applies one role to node01."""
    file = SCRATCH / f"{name}.yml"
    play = [{"hosts": "node01", "roles": [role], "vars": variables}]
    file.write_text(yaml.safe_dump(play))
    return file


def measure_ssh(inventory: Path) -> list[Row]:
    """Time the ssh role with nothing to change, beside dev-sec's where it is given."""
    ours_play = playbook(str(role_play("ssh", "ssh")), inventory)
    collections = os.environ.get("DEVSEC_COLLECTIONS")
    what = "role `ssh` on one node, nothing to change"
    if not collections:
        sys.stdout.write("  DEVSEC_COLLECTIONS is not set: role ssh is timed alone\n")
        return [Row(what, "roles: [ssh]", [timed(ours_play) for _ in range(REPEATS)])]
    theirs_play = playbook(
        str(role_play("devsec", "devsec.hardening.ssh_hardening", ssh_allow_users="gpulab")),
        inventory,
    )
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'python_modules'}:{collections}"}
    # The two want different files, so each first makes its own changes, and is then timed.
    timed(theirs_play, paths)
    theirs = [timed(theirs_play, paths) for _ in range(REPEATS)]
    timed(ours_play)
    ours = [timed(ours_play) for _ in range(REPEATS)]
    return [
        Row(what, "roles: [ssh]", ours),
        Row(
            "dev-sec's `ssh_hardening` on the same node",
            "roles: [devsec.hardening.ssh_hardening]",
            theirs,
            times=ours,
            at_least=3,
        ),
    ]


def measure_gpu() -> Row:
    """Time the stage gpu with nothing to change: driver, two CUDA toolkits and DCGM on each node.

    The nodes are those of the scenario ``shapes``: packages are stubs, and what looks whether
    they are as declared is what looks on any machine.
    """
    inventory = SCRATCH / "gpu"
    shutil.rmtree(inventory, ignore_errors=True)
    shutil.copytree(
        ROOT / "molecule/shapes/inventory",
        inventory,
        ignore=shutil.ignore_patterns("machines.yml"),
    )
    gpu = playbook("playbooks/gpu.yml", inventory)
    with sandbox(inventory):
        timed(playbook("molecule/shapes/prepare.yml", inventory))
        timed(gpu)
        return Row(
            "stage gpu, nothing to change, for each of four nodes (stub packages)",
            "ansible-playbook playbooks/gpu.yml",
            [timed(gpu) / 4 for _ in range(REPEATS)],
            limit_s=15,
        )


def measure_growth() -> list[Row]:
    """Time the stage base with nothing to change on more and more compute nodes."""
    rows = []
    for nodes in (2, 4, 8):
        inventory = declare(f"growth{nodes}", nodes)
        with sandbox(inventory):
            base = playbook("site.yml", inventory, "--tags", "base", "--limit", "head01,compute")
            timed(base)
            rows.append(
                Row(
                    f"stage base, nothing to change, head and {nodes} nodes",
                    "ansible-playbook site.yml --tags base --limit head01,compute",
                    [timed(base) for _ in range(REPEATS)],
                )
            )
    return rows


def render(rows: list[Row]) -> str:
    """Render the page."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; run it to get your own numbers. Wall time of whole commands,",
        "seconds. Compared runs alternate, and the median of the ratios of their pairs is shown.",
        "",
        f"Measured on {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d} with Python",
        f"{platform.python_version()} on {os.cpu_count()} cores ({platform.machine()}); machines",
        "are sandbox containers on the same host.",
        "",
        "| what | command | median s | readings | wanted |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        readings = ", ".join(f"{value:.1f}" for value in row.readings)
        ratio = f" ({row.ratio:.1f} times as long)" if row.times else ""
        wanted = f"{row.wanted}{'' if row.met else ' **missed**'}"
        lines.append(
            f"| {row.what}{ratio} | `{row.command}` | {row.median:.1f} | {readings} | {wanted} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure everything and write the page."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    rows = [measure_lab()]
    inventory = declare("lab", 2)
    try:
        rows += measure_start(inventory)
        rows += measure_site(inventory)
        rows += measure_ssh(inventory)
    finally:
        timed(playbook("playbooks/sandbox_down.yml", inventory))
    rows.append(measure_gpu())
    rows += measure_growth()
    PAGE.write_text(render(rows))
    sys.stdout.write(render(rows))
    missed = [row.what for row in rows if not row.met]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
