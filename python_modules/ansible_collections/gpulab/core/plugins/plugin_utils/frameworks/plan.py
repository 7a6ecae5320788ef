"""Decide which environment of a framework a node gets, from node, request and locks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from .gpus import gpu_problem, needs_of
from .lock_file import LockError, Pin, pins_for, render

GIB = 2**30
# Requires-Python of torch 2.13 and of tensorflow 2.21.
OLDEST_PYTHON = (3, 10)


@dataclass(frozen=True)
class Framework:
    """A framework by its role's name ("pytorch") and its own ("PyTorch").

    packages: The package that carries its release, of each build: {"cpu": "torch", "cuda": …}.
    """

    name: str
    title: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """What is declared for a node.

    build: auto, cpu or cuda; auto looks at the node's NVIDIA devices. version: the release that
    the declaration asks for ("2.13.0"). python: the node's CPython for the environment ("3.11").
    machine: the node's architecture as uname gives it ("x86_64"). locks: {"cpu": text, "cuda":
    text}, universal and hashed. disk_gib: free space in GiB that installing each build needs.
    keep: how many environments stay besides the one in use.
    """

    build: str
    version: str
    python: str
    machine: str
    locks: Mapping[str, str]
    disk_gib: Mapping[str, float]
    keep: int


class Plan(TypedDict):
    """What the role installs on one node.

    framework: name of its role. build: "cpu" or "cuda". key: name of the wheelhouse and of the
    environment, with a hash of the requirements, so that another lock is another key.
    requirements: hashed, without markers. pins: {package: version}. current: the environment in
    use is this one already. kept: it is there, proved by an earlier run, and not in use. remove:
    environments that nothing needs any more. note: what the reader should know, or "". problem:
    why it cannot be installed and what to do, or "".
    """

    framework: str
    build: str
    key: str
    family: str
    python: str
    machine: str
    requirements: str
    pins: dict[str, str]
    current: bool
    kept: bool
    remove: list[str]
    note: str
    problem: str


def make_plan(framework: Framework, requested: Request, node: Mapping[str, Any]) -> Plan:
    """Return the plan for a node.

    Args:
        framework: Which one.
        requested: What is declared for the node.
        node: What the module `gpulab.core.framework_info` reads: `nvidia_gpus`, `target`,
            `environments`, `free_bytes`; where they are known, `gpu_devices` and `driver`.
    """
    note = ""
    build = requested.build
    if build == "auto":
        build = "cuda" if node["nvidia_gpus"] else "cpu"
    pins, problem = _pins(framework, requested, build)
    if requested.build == "auto" and build == "cpu" and not problem and not pins:
        note = (
            f"The CPU lock of {framework.title} does not cover Python {requested.python} on "
            f"{requested.machine}: this node gets the build with CUDA, which runs on CPUs, too, "
            "and is larger."
        )
        build = "cuda"
        pins, problem = _pins(framework, requested, build)

    release = _release(framework, build, pins)
    requirements = render(pins)
    digest = hashlib.sha256(requirements.encode()).hexdigest()[:12]
    family = f"{framework.name}-{build}-cp{requested.python.replace('.', '')}-{requested.machine}"
    key = f"{family}-{release or 'none'}-{digest}"
    current = node["target"] == key
    there = {entry["name"]: entry for entry in node["environments"]}
    kept = not current and key in there and bool(there[key]["proved"])
    problem = problem or _release_problem(framework, requested, build, release)
    if not problem and build == "cuda":
        needs = needs_of(framework.name, {pin.name: pin.version for pin in pins})
        devices, driver = node.get("gpu_devices", ()), node.get("driver", "")
        problem = gpu_problem(framework.name, framework.title, needs, devices, driver)
    if not problem and not current and not kept:
        problem = _disk_problem(framework, build, node["free_bytes"], requested.disk_gib[build])
    return Plan(
        framework=framework.name,
        build=build,
        key=key,
        family=family,
        python=requested.python,
        machine=requested.machine,
        requirements=requirements,
        pins={pin.name: pin.version for pin in pins},
        current=current,
        kept=kept,
        remove=_unneeded(node, key, requested.keep),
        note="" if problem else note,
        problem=problem,
    )


def wheelhouses(looks: Sequence[Mapping[str, Any]], framework: str) -> list[dict[str, str]]:
    """Return what the head must serve of a framework: one entry per key, sorted by key.

    Args:
        looks: Each node's result of `gpulab.core.framework_info`; one without a plan (the node was
            skipped, or could not be read), with a problem or of another framework needs nothing.
        framework: Name of the framework's role.
    """
    plans = [look["plan"] for look in looks if "plan" in look]
    wanted = ("key", "build", "family", "python", "machine", "requirements")
    entries = {
        plan["key"]: {name: plan[name] for name in wanted}
        for plan in plans
        if plan["framework"] == framework and not plan["problem"]
    }
    return [entries[key] for key in sorted(entries)]


def _unneeded(node: Mapping[str, Any], key: str, keep: int) -> list[str]:
    """List the environments besides `key` and the `keep` last used ones that nothing runs in.

    The one in use until now is the last used one; of the others, the one that was made last. One
    that no run has proved is half a one, and not worth keeping.
    """
    target = node["target"]
    others = [entry for entry in node["environments"] if entry["name"] != key]
    others.sort(key=lambda entry: (entry["name"] == target, entry["made"]), reverse=True)
    whole = [entry["name"] for entry in others if entry["proved"] or entry["name"] == target]
    kept = whole[:keep]
    return sorted(
        entry["name"] for entry in others if entry["name"] not in kept and not entry["processes"]
    )


def _pins(framework: Framework, requested: Request, build: str) -> tuple[list[Pin], str]:
    """Return the pins, none where the lock does not cover the node, and what is wrong."""
    try:
        pins = pins_for(requested.locks[build], requested.python, requested.machine)
    except LockError as error:
        return [], (
            f"{framework.name}_lock_{build} (requirements-{build}.txt) cannot be used: {error}. "
            "Compile it again with `make lock`."
        )
    return (pins if _release(framework, build, pins) else []), ""


def _release(framework: Framework, build: str, pins: Sequence[Pin]) -> str:
    package = framework.packages[build]
    return next((pin.version for pin in pins if pin.name == package), "")


def _release_problem(framework: Framework, requested: Request, build: str, release: str) -> str:
    name, title = framework.name, framework.title
    if tuple(int(part) for part in requested.python.split(".")) < OLDEST_PYTHON:
        return (
            f"{title} {requested.version} needs Python 3.10 or newer and {name}_python is "
            f"{requested.python}: name an interpreter that the platform packages, for example "
            f"{name}_python: '3.12'."
        )
    if not release:
        package = framework.packages[build]
        other = f" set {name}_build: auto, or" if requested.build == "cpu" else ""
        return (
            f"The {build} lock of {title} holds no {package} for Python {requested.python} on "
            f"{requested.machine}:{other} name another interpreter that the platform packages in "
            f"{name}_python, or add this machine to requirements-{build}.in and compile the lock "
            "again with `make lock`."
        )
    public = release.split("+")[0]
    if public != requested.version:
        return (
            f"lab_software.{name}.version ({name}_version) is {requested.version} and the {build} "
            f"lock pins {framework.packages[build]} {release}: set the version to {public}, or pin "
            f"{requested.version} in requirements-{build}.in and compile the lock again with "
            "`make lock`."
        )
    return ""


def _disk_problem(framework: Framework, build: str, free_bytes: int, needed_gib: float) -> str:
    if free_bytes >= needed_gib * GIB:
        return ""
    prefix = f"{framework.name}_prefix"
    return (
        f"The {build} build of {framework.title} needs {needed_gib:.1f} GiB of free space under "
        f"{prefix} and {free_bytes / GIB:.1f} GiB are free: free some, or point {prefix} at a "
        "larger file system."
    )
