"""Prove CDI: python3 - '{"gpus": 8, …}'; prints {"lines": […], "problems": […]}.

Arguments, one JSON object:
    gpus: NVIDIA GPUs on the PCI bus.
    loaded: version of the loaded driver module, "" where none is.
    version: release of the toolkit that must be installed.
    spec: path of the CDI specification.
    engines: container engines to try, as ["podman"].
    image: image with a C library in which to try them; "" for not at all.
Ends with 1 when there are problems.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

# Long enough for an image of a few hundred megabytes.
LIMIT_S = 600
ALL = "nvidia.com/gpu=all"


def call(*argv: str) -> tuple[int, str]:
    """Run a command; gives its exit status and all that it said."""
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout.strip()


def listed(said: str) -> set[str]:
    """Give the GPUs that `nvidia-ctk cdi list` names by their index."""
    return set(re.findall(r"^nvidia\.com/gpu=(\d+)$", said, re.M))


def prove_spec(spec: str, gpus: int) -> tuple[str, str]:
    """Compare the specification with the bus: what to say, and what is wrong."""
    if not Path(spec).is_file():
        return "", f"{spec} is missing: see `systemctl status nvidia-cdi-refresh.service`"
    status, said = call("nvidia-ctk", "cdi", "list")
    if status or ALL not in said.splitlines():
        return "", f"{spec} does not offer {ALL}: nvidia-ctk cdi list: {said[-400:]}"
    # A GPU that is cut into MIG devices is listed by these instead.
    found = len(listed(said)) or len(set(re.findall(r"^nvidia\.com/gpu=(\d+):\d+$", said, re.M)))
    if found != gpus:
        return "", f"{spec} lists {found} GPUs, and {gpus} are on the PCI bus: restart the service"
    return f"{spec} lists {found} GPU(s)", ""


def prove_engine(engine: str, image: str, gpus: int) -> tuple[str, str]:
    """Count the GPUs in a container before and after systemd is reloaded."""
    start = [engine, "run", "--detach", "--rm", "--network", "none", "--device", ALL]
    status, said = call(*start, image, "sleep", "300")
    if status:
        return "", f"{engine}: no container with --device {ALL}: {said[-400:]}"
    container = said.splitlines()[-1]
    try:
        for moment in ("", " after systemctl daemon-reload"):
            if moment:
                call("systemctl", "daemon-reload")
            status, said = call(engine, "exec", container, "nvidia-smi", "-L")
            seen = len(re.findall(r"^GPU \d+:", said, re.M))
            if status or seen != gpus:
                problem = f"{engine}: a container sees {seen} of {gpus} GPUs{moment}"
                return "", f"{problem}: {said[-400:]}"
    finally:
        call(engine, "rm", "--force", container)
    return f"{engine}: a container sees {gpus} GPU(s), and goes on to when systemd is reloaded", ""


def main() -> int:
    """Prove version, specification and engines."""
    wish = json.loads(sys.argv[1])
    lines, problems = [], []
    status, said = call("nvidia-ctk", "--version")
    found = re.search(r"version (\d+\.\d+\.\d+)", said)
    if status or not found or found[1] != wish["version"]:
        problems.append(f"nvidia-ctk is not {wish['version']}: {said[-200:]}")
    if not wish["gpus"]:
        lines.append("no CDI specification: no NVIDIA device on the PCI bus")
    elif not wish["loaded"]:
        lines.append("no CDI specification: the NVIDIA driver is not loaded")
    else:
        results = [prove_spec(wish["spec"], wish["gpus"])]
        if wish["image"] and not results[0][1]:
            results += [prove_engine(e, wish["image"], wish["gpus"]) for e in wish["engines"]]
        elif not wish["image"]:
            results.append(("containers not tried: nvidia_container_test_image is empty", ""))
        lines += [line for line, _ in results if line]
        problems += [problem for _, problem in results if problem]
    print(json.dumps({"lines": lines, "problems": problems}))  # noqa: T201 (the answer)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
