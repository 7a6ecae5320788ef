"""Prove that a PyTorch environment works. Run it by the environment's own Python.

Usage: verify.py '{"build": "cpu", "device": "cpu", "pins": {"torch": "2.13.0+cpu", ...}}'
Prints one JSON object {"torch", "build", "device", "problems"}; exit status 1 when there are any.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from types import ModuleType
from typing import Any


def version_problems(pins: dict[str, str]) -> list[str]:
    """Return one line per package whose installed version is not the lock's."""
    problems = []
    for name, wanted in sorted(pins.items()):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            problems.append(f"{name} is {found}, the lock says {wanted}")
    return problems


def build_problems(torch: ModuleType, build: str) -> list[str]:
    """Return a line when torch was built for something else than `build` (cpu or cuda)."""
    found = "cuda" if torch.version.cuda else "cpu"
    return [] if found == build else [f"torch is a {found} build, decided was {build}"]


def device_problems(torch: ModuleType, device: str) -> list[str]:
    """Return a line when `device` (cpu or cuda) is not usable or multiplies wrongly.

    Small whole numbers are exact in every format that a device may choose for a product.
    """
    if device == "cuda" and not torch.cuda.is_available():
        hint = "check the driver with nvidia-smi, and that it is new enough"
        return [f"torch sees no CUDA device: {hint} for CUDA {torch.version.cuda}"]
    left = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    right = torch.tensor([[5.0, 6.0], [7.0, 8.0]], device=device)
    product = (left @ right).cpu().tolist()
    if product != [[19.0, 22.0], [43.0, 50.0]]:
        return [f"a matrix product on {device} is wrong: {product}"]
    return []


def main(wish: dict[str, Any]) -> int:
    """Check everything, print the result, and return the exit status."""
    result: dict[str, Any] = {"torch": "", "build": "", "device": wish["device"]}
    problems = version_problems(wish["pins"])
    try:
        import torch
    except (ImportError, OSError) as error:  # a missing shared library is an OSError
        problems.append(f"torch cannot be imported: {error}")
    else:
        result.update(torch=torch.__version__, build="cuda" if torch.version.cuda else "cpu")
        problems += build_problems(torch, wish["build"])
        try:
            problems += device_problems(torch, wish["device"])
        except RuntimeError as error:  # what torch raises for every failure of a device
            problems.append(f"a matrix product on {wish['device']} fails: {error}")
    result["problems"] = problems
    sys.stdout.write(json.dumps(result) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1])))
