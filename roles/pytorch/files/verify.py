"""Prove that PyTorch works. Run it by the environment's own Python.

Usage: verify.py '{"build": "cpu", "devices": ["cpu"]}'
Prints one JSON object {"version", "build", "problems"}; exit status 1 when there are problems.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any


def device_problems(torch: ModuleType, device: str) -> list[str]:
    """Return a line when `device` (cpu or cuda) is not usable or multiplies wrongly.

    Small whole numbers are exact in every format that a device may choose for a product.
    """
    if device == "cuda" and not torch.cuda.is_available():
        hint = "check the driver with nvidia-smi, and that it is new enough"
        return [f"torch sees no CUDA device: {hint} for CUDA {torch.version.cuda}"]
    try:
        left = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
        right = torch.tensor([[5.0, 6.0], [7.0, 8.0]], device=device)
        product = (left @ right).cpu().tolist()
    except RuntimeError as error:  # what torch raises for every failure of a device
        return [f"a matrix product on {device} fails: {error}"]
    if product != [[19.0, 22.0], [43.0, 50.0]]:
        return [f"a matrix product on {device} is wrong: {product}"]
    return []


def prove(build: str, devices: list[str]) -> dict[str, Any]:
    """Return version, build and problems."""
    try:
        import torch
    except (ImportError, OSError) as error:  # a missing shared library is an OSError
        return {"version": "", "build": "", "problems": [f"torch cannot be imported: {error}"]}
    found = "cuda" if torch.version.cuda else "cpu"
    problems = [] if found == build else [f"torch is a {found} build, decided was {build}"]
    for device in devices:
        problems += device_problems(torch, device)
    return {"version": torch.__version__, "build": found, "problems": problems}


if __name__ == "__main__":
    result = prove(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(result) + "\n")
    raise SystemExit(1 if result["problems"] else 0)
