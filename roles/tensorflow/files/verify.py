"""Prove that TensorFlow works. Run it by the environment's own Python.

Usage: verify.py '{"build": "cpu", "devices": ["cpu"]}'
Prints one JSON object {"version", "build", "problems"}; exit status 1 when there are problems.
"""

from __future__ import annotations

import json
import os
import sys
from types import ModuleType
from typing import Any

# TensorFlow's names for the devices.
KINDS = {"cpu": "CPU", "cuda": "GPU"}


def device_problems(tensorflow: ModuleType, device: str) -> list[str]:
    """Return a line when `device` (cpu or cuda) is not usable or multiplies wrongly.

    Small whole numbers are exact in every format that a device may choose for a product.
    """
    kind = KINDS[device]
    if not tensorflow.config.list_physical_devices(kind):
        hint = "check the driver with nvidia-smi, and that it is new enough"
        cuda = tensorflow.sysconfig.get_build_info().get("cuda_version", "")
        return [f"tensorflow sees no {kind}: {hint} for CUDA {cuda}"]
    try:
        with tensorflow.device(f"/{kind}:0"):
            left = tensorflow.constant([[1.0, 2.0], [3.0, 4.0]])
            right = tensorflow.constant([[5.0, 6.0], [7.0, 8.0]])
            result = tensorflow.matmul(left, right)
        product = result.numpy().tolist()
    except (RuntimeError, tensorflow.errors.OpError) as error:
        return [f"a matrix product on {device} fails: {error}"]
    # A device that cannot run an operation leaves it to another one, silently.
    if not result.device.endswith(f"{kind}:0"):
        return [f"a matrix product for {device} ran on {result.device}"]
    if product != [[19.0, 22.0], [43.0, 50.0]]:
        return [f"a matrix product on {device} is wrong: {product}"]
    return []


def prove(build: str, devices: list[str]) -> dict[str, Any]:
    """Return version, build and problems."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is no part of the answer
    try:
        import tensorflow
    except (ImportError, OSError) as error:  # a missing shared library is an OSError
        return {"version": "", "build": "", "problems": [f"tensorflow cannot be imported: {error}"]}
    found = "cuda" if tensorflow.test.is_built_with_cuda() else "cpu"
    problems = [] if found == build else [f"tensorflow is a {found} build, decided was {build}"]
    for device in devices:
        problems += device_problems(tensorflow, device)
    return {"version": tensorflow.__version__, "build": found, "problems": problems}


if __name__ == "__main__":
    result = prove(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(result) + "\n")
    raise SystemExit(1 if result["problems"] else 0)
