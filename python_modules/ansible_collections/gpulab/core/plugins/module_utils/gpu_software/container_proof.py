"""Prove that containers get the node's GPUs by CDI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..process import call

# Long enough for an image of a few hundred megabytes.
LIMIT_S = 600
ALL = "nvidia.com/gpu=all"


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
    results = [_prove_spec(requested.spec, requested.gpus)]
    if not requested.image:
        results.append(("containers not tried: nvidia_container_test_image is empty", ""))
    elif not results[0][1]:
        results += [
            _prove_engine(engine, requested.image, requested.gpus) for engine in requested.engines
        ]
    lines = [line for line, _ in results if line]
    return lines, problems + [problem for _, problem in results if problem]


def count_listed(said: str) -> int:
    """Count the GPUs that ``nvidia-ctk cdi list`` names by their index.

    A GPU that is cut into MIG devices is listed by these (``0:1``) instead.
    """
    whole = set(re.findall(r"^nvidia\.com/gpu=(\d+)$", said, re.M))
    return len(whole | set(re.findall(r"^nvidia\.com/gpu=(\d+):\d+$", said, re.M)))


def _prove_spec(spec: str, gpus: int) -> tuple[str, str]:
    """Compare the specification with the bus: what to say, and what is wrong."""
    if not Path(spec).is_file():
        return "", f"{spec} is missing: see `systemctl status nvidia-cdi-refresh.service`"
    status, said = call("nvidia-ctk", "cdi", "list", timeout_s=LIMIT_S)
    if status or ALL not in said.splitlines():
        return "", f"{spec} does not offer {ALL}: nvidia-ctk cdi list: {said[-400:]}"
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
