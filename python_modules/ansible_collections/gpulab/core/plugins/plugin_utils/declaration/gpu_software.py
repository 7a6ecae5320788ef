"""Check the declared GPU software against the catalogue, as far as no node need be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...module_utils.gpu_software.catalogue import (
    BRANCHES,
    DEFAULT_BRANCH,
    FIRST_OPEN_ONLY_BRANCH,
    TOOLKITS,
    branch_flavours,
    branch_of,
    branch_runs,
)
from .model import Declaration, Path, Problem, mapping, sequence, text
from .suggest import did_you_mean

_DRIVER: Path = ("lab_software", "nvidia_driver")
_CUDA: Path = ("lab_software", "cuda")
_GROUP = "nvidia"


def gpu_software_problems(declaration: Declaration) -> Iterator[Problem]:
    """Check versions against the catalogue and each other, and who has GPU settings."""
    software = mapping(declaration.lab.get("lab_software"))
    driver, cuda = mapping(software.get("nvidia_driver")), mapping(software.get("cuda"))
    yield from _driver(driver)
    yield from _cuda(cuda, driver)
    for host in declaration.by_name():
        if "node_gpu" in host.variables and _GROUP not in host.groups:
            wrong = "GPU settings of a machine that is not in group 'nvidia': nothing applies them"
            right = "put the machine into 'nvidia', or remove node_gpu"
            yield Problem(host.name, ("node_gpu",), wrong, right)


def _driver(driver: dict[Any, Any]) -> Iterator[Problem]:
    branch, version = text(driver.get("branch")), text(driver.get("version"))
    if branch and branch not in BRANCHES:
        wrong = f"there is no driver branch '{branch}'"
        yield Problem("", (*_DRIVER, "branch"), wrong, did_you_mean(branch, BRANCHES))
    if version and not branch and branch_of(version) not in BRANCHES:
        wrong = f"'{version}' is of no driver branch that is known"
        yield Problem("", (*_DRIVER, "version"), wrong, f"known branches: {', '.join(BRANCHES)}")
    if version and branch in BRANCHES and branch_of(version) != branch:
        wrong = f"'{version}' is not of branch '{branch}'"
        right = f'a version that starts with {branch}., or branch: "{branch_of(version)}"'
        yield Problem("", (*_DRIVER, "version"), wrong, right)
    flavour, of_branch = text(driver.get("flavour")), branch or branch_of(version)
    if flavour == "proprietary" and of_branch and flavour not in branch_flavours(of_branch):
        wrong = f"branch '{of_branch}' has no proprietary modules"
        right = f"flavour: auto, or a branch before {FIRST_OPEN_ONLY_BRANCH}"
        yield Problem("", (*_DRIVER, "flavour"), wrong, right)


def _cuda(cuda: dict[Any, Any], driver: dict[Any, Any]) -> Iterator[Problem]:
    versions = [text(version) for version in sequence(cuda.get("versions"))]
    default = text(cuda.get("default"))
    if default and default not in versions:
        wrong = f"'{default}' is not among the versions"
        right = f"add it to lab_software.cuda.versions ({', '.join(versions) or 'empty'})"
        yield Problem("", (*_CUDA, "default"), wrong, right)
    asked = text(driver.get("branch")) or branch_of(text(driver.get("version")))
    # Debian's own driver has the branch that the release ships, which no declaration tells.
    by_distribution = driver.get("source") == "distribution" and not asked
    branch = asked or DEFAULT_BRANCH
    for number, version in enumerate(versions):
        path = (*_CUDA, "versions", number)
        if version and version not in TOOLKITS:
            wrong = f"there is no CUDA toolkit '{version}'"
            yield Problem("", path, wrong, did_you_mean(version, TOOLKITS))
            continue
        known = version and branch in BRANCHES and not by_distribution
        if known and not branch_runs(branch, version):
            wrong = f"CUDA {version} does not run on driver branch '{branch}'"
            right = (
                f"lab_software.nvidia_driver.branch {TOOLKITS[version].branch_min} or later, "
                f"or CUDA {BRANCHES[branch].cuda_max}"
            )
            yield Problem("", path, wrong, right)
