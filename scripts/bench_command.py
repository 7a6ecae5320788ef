"""Run commands, and count what they took of the time and of the processors."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from bench_page import Reading

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / ".cache" / "bench"
# linux/prctl.h
_SET_CHILD_SUBREAPER = 36


def timed(command: list[str], env: Mapping[str, str] | None = None) -> Reading:
    """Run a command and return what it took; stop the measurement if it fails."""
    sys.stdout.write(f"  {' '.join(command)}\n")
    sys.stdout.flush()
    began, spent = time.monotonic(), _cpu_s()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}\nfailed: {' '.join(command)}")
    return Reading(time.monotonic() - began, _cpu_s() - spent)


@contextmanager
def counting_all() -> Iterator[None]:
    """Count also the processes that outlive what started them, such as ssh's shared connections.

    They become this process's children, and are counted while they live and when they end. Not for
    the start of a sandbox: its nodes would be counted, too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _cpu_s() -> float:
    """Return what the children have used, those that have ended and those that still run."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + sum(map(_living_s, _children()))


def _children() -> list[str]:
    task = Path(f"/proc/self/task/{os.getpid()}/children")
    return task.read_text().split()


def _living_s(pid: str) -> float:
    try:
        # After the name, which may have spaces: field 3 and on; 14 to 17 are the times.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


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
def sandbox(inventory: Path, start: str = "playbooks/sandbox_up.yml") -> Iterator[None]:
    """Keep a sandbox up for the length of a block.

    Args:
        inventory: Its declaration.
        start: The playbook that starts it.
    """
    timed(playbook(start, inventory))
    try:
        yield
    finally:
        timed(playbook("playbooks/sandbox_down.yml", inventory))


def places(name: str) -> dict[str, str]:
    """Give the environment of runs that find each other's records, and nobody else's."""
    folder = SCRATCH / "places" / name
    return {
        "GPULAB_REPORTS_DIR": str(folder / "reports"),
        "GPULAB_STATE_DIR": str(folder / "state"),
    }
