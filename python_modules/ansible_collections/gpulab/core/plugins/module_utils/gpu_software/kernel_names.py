"""How distributions name their kernels: which kind one is, and which of two is newer.

A name of no form that stands here has no flavour, and then nobody knows which of two is newer.

Sources (read 2026-12-01):
    Debian: Debian Linux Kernel Handbook, "Kernel packages": ``6.1.0-40-cloud-amd64``; since 6.12
        ``6.12.73+deb13-amd64``, and ``6.12.74+deb13+1-amd64`` after a change of its ABI.
    Ubuntu: https://ubuntu.com/kernel: ``6.17.0-14-generic``, ``6.8.0-1015-nvidia-64k``.
    EL: the kernel's spec file: ``5.14.0-503.11.1.el9_5.aarch64+64k``; a variant (64k, debug, rt)
        follows the architecture.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DEBIAN = re.compile(
    r"(?P<version>\d+\.\d+\.\d+)"
    r"(?:-(?P<abi>\d+)|\+(?P<build>(?:deb|bpo)\d*(?:\+\d+)*))"
    r"-(?P<flavour>[a-z][\w-]*)",
    re.ASCII,
)
_EL = re.compile(
    r"(?P<version>\d+\.\d+\.\d+-\d+(?:\.\d+)*)"
    r"(?P<dist>\.(?:el\d+)(?:uek)?)(?P<build>(?:_\d+)?(?:\.\w+)*)"
    r"\.(?:x86_64|aarch64)(?P<variant>(?:\+[\w-]+)?)",
    re.ASCII,
)
# Stands after the version: any further number of a version is newer than a later build of it.
_END = -1


class _Name(NamedTuple):
    flavour: str
    key: tuple[int, ...]


def kernel_flavour(kernel: str) -> str:
    """Return the kind of kernel: ``generic`` of ``6.8.0-45-generic``; "" where it does not tell."""
    name = _parse(kernel)
    return name.flavour if name else ""


def kernel_key(kernel: str) -> tuple[int, ...]:
    """Return what kernels of one flavour sort by; of a name of no known form, all its numbers."""
    name = _parse(kernel)
    return name.key if name else _numbers(kernel)


def has_order(one: str, other: str) -> bool:
    """Return whether it can be told which of two kernels is newer."""
    return one == other or bool(kernel_flavour(one) and kernel_flavour(other))


def _parse(kernel: str) -> _Name | None:
    debian = _DEBIAN.fullmatch(kernel)
    if debian:
        version = f"{debian['version']}.{debian['abi'] or ''}"
        return _Name(debian["flavour"], (*_numbers(version), _END, *_numbers(debian["build"])))
    el = _EL.fullmatch(kernel)
    if el:
        # A vendor's word in the build (elrepo, cloud) is another kind of kernel.
        words = [word for word in re.split(r"[._]", el["build"]) if re.search("[a-z]", word)]
        flavour = ".".join([el["dist"], *words]) + el["variant"]
        return _Name(flavour, (*_numbers(el["version"]), _END, *_numbers(el["build"])))
    return None


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text or ""))
