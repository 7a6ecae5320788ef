"""Operating system, kernel, and whether this is a node, a virtual machine or a container."""

from __future__ import annotations

import shlex
from typing import Any

from .cpu import cpuinfo_value
from .sysfs import ProbeError, Tree, first

# What a hypervisor writes into DMI's vendor or product, in lower case, and its usual name.
_HYPERVISORS = (
    ("amazon ec2", "aws"),
    ("google", "gcp"),
    ("innotek", "virtualbox"),
    ("kvm", "kvm"),
    ("microsoft corporation virtual", "hyperv"),
    ("openstack", "kvm"),
    ("parallels", "parallels"),
    ("qemu", "qemu"),
    ("virtualbox", "virtualbox"),
    ("vmware", "vmware"),
    ("xen", "xen"),
)


def read_os(tree: Tree) -> dict[str, Any]:
    """Return the distribution, and ``virtualization``: container, vm or none.

    Raises:
        ProbeError: There is no os-release file.
    """
    text = tree.text("etc/os-release") or tree.text("usr/lib/os-release")
    if text is None:
        raise ProbeError("/etc/os-release is not readable")
    release = parse_os_release(text)
    kind, technology = _virtualization(tree)
    return {
        "id": release.get("ID", "linux"),
        "id_like": release.get("ID_LIKE", "").split(),
        "version": release.get("VERSION_ID"),
        "name": release.get("PRETTY_NAME"),
        "virtualization": kind,
        "virtualization_technology": technology,
    }


def read_kernel(tree: Tree) -> dict[str, Any]:
    """Return the running kernel's release and build.

    Raises:
        ProbeError: /proc/sys/kernel is not readable.
    """
    release = tree.text("proc/sys/kernel/osrelease")
    if not release:
        raise ProbeError("/proc/sys/kernel/osrelease is not readable")
    return {"release": release, "version": tree.text("proc/sys/kernel/version")}


def parse_os_release(text: str) -> dict[str, str]:
    """Return the assignments in an os-release file (os-release(5)); other lines are left out."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if not separator or key.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        values[key] = words[0] if words else ""
    return values


def _virtualization(tree: Tree) -> tuple[str, str | None]:
    """Return the kind (container, vm, none) and the technology.

    A container is recognised by the files that its manager leaves for that purpose (systemd's
    container interface; podman's and docker's own), a virtual machine by the processor's
    hypervisor flag, or by DMI where processors have no such flag.
    """
    container = first(
        (
            tree.text("run/systemd/container"),
            _environment_value(tree.data("proc/1/environ") or b"", b"container"),
            "podman" if tree.exists("run/.containerenv") else None,
            "docker" if tree.exists(".dockerenv") else None,
        )
    )
    if container:
        return "container", container
    dmi = "sys/class/dmi/id"
    product = f"{tree.text(f'{dmi}/sys_vendor') or ''} {tree.text(f'{dmi}/product_name') or ''}"
    technology = next((name for mark, name in _HYPERVISORS if mark in product.lower()), None)
    flags = cpuinfo_value(tree.text("proc/cpuinfo") or "", "flags")
    # x86 has a flag for it. DMI alone would take a cloud's bare-metal node for a virtual one.
    virtual = "hypervisor" in flags.split() if flags else technology is not None
    return ("vm", technology) if virtual else ("none", None)


def _environment_value(environment: bytes, key: bytes) -> str | None:
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == key:
            return value.decode("utf-8", "replace") or None
    return None
