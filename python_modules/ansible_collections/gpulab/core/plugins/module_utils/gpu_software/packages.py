"""Installed packages of NVIDIA's software: versions, holds, and what dpkg left half done."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from ..hardware.osinfo import read_os
from ..hardware.sysfs import ProbeError, Tree
from ..hardware.tools import RunTool

Packages = dict[str, dict[str, Any]]

OURS = re.compile(
    r"nvidia|libnvidia|libcuda|cuda|datacenter-gpu-manager|dcgm|libnccl|libcudnn|cudnn"
    r"|linux-modules-nvidia|linux-(objects|signatures)-nvidia|kmod-nvidia|xserver-xorg-video-nvidia"
    r"|nvlsm|libnvsdm|dkms-nvidia|firmware-nvidia-"
)
# With the release in its name before branch 580, and another hyphen in RPMs.
FABRIC_MANAGER = (r"nvidia-fabric-?manager(-\d+)?",)
IMEX = (r"nvidia-imex(-\d+)?",)
# `apt-mark hold` is dpkg's selection "hold", so dpkg tells versions and holds in one go.
_DPKG = ("dpkg-query", "-W", "-f=${Package}\t${Version}\t${Status}\n")
_RPM = ("rpm", "-qa", "--qf", "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n")
_VERSIONLOCK, _VERSIONLOCK_5 = "etc/dnf/plugins/versionlock.list", "etc/dnf/versionlock.toml"
_RPM_FAMILY = frozenset({"rhel", "fedora", "centos", "rocky", "almalinux"})
_BROKEN = frozenset({"half-installed", "half-configured", "unpacked"})


def read_packages(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return ``packages`` (name -> version, held) and ``broken``, by the platform's own manager.

    Raises:
        ProbeError: The platform or its packages can't be read.
    """
    system = read_os(tree)
    if not _RPM_FAMILY.isdisjoint({system["id"], *system["id_like"]}):
        answer = run(_RPM)
        if answer.rc:
            raise ProbeError(f"rpm: {answer.complaint}")
        locks = parse_versionlock(tree.text(_VERSIONLOCK) or "")
        locks += parse_versionlock_toml(tree.text(_VERSIONLOCK_5) or "")
        return {"packages": parse_rpm(answer.stdout, locks), "broken": []}
    answer = run(_DPKG)
    if answer.rc:
        raise ProbeError(f"dpkg-query: {answer.complaint}")
    packages, broken = parse_dpkg(answer.stdout)
    return {"packages": packages, "broken": broken}


def parse_dpkg(text: str) -> tuple[Packages, list[str]]:
    """Return our packages, and the names of all that dpkg left half done."""
    packages: Packages = {}
    broken = set()
    for line in text.splitlines():
        fields = line.split("\t")
        words = fields[-1].split()
        if len(fields) != 3 or len(words) != 3:
            continue
        name, version, (want, error, state) = fields[0], fields[1], words
        if state in _BROKEN or error != "ok":
            broken.add(name)
        if OURS.match(name) and state not in ("not-installed", "config-files"):
            packages[name] = {"version": version, "held": want == "hold"}
    return packages, sorted(broken)


def parse_rpm(text: str, locks: list[str]) -> Packages:
    """Return our packages; held where a lock is on the installed version."""
    packages: Packages = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 5 or not OURS.match(fields[0]):
            continue
        name, epoch, version, release, arch = fields
        evr = f"{version}-{release}"
        spelled = [
            f"{name}{version_part}{arch_part}"
            for version_part in ("", f"-{version}", f"-{evr}", f"-{epoch}:{evr}")
            for arch_part in ("", f".{arch}")
        ]
        held = any(fnmatchcase(one, lock) for lock in locks for one in spelled)
        packages[name] = {
            "version": evr if epoch == "0" else f"{epoch}:{evr}",
            "held": held,
        }
    return packages


def parse_versionlock(text: str) -> list[str]:
    """Return the patterns that dnf 4 keeps or lists; a `!` excludes a version and locks none.

    Reads the file of dnf 4, the answer of its ``versionlock list``, and that of dnf 5
    (``Package name: nano`` and ``evr = 8.1-1``).
    """
    locks: list[str] = []
    for line in text.splitlines():
        entry = line.strip()
        if entry.startswith("Package name:"):
            locks.append(entry.partition(":")[2].strip())
        elif entry.startswith("evr = ") and locks:
            locks[-1] += f"-{entry.partition('=')[2].strip()}"
        elif re.fullmatch(r"[^\s#!]\S*", entry):
            locks.append(entry)
    return locks


def parse_versionlock_toml(text: str) -> list[str]:
    """Return the patterns in dnf 5's versionlock.toml: names, with the version where one is set."""
    locks: list[str] = []
    for key, value in re.findall(r'^\s*(name|value) = "([^"]*)"', text, re.MULTILINE):
        if key == "name":
            locks.append(value)
        elif locks:
            locks[-1] += f"-{value}"
    return locks


def upstream_version(version: str) -> str | None:
    """Return a package's version as NVIDIA counts: ``535.261.03`` of ``1:535.261.03-1~deb12u1``."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)+)", version, re.ASCII)
    return match.group(1) if match else None


def version_of(packages: Packages, *patterns: str) -> str | None:
    """Return the upstream version of the first package that matches, pattern by pattern."""
    for pattern in patterns:
        for name in sorted(packages):
            if re.fullmatch(pattern, name):
                return upstream_version(packages[name]["version"])
    return None
