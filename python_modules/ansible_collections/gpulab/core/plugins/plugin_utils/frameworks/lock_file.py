"""Read a universal, hashed requirements lock and cut it down to one kind of machine.

Controller side (it needs `packaging`, which ansible-core depends on). pip evaluates the markers of
a requirements file for the interpreter that runs it, not for the one of `--python-version`, so a
lock for several Pythons has to be cut before the controller can download for a node.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement


class LockError(ValueError):
    """The lock cannot be used; the message says which line and why."""


@dataclass(frozen=True)
class Pin:
    """One package of a lock: exact version and the hashes of its allowed files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def environment(python: str, machine: str) -> dict[str, str]:
    """Return the marker environment of CPython `python` ("3.11") on Linux on `machine`.

    The patch release is not known before the node is reached; locks only ask for minor releases.
    """
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def pins_for(lock: str, python: str, machine: str) -> list[Pin]:
    """Return what the lock pins for one Python and node architecture, sorted by name.

    Raises:
        LockError: A line is not `name==version --hash=...`, or pins a package a second time.
    """
    wanted = environment(python, machine)
    pins: dict[str, Pin] = {}
    for line in _logical_lines(lock):
        specification, *hashes = line.split(" --hash=")
        try:
            requirement = Requirement(specification.strip())
        except InvalidRequirement as error:
            raise LockError(f"not a requirement: {specification.strip()!r}: {error}") from error
        if requirement.marker is not None and not requirement.marker.evaluate(wanted):
            continue
        pin = _pin(requirement, tuple(entry.strip() for entry in hashes))
        if pin.name in pins:
            raise LockError(f"{pin.name} is pinned twice for Python {python} on {machine}")
        pins[pin.name] = pin
    return [pins[name] for name in sorted(pins)]


def render(pins: list[Pin]) -> str:
    """Return the pins as a requirements file without markers, for `pip --require-hashes`.

    `===` keeps pip from taking a local build ("2.13.0+cpu") for the plain release: `==` would
    accept it, prefer it, and then stop at its hash.
    """
    lines = []
    for pin in pins:
        operator = "==" if "+" in pin.version else "==="
        hashes = " ".join(f"--hash={entry}" for entry in pin.hashes)
        lines.append(f"{pin.name}{operator}{pin.version} {hashes}\n")
    return "".join(lines)


def _logical_lines(lock: str) -> list[str]:
    joined = lock.replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line and not line.startswith("#")]


def _pin(requirement: Requirement, hashes: tuple[str, ...]) -> Pin:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="}:
        raise LockError(f"{requirement.name} is not pinned to one version: {requirement}")
    if not hashes:
        raise LockError(f"{requirement.name} has no hash")
    return Pin(requirement.name, specifiers[0].version, hashes)
