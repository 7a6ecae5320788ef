#!/usr/bin/env python3
"""Measure what docs/performance.md shows, and write that page (``make bench``, about 20 minutes).

Everything runs on sandboxes of its own. A run that is compared with another alternates with it,
so that a change of the machine's load hits both alike; medians are shown, with all readings.

    python scripts/bench.py                          all measurements
    DEVSEC_COLLECTIONS=/path python scripts/bench.py  also against dev-sec's ssh_hardening, from a
                                                     folder that has ansible_collections/devsec
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


@dataclass(frozen=True)
class Row:
    """One line of the page: what was measured, its readings in seconds, what is wanted."""

    what: str
    command: str
    readings: list[float]
    wanted: str

    @property
    def median(self) -> float:
        """The median of the readings, in seconds."""
        return statistics.median(self.readings)


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


def measure_start(inventory: Path) -> list[Row]:
    """Time the image from nothing, and machines from a cached image."""
    down = playbook("playbooks/sandbox_down.yml", inventory)
    timed([*down, "-e", "sandbox_remove_image=true"])
    up = playbook("playbooks/sandbox_up.yml", inventory)
    image = Row("image from nothing, and four machines", "make up", [timed(up)], "≤ 180 s")
    cached = []
    for _ in range(REPEATS):
        timed(down)
        cached.append(timed(up))
    again = Row("four machines from a cached image", "make up", cached, "≤ 20 s")
    return [image, again]


def measure_site(inventory: Path) -> list[Row]:
    """Time the whole site: first run, nothing to change, and the same as Ansible ships."""
    site = playbook("site.yml", inventory)
    first = Row("`site.yml` on new machines", "make site", [timed(site)], "")
    ours, stock = [], []
    for _ in range(REPEATS):
        ours.append(timed(site))
        stock.append(timed(site, stock_configuration()))
    again = Row("`site.yml`, nothing to change", "make site", ours, "≤ 90 s")
    ratio = statistics.median(stock) / again.median
    return [
        first,
        again,
        Row(
            f"the same in Ansible's stock configuration ({ratio:.1f} times as long)",
            "ANSIBLE_CONFIG=stock.cfg ansible-playbook site.yml",
            stock,
            "≥ 2 times",
        ),
        Row(
            "stage base alone, nothing to change",
            "make site ARGS='--tags base'",
            [timed([*site, "--tags", "base"]) for _ in range(REPEATS)],
            "",
        ),
        Row(
            "hardware verification of one node",
            "ansible-playbook playbooks/verify.yml --limit node01",
            [
                timed(playbook("playbooks/verify.yml", inventory, "--limit", "node01"))
                for _ in range(REPEATS)
            ],
            "≤ 3 s",
        ),
    ]


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
    if not collections:
        readings = [timed(ours_play) for _ in range(REPEATS)]
        return [Row("role `ssh` on one node, nothing to change", "roles: [ssh]", readings, "")]
    theirs_play = playbook(
        str(role_play("devsec", "devsec.hardening.ssh_hardening", ssh_allow_users="gpulab")),
        inventory,
    )
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'python_modules'}:{collections}"}
    # Each role first makes its own changes; what is timed has nothing to change.
    timed(theirs_play, paths)
    theirs = [timed(theirs_play, paths) for _ in range(REPEATS)]
    timed(ours_play)
    ours = Row(
        "role `ssh` on one node, nothing to change",
        "roles: [ssh]",
        [timed(ours_play) for _ in range(REPEATS)],
        "≤ a third of dev-sec's",
    )
    ratio = statistics.median(theirs) / ours.median
    return [
        ours,
        Row(
            f"dev-sec `ssh_hardening` on the same node ({ratio:.1f} times as long)",
            "roles: [devsec.hardening.ssh_hardening]",
            theirs,
            "",
        ),
    ]


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
                    "",
                )
            )
    return rows


def render(rows: list[Row]) -> str:
    """Render the page."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; run it to get your own numbers. Wall time of whole commands,",
        "seconds; the median of the readings in brackets. Compared runs alternate.",
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
        lines.append(
            f"| {row.what} | `{row.command}` | {row.median:.1f} | {readings} | {row.wanted} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure everything and write the page."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    inventory = declare("lab", 2)
    try:
        rows = measure_start(inventory)
        rows += measure_site(inventory)
        rows += measure_ssh(inventory)
    finally:
        timed(playbook("playbooks/sandbox_down.yml", inventory))
    rows += measure_growth()
    PAGE.write_text(render(rows))
    sys.stdout.write(render(rows))


if __name__ == "__main__":
    main()
