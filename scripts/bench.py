#!/usr/bin/env python3
"""Measure what docs/performance.md shows, and write that page (``make bench``, over an hour).

Everything runs on sandboxes of its own. A run that is compared with another alternates with it,
so that a change of the machine's load hits both alike; medians are shown, with all readings.

    python scripts/bench.py                          all measurements
    python scripts/bench.py lab site                 these alone: see PARTS
    DEVSEC_COLLECTIONS=/path python scripts/bench.py  also against dev-sec's ssh_hardening, from a
                                                     folder whose ansible_collections has it
                                                     and the collections that it depends on
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from bench_command import (
    ROOT,
    SCRATCH,
    counting_all,
    declare,
    places,
    playbook,
    sandbox,
    timed,
)
from bench_growth import GPU, SITE, measure_simulated, record
from bench_page import Reading, Row, missed, render

PAGE = ROOT / "docs" / "performance.md"
REPEATS = 3
REMOVE_IMAGE = ("-e", "sandbox_remove_image=true")
#: Half of the 63 CPU s that the second site.yml took before the engine (revision b8aff39).
SECOND_SITE_CPU_S = 31.5


def stock_configuration() -> dict[str, str]:
    """Give the environment of Ansible's own defaults: only the places of roles and modules kept."""
    file = SCRATCH / "stock.cfg"
    file.write_text(
        f"[defaults]\nroles_path = {ROOT / 'roles'}\ncollections_path = "
        f"{ROOT / 'python_modules'}\ncallbacks_enabled = gpulab.core.summary\n"
        "[privilege_escalation]\nbecome = True\n"
    )
    return {"ANSIBLE_CONFIG": str(file)}


def mitogen() -> dict[str, str] | None:
    """Give the environment that drives a run by mitogen; None where it cannot be used."""
    if " " in str(ROOT):
        # It splits the path of its interpreter at spaces.
        return None
    timed(["scripts/bootstrap.sh", "dev"], {"GPULAB_MITOGEN": "1"})
    return {"ANSIBLE_STRATEGY": "gpulab.core.mitogen"}


def measure_lab() -> Row:
    """Time `make lab` in a fresh clone, without environment and image, which it builds again."""
    clone = SCRATCH / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    timed(["git", "clone", "--quiet", str(ROOT), str(clone)])
    timed(playbook("playbooks/sandbox_down.yml", declare("lab", 2), *REMOVE_IMAGE))
    took = timed(["make", "-C", str(clone), "lab"])
    timed(["make", "-C", str(clone), "down"])
    shutil.rmtree(clone)
    return Row("`make lab` without environment and image", "make lab", [took], limit_s=360)


def measure_start(inventory: Path) -> list[Row]:
    """Time the image from nothing, and nodes from a cached image."""
    down = playbook("playbooks/sandbox_down.yml", inventory)
    timed([*down, *REMOVE_IMAGE])
    up = playbook("playbooks/sandbox_up.yml", inventory)
    image = Row("image from nothing, and four nodes", "make up", [timed(up)], limit_s=180)
    cached = []
    for _ in range(REPEATS):
        timed(down)
        cached.append(timed(up))
    return [image, Row("four nodes from a cached image", "make up", cached, limit_s=20)]


def measure_site(inventory: Path) -> list[Row]:
    """Time the whole site: first run, nothing to change, and the same as Ansible ships."""
    site = playbook("site.yml", inventory)
    # Each run finds the records of those before it, whatever its configuration; else it trains.
    ours_env = places("lab")
    stock_env = {**ours_env, **stock_configuration()}
    mitogen_env = mitogen()
    first = Row("`site.yml` on new nodes", "make site", [timed(site, ours_env)])
    ours, stock, theirs = [], [], []
    for _ in range(REPEATS):
        ours.append(timed(site, ours_env))
        if mitogen_env is not None:
            theirs.append(timed(site, {**ours_env, **mitogen_env}))
        stock.append(timed(site, stock_env))
    rows = [
        first,
        Row(
            "`site.yml`, nothing to change",
            "make site",
            ours,
            limit_s=90,
            limit_cpu_s=SECOND_SITE_CPU_S,
            slower=stock,
            at_least=2,
            than="stock",
        ),
        Row(
            "the same in Ansible's stock configuration",
            "ANSIBLE_CONFIG=stock.cfg ansible-playbook site.yml",
            stock,
        ),
    ]
    if theirs:
        rows.append(
            Row(
                "the same by mitogen (opt-in)",
                "GPULAB_MITOGEN=1 make site",
                theirs,
                slower=stock,
                at_least=3,
                than="stock",
            )
        )
    return rows


def measure_verify(inventory: Path) -> list[Row]:
    """Time the stage verify alone."""
    verify = playbook("playbooks/verify.yml", inventory)
    env = places("verify")
    four = [timed(verify, env) for _ in range(REPEATS)]
    return [
        Row(
            "hardware verification and record of one node, the whole command",
            "ansible-playbook playbooks/verify.yml --limit node01",
            [timed([*verify, "--limit", "node01"], env) for _ in range(REPEATS)],
        ),
        Row(
            "the same of four nodes, for each node",
            "ansible-playbook playbooks/verify.yml",
            [Reading(took.wall_s / 4, took.cpu_s / 4) for took in four],
            limit_s=3,
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
        Row(
            what, "roles: [ssh]", ours, slower=theirs, at_least=3, than="dev-sec's `ssh_hardening`"
        ),
        Row(
            "dev-sec's `ssh_hardening` on the same node",
            "roles: [devsec.hardening.ssh_hardening]",
            theirs,
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
    with sandbox(inventory, start="molecule/shared/shapes/create.yml"):
        timed(playbook("molecule/shared/shapes/prepare.yml", inventory))
        timed(gpu)
        took = [timed(gpu) for _ in range(REPEATS)]
        record(GPU, inventory, places("gpu"))
    return Row(
        "stage gpu, nothing to change, for each of four nodes (stub packages)",
        "ansible-playbook playbooks/gpu.yml",
        [Reading(each.wall_s / 4, each.cpu_s / 4) for each in took],
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


#: What can be asked for by name; all of it, without a name.
PARTS = ("lab", "start", "site", "verify", "ssh", "gpu", "base", "simulated")


def measure_sandbox(parts: Sequence[str]) -> list[Row]:
    """Time what is done with four nodes, which are there for all of it."""
    inventory = declare("lab", 2)
    rows: list[Row] = []
    try:
        if "start" in parts:
            rows += measure_start(inventory)
        else:
            timed(playbook("playbooks/sandbox_up.yml", inventory))
        with counting_all():
            if "site" in parts or "simulated" in parts:
                rows += measure_site(inventory)
            if "verify" in parts:
                rows += measure_verify(inventory)
        if "simulated" in parts:
            record(SITE, inventory, places("lab"))
        if "ssh" in parts:
            rows += measure_ssh(inventory)
    finally:
        timed(playbook("playbooks/sandbox_down.yml", inventory))
    return rows


def main() -> None:
    """Measure everything, or the named parts, and write the page."""
    parts = tuple(sys.argv[1:]) or PARTS
    if set(parts) - set(PARTS):
        sys.exit(f"there is {', '.join(PARTS)}; not {', '.join(sorted(set(parts) - set(PARTS)))}")
    SCRATCH.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(SCRATCH / "places", ignore_errors=True)
    rows = [measure_lab()] if "lab" in parts else []
    if set(parts) & {"start", "site", "verify", "ssh", "simulated"}:
        rows += measure_sandbox(parts)
    if "gpu" in parts or "simulated" in parts:
        rows.append(measure_gpu())
    if "base" in parts:
        rows += measure_growth()
    growth = measure_simulated((SITE, GPU)) if "simulated" in parts else None
    notes = []
    if left := [part for part in PARTS if part not in parts]:
        notes.append(f"Not measured this time: {', '.join(left)} (`make bench ARGS={left[0]}`).")
    if " " in str(ROOT):
        notes.append("By mitogen nothing was measured: it cannot run in a path with a space.")
    page = render(rows, growth, notes)
    PAGE.write_text(page)
    sys.stdout.write(page)
    failed = missed(rows, growth)
    if failed:
        sys.exit(f"missed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
