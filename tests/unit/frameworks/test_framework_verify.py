"""The proofs that the frameworks compute, against stand-ins for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).parents[3] / "roles"
GOOD = "[[19.0, 22.0], [43.0, 50.0]]"

NO_DEVICE = (
    "torch sees no CUDA device: check the driver with nvidia-smi, and that it is new enough for "
    "CUDA 13.0"
)

TORCH = """
__version__ = "2.13.0+cpu"
class version: cuda = {cuda}
class cuda:
    @staticmethod
    def is_available(): return {available}
class Tensor:
    def __matmul__(self, other):
        {body}
    def cpu(self): return self
    def tolist(self): return {product}
def tensor(values, device): return Tensor()
"""


TENSORFLOW = """
__version__ = "2.21.0"
class errors:
    class OpError(Exception): pass
class test:
    @staticmethod
    def is_built_with_cuda(): return {cuda}
class sysconfig:
    @staticmethod
    def get_build_info(): return {{"cuda_version": "12.9"}}
class config:
    @staticmethod
    def list_physical_devices(kind): return [kind] if kind in {kinds} else []
class device:
    def __init__(self, name): self.name = name
    def __enter__(self): pass
    def __exit__(self, *_): pass
class Tensor:
    device = "/job:localhost/replica:0/task:0/device:{ran}:0"
    def numpy(self): return self
    def tolist(self): return {product}
def constant(values): return Tensor()
def matmul(left, right):
    {body}
"""


def verify(
    folder: Path, framework: str, module: str, **requested: Any
) -> tuple[int, dict[str, Any]]:
    """Run a role's script with a stand-in for its framework."""
    script = ROLES / framework / "files" / "verify.py"
    (folder / f"{'torch' if framework == 'pytorch' else framework}.py").write_text(module)
    asked = {"build": "cpu", "devices": ["cpu"]} | requested
    done = subprocess.run(
        [sys.executable, "-", json.dumps(asked)],
        input=script.read_text(),
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


def stand_in(
    *, cuda: str = "None", available: bool = False, product: str = GOOD, body: str = "return self"
) -> str:
    return TORCH.format(cuda=cuda, available=available, product=product, body=body)


def tensorflow(
    *,
    cuda: bool = False,
    kinds: tuple[str, ...] = ("CPU",),
    ran: str = "CPU",
    product: str = GOOD,
    body: str = "return Tensor()",
) -> str:
    return TENSORFLOW.format(cuda=cuda, kinds=kinds, ran=ran, product=product, body=body)


def test_a_working_torch_passes(tmp_path: Path) -> None:
    assert verify(tmp_path, "pytorch", stand_in()) == (
        0,
        {"version": "2.13.0+cpu", "build": "cpu", "problems": []},
    )


def test_a_working_tensorflow_passes(tmp_path: Path) -> None:
    assert verify(tmp_path, "tensorflow", tensorflow()) == (
        0,
        {"version": "2.21.0", "build": "cpu", "problems": []},
    )


def test_working_gpus_pass(tmp_path: Path) -> None:
    requested = {"build": "cuda", "devices": ["cuda"]}
    code, _ = verify(tmp_path, "pytorch", stand_in(cuda="'13.0'", available=True), **requested)
    assert code == 0
    gpus = tensorflow(cuda=True, kinds=("CPU", "GPU"), ran="GPU")
    code, _ = verify(tmp_path, "tensorflow", gpus, **requested)
    assert code == 0


@pytest.mark.parametrize(
    ("torch", "requested", "problem"),
    [
        (stand_in(), {"build": "cuda"}, "torch is a cpu build, decided was cuda"),
        (stand_in(cuda="'13.0'"), {}, "torch is a cuda build, decided was cpu"),
        (stand_in(product="[[0.0]]"), {}, "a matrix product on cpu is wrong: [[0.0]]"),
        (
            stand_in(body="raise RuntimeError('boom')"),
            {},
            "a matrix product on cpu fails: boom",
        ),
        (stand_in(cuda="'13.0'"), {"build": "cuda", "devices": ["cpu", "cuda"]}, NO_DEVICE),
        (
            "raise OSError('libcudart.so.13: cannot open')",
            {},
            "torch cannot be imported: libcudart.so.13: cannot open",
        ),
    ],
)
def test_each_problem_of_torch_is_found(
    tmp_path: Path, torch: str, requested: dict[str, Any], problem: str
) -> None:
    code, result = verify(tmp_path, "pytorch", torch, **requested)
    assert (code, result["problems"]) == (1, [problem])


@pytest.mark.parametrize(
    ("module", "requested", "problem"),
    [
        (tensorflow(), {"build": "cuda"}, "tensorflow is a cpu build, decided was cuda"),
        (tensorflow(product="[[0.0]]"), {}, "a matrix product on cpu is wrong: [[0.0]]"),
        (
            tensorflow(body="raise RuntimeError('boom')"),
            {},
            "a matrix product on cpu fails: boom",
        ),
        (
            tensorflow(body="raise errors.OpError('boom')"),
            {},
            "a matrix product on cpu fails: boom",
        ),
        (
            tensorflow(cuda=True),
            {"build": "cuda", "devices": ["cpu", "cuda"]},
            NO_DEVICE.replace("torch sees no CUDA device", "tensorflow sees no GPU").replace(
                "13.0", "12.9"
            ),
        ),
        (
            tensorflow(cuda=True, kinds=("CPU", "GPU")),
            {"build": "cuda", "devices": ["cuda"]},
            "a matrix product for cuda ran on /job:localhost/replica:0/task:0/device:CPU:0",
        ),
        (
            "raise ImportError('no such thing')",
            {},
            "tensorflow cannot be imported: no such thing",
        ),
    ],
)
def test_each_problem_of_tensorflow_is_found(
    tmp_path: Path, module: str, requested: dict[str, Any], problem: str
) -> None:
    code, result = verify(tmp_path, "tensorflow", module, **requested)
    assert (code, result["problems"]) == (1, [problem])
