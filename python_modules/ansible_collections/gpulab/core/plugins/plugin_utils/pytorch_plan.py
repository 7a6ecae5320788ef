"""Decide which PyTorch environment a node gets, from the node, the wish and the locks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.gpulab.core.plugins.plugin_utils.locks import (
    LockError,
    Pin,
    pins_for,
    render,
)

GIB = 2**30
# torch 2.13's Requires-Python.
OLDEST_PYTHON = (3, 10)


class Plan(TypedDict):
    """What the role installs on one node.

    build: "cpu" or "cuda". key: name of the wheelhouse and of the environment, with a hash of the
    requirements, so that another lock is another key. requirements: hashed, without markers.
    pins: {package: version}. current: the environment in use is this one already. note: what the
    reader should know, or "". problem: why it cannot be installed and what to do, or "".
    """

    build: str
    key: str
    family: str
    python: str
    machine: str
    requirements: str
    pins: dict[str, str]
    current: bool
    note: str
    problem: str


def make_plan(
    node: Mapping[str, Any],
    *,
    build: str,
    version: str,
    python: str,
    machine: str,
    locks: Mapping[str, str],
    disk_gib: Mapping[str, float],
) -> Plan:
    """Return the plan for a node.

    Args:
        node: Result of `gpulab.core.framework_info`: `nvidia_gpus`, `target`, `free_bytes`.
        build: auto, cpu or cuda; auto looks at the node's NVIDIA devices.
        version: The release of PyTorch that the declaration asks for ("2.13.0").
        python: The node's CPython for the environment ("3.11").
        machine: The node's architecture as uname gives it ("x86_64").
        locks: {"cpu": text, "cuda": text}, universal and hashed.
        disk_gib: Free space in GiB that installing each build needs.
    """
    note = ""
    chosen = build
    if build == "auto":
        chosen = "cuda" if node["nvidia_gpus"] else "cpu"
    pins, problem = _pins(chosen, locks, python, machine)
    if build == "auto" and chosen == "cpu" and not problem and not _torch(pins):
        note = (
            f"The CPU lock does not cover Python {python} on {machine}: this node gets the build "
            "with CUDA, which runs on CPUs, too, and is larger."
        )
        chosen = "cuda"
        pins, problem = _pins(chosen, locks, python, machine)

    release = _torch(pins)
    requirements = render(pins)
    digest = hashlib.sha256(requirements.encode()).hexdigest()[:12]
    family = f"{chosen}-cp{python.replace('.', '')}-{machine}"
    key = f"{family}-{release or 'none'}-{digest}"
    current = node["target"] == key
    problem = problem or _release_problem(release, version, chosen, python, machine)
    if not problem and not current:
        problem = _disk_problem(node["free_bytes"], chosen, disk_gib[chosen])
    return Plan(
        build=chosen,
        key=key,
        family=family,
        python=python,
        machine=machine,
        requirements=requirements,
        pins={pin.name: pin.version for pin in pins},
        current=current,
        note=note,
        problem=problem,
    )


def wheelhouses(plans: Sequence[Plan]) -> list[dict[str, str]]:
    """Return what the head must serve for these nodes: one entry per key, sorted by key."""
    entries = {
        plan["key"]: {
            "key": plan["key"],
            "build": plan["build"],
            "family": plan["family"],
            "python": plan["python"],
            "machine": plan["machine"],
            "requirements": plan["requirements"],
        }
        for plan in plans
        if not plan["problem"]
    }
    return [entries[key] for key in sorted(entries)]


def stale(served: Sequence[str], wanted: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the served keys that a wanted wheelhouse of the same family replaces."""
    keys = {entry["key"] for entry in wanted}
    families = tuple(f"{entry['family']}-" for entry in wanted)
    return sorted(key for key in served if key not in keys and key.startswith(families))


def _pins(build: str, locks: Mapping[str, str], python: str, machine: str) -> tuple[list[Pin], str]:
    try:
        return pins_for(locks[build], python, machine), ""
    except LockError as error:
        return [], (
            f"pytorch_lock_{build} (requirements-{build}.txt) cannot be used: {error}. Compile it "
            "again with `make lock`."
        )


def _torch(pins: Sequence[Pin]) -> str:
    return next((pin.version for pin in pins if pin.name == "torch"), "")


def _release_problem(release: str, version: str, build: str, python: str, machine: str) -> str:
    if tuple(int(part) for part in python.split(".")) < OLDEST_PYTHON:
        return (
            f"PyTorch {version} needs Python 3.10 or newer and pytorch_python is {python}: name an "
            "interpreter that the platform packages, for example pytorch_python: '3.12'."
        )
    if not release:
        return (
            f"The {build} lock holds no torch for Python {python} on {machine}: set pytorch_build: "
            f"auto, or add this machine to the marker in requirements-{build}.in and compile the "
            "lock again with `make lock`."
        )
    public = release.split("+")[0]
    if public != version:
        return (
            f"lab_software.pytorch.version (pytorch_version) is {version} and the {build} lock "
            f"pins torch {release}: set the version to {public}, or pin {version} in "
            f"requirements-{build}.in and compile the lock again with `make lock`."
        )
    return ""


def _disk_problem(free_bytes: int, build: str, needed_gib: float) -> str:
    if free_bytes >= needed_gib * GIB:
        return ""
    return (
        f"The {build} build of PyTorch needs {needed_gib:.1f} GiB of free space under "
        f"pytorch_prefix and {free_bytes / GIB:.1f} GiB are free: free some, or point "
        "pytorch_prefix at a larger file system."
    )
