"""Prove that containers get the node's GPUs by CDI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..process import call
from .cdi import Device, compare, parse_list, parse_mig_modes

# Long enough for an image of a few hundred megabytes.
LIMIT_S = 600
ALL = "nvidia.com/gpu=all"
REFRESH = "run `systemctl restart nvidia-cdi-refresh.service`"


@dataclass(frozen=True)
class Request:
    """What must hold.

    Attributes:
        version: release of the toolkit that must be installed.
        spec: path of the CDI specification.
        engines: container engines to try, as ["podman"].
        image: image with a C library in which to try them; "" for not at all.
        gpus: NVIDIA GPUs on the PCI bus.
        loaded: version of the loaded driver module, "" where none is.
    """

    version: str
    spec: str
    engines: Sequence[str]
    image: str
    gpus: int
    loaded: str


def prove(requested: Request) -> tuple[list[str], list[str]]:
    """Prove version, specification and engines: (what holds, what is wrong), a sentence each."""
    status, said = call("nvidia-ctk", "--version", timeout_s=LIMIT_S)
    problems = []
    found = re.search(r"version (\d+\.\d+\.\d+)", said)
    if status or not found or found[1] != requested.version:
        problems.append(f"nvidia-ctk is not {requested.version}: {said[-200:]}")
    if not requested.gpus:
        return ["no CDI specification: no NVIDIA device on the PCI bus"], problems
    if not requested.loaded:
        return ["no CDI specification: the NVIDIA driver is not loaded"], problems
    shown = _shown()
    devices = _usable(shown)
    usable = len(devices) or requested.gpus
    results = [_prove_spec(requested.spec, requested.gpus, devices)]
    if shown and len(shown) != requested.gpus:
        problems.append(f"nvidia-smi -L shows {len(shown)} of {requested.gpus} GPUs on the PCI bus")
    if not requested.image:
        results.append(("containers not tried: nvidia_container_test_image is empty", ""))
    elif not results[0][1]:
        results += [_prove_engine(engine, requested.image, usable) for engine in requested.engines]
    lines = [line for line, _ in results if line]
    return lines, problems + [problem for _, problem in results if problem]


def count_listed(said: str) -> int:
    """Count the GPUs that ``nvidia-ctk cdi list`` names by their index.

    A GPU that is cut into MIG devices is listed by these (``0:1``) instead.
    """
    whole = set(re.findall(r"^nvidia\.com/gpu=(\d+)$", said, re.M))
    return len(whole | set(re.findall(r"^nvidia\.com/gpu=(\d+):\d+$", said, re.M)))


def _shown() -> dict[str, list[Device]]:
    """Return what the driver shows; empty where it can't be asked."""
    status, said = call("nvidia-smi", "-L", timeout_s=LIMIT_S)
    return {} if status else parse_list(said)


def _usable(gpus: dict[str, list[Device]]) -> dict[str, list[Device]]:
    """Leave out GPUs that no container can get: in MIG mode, and not cut."""
    if not gpus:
        return {}
    modes = ("--query-gpu=uuid,mig.mode.current", "--format=csv,noheader")
    in_mig_mode = parse_mig_modes(call("nvidia-smi", *modes, timeout_s=LIMIT_S)[1])
    return {
        uuid: found
        for uuid, found in gpus.items()
        if not (uuid in in_mig_mode and found[0].uuid == uuid)
    }


def _prove_spec(spec: str, gpus: int, devices: dict[str, list[Device]]) -> tuple[str, str]:
    """Compare the specification with the driver: what to say, and what is wrong.

    Where nvidia-smi shows nothing, its GPUs are counted against the bus.
    """
    if not Path(spec).is_file():
        return "", f"{spec} is missing: see `systemctl status nvidia-cdi-refresh.service`"
    status, said = call("nvidia-ctk", "cdi", "list", timeout_s=LIMIT_S)
    if status or ALL not in said.splitlines():
        return "", f"{spec} does not offer {ALL}: nvidia-ctk cdi list: {said[-400:]}"
    if devices:
        number = sum(map(len, devices.values()))
        wrong = compare(said, devices)
        return (
            ("", f"{spec} {wrong}: {REFRESH}")
            if wrong
            else (f"{spec} lists the {number} device(s) that nvidia-smi -L does", "")
        )
    found = count_listed(said)
    if found != gpus:
        return "", f"{spec} lists {found} GPUs, and {gpus} are on the PCI bus: restart the service"
    return f"{spec} lists {found} GPU(s)", ""


def _prove_engine(engine: str, image: str, gpus: int) -> tuple[str, str]:
    """Count the GPUs in a container before and after systemd is reloaded."""
    start = [engine, "run", "--detach", "--rm", "--network", "none", "--device", ALL]
    status, said = call(*start, image, "sleep", "300", timeout_s=LIMIT_S)
    if status:
        return "", f"{engine}: no container with --device {ALL}: {said[-400:]}"
    container = said.splitlines()[-1]
    try:
        for moment in ("", " after systemctl daemon-reload"):
            if moment:
                call("systemctl", "daemon-reload", timeout_s=LIMIT_S)
            status, said = call(engine, "exec", container, "nvidia-smi", "-L", timeout_s=LIMIT_S)
            seen = len(re.findall(r"^GPU \d+:", said, re.M))
            if status or seen != gpus:
                problem = f"{engine}: a container sees {seen} of {gpus} GPUs{moment}"
                return "", f"{problem}: {said[-400:]}"
    finally:
        call(engine, "rm", "--force", container, timeout_s=LIMIT_S)
    return f"{engine}: a container sees {gpus} GPU(s), and goes on to when systemd is reloaded", ""
