"""Which program sets a node's addresses, and what each of them reads and is told by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Callable

from ...module_utils.network.programs import IFUPDOWN, MANAGER, NETPLAN, NETWORKD, PROGRAMS
from . import ifupdown, netplan, networkd, networkmanager
from .files import PREFIX, UDEV_FOLDER, Files
from .model import Model, NetworkError


@dataclass(frozen=True)
class Backend:
    """One of them, and how its files are written.

    Attributes:
        name: as the option ``network_backend`` has it.
        unit: the systemd unit that runs it.
        program: what must be installed to tell it something.
        render: model → its files.
        patterns: the files that it reads, as ``pathlib`` globs below ``/``.
    """

    name: str
    unit: str
    program: str
    render: Callable[[Model], Files]
    patterns: tuple[str, ...]


_RENDER: dict[str, Callable[[Model], Files]] = {
    NETPLAN: netplan.render,
    MANAGER: networkmanager.render,
    NETWORKD: networkd.render,
    IFUPDOWN: ifupdown.render,
}
#: In the order of preference where several are in use.
BACKENDS = tuple(
    Backend(program.name, program.unit, program.tool, _RENDER[program.name], program.patterns)
    for program in PROGRAMS
)


def by_name(name: str) -> Backend:
    """Give a back end.

    Raises:
        NetworkError: there is none of that name.
    """
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    names = ", ".join(backend.name for backend in BACKENDS)
    msg = f"network_backend: {name!r} is none of {names}"
    raise NetworkError(msg)


def in_use(units: Collection[str], programs: Collection[str], paths: Collection[str]) -> list[str]:
    """Name the back ends that set addresses on the node, the one to write for first.

    netplan is in use where it is installed and anybody has written a file for it: without one it
    generates nothing. The others are where their unit is active.

    Args:
        units: active units.
        programs: programs that are installed.
        paths: configuration files that are there.
    """
    found = []
    for backend in BACKENDS:
        if backend.unit:
            used = backend.unit in units
        else:
            used = backend.program in programs and any(
                path.startswith("/etc/netplan/") for path in paths
            )
        if used:
            found.append(backend.name)
    return found


def choose(forced: str, used: list[str], programs: Collection[str]) -> Backend:
    """Choose the back end to write for.

    Args:
        forced: the option ``network_backend``, or "".
        used: from `in_use`.
        programs: programs that are installed.

    Raises:
        NetworkError: none is in use, or the one that is forced is not installed.
    """
    if not forced and not used:
        names = ", ".join(backend.name for backend in BACKENDS)
        msg = (
            f"nothing sets this machine's addresses: none of {names} is in use. Start one, or set "
            "network_manage to false where somebody else gives the machine its network"
        )
        raise NetworkError(msg)
    backend = by_name(forced or used[0])
    if backend.program not in programs:
        msg = (
            f"network_backend is {backend.name}, and {backend.program} is not installed: install "
            f"it, or leave the option out to use {used[0] if used else 'what is in use'}"
        )
        raise NetworkError(msg)
    return backend


def is_ours(path: str) -> bool:
    """Say whether a file was written by this role, for whichever back end."""
    folder, _, name = path.rpartition("/")
    return (
        path in (netplan.PATH, ifupdown.PATH)
        or (folder == networkmanager.FOLDER and name.startswith(networkmanager.profile("")))
        or (folder.startswith(UDEV_FOLDER) and name.startswith(PREFIX))
    )
