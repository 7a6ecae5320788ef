"""Decide whether a node can take part in a run. Pure: what was read goes in, a row comes out.

A row is ``{"ok": bool, "checks": [check…]}``. A check is a dictionary of strings: ``name``,
``status`` (``ok``, ``fail``, ``unknown``), ``detail`` (short, for the table), and ``action`` (what
to do; empty when ok). What could not be read is ``unknown`` and stops the node as a failure does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.gpu_software.catalogue import BRANCHES, has_ended
from ..frameworks.gpus import gpu_problem, needs_of, pinned
from ..gpu_software.resolve import make_plan
from .symptoms import PYTHON, REACH, SUDO, diagnose

PLATFORM = "platform"
ROOT_DISK, VAR_DISK, CLOCK = "free /", "free /var", "clock"
GPU = "gpu"
CHECKS = (REACH, PYTHON, SUDO, PLATFORM, ROOT_DISK, VAR_DISK, CLOCK, GPU)
OK, FAIL, UNKNOWN = "ok", "fail", "unknown"

TITLES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
NO_FRAMEWORKS: Mapping[str, str] = {}
GIB = 2**30
OLDEST_PYTHON = (3, 9)  # EL 9's own
# os-release ID → versions; a whole number stands for all of its minor releases. Raspberry Pi OS
# says debian (64 bit) or raspbian (32 bit), Jetson Linux says ubuntu.
PLATFORMS = {
    "ubuntu": ("22.04", "24.04", "26.04"),
    "debian": ("12", "13"),
    "raspbian": ("12", "13"),
    "centos": ("9", "10"),
    "rocky": ("9", "10"),
    "almalinux": ("9", "10"),
}
SUPPORTED = "Ubuntu 22.04/24.04/26.04, Debian 12/13, CentOS Stream/Rocky/Alma 9/10"
LEAVE_JETSON = (
    "take it out of the group nvidia: {name} has its driver and CUDA from its own system, JetPack; "
    "the data-centre packages that the group gets would break them"
)
AFTER_ANOTHER = "repair the failed check first, then run again"


@dataclass(frozen=True)
class Limits:
    """The least that a node must have.

    Attributes:
        root_gib_min: free space on ``/``, GiB.
        var_gib_min: free space on ``/var``, GiB.
        clock_skew_s_max: how far its clock may be from the controller's, s.
    """

    root_gib_min: float
    var_gib_min: float
    clock_skew_s_max: float


def judge(
    facts: dict[str, Any],
    limits: Limits,
    asked: float,
    answered: float,
    software: dict[str, Any] | None = None,
    frameworks: Mapping[str, str] = NO_FRAMEWORKS,
) -> dict[str, Any]:
    """Judge a node that answered.

    Args:
        facts: what `read.read_node` returned.
        limits: what the node must have.
        asked: the controller's clock before the node was read, s since 1970.
        answered: the same, after.
        software: ``lab_software`` where the node gets GPU software, else None.
        frameworks: name of a framework's role → the lock of its CUDA build, of those that the node
            gets with CUDA.
    """
    free = facts["free_bytes"]
    return _row(
        [
            _check(REACH, OK, "yes"),
            _python(tuple(facts["python"])),
            _sudo(facts["euid"]),
            _platform(facts["os_release"]),
            _disk(ROOT_DISK, free.get("/"), limits.root_gib_min),
            _disk(VAR_DISK, free.get("/var"), limits.var_gib_min),
            _clock(facts["time"], asked, answered, limits.clock_skew_s_max),
            _gpu(facts, software, frameworks, time.strftime("%Y-%m", time.gmtime(answered))),
        ]
    )


def judge_failure(
    message: str, reached: bool, address: str, user: str, port: int = 22
) -> dict[str, Any]:
    """Judge a node that could not be read.

    Args:
        message: what ssh, sudo or Ansible said.
        reached: False when the connection itself failed.
        address: where the node should be, for the advice.
        user: the login, for the advice.
        port: sshd's, for the advice.

    Returns:
        A row in which one check failed; those before it are ok, those after it unknown.
    """
    found = diagnose(message, reached=reached, address=address, user=user, port=port)
    bad = CHECKS.index(found.check)
    checks = []
    for place, check in enumerate(CHECKS):
        if place == bad:
            checks.append(_check(check, FAIL, found.detail, found.action))
        elif check == REACH:
            checks.append(_check(check, OK, "yes"))
        else:
            checks.append(_check(check, UNKNOWN, "", AFTER_ANOTHER))
    return _row(checks)


def _row(checks: list[dict[str, str]]) -> dict[str, Any]:
    return {"ok": all(check["status"] == OK for check in checks), "checks": checks}


def _check(name: str, status: str, detail: str, action: str = "") -> dict[str, str]:
    return {"name": name, "status": status, "detail": detail, "action": action}


def _python(version: tuple[int, ...]) -> dict[str, str]:
    spelled = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return _check(PYTHON, OK, spelled)
    needed = ".".join(map(str, OLDEST_PYTHON))
    action = f"install Python {needed} or newer, and set ansible_python_interpreter to it"
    return _check(PYTHON, FAIL, spelled, action)


def _sudo(euid: int) -> dict[str, str]:
    if euid == 0:
        return _check(SUDO, OK, "yes")
    return _check(SUDO, FAIL, f"uid {euid}", "switch become on, and let the login use sudo")


def _platform(os_release: dict[str, str]) -> dict[str, str]:
    name, version = os_release.get("ID", ""), os_release.get("VERSION_ID", "")
    if not name:
        return _check(PLATFORM, UNKNOWN, "", "/etc/os-release is missing: restore it")
    shown = f"{name} {version}".strip()
    versions = PLATFORMS.get(name, ())
    if version in versions or version.partition(".")[0] in versions:
        return _check(PLATFORM, OK, shown)
    return _check(PLATFORM, FAIL, shown, f"install one of: {SUPPORTED}")


def _disk(name: str, free: int | None, gib_min: float) -> dict[str, str]:
    path = name.partition(" ")[2]
    if free is None:
        return _check(name, UNKNOWN, "", f"df {path} fails on the node: repair the file system")
    shown = f"{free / GIB:.1f} GiB"
    if free >= gib_min * GIB:
        return _check(name, OK, shown)
    variable = "preflight_root_gib_min" if name == ROOT_DISK else "preflight_var_gib_min"
    action = f"make room for {gib_min:g} GiB (du -xh {path} | sort -h | tail), or lower {variable}"
    return _check(name, FAIL, shown, action)


def _clock(there: float, asked: float, answered: float, skew_max: float) -> dict[str, str]:
    # The node was read at an unknown moment between asking and the answer, so a clock that shows
    # a time between the two may be right.
    skew = max(there - answered, 0.0) + min(there - asked, 0.0)
    shown = f"{skew:+.0f} s"
    if abs(skew) <= skew_max:
        return _check(CLOCK, OK, shown)
    action = (
        f"set the clock (timedatectl set-time) to within {skew_max:g} s of this controller's, "
        "which must be right itself; packages and certificates fail otherwise"
    )
    return _check(CLOCK, FAIL, shown, action)


def _gpu(
    facts: dict[str, Any],
    software: dict[str, Any] | None,
    frameworks: Mapping[str, str],
    month: str,
) -> dict[str, str]:
    """Tell which GPU software the node gets, or which of its GPUs what is declared can't drive."""
    if software is None:
        return _check(GPU, OK, "-")
    if facts.get("jetson"):
        return _check(GPU, FAIL, "Jetson", LEAVE_JETSON.format(name=facts["jetson"]))
    gpus = facts["gpus"]
    if gpus is None:
        action = f"see why the PCI bus can't be read (lspci -nn -d 10de:): {facts['gpus_unread']}"
        return _check(GPU, UNKNOWN, "", action)
    plan = make_plan({"gpus": gpus}, software, _distribution(facts["os_release"]))
    number = f"{len(gpus)} " if gpus else ""
    shown = f"{number}{'+'.join(plan['architectures']) or ('unknown' if gpus else 'none')}"
    problems = plan["problems"] or _framework_problems(frameworks, gpus, plan["branch"])
    if problems:
        return _check(GPU, FAIL, shown, "; ".join(problems))
    cuda = f", CUDA {plan['cuda_default']}" if plan["cuda_default"] else ""
    end = BRANCHES[plan["branch"]].end_of_life
    ended = f" (no fixes since {end})" if has_ended(plan["branch"], month) else ""
    return _check(GPU, OK, f"{shown}: {plan['branch']} {plan['flavour']}{ended}{cuda}")


def _framework_problems(
    frameworks: Mapping[str, str], gpus: list[dict[str, Any]], branch: str
) -> list[str]:
    devices = [gpu["device_id"] for gpu in gpus]
    if not devices:
        return []
    problems = (
        gpu_problem(name, TITLES.get(name, name), needs_of(name, pinned(lock)), devices, branch)
        for name, lock in frameworks.items()
    )
    return [problem for problem in problems if problem]


def _distribution(os_release: dict[str, str]) -> dict[str, str]:
    """Return distribution and release as Ansible's facts have them; these are not gathered yet."""
    name = os_release.get("ID", "")
    return {
        "distribution": "Debian" if name == "raspbian" else name.capitalize(),
        "distribution_major_version": os_release.get("VERSION_ID", "").partition(".")[0],
    }
